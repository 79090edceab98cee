"""Write networks as Keras 2 wrote them: HDF5 with its configuration and groups of weights."""

import json

import h5py
import keras
import numpy as np
from keras import layers

CONV = ("kernel_size", "strides", "padding", "data_format", "dilation_rate", "activation")
KEYS = {  # in each layer's configuration in Keras 2.0.8, without initializers and the like
    "InputLayer": (),
    "Conv2D": ("filters", *CONV, "use_bias"),
    "Conv2DTranspose": ("filters", *CONV, "use_bias"),
    "DepthwiseConv2D": (*CONV, "use_bias", "depth_multiplier"),
    "BatchNormalization": ("axis", "momentum", "epsilon", "center", "scale"),
    "Activation": ("activation",),
    "Concatenate": ("axis",),
    "Add": (),
    "AveragePooling2D": ("pool_size", "strides", "padding", "data_format"),
    "MaxPooling2D": ("pool_size", "strides", "padding", "data_format"),
    "ZeroPadding2D": ("padding", "data_format"),
    "UpSampling2D": ("size", "data_format", "interpolation"),
    "BilinearUpSampling2D": ("size", "data_format"),
    "Rescaling": ("scale", "offset"),
}
INITIALIZER = {  # he_normal, of the last convolution of the 2017 networks
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_in", "distribution": "normal", "seed": None},
}

# hair2017's names of the layers with weights, by those of nets.mobile_unet.
HAIR2017_NAMES = {"conv1": "conv_0", "conv1_bn": "conv_0_bn", "stem_conv": "conv_18"}
HAIR2017_NAMES |= {"stem_bn": "conv_18_bn", "score": "conv2d_3"}
for _block, _stride in ((14, 16), (15, 8), (16, 4), (17, 2)):
    HAIR2017_NAMES |= {
        f"up_{_stride}_deconv": f"conv2d_transpose_{_block - 9}",  # third network of a session
        f"up_{_stride}_dw": f"conv_dw_{_block}",
        f"up_{_stride}_dw_bn": f"conv_dw_{_block}_bn",
        f"up_{_stride}_pw": f"conv_pw_{_block}",
        f"up_{_stride}_pw_bn": f"conv_pw_{_block}_bn",
    }


def write(path, model, version="2.0.8", names=None, kinds=None, whole=True, batch=None):
    """Write a functional Keras 3 model of some kinds of layers.

    Args:
        path: of the file.
        model: functional `keras.Model` with the layers of `KEYS`.
        version: of Keras; one with `tf` in it, or from 2.4 on, adds what tf.keras adds.
        names: the name in the file, by layer name; default: unchanged.
        kinds: the class in the file, by layer name; default: unchanged.
        whole: False writes only weights.
        batch: batch size of the input layer, or None.

    Returns:
        `path`.
    """
    names, kinds = names or {}, kinds or {}
    kept = [layer for layer in model.layers if not _merged(layer)]
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = version.encode()
        file.attrs["backend"] = b"tensorflow"
        if whole:
            config = {
                "name": "model_1",
                "layers": [_config(layer, version, names, kinds, batch) for layer in kept],
                "input_layers": [[_name(model.inputs[0], names), 0, 0]],
                "output_layers": [[_name(tensor, names), 0, 0] for tensor in model.outputs],
            }
            kind = "Functional" if _is_tf(version) else "Model"
            text = json.dumps({"class_name": kind, "config": config})
            file.attrs["model_config"] = text.encode()
        group = file.create_group("model_weights") if whole else file
        group.attrs["layer_names"] = [names.get(layer.name, layer.name).encode() for layer in kept]
        for layer in kept:
            name = names.get(layer.name, layer.name)
            keys = [f"{name}/{weight.name}:0" for weight in layer.weights]
            part = group.create_group(name)
            part.attrs["weight_names"] = [key.encode() for key in keys]
            for key, value in zip(keys, layer.get_weights(), strict=True):
                part.create_dataset(key, data=value)
    return path


