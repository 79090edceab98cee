"""Operations on built networks: loading, freezing, training heads, the inference model."""

import difflib
import math

import keras
from keras import layers

from nets.blocks import probabilities
from nets.layers import PyramidLevel
from nets.names import AUX, OUTPUT


def load(path):
    """Load a model with its weights, but without its optimizer, from a `.keras` or `.h5` file.

    Raises:
        ValueError, OSError: if the file is missing or damaged, or is not a model.
    """
    return keras.models.load_model(path, compile=False, safe_mode=True)


def take_weights(model, arrays):
    """Set the weights of each layer of `model` from the arrays under its name, if the shapes match.

    Args:
        model: `keras.Model`.
        arrays: lists of arrays by layer name.

    Returns:
        `(loaded, other_shape, missing)`: three lists of names of layers with weights, in the order
        of the model.
    """
    loaded, other_shape, missing = [], [], []
    for layer in model.layers:
        if not layer.weights:
            continue
        found = arrays.get(layer.name)
        if not found:
            missing.append(layer.name)
        elif [array.shape for array in found] != [tuple(weight.shape) for weight in layer.weights]:
            other_shape.append(layer.name)
        else:
            layer.set_weights(found)
            loaded.append(layer.name)
    return loaded, other_shape, missing


def freeze_until(model, name):
    """Freeze a layer, its BatchNorm and activation, and all layers that they depend on.

    All other layers become trainable. Frozen BatchNorm works as in inference: its statistics don't
    change. Compile the model afterwards.

    Args:
        model: `keras.Model`.
        name: name of a layer, such as `conv_pw_11`, or of a block that ends in a layer `NAME_relu`,
            such as ICNet's `conv3_1`. None freezes nothing.

    Returns:
        the number of frozen layers that have weights.

    Raises:
        ValueError: if there is no such layer; the message suggests similar names.
    """
    frozen = set()
    if name is not None:
        until = keras.Model(model.inputs, _end_of_block(model, name).output)
        frozen = {layer.name for layer in until.layers}
    for layer in model.layers:
        layer.trainable = layer.name not in frozen
    return sum(bool(layer.weights) for layer in model.layers if layer.name in frozen)


def _end_of_block(model, name):
    """Return the last layer of the layer or block `name` with its BatchNorm and activation."""
    by_name = {layer.name: layer for layer in model.layers}
    end = by_name.get(name) or by_name.get(f"{name}_relu")
    if end is None:
        close = difflib.get_close_matches(name, by_name, n=3)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(f"{model.name} has no layer called {name!r}{hint}")
    kinds = layers.BatchNormalization | layers.Activation | layers.ReLU
    followers = [layer for layer in model.layers if isinstance(layer, kinds)]
    while following := [layer for layer in followers if layer.input is end.output]:
        end = following[0]
    return end


def with_aux_head(model, num_classes):
    """Return `model` with one more training head, on the features that `mask` is computed from.

    Args:
        model: built network.
        num_classes: channels of the head. 1: sigmoid; more: softmax.

    Returns:
        `keras.Model`: its last output is `aux`, `(batch, h, w, num_classes)` probabilities at the
        resolution of the features.
    """
    aux = probabilities(features(model), num_classes, score=f"{AUX}_score", name=AUX)
    return keras.Model(model.input, [*model.outputs, aux], name=model.name)


def features(model):
    """Return the features that `mask` is computed from, a tensor `(batch, h, w, channels)`."""
    of_mask = keras.Model(model.input, model.get_layer(OUTPUT).output).layers
    return [layer for layer in of_mask if isinstance(layer, keras.layers.Conv2D)][-1].input


def strides(model):
    """Return the stride of each output of a network, in pixels of the input."""
    return tuple(model.input_shape[1] // output.shape[1] for output in model.outputs)


def inference_model(model):
    """Return the float32 model from `image` to `mask`: no training heads, no mixed precision.

    Weights are copied if the precision changes and shared otherwise.
    """
    if any(layer.compute_dtype != "float32" for layer in model.layers):
        clone = keras.Model.from_config(_float32(model.get_config()))
        clone.set_weights(model.get_weights())
        model = clone
    if len(model.outputs) == 1:
        return model
    return keras.Model(model.input, model.get_layer(OUTPUT).output, name=model.name)


def full_resolution(model):
    """Return an inference model whose probabilities have the size of its input.

    If they are smaller by an integer factor, the graph upsamples them bilinearly.
    """
    factor = model.input_shape[1] // model.output_shape[1]
    if factor == 1:
        return model
    upsample = keras.layers.UpSampling2D(factor, interpolation="bilinear", name=f"{OUTPUT}_full")
    return keras.Model(model.input, upsample(model.outputs[0]), name=model.name)


def macs(model):
    """Count the multiply-accumulates of convolutions and pyramid pooling for one image."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, layers.Conv2DTranspose):  # the whole kernel per input pixel
            total += math.prod(layer.input.shape[1:3]) * math.prod(layer.kernel.shape)
        elif isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
            total += math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
        elif isinstance(layer, PyramidLevel):  # one matrix product per axis
            total += math.prod(layer.output.shape[1:]) * sum(layer.output.shape[1:3])
    return total


def _float32(config):
    """Copy a (nested) layer configuration with every dtype policy replaced by float32."""
    if isinstance(config, dict):
        return {
            key: "float32" if key == "dtype" else _float32(value) for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(_float32(value) for value in config)
    return config
