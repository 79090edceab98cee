"""Models of other projects: what is read, how it is normalised, and what is refused."""

import json

import h5py
import keras
import numpy as np
import pytest

import coreml_converter
import evaluate
import keras2_files
import nets
import predict
import tf_converter
from segmentation import model_card
from segmentation.cli import model_options, options
from segmentation.errors import InputError
from segmentation.inference import predictor
from segmentation.legacy import icnet2018
from segmentation.legacy.spec import ORIGINS, UNSPECIFIED, LegacySpec, caveat
from segmentation.synthetic import portrait_dataset
from tiny_models import IMG_SIZE, save, tiny_model

pytestmark = pytest.mark.slow

HAIR = LegacySpec(origin="hair2017", normalization=ORIGINS["hair2017"])
ICNET = LegacySpec(origin="icnet2018", normalization=ORIGINS["icnet2018"])
MEAN = np.array([29.24429131, 29.24429131, 29.24429131])
STD = np.array([69.8833313, 63.37436676, 61.38568878])
KINDS = {"score_up": "BilinearUpSampling2D"}


def noise():
    return np.random.default_rng(5).integers(0, 256, (2, *IMG_SIZE, 3)).astype(np.uint8)


def upsampled(scores):
    """TensorFlow 1's bilinear upsampling by 2, written out from its definition."""
    _, height, width, _ = scores.shape
    result = np.zeros((len(scores), 2 * height, 2 * width, scores.shape[-1]))
    for row, column in np.ndindex(2 * height, 2 * width):
        top, left = row // 2, column // 2
        bottom, right = min(top + row % 2, height - 1), min(left + column % 2, width - 1)
        corners = [scores[:, y, x] for y in (top, bottom) for x in (left, right)]
        result[:, row, column] = sum(corners) / 4
    return result


@pytest.fixture(scope="module")
def hair():
    """A MobileUNet without normalisation inside, and what hair2017 made of `noise()`."""
    trained = tiny_model(1)
    cut = keras.Model(trained.get_layer("rescale").output, trained.output)
    network = keras.models.clone_model(cut)
    network.set_weights(cut.get_weights())
    scores = keras.Model(network.input, network.get_layer("score").output)
    logits = upsampled(scores.predict((noise() - MEAN) / (STD + 1e-7), verbose=0))
    return network, 1 / (1 + np.exp(-logits))


@pytest.fixture(scope="module")
def hair_file(hair, tmp_path_factory):
    path = tmp_path_factory.mktemp("hair") / "model.h5"
    return keras2_files.write(path, hair[0], names=keras2_files.HAIR2017_NAMES, kinds=KINDS)


