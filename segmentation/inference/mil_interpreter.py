"""Run a saved Core ML package in NumPy, op by op, on any operating system.

The ops are those of coremltools' MIL (https://apple.github.io/coremltools/source/) that our
networks produce; variants that they do not produce are refused, not guessed. Arithmetic is float32.
A result that the program declares as float16 is rounded to float16 after the op, as ops exchange
float16. Within an op, a phone's chip may add in another order or precision.
"""

import inspect

import numpy as np

from segmentation.errors import ExportError, InputError, reason
from segmentation.quiet import silenced

CHANNEL_ORDERS = {"RGB": [0, 1, 2], "BGR": [2, 1, 0]}  # of RGB images, by the declared layout
OPS = {}  # MIL op type → function of the op's inputs, under MIL's names; filled by `_op`
OWN_PATH = "segmentation/inference/mil_interpreter.py"


class UnsupportedOp(ExportError):
    """The program holds an op, or a variant of an op, that this interpreter lacks."""


class Program:
    """The ML program of an `.mlpackage`, ready to run.

    Attributes:
        input_name: as the package declares it.
        img_size: `(height, width)` of the input image in pixels.
        metadata: user-defined metadata of the package, a dictionary of strings.
    """

    def __init__(self, spec, function):
        """Prepare a program.

        Args:
            spec: specification of the Core ML model, which declares its input and output.
            function: the program, a function of coremltools' MIL.

        Raises:
            InputError: if the input is not one RGB or BGR image.
            UnsupportedOp: if it needs an op that is not in `OPS`.
        """
        declared = spec.description.input[0]
        image = declared.type.imageType  # of size 0 if the input is something else
        layout = image.ColorSpace.Name(image.colorSpace)
        if len(spec.description.input) > 1 or layout not in CHANNEL_ORDERS:
            raise InputError("its input is not one RGB image; convert it again")
        self.input_name = declared.name
        self.img_size = (image.height, image.width)
        self._result = function.outputs[0].name  # the older format renames the declared output
        self._gives_image = spec.description.output[0].type.HasField("imageType")
        self.metadata = dict(spec.description.metadata.userDefined)
        self._channel_order = CHANNEL_ORDERS[layout]
        self._constants, self._steps = {}, []
        for op in function.operations:
            if op.op_type == "const":
                self._constants[op.outputs[0].name] = _in_float32(op.outputs[0].val)
            elif op.op_type.startswith("constexpr_"):  # compressed weights
                unpacked = op.materialized_val_inference()
                self._constants[op.outputs[0].name] = _in_float32(unpacked)
            else:
                self._steps.append(_step(op))

    def __call__(self, images):
        """Return the program's first output for each image.

        Args:
            images: `(N, height, width, 3)` uint8 RGB, of `img_size`.

        Returns:
            `(N, …)`, followed by the declared shape: float32 `(h, w, C)` probabilities, int32
            `(H, W)` class ids, or an 8-bit grayscale image `(1, H, W)` in float32.

        Raises:
            UnsupportedOp: if the program holds a variant of an op that this interpreter lacks.
        """
        return np.concatenate([self._run(image) for image in images])

    def _run(self, image):
        # Core ML passes an image as (1, 3, height, width), channels in the declared order.
        planes = image[..., self._channel_order].transpose(2, 0, 1)[None]
        values = {**self._constants, self.input_name: planes.astype(np.float32)}
        with np.errstate(over="ignore"):  # overflow gives infinity, as in Core ML
            for function, inputs, output, dtype in self._steps:
                arguments = {name: _looked_up(source, values) for name, source in inputs.items()}
                values[output] = _in_float32(function(**arguments).astype(dtype, copy=False))
        result = values[self._result]
        if self._gives_image:
            result = np.clip(np.rint(result), 0, 255)
        return result if result.ndim == 4 else result[None]  # class ids have no batch axis


def load(package_path):
    """Return the `Program` of the package at `package_path`.

    Raises:
        InputError: if it is not a package or not an ML program, or its input is not one image.
        UnsupportedOp: if it needs an op that is not in `OPS`.
    """
    with silenced():
        import coremltools as ct
        from coremltools.converters.mil.frontend import milproto

        try:
            package = ct.models.MLModel(str(package_path), skip_model_load=True)
        except Exception as error:  # of many types, also a bare Exception
            raise InputError(
                f"{package_path}: not a readable .mlpackage ({reason(error)})"
            ) from error
        spec = package.get_spec()
        if spec.WhichOneof("Type") != "mlProgram":
            raise InputError(f"{package_path}: not an ML program; convert it again")
        program = milproto.load.load(spec, spec.specificationVersion, package.weights_dir)
    try:
        return Program(spec, program.functions["main"])
    except InputError as error:
        raise InputError(f"{package_path}: {error}") from None