def _is_tf(version):
    return "tf" in version or int(version.split(".")[1]) > 3


def _merged(layer):
    """Return whether the `same` padding of the next layer did the work of this one in 2017."""
    return isinstance(layer, layers.ZeroPadding2D) and layer.name.startswith("conv_pad")


def _name(tensor, names):
    layer = tensor._keras_history.operation
    while _merged(layer):
        layer = layer.input._keras_history.operation
    return names.get(layer.name, layer.name)


def _config(layer, version, names, kinds, batch):
    kind, name = type(layer).__name__, names.get(layer.name, layer.name)
    found = {"trainable": True, **layer.get_config(), "name": name}
    if kind == "ReLU":
        kind, found["activation"] = "Activation", "relu6" if layer.max_value else "relu"
    if isinstance(layer, layers.DepthwiseConv2D | layers.Conv2D) and layer.strides == (2, 2):
        if _merged(layer.input._keras_history.operation):
            found["padding"] = "same"
    kind = kinds.get(layer.name, kind)
    config = {key: found[key] for key in ("name", "trainable", *KEYS[kind]) if key in found}
    if kind == "Conv2D":
        config["kernel_initializer"] = INITIALIZER
    if kind == "InputLayer":
        config |= {"batch_input_shape": [batch, *layer.batch_shape[1:]], "dtype": "float32"}
        config["sparse"] = False
    if _is_tf(version):
        config["dtype"] = "float32"
        if kind in ("DepthwiseConv2D", "Conv2DTranspose", "Conv2D"):
            config["groups"] = 1
        if kind == "BatchNormalization":
            config["axis"] = [3]
    sources = [] if kind == "InputLayer" else layer.input
    sources = sources if isinstance(sources, list) else [sources]
    nodes = [[[_name(source, names), 0, 0, {}] for source in sources]] if sources else []
    return {"name": name, "class_name": kind, "config": config, "inbound_nodes": nodes}


def icnet_like(size=(32, 64), num_classes=3, interpolation="nearest"):
    """Return a network with the kinds of layers and three heads of the ICNet of 2018."""
    image = keras.Input((*size, 3), name="input_1")
    half = layers.AveragePooling2D(2, name="sub2_data")(image)
    half = layers.Conv2D(6, 3, 2, "same", activation="relu", name="sub2_conv")(half)
    half = layers.BatchNormalization(name="sub2_conv_bn")(half)
    pooled = layers.MaxPooling2D(3, 1, "same", name="sub2_pool")(half)
    x = layers.ZeroPadding2D(2, name="padding1")(pooled)
    x = layers.Conv2D(6, 3, dilation_rate=2, activation="relu", name="conv2_1_3x3")(x)
    x = layers.Add(name="conv2_1")([x, pooled])
    half = layers.Activation("relu", name="conv2_1_relu")(x)
    low = layers.AveragePooling2D(4, name="conv5_3_pool1")(half)
    low = layers.UpSampling2D(2, interpolation=interpolation, name="conv5_3_pool1_interp")(low)
    low = layers.UpSampling2D(2, interpolation=interpolation, name="sub24_interp")(low)
    x = layers.Add(name="sub12_sum")([half, low])
    outputs = [
        layers.Conv2D(num_classes, 1, activation="softmax", name=name)(source)
        for name, source in (("conv6_cls", x), ("sub24_out", half), ("sub4_out", low))
    ]
    model = keras.Model(image, outputs)
    generator = np.random.default_rng(1)
    for layer in model.layers:
        if layer.weights:
            shapes = [weight.shape for weight in layer.weights]
            spread = 1.5 if layer.name in model.output_names else 0.5
            layer.set_weights([generator.normal(0, spread, shape) for shape in shapes])
        if isinstance(layer, layers.BatchNormalization):
            variance = generator.uniform(0.5, 1.5, layer.moving_variance.shape)
            layer.moving_variance.assign(variance)
    return model
