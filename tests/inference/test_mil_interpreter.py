"""The Core ML interpreter: each op against TensorFlow, and how a package's program is run."""

import numpy as np
import pytest
import tensorflow as tf

from segmentation.errors import InputError
from segmentation.inference import mil_interpreter
from segmentation.inference.mil_interpreter import OPS, UnsupportedOp
from segmentation.quiet import silenced

with silenced():
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb


def random(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def channels_first(x):
    return np.asarray(x).transpose(0, 3, 1, 2)


def agree(found, expected):
    assert found.dtype == np.float32 and found.shape == tuple(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def conv(x, weight, stride=1, padding="valid", dilation=1, groups=1, bias=None):
    return OPS["conv"](
        x=channels_first(x),
        weight=weight,
        strides=np.array([stride, stride], np.int32),
        pad_type=padding,
        pad=np.zeros(4, np.int32),
        dilations=np.array([dilation, dilation], np.int32),
        groups=np.int32(groups),
        bias=bias,
    )


@pytest.mark.parametrize("size", [(8, 9), (7, 6)])
@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_conv(size, kernel, stride, dilation, padding):
    x, weight, bias = random(1, *size, 3), random(kernel, kernel, 3, 5), random(5)
    expected = tf.nn.conv2d(x, weight, stride, padding.upper(), dilations=dilation) + bias
    found = conv(x, weight.transpose(3, 2, 0, 1), stride, padding, dilation, bias=bias)
    agree(found, channels_first(expected))


@pytest.mark.parametrize("size", [(8, 9), (7, 6)])
@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_depthwise_conv(size, multiplier, stride, dilation, padding):
    x, weight = random(1, *size, 3), random(3, 3, 3, multiplier)
    expected = tf.nn.depthwise_conv2d(
        x, weight, [1, stride, stride, 1], padding.upper(), dilations=[dilation, dilation]
    )
    filters = weight.transpose(2, 3, 0, 1).reshape(3 * multiplier, 1, 3, 3)
    found = conv(x, filters, stride, padding, dilation, groups=3)
    agree(found, channels_first(expected))


def test_conv_refuses_what_no_network_of_ours_produces():
    x, weight = random(1, 8, 8, 4), random(4, 2, 3, 3)
    with pytest.raises(UnsupportedOp, match="2 groups on 4 channels"):
        conv(x, weight, groups=2)
    with pytest.raises(UnsupportedOp, match="padding 'custom'"):
        conv(x, random(4, 4, 3, 3), padding="custom")


def conv_transpose(x, weight, stride, padding, output_shape, groups=1, bias=None):
    return OPS["conv_transpose"](
        x=channels_first(x),
        weight=weight.transpose(3, 2, 0, 1),  # from TensorFlow's (kh, kw, C_out, C_in)
        strides=np.array([stride, stride], np.int32),
        pad_type=padding,
        pad=np.zeros(4, np.int32),
        dilations=np.ones(2, np.int32),
        groups=np.int32(groups),
        output_shape=np.array(output_shape, np.int32),
        bias=bias,
    )


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "size"),
    [
        (2, 2, "same", (8, 10)),  # MobileUNet's
        (3, 2, "same", (8, 10)),
        (3, 2, "same", (7, 9)),
        (4, 2, "same", (8, 10)),
        (3, 1, "same", (4, 5)),
        (3, 2, "valid", (9, 11)),
    ],
)
def test_conv_transpose(kernel, stride, padding, size):
    x, weight, bias = random(1, 4, 5, 3), random(kernel, kernel, 6, 3), random(6)
    expected = tf.nn.conv2d_transpose(x, weight, (1, *size, 6), stride, padding.upper()) + bias
    found = conv_transpose(x, weight, stride, padding, (1, 6, *size), bias=bias)
    agree(found, channels_first(expected))


def test_conv_transpose_refuses_groups():
    with pytest.raises(UnsupportedOp, match="groups"):
        conv_transpose(random(1, 4, 4, 2), random(2, 2, 1, 2), 2, "same", (1, 2, 8, 8), groups=2)