def _step(op):
    """Return the function that runs `op`, the names of its inputs and output, and its dtype."""
    from coremltools.converters.mil.mil import types

    if op.op_type not in OPS:
        raise UnsupportedOp(
            f"the ML program holds the op '{op.op_type}' ({op.name}), which our interpreter lacks: "
            f"change the network, or add the op to {OWN_PATH}"
        )
    (output,) = op.outputs
    inputs = {
        name: [var.name for var in value] if isinstance(value, (list, tuple)) else value.name
        for name, value in op.inputs.items()
        if value is not None
    }
    try:
        inspect.signature(OPS[op.op_type]).bind(**inputs)
    except TypeError as error:
        _require(False, f"the op '{op.op_type}' ({op.name}) with these inputs ({error})")
    return OPS[op.op_type], inputs, output.name, types.nptype_from_builtin(output.dtype)


def _looked_up(source, values):
    return [values[name] for name in source] if isinstance(source, list) else values[source]


def _in_float32(value):
    """Widen a float16 array: float32 holds every float16 exactly, and NumPy is faster with it."""
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype == np.float16:
        return value.astype(np.float32)
    return value


def _op(function):
    OPS[function.__name__[1:]] = function
    return function


def _require(condition, what):
    if not condition:
        raise UnsupportedOp(
            f"our interpreter lacks {what}: change the network, or add it to {OWN_PATH}"
        )


# The ops. Images are (1, C, H, W), as in MIL's convolutions; weights of a convolution are
# (C_out, C_in / groups, kernel height, kernel width).


@_op
def _cast(x, dtype):
    return x  # `Program` casts every result to its declared type


@_op
def _add(x, y):
    return x + y


@_op
def _mul(x, y):
    return x * y


@_op
def _matmul(x, y, transpose_x=False, transpose_y=False):
    _require(not transpose_x and not transpose_y, "matmul with transposed inputs")
    return x @ y


@_op
def _relu6(x):
    return np.clip(x, 0, 6)


@_op
def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


@_op
def _softmax(x, axis):
    exponentials = np.exp(x - x.max(axis, keepdims=True))
    return exponentials / exponentials.sum(axis, keepdims=True)


@_op
def _greater(x, y):
    return x > y


@_op
def _reduce_argmax(x, axis, keep_dims, output_dtype="int32"):  # stated from iOS 17 on
    return x.argmax(axis, keepdims=bool(keep_dims))


@_op
def _reduce_mean(x, axes, keep_dims):
    return x.mean(tuple(axes), keepdims=bool(keep_dims))


@_op
def _squeeze(x, axes=None):
    return x.squeeze(None if axes is None else tuple(axes))


@_op
def _transpose(x, perm):
    return x.transpose(perm)


@_op
def _concat(values, axis, interleave):
    _require(not interleave, "concat with interleave")
    return np.concatenate(values, axis)


@_op
def _pad(x, pad, mode, constant_val):
    _require(mode == "constant", f"pad of mode '{mode}'")
    widths = pad.reshape(-1, 2).tolist()  # of the last axes
    widths = [(0, 0)] * (x.ndim - len(widths)) + widths
    return np.pad(x, widths, constant_values=constant_val)


@_op
def _conv(x, weight, strides, pad_type, pad, dilations, groups, bias=None):
    kernel = (np.array(weight.shape[2:]) - 1) * dilations + 1  # its extent, gaps included
    margins = _margins(x.shape[2:], kernel, strides, pad_type)
    if np.any(margins):  # else np.pad would copy for nothing
        x = np.pad(x, [(0, 0), (0, 0), *margins])
    if groups == 1:
        result = _dense(x, weight, kernel, strides, dilations)
    else:
        _require(groups == x.shape[1], f"conv with {groups} groups on {x.shape[1]} channels")
        result = _depthwise(x, weight, kernel, strides, dilations)
    return result if bias is None else result + bias[:, None, None]