@pytest.fixture(scope="module")
def weights_file(hair, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "checkpoint_weights.07--0.93.h5"
    return keras2_files.write(path, hair[0], names=keras2_files.HAIR2017_NAMES, whole=False)


def test_a_whole_mobile_unet_of_2017_gives_what_it_gave_then(hair, hair_file):
    model = predictor.load(hair_file, HAIR).model
    found = model.predict(noise().astype("float32"), verbose=0)
    np.testing.assert_allclose(found, hair[1], atol=1e-5)
    assert hair[1].min() < 0.3 and hair[1].max() > 0.7  # a mask, not a constant
    assert model.input.name == "image" and model.layers[-1].name == nets.OUTPUT
    assert model.output_shape == (None, *IMG_SIZE, 1)
    assert nets.inference_model(model) is model


def test_a_file_of_weights_only_gives_the_network(hair, weights_file):
    arguments = {"alpha": 0.25, "alpha_up": 0.25}
    spec = LegacySpec("hair2017", ORIGINS["hair2017"], None, "mobile_unet", IMG_SIZE, arguments)
    np.testing.assert_allclose(predictor.load(weights_file, spec)(noise()), hair[1], atol=1e-5)


def test_weights_that_do_not_fit_are_counted(weights_file, tmp_path):
    spec = LegacySpec(
        "hair2017", ORIGINS["hair2017"], None, "mobile_unet", IMG_SIZE, {"alpha": 0.5}
    )
    with pytest.raises(
        InputError, match=r"none of 77 layers loaded, 77 of another shape \(conv1 \(3, 3, 3, 8\) in"
    ):
        predictor.load(weights_file, spec)
    other = keras2_files.write(tmp_path / "other.h5", keras2_files.icnet_like(), whole=False)
    with pytest.raises(InputError, match=r"none of 77 .* 77 not in the file \(conv1\)"):
        predictor.load(other, spec)


def test_a_file_of_weights_only_gives_the_icnet_of_2018(tmp_path):
    keras.utils.set_random_seed(0)
    network = icnet2018.build((384, 384), 3, alpha=0.125)
    assert network.output_shape == (None, 96, 96, 3)
    assert network.get_layer("conv4_2_3x3").output.shape[1:3] == (12, 12)
    path = keras2_files.write(tmp_path / "room_weights.h5", network, "2.2.4", whole=False)
    images = np.random.default_rng(0).integers(0, 256, (1, 384, 384, 3)).astype(np.uint8)
    expected = network.predict(images / 255 - 0.5, verbose=0)
    spec = LegacySpec(
        "icnet2018", ORIGINS["icnet2018"], None, "icnet", (384, 384), {"alpha": 0.125}
    )
    np.testing.assert_allclose(predictor.load(path, spec)(images), expected, atol=1e-5)

    for size, arguments, message in (
        ((192, 192), {"alpha": 0.125}, "takes square images, multiples of 384 px"),
        ((384, 384), {"alpha": 0.25}, "none of .* layers loaded"),
        ((384, 384), {"alpha_up": 0.25}, "icnet has no --alpha_up"),
    ):
        spec = LegacySpec("icnet2018", ORIGINS["icnet2018"], None, "icnet", size, arguments)
        with pytest.raises(InputError, match=message):
            predictor.load(path, spec)


def test_an_icnet_of_2018_gives_its_first_output(tmp_path):
    """Its names hold slashes, its input a batch size, and two heads are for training."""
    model = keras2_files.icnet_like()
    names = {"conv2_1_relu": "conv2_1/relu"}
    path = keras2_files.write(tmp_path / "icnet.h5", model, "2.2.4", names, batch=8)
    expected = model.predict(noise() / 255 - 0.5, verbose=0)[0]
    assert expected.shape == (2, IMG_SIZE[0] // 4, IMG_SIZE[1] // 4, 3)
    assert np.ptp(expected, (0, 1, 2)).min() > 0.05  # not constant
    found = predictor.load(path, ICNET)
    np.testing.assert_allclose(found(noise()), expected, atol=1e-5)
    assert not coreml_converter.main([str(path), "--from", "icnet2018", "--classes", "wall,floor"])
    package = predictor.load(path.with_suffix(".mlpackage"))
    assert package.classes.names == ("background", "wall", "floor")
    np.testing.assert_allclose(package(noise()), expected, atol=2e-2)


@pytest.mark.parametrize(("version", "as_now"), [("2.2.4", False), ("2.4.0", True)])
def test_bilinear_upsampling_is_that_of_the_keras_version(tmp_path, version, as_now):
    image = keras.Input((*IMG_SIZE, 3), name="input_1")
    x = keras.layers.Activation("sigmoid")(keras.layers.Conv2D(1, 1, name="c")(image))
    model = keras.Model(image, keras.layers.UpSampling2D(2, interpolation="bilinear")(x))
    path = keras2_files.write(tmp_path / "a.h5", model, version)
    normalized = noise() / 255 - 0.5
    small = keras.Model(image, x).predict(normalized, verbose=0)
    expected = model.predict(normalized, verbose=0) if as_now else upsampled(small)
    np.testing.assert_allclose(predictor.load(path, ICNET)(noise()), expected, atol=1e-5)


def test_a_model_of_tf_keras_with_normalisation_inside_needs_no_options(tmp_path):
    image = keras.Input((*IMG_SIZE, 3), name="input_1")
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(image)
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2DTranspose(2, 2, strides=2, activation="softmax")(x)
    model = keras.Model(image, x)
    # 2.15 writes groups, and axis as a list.
    path = keras2_files.write(tmp_path / "a.h5", model, "2.15.0")
    expected = model.predict(noise().astype("float32"), verbose=0)
    np.testing.assert_allclose(predictor.load(path)(noise()), expected, atol=1e-5)
    with pytest.raises(InputError, match="normalises inside; omit --from"):
        predictor.load(path, HAIR)


def test_missing_options_are_asked_for_in_one_line(hair_file, weights_file):
    with pytest.raises(InputError, match="--from hair2017, --from icnet2018, or --input_mean"):
        predictor.load(hair_file)
    with pytest.raises(InputError, match="holds only weights; .* --model mobile_unet --img_size"):
        predictor.load(weights_file, HAIR)
    spec = LegacySpec(network="mobile_unet", img_size=IMG_SIZE, arguments={"alpha": 0.25})
    with pytest.raises(InputError, match="--from hair2017"):
        predictor.load(weights_file, spec)
    with pytest.raises(InputError, match="more than weights; omit --model"):
        predictor.load(hair_file, spec)


def test_a_model_that_gives_logits_is_refused(tmp_path):
    image = keras.Input((32, 32, 3), name="input_1")
    model = keras.Model(image, keras.layers.Conv2D(2, 1, name="score")(image))
    path = keras2_files.write(tmp_path / "a.h5", model)
    with pytest.raises(InputError, match="a.h5: its output is not probabilities"):
        predictor.load(path, HAIR)


def edit(path, target, change):
    """Copy the file `path` to `target` with its configuration changed."""
    target.write_bytes(path.read_bytes())
    with h5py.File(target, "a") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)
    return target


def test_code_in_a_model_is_not_run(hair_file, tmp_path):
    def with_code(config):
        layer = config["config"]["layers"][2]
        layer["class_name"] = "Lambda"
        layer["config"] = {"name": layer["name"], "function": ["4wAA", None, None]}
        layer["config"]["function_type"] = "lambda"

    with pytest.raises(InputError, match="bad.h5: not a readable model .*Lambda"):
        predictor.load(edit(hair_file, tmp_path / "bad.h5", with_code), HAIR)


def test_other_kinds_of_models_are_refused(hair_file, tmp_path):
    path = edit(hair_file, tmp_path / "bad.h5", lambda config: config.update(class_name="Graph"))
    with pytest.raises(InputError, match="it is a Graph, not a functional model"):
        predictor.load(path, HAIR)


def test_a_model_of_keras_3_is_normalised_on_demand(hair, tmp_path):
    network, _ = hair
    network.save(tmp_path / "new.keras")
    expected = network.predict((noise() - 100.0) / 50, verbose=0)
    spec = LegacySpec(normalization=((100.0,) * 3, (50.0,) * 3))
    np.testing.assert_allclose(
        predictor.load(tmp_path / "new.keras", spec)(noise()), expected, atol=1e-5
    )


def test_exports_cannot_be_normalised(tmp_path):
    (tmp_path / "a.tflite").write_bytes(b"")
    with pytest.raises(InputError, match="a.tflite: is an export; --from"):
        predictor.load(tmp_path / "a.tflite", HAIR)


def test_hair2017_at_another_size_gets_a_caveat():
    """Its mean is 2^32, where a float32 sum stops, divided by the pixels of training at 224."""
    assert ORIGINS["hair2017"][0][0] == pytest.approx(2**32 / (2927 * 224 * 224), rel=1e-7)
    assert caveat(HAIR, (224, 224)) is None and caveat(ICNET, (9, 9)) is None
    assert "at 128x128" in caveat(HAIR, (128, 128))


# The commands.


def spec_of(*arguments):
    parser = options.Parser("")
    model_options.add(parser)
    return model_options.legacy_spec(parser.parse_args(arguments))


def test_options_become_a_spec():
    assert spec_of() == UNSPECIFIED
    assert spec_of("--from", "icnet2018").normalization == ((127.5,) * 3, (255.0,) * 3)
    found = spec_of("--input-mean=-1", "--input_std", "1,2,3").normalization
    assert found == ((-1.0, -1.0, -1.0), (1.0, 2.0, 3.0))
    found = spec_of("--model", "mobile_unet", "-s", "32x64", "-a", "0.25", "--classes", "hair")
    assert (found.network, found.img_size, found.class_names) == ("mobile_unet", (32, 64), "hair")
    assert found.arguments == {"alpha": 0.25}


def test_the_alpha_of_a_whole_model_may_be_given(tmp_path, capsys):
    path = save(tiny_model(1), tmp_path / "hair.keras")
    model_options.load(path, spec_of("--alpha", "0.25"))
    assert "hair.keras: --alpha has no effect" in capsys.readouterr().err
    card = model_card.read(path) | {"arguments": {"alpha": 0.25}}
    model_card.write(path, card)
    model_options.load(path, spec_of("--alpha", "0.25"))
    assert not capsys.readouterr().err
    with pytest.raises(InputError, match="hair.keras: has alpha 0.25, not 0.5; omit --alpha"):
        model_options.load(path, spec_of("--alpha", "0.5"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "hair2017", "--input_mean", "1", "--input_std", "1"], "give either --from, or"),
        (["--input_mean", "1"], "give either --from, or"),
        (["--input_mean", "1", "--input_std", "1,0,1"], "cannot be 0"),
        (["--model", "mobile_unet"], "--model goes with --img_size"),
    ],
)
def test_contradictory_options_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        spec_of(*arguments)


