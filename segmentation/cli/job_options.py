"""Where the scheduler of a job wants its outputs: --job_dir, and the variables of Vertex AI."""

import os

from segmentation.cli import terminal

# What goes to the folder of each, by the field of `TrainConfig`.
# https://cloud.google.com/vertex-ai/docs/training/code-requirements#environment-variables
VARIABLES = {
    "model_dir": ("AIP_MODEL_DIR", "the model and what stands beside it go"),
    "checkpoint_dir": ("AIP_CHECKPOINT_DIR", "the checkpoint goes"),
    "log_dir": ("AIP_TENSORBOARD_LOG_DIR", "the logs for TensorBoard go"),
}


def add(parser, group):
    """Add --job_dir to a group of a parser, and what the environment says as defaults."""
    group.add_argument(
        "--job_dir", metavar="DIR", help="folder of the model, if -o names none, and of logs/"
    )
    said = {name: os.environ.get(variable) or None for name, (variable, _) in VARIABLES.items()}
    parser.set_defaults(**said)
    parser.before_staging.append(_complete)  # a folder that is not heeded is not looked at


def _complete(parser, args):
    """Put folders into `model_dir`, `checkpoint_dir` and `log_dir`, or None, in place of `job_dir`.

    Options win over the environment: with -o or --job_dir the checkpoint stands beside the model,
    and with --job_dir the logs, too. What the environment decides is said in a line.
    """
    decided = dict(VARIABLES)
    if args.output or args.job_dir:
        args.model_dir, args.checkpoint_dir = args.job_dir, None
        del decided["model_dir"]
    if args.job_dir:
        args.log_dir = f"{args.job_dir}/logs"
        del decided["log_dir"]
    for name, (variable, what) in decided.items():
        if folder := getattr(args, name):
            terminal.say(f"{variable}: {what} to {folder}")
    del args.job_dir
