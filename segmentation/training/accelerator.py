"""The device that training runs on, and what follows from it: precision, and whether XLA pays."""

import dataclasses
import logging
import re
from dataclasses import dataclass

import keras

logger = logging.getLogger(__name__)

# NVIDIA's compute capabilities. Tensor cores multiply float16 since 7.0 and bfloat16 since 8.0
# (CUDA C++ Programming Guide, "Compute Capabilities"). bfloat16 has the range of float32, so the
# loss needs no scale.
BFLOAT16, FLOAT16 = (8, 0), (7, 0)


@dataclass(frozen=True)
class Device:
    """What training runs on.

    Attributes:
        kind: `cpu`, `gpu` or `tpu`.
        name: of the first of them, as its vendor calls it; empty: unknown.
        compute_capability: `(major, minor)` of the NVIDIA GPU that can do least, else None.
    """

    kind: str = "cpu"
    name: str = ""
    compute_capability: tuple[int, int] | None = None

    def __str__(self):
        found = f"{self.kind} {self.name}".strip()
        if self.compute_capability is None:
            return found
        return found + " (compute capability {}.{})".format(*self.compute_capability)


def precision(device):
    """Return the precision that pays on a `Device`: a name that Keras knows."""
    if device.kind == "tpu":
        return "mixed_bfloat16"
    capability = device.compute_capability or (0, 0)
    if capability >= BFLOAT16:
        return "mixed_bfloat16"
    return "mixed_float16" if capability >= FLOAT16 else "float32"


def jit_compile(backend, device, replicated):
    """Return `jit_compile` for `Model.compile`.

    XLA does not pay on a CPU, and crashes under tf.distribute's MirroredStrategy. Elsewhere Keras
    knows which backend compiles how, and which models cannot be.

    Args:
        backend: of Keras.
        device: `Device`.
        replicated: whether each device has a replica of the model, by tf.distribute.
    """
    if backend == "tensorflow" and (device.kind == "cpu" or replicated):
        return False
    return "auto"


def find():
    """Return the `Device` that Keras' backend trains on."""
    finders = {"tensorflow": _of_tensorflow, "jax": _of_jax, "torch": _of_torch}
    return finders.get(keras.backend.backend(), Device)()


def with_precision(config, device, begun=None):
    """Return a `TrainConfig` whose precision is not `auto`, and log one that is not float32.

    A run that is resumed keeps the precision that its weights were trained in, on any device.

    Args:
        config: `TrainConfig`.
        device: `Device`.
        begun: `RunFiles.begun`.
    """
    chosen, card = config.precision, begun["card"] if begun else {}
    if chosen == "auto":
        chosen = card["settings"].get("precision", "float32") if begun else precision(device)
    before = card.get("device", str(device))  # cards of older versions don't name it
    if before != str(device):
        logger.info(f"begun on {before}, resumed on {device}, in {chosen}")
    elif chosen != "float32":
        logger.info(f"training in {chosen} on {device}")
    return dataclasses.replace(config, precision=chosen)


def _of_tensorflow():
    import tensorflow as tf

    if tf.config.get_visible_devices("TPU"):
        return Device("tpu")
    gpus = tf.config.get_visible_devices("GPU")
    if not gpus:
        return Device()
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return _gpu(
        details[0].get("device_name", ""), [each.get("compute_capability") for each in details]
    )


def _of_jax():
    import jax

    found = jax.local_devices()
    first = found[0]
    if first.platform in ("cpu", "tpu"):
        return Device(first.platform, first.device_kind if first.platform == "tpu" else "")
    # "8.0" from CUDA, "gfx90a" from ROCm, nothing from Metal.
    texts = [
        re.fullmatch(r"(\d+)\.(\d+)", str(getattr(each, "compute_capability", "")))
        for each in found
    ]
    return _gpu(first.device_kind, [text and tuple(map(int, text.groups())) for text in texts])


def _of_torch():
    import torch

    if not torch.cuda.is_available():
        return Device("gpu", "MPS") if torch.backends.mps.is_available() else Device()
    numbers = range(torch.cuda.device_count())
    capabilities = [torch.cuda.get_device_capability(number) for number in numbers]
    if torch.version.hip:  # ROCm answers with numbers of its own
        capabilities = [None]
    return _gpu(torch.cuda.get_device_name(0), capabilities)


def _gpu(name, capabilities):
    """Return the `Device` of GPUs with these compute capabilities, None where one has none."""
    return Device("gpu", name, None if None in capabilities else min(map(tuple, capabilities)))