def _margins(sizes, kernel, strides, pad_type):
    """Return the padding (before, after) per axis; with `same`, an odd row goes to the end."""
    _require(pad_type in ("same", "valid"), f"a convolution with padding '{pad_type}'")
    if pad_type == "valid":
        return [(0, 0), (0, 0)]
    totals = [
        max((-(-size // stride) - 1) * stride + extent - size, 0)
        for size, extent, stride in zip(sizes, kernel, strides, strict=True)
    ]
    return [(total // 2, total - total // 2) for total in totals]


def _dense(x, weight, kernel, strides, dilations):
    patches = np.lib.stride_tricks.sliding_window_view(x, tuple(kernel), axis=(2, 3))
    patches = patches[:, :, :: strides[0], :: strides[1], :: dilations[0], :: dilations[1]]
    height, width = patches.shape[2:4]
    # (1, C, H, W, kh, kw) → (1, C·kh·kw, H·W): one matrix product is faster than kh·kw small ones.
    columns = patches.transpose(0, 1, 4, 5, 2, 3).reshape(len(x), -1, height * width)
    rows = weight.reshape(len(weight), -1)
    return (rows @ columns).reshape(len(x), -1, height, width)


def _depthwise(x, weight, kernel, strides, dilations):
    x = np.repeat(x, len(weight) // x.shape[1], axis=1)  # each channel has its own filters
    height, width = ((np.array(x.shape[2:]) - kernel) // strides + 1).tolist()
    result = np.zeros((*x.shape[:2], height, width), x.dtype)
    for row, column in np.ndindex(*weight.shape[2:]):
        top, left = row * dilations[0], column * dilations[1]
        bottom = top + (height - 1) * strides[0] + 1
        right = left + (width - 1) * strides[1] + 1
        window = x[:, :, top : bottom : strides[0], left : right : strides[1]]
        result += weight[:, :1, row, column, None] * window
    return result


@_op
def _conv_transpose(x, weight, strides, pad_type, pad, dilations, groups, output_shape, bias=None):
    """Add a scaled copy of the kernel for each input pixel. `weight` is (C_in, C_out, kh, kw)."""
    _require(groups == 1 and (dilations == 1).all(), "conv_transpose with groups or dilations")
    (_, _, height, width), (_, filters, *kernel) = x.shape, weight.shape
    spots = weight.reshape(len(weight), -1).T @ x.reshape(len(x), -1, height * width)
    spots = spots.reshape(len(x), filters, *kernel, height, width)
    full = [(size - 1) * s + k for size, s, k in zip(x.shape[2:], strides, kernel, strict=True)]
    result = np.zeros((len(x), filters, *full), x.dtype)
    for row, column in np.ndindex(*kernel):
        bottom, right = row + (height - 1) * strides[0] + 1, column + (width - 1) * strides[1] + 1
        result[:, :, row : bottom : strides[0], column : right : strides[1]] += spots[
            :, :, row, column
        ]
    # Its padding is that of the convolution from output to input.
    (top, _), (left, _) = _margins(output_shape[2:], kernel, strides, pad_type)
    result = result[:, :, top : top + output_shape[2], left : left + output_shape[3]]
    return result if bias is None else result + bias[:, None, None]


@_op
def _upsample_bilinear(x, scale_factor_height, scale_factor_width, align_corners):
    _require(not align_corners, "upsample_bilinear with align_corners")
    down = _interpolation(x.shape[2], scale_factor_height).astype(x.dtype)
    across = _interpolation(x.shape[3], scale_factor_width).astype(x.dtype)
    return down @ x @ across.T


def _interpolation(size, scale):
    """Return the matrix `(size · scale, size)` of linear interpolation between pixel centres."""
    target = int(size * scale)
    centres = np.clip((np.arange(target) + 0.5) * size / target - 0.5, 0, size - 1)
    distances = np.abs(centres[:, None] - np.arange(size))
    return np.maximum(1 - distances, 0)


@_op
def _batch_norm(x, mean, variance, epsilon, gamma=1.0, beta=0.0):
    scale = gamma / np.sqrt(variance + epsilon)
    return x * scale[:, None, None] + (beta - mean * scale)[:, None, None]


@_op
def _resize_bilinear(x, target_size_height, target_size_width, sampling_mode):
    _require(sampling_mode == "DEFAULT", f"resize_bilinear with sampling mode '{sampling_mode}'")
    for axis, target in ((2, target_size_height), (3, target_size_width)):
        size = x.shape[axis]  # "DEFAULT" is TensorFlow 1's sampling: pixel i at i · size / target
        places = np.minimum(np.arange(target) * (size / target), size - 1)
        matrix = np.maximum(1 - np.abs(places[:, None] - np.arange(size)), 0).astype(x.dtype)
        x = np.moveaxis(np.moveaxis(x, axis, -1) @ matrix.T, -1, axis)
    return x


@_op
def _relu(x):
    return np.maximum(x, 0)


@_op
def _expand_dims(x, axes):
    return np.expand_dims(x, tuple(axes))


@_op
def _tile(x, reps):
    return np.tile(x, reps)


@_op
def _reshape(x, shape):
    return x.reshape(shape)


@_op
def _max_pool(x, kernel_sizes, strides, pad_type, pad, ceil_mode):
    _require(not ceil_mode, "max_pool with ceil_mode")
    return _windows(x, kernel_sizes, strides, pad_type, -np.inf).max((-2, -1))


@_op
def _avg_pool(x, kernel_sizes, strides, pad_type, pad, ceil_mode, exclude_padding_from_average):
    counted = exclude_padding_from_average or pad_type == "valid"
    _require(counted and not ceil_mode, "avg_pool with ceil_mode, or one that counts padding")
    sums, counts = (
        _windows(values, kernel_sizes, strides, pad_type, 0).sum((-2, -1))
        for values in (x, np.ones_like(x))
    )
    return sums / counts


def _windows(x, kernel, strides, pad_type, fill):
    """Return `(1, C, H, W, kh, kw)`: the values under each position of a pooling kernel."""
    margins = _margins(x.shape[2:], kernel, strides, pad_type)
    x = np.pad(x, [(0, 0), (0, 0), *margins], constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(x, tuple(kernel), axis=(2, 3))
    return windows[:, :, :: strides[0], :: strides[1]]
