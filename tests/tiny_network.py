"""A network of two layers, for tests of what surrounds a network; as a script, train_full.

With KILLED_SAVE=N in the environment the script kills itself in the middle of the N-th checkpoint.
"""

import itertools
import os
import signal
import sys
import types
from pathlib import Path


def Tiny(img_size, num_classes=1, alpha=1.0):
    """Build a network whose training graph compiles in a second."""
    import keras

    image = keras.Input((*img_size, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(int(8 * alpha), 3, padding="same", use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU()(x)
    # Has random state, which a checkpoint must hold; without a seed PyTorch keeps it to itself.
    x = keras.layers.Dropout(0.1, seed=1)(x)
    x = keras.layers.Conv2D(num_classes, 1)(x)
    activation = "sigmoid" if num_classes == 1 else "softmax"
    mask = keras.layers.Activation(activation, dtype="float32", name="mask")(x)
    return keras.Model(image, mask, name="tiny")


def register(set_item):
    """Make `--model tiny` known, with `set_item(dictionary, key, value)`."""
    import nets

    set_item(nets.NETWORKS, "tiny", "Tiny")
    set_item(sys.modules, "nets.tiny", types.SimpleNamespace(Tiny=Tiny))


def die_while_saving(number):
    """Make the `number`-th checkpoint end half-written, by kill -9."""
    import numpy as np

    whole, calls = np.savez, itertools.count(1)

    def savez(path, **arrays):
        whole(path, **arrays)
        if next(calls) == number:
            os.truncate(path, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    np.savez = savez


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import train_full
    from segmentation import command_line

    register(dict.__setitem__)
    die_while_saving(int(os.environ.get("KILLED_SAVE", 0)))
    command_line.run(train_full.main)
