"""Train a segmentation network from scratch.

Hair, from the arrays that data.py writes (46 s an epoch on two CPU cores for the 1,997 images of
LFW; hair IoU 0.73 after 12 epochs, 0.79 after 80, and with hair,face 0.805 after 115):
    python train_full.py --img_file data/images-128.npy --mask_file data/masks-128.npy --epochs 12
After an interruption, the same command with --resume carries on. The face, or both:
    python train_full.py --img_file data/images-128.npy --classes face
    python train_full.py --img_file data/images-128.npy --classes hair,face -o artifacts/both.keras
Objects, with ICNet, from the TFRecord that data.py writes:
    python train_full.py -d data/room/room.tfrecord -s 768 -a 0.25 -n 10000 -o data/room/icnet.keras

Written beside -o: the model of the best epoch, its card (.json), the history (.csv), the curves
(.png), predictions for a few samples as epochs go by (.samples.png), a few validation images for
the checks of exports (.check/) and the checkpoint for --resume (.ckpt/); logs/ is for TensorBoard.
"""

from segmentation.cli import options, terminal, training_options
from segmentation.training import distribution
from segmentation.training.config import FullConfig


def parse_args(argv=None):
    """Parse the options into a `FullConfig`."""
    parser = options.Parser(__doc__)
    network, training = training_options.add(parser, "mobile_unet; icnet for TFRecords")
    network.add_argument(
        "--fine_tune_checkpoint", metavar="MODEL", help="begin with the weights of this model"
    )
    training.add_argument(
        "--epochs",
        type=options.count,
        help=f"passes over the images ({FullConfig.usual_epochs['epochs']}; more for few)",
    )
    training.add_argument(
        "-n", "--num_steps", type=options.count, help="optimizer steps; overrides --epochs"
    )
    args = parser.parse_args(argv)
    training_options.complete(args)
    return training_options.to_config(args, FullConfig)


def main(argv=None):
    """Train, and print the model card."""
    config = parse_args(argv)
    with distribution.started(config) as devices:
        terminal.connect_worker(devices.share)
        from segmentation.training import assembly, loop

        opened = assembly.open_run(config, devices)
        model, data = assembly.build(opened)
        compile_stage, card = assembly.compiler(opened, model, data)
        result = loop.fit(model, data, card, compile_stage, opened.run, terminal.EpochBar())
    terminal.print_result(result)


if __name__ == "__main__":
    terminal.run(main)
