"""What is taken over from another model, and that it is counted."""

import numpy as np
import pytest

import nets
from segmentation import transfer
from segmentation.errors import InputError


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("earlier") / "earlier.keras"
    model = nets.build("mobile_unet", (32, 32), 3, alpha=0.25)
    model.save(path)
    return path, model


def test_layers_of_the_same_name_and_shape_are_loaded_at_another_size_with_other_classes(saved):
    path, earlier = saved
    model = nets.build("mobile_unet", (64, 32), 1, alpha=0.25)
    taken = transfer.load_weights(model, path)
    assert (taken.other_shape, taken.missing) == (["score"], [])
    assert len(taken.loaded) == sum(bool(layer.weights) for layer in model.layers) - 1
    for name in ("conv_pw_3", "up_2_pw_bn"):
        for mine, theirs in zip(
            model.get_layer(name).get_weights(), earlier.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)


def test_what_the_file_lacks_is_named(saved):
    model = nets.build("mobile_unet", (32, 32), 3, alpha=0.25, upsampling="bilinear")
    model.layers[-3].name = "other_score"
    taken = transfer.load_weights(model, saved[0])
    assert taken.missing == ["other_score"]


def test_loading_nothing_is_an_error(saved):
    with pytest.raises(InputError, match="none of its layers fits .* check --model and --alpha"):
        transfer.load_weights(nets.build("icnet", (192, 192), 3, alpha=0.125), saved[0])
