"""How both training commands put a run together: opened, built and made ready to be compiled.

The order matters: the precision of a resumed run is that of its checkpoint, the teacher is loaded
before the network sets the precision of Keras, and weights come before biases are set for the data.
"""

from dataclasses import dataclass

from segmentation.training import (
    accelerator,
    cards,
    class_weights,
    network,
    plan,
    run_files,
    sources,
)
from segmentation.training.teacher import Teacher, open_teacher


@dataclass(frozen=True)
class Opened:
    """What a run has before its network is built.

    Attributes:
        samples: `sources.Samples`.
        run: `RunFiles`, whose `config` is complete.
        plan: of `plan.complete`.
        device: `accelerator.Device`.
        teacher: `Teacher`, or None.
    """

    samples: sources.Samples
    run: run_files.RunFiles
    plan: dict
    device: accelerator.Device
    teacher: Teacher | None


def open_run(config, devices):
    """Open the data, plan what the options leave open, and open the files of the run.

    Args:
        config: `TrainConfig`.
        devices: `distribution.Devices`.

    Returns:
        `Opened`.

    Raises:
        InputError: as `sources.open_samples`, `plan.complete`, `RunFiles` and `open_teacher`.
    """
    samples = sources.open_samples(config, devices.share)
    config, planned = plan.complete(config, samples, devices.share)
    run = run_files.RunFiles(config, samples.classes, devices)
    device = accelerator.find()
    run.config = accelerator.with_precision(config, device, run.begun)
    teacher = open_teacher(run.config, samples.classes, devices)
    return Opened(samples, run, planned, device, teacher)


def build(opened):
    """Build the network with the weights that it begins with, and make batches of the data.

    Returns:
        `(model, data)`: `keras.Model` and `pipeline.TrainingData`.

    Raises:
        InputError: as `network.build`, `network.load_weights` and `sources.open_batches`.
    """
    run, samples = opened.run, opened.samples
    model = network.build(run.config, samples, run.earlier_card)
    fresh = [] if run.begun else network.load_weights(model, run.config, samples.classes)
    data = sources.open_batches(run.config, samples, model, run.begun, run.devices.share)
    network.start_at_priors(model, fresh, data.statistics)
    return model, data


def compiler(opened, model, data):
    """Return how the model is compiled for a stage, and the card as it is before training.

    Args:
        opened: `Opened`.
        model: of `build`.
        data: of `build`.

    Returns:
        `(compile_stage, card)`, as `loop.fit` takes them.

    Raises:
        InputError: as `class_weights.of_option`.
    """
    run, device, teacher = opened.run, opened.device, opened.teacher
    weights = class_weights.of_option(run.config.class_weights, data)
    compile_stage = network.stage_compiler(run.config, data, weights, device, teacher)
    card = cards.new_card(model, run, data, opened.plan, weights, device, teacher)
    return compile_stage, card