def test_batch_norm():
    x, mean, gamma, beta = random(1, 4, 5, 3), random(3) + 1, random(3) + 2, random(3) - 1
    variance = np.array([0.5, 1, 2], np.float32)
    for more in ({}, {"gamma": gamma}, {"gamma": gamma, "beta": beta}):
        arguments = {"mean": mean, "variance": variance, "epsilon": np.float32(1e-3), **more}
        expected = tf.nn.batch_normalization(
            x, mean, variance, more.get("beta"), more.get("gamma"), 1e-3
        )
        agree(OPS["batch_norm"](x=channels_first(x), **arguments), channels_first(expected))


@pytest.mark.parametrize("name", ["max", "avg"])
@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (3, 1), (6, 6), ((4, 3), (2, 1))])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_pooling(name, kernel, stride, padding):
    x = random(1, 6, 7, 3) - 2
    arguments = {
        "kernel_sizes": np.broadcast_to(np.int32(kernel), 2),
        "strides": np.broadcast_to(np.int32(stride), 2),
        "pad_type": padding,
        "pad": np.zeros(4, np.int32),
        "ceil_mode": np.False_,
    }
    if name == "avg":
        arguments["exclude_padding_from_average"] = np.True_
    pool = {"max": tf.nn.max_pool2d, "avg": tf.nn.avg_pool2d}[name]
    found = OPS[f"{name}_pool"](x=channels_first(x), **arguments)
    agree(found, channels_first(pool(x, kernel, stride, padding.upper())))
    with pytest.raises(UnsupportedOp, match="ceil_mode"):
        OPS[f"{name}_pool"](x=channels_first(x), **{**arguments, "ceil_mode": np.True_})


@pytest.mark.parametrize("size", [(8, 10), (12, 15), (4, 20), (7, 9)])
def test_resize_bilinear_as_tensorflow_1(size):
    x = random(1, 4, 5, 3)
    found = OPS["resize_bilinear"](
        x=channels_first(x),
        target_size_height=np.int32(size[0]),
        target_size_width=np.int32(size[1]),
        sampling_mode="DEFAULT",
    )
    agree(found, channels_first(tf.compat.v1.image.resize_bilinear(x, size)))
    with pytest.raises(UnsupportedOp, match="ALIGN_CORNERS"):
        OPS["resize_bilinear"](x, np.int32(8), np.int32(8), "STRICT_ALIGN_CORNERS")


@pytest.mark.parametrize(
    ("small", "size"),
    [
        ((4, 5), (8, 10)),
        ((4, 5), (8, 20)),
        ((4, 5), (4, 15)),
        ((1, 1), (6, 7)),  # from here on ICNet's pyramid
        ((2, 2), (6, 7)),
        ((3, 3), (7, 10)),
        ((6, 6), (12, 15)),
    ],
)
def test_upsample_bilinear(small, size):
    x = random(1, *small, 3)
    # As coremltools writes what is no whole factor: a little more, so that its product is enough.
    scale = [a / b if a % b == 0 else (a + 1e-4) / b for a, b in zip(size, small, strict=True)]
    found = OPS["upsample_bilinear"](
        x=channels_first(x),
        scale_factor_height=np.float32(scale[0]),
        scale_factor_width=np.float32(scale[1]),
        align_corners=np.False_,
    )
    agree(found, channels_first(tf.image.resize(x, size, "bilinear")))


def test_upsample_bilinear_refuses_align_corners():
    with pytest.raises(UnsupportedOp, match="align_corners"):
        OPS["upsample_bilinear"](random(1, 1, 2, 2), 2.0, 2.0, np.True_)


def test_pad_widens_the_last_axes():
    x = random(1, 2, 3, 4)
    widths = [[0, 0], [0, 0], [0, 1], [2, 3]]
    expected = tf.pad(x, widths, constant_values=0.5)
    for given in (widths, widths[2:]):
        pad = np.array(given, np.int32).ravel()
        agree(OPS["pad"](x, pad=pad, mode="constant", constant_val=np.float32(0.5)), expected)
    with pytest.raises(UnsupportedOp, match="reflect"):
        OPS["pad"](x, pad=np.ones(4, np.int32), mode="reflect", constant_val=np.float32(0))