@pytest.mark.parametrize("text", ["1,2", "a", "1,,2", ""])
def test_means_are_one_number_or_three(text):
    with pytest.raises(SystemExit) as stopped:
        spec_of("--input_mean", text)
    assert stopped.value.code == 2


def last_line(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.long
def test_all_commands_take_a_legacy_model_and_its_exports_know_their_class(
    hair, hair_file, tmp_path, capsys
):
    path = tmp_path / "old" / "model.h5"
    path.parent.mkdir()
    path.write_bytes(hair_file.read_bytes())
    arguments = ["--from", "hair2017", "--classes", "hair"]
    raw = tmp_path / "raw"
    portrait_dataset.write_portraits(raw, 3, seed=1)
    evaluate.main([str(path), "--data_dir", str(raw), *arguments])
    measured = last_line(capsys)
    predict.main([str(path), str(raw / "images"), "-o", str(tmp_path / "masks"), *arguments])
    assert last_line(capsys)["classes"] == ["hair"]
    assert not tf_converter.main([str(path), *arguments])
    assert not coreml_converter.main([str(path), *arguments])
    captured = capsys.readouterr()
    assert "hair2017 has the mean of 224x224 images" in captured.err
    assert model_card.read(path)["classes"] == ["hair"]
    for name in ("model.tflite", "model.pb", "model.mlpackage"):
        exported = predictor.load(path.with_name(name))
        assert exported.classes.names == ("hair",) and exported.named
        np.testing.assert_allclose(exported(noise()), hair[1], atol=2e-2)
    evaluate.main([str(path.with_suffix(".tflite")), "--data_dir", str(raw)])
    assert last_line(capsys)["iou"] == pytest.approx(measured["iou"], abs=1e-3)
    # The exports' card says nothing about the normalisation, and its names may not change.
    with pytest.raises(InputError, match="without normalisation inside"):
        predict.main([str(path), str(raw / "images"), "-o", str(tmp_path / "masks")])
    with pytest.raises(InputError, match="its card names hair; omit --classes"):
        evaluate.main([str(path), "--data_dir", str(raw), *arguments[:3], "face"])