def test_elementwise_ops():
    x, y = 5 * random(1, 3, 4, 5), np.float32(0.25)
    agree(OPS["add"](x, y), tf.add(x, y))
    agree(OPS["mul"](x, x), tf.multiply(x, x))
    agree(OPS["relu6"](x), tf.nn.relu6(x))
    agree(OPS["sigmoid"](x), tf.sigmoid(x))
    agree(OPS["softmax"](x, axis=np.int32(-1)), tf.nn.softmax(x, axis=-1))
    agree(OPS["softmax"](x, axis=np.int32(1)), tf.nn.softmax(x, axis=1))
    assert OPS["cast"](x, dtype="fp16") is x  # the rounding is the program's, see below


@pytest.mark.parametrize("shape", [(1, 5, 12), (1, 3, 5, 4)])
def test_matmul_of_a_matrix_and_maps(shape):
    matrix, maps = random(7, 5), random(*shape)
    agree(OPS["matmul"](matrix, maps), tf.matmul(matrix, maps))
    with pytest.raises(UnsupportedOp, match="matmul with transposed inputs"):
        OPS["matmul"](matrix, maps, transpose_x=True)


def test_softmax_and_sigmoid_are_finite_at_the_largest_float16():
    x = np.array([[65504, 0, -65504]], np.float32)
    np.testing.assert_allclose(OPS["softmax"](x, axis=-1), [[1, 0, 0]])
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(OPS["sigmoid"](x), [[1, 0.5, 0]])


def test_concat_and_transpose():
    x, y = random(1, 2, 3, 4), random(1, 5, 3, 4)
    found = OPS["concat"]([x, y], axis=np.int32(1), interleave=np.False_)
    agree(found, tf.concat([x, y], 1))
    with pytest.raises(UnsupportedOp, match="interleave"):
        OPS["concat"]([x, x], axis=np.int32(1), interleave=np.True_)
    perm = np.array([0, 2, 3, 1], np.int32)
    agree(OPS["transpose"](x, perm=perm), tf.transpose(x, perm))


def test_class_ids():
    x = random(1, 3, 4, 5)
    found = OPS["greater"](x, y=np.float32(0.1))
    assert found.dtype == bool
    np.testing.assert_array_equal(found, tf.greater(x, 0.1))
    ids = OPS["reduce_argmax"](x, axis=np.int32(-1), keep_dims=np.False_)
    np.testing.assert_array_equal(ids, tf.argmax(x, -1))
    kept = OPS["reduce_argmax"](x, axis=np.int32(1), keep_dims=np.True_)
    np.testing.assert_array_equal(kept, tf.argmax(x, 1)[:, None])
    as_of_ios17 = {"axis": np.int32(-1), "keep_dims": np.False_, "output_dtype": "int32"}
    np.testing.assert_array_equal(OPS["reduce_argmax"](x, **as_of_ios17), ids)
    ties = OPS["reduce_argmax"](np.ones((1, 3)), axis=np.int32(-1), keep_dims=np.False_)
    assert ties == [0]
    mean = OPS["reduce_mean"](x, axes=np.array([1, 2], np.int32), keep_dims=np.True_)
    np.testing.assert_allclose(mean, tf.reduce_mean(x, (1, 2), keepdims=True), atol=1e-6)
    squeezed = OPS["squeeze"](x, axes=np.array([0], np.int32))
    np.testing.assert_array_equal(squeezed, x[0])
    np.testing.assert_array_equal(OPS["squeeze"](x), x[0])
    expanded = OPS["expand_dims"](squeezed, axes=np.array([3], np.int32))
    np.testing.assert_array_equal(expanded, x[0][..., None])


def package(folder, function, precision="float32", inputs=None):
    """Save a package that maps an image (1, 3, 2, 4) through `function` of coremltools' ops."""
    program = mb.program(input_specs=[mb.TensorSpec((1, 3, 2, 4))])(function)
    inputs = inputs or [ct.ImageType(name="x", color_layout="RGB")]
    with silenced():
        ct.convert(
            program,
            inputs=inputs,
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.iOS15,
            compute_precision=ct.precision(precision),
        ).save(str(folder / "a.mlpackage"))
    return folder / "a.mlpackage"


IMAGES = np.random.default_rng(1).integers(0, 256, (2, 2, 4, 3), dtype=np.uint8)


def test_a_program_gets_each_image_as_planes_in_the_declared_order(tmp_path):
    for layout, order in (("RGB", [0, 1, 2]), ("BGR", [2, 1, 0])):
        inputs = [ct.ImageType(name="x", color_layout=layout)]
        program = mil_interpreter.load(
            package(tmp_path, lambda x: mb.mul(x=x, y=2.0), inputs=inputs)
        )
        assert program.img_size == (2, 4) and program.input_name == "x"
        expected = 2.0 * IMAGES[..., order].transpose(0, 3, 1, 2)
        np.testing.assert_array_equal(program(IMAGES), expected)


def test_scale_and_bias_of_the_input_are_part_of_the_program(tmp_path):
    inputs = [ct.ImageType(name="x", scale=0.5, bias=[1, 2, 3], color_layout="RGB")]
    program = mil_interpreter.load(package(tmp_path, lambda x: mb.mul(x=x, y=2.0), inputs=inputs))
    expected = 2 * (0.5 * IMAGES + np.array([1, 2, 3])).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(program(IMAGES), expected)


def test_every_result_of_a_float16_program_is_rounded_to_float16(tmp_path):
    def function(x):
        return mb.mul(x=mb.add(x=mb.mul(x=x, y=0.1), y=100.3), y=0.7)

    found = mil_interpreter.load(package(tmp_path, function, "float16"))(IMAGES)
    half = np.float16
    x = IMAGES.transpose(0, 3, 1, 2).astype(half)
    expected = ((x * half(0.1)).astype(half) + half(100.3)).astype(half) * half(0.7)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected.astype(np.float32))
    exact = (x.astype(np.float64) * 0.1 + 100.3) * 0.7
    assert 1e-2 < np.abs(found - exact).max() < 0.2  # float16 has steps of 1/16 here


def test_overflow_of_float16_gives_infinity(tmp_path):
    def function(x):
        return mb.mul(x=mb.mul(x=x, y=300.0), y=2.0)

    found = mil_interpreter.load(package(tmp_path, function, "float16"))(
        np.full((1, 2, 4, 3), 255, np.uint8)
    )
    assert np.isinf(found).all()


def test_the_program_has_the_metadata_of_the_package(tmp_path):
    path = package(tmp_path, lambda x: mb.relu6(x=x, name="six"))
    with silenced():
        model = ct.models.MLModel(str(path), skip_model_load=True)
        model.user_defined_metadata["classes"] = '["hair"]'
        model.save(str(tmp_path / "b.mlpackage"))
    program = mil_interpreter.load(tmp_path / "b.mlpackage")
    assert program.metadata["classes"] == '["hair"]'


def test_an_unknown_op_is_named_with_what_to_do(tmp_path):
    with pytest.raises(UnsupportedOp, match="'sinh'.*mil_interpreter.py") as failure:
        mil_interpreter.load(package(tmp_path, lambda x: mb.sinh(x=x)))
    assert "\n" not in str(failure.value)


def test_an_op_with_an_unknown_input_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(OPS, "leaky_relu", lambda x: x)  # which lacks alpha
    with pytest.raises(UnsupportedOp, match="our interpreter lacks .*'leaky_relu'.*'alpha'"):
        mil_interpreter.load(package(tmp_path, lambda x: mb.leaky_relu(x=x, alpha=0.1)))


def test_a_package_that_is_damaged_or_takes_no_image_is_refused(tmp_path):
    (tmp_path / "empty.mlpackage").mkdir()
    for name in ("missing.mlpackage", "empty.mlpackage"):
        with pytest.raises(InputError, match=f"{name}.*not a readable .mlpackage"):
            mil_interpreter.load(tmp_path / name)
    array = package(tmp_path, lambda x: mb.relu6(x=x), inputs=[ct.TensorType(name="x")])
    with pytest.raises(InputError, match="not one RGB image"):
        mil_interpreter.load(array)
