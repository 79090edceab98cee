"""The model card: what is read, and which card stands beside an export."""

import pytest

from segmentation import model_card
from segmentation.errors import InputError

CARD = {"img_size": [32, 64], "classes": ["hair"], "colors": [[255, 0, 0]]}
OTHER = CARD | {"classes": ["face"]}


@pytest.fixture
def hair(tmp_path):
    path = tmp_path / "runs" / "hair.keras"
    model_card.write(path, CARD)
    path.touch()
    return path


NO_CARD = [("", "copy it again"), ("{", "copy it again")]
NO_CARD += [("[]", "train again"), ("7", "train again")]


@pytest.mark.parametrize(
    "text,advice", [*NO_CARD, ('{"img_size": [32, 32], "classes": []}', "train again")]
)
def test_a_file_that_is_no_card_is_named(tmp_path, text, advice):
    (tmp_path / "hair.json").write_text(text)
    with pytest.raises(InputError, match=f"hair.json: .*{advice}"):
        model_card.read(tmp_path / "hair.keras")


@pytest.mark.parametrize(
    "wrong",
    [
        {"img_size": 128},
        {"img_size": [32]},
        {"img_size": ["32", "64"]},
        {"classes": None},
        {"classes": "hair"},
        {"classes": [], "colors": []},
        {"colors": []},
        {"colors": [[255, 0]]},
        {"colors": ["red"]},
    ],
)
def test_a_card_that_was_edited_wrongly_is_named(hair, wrong):
    model_card.write(hair, CARD | wrong)
    with pytest.raises(InputError, match="hair.json: its img_size, classes, colors are not"):
        model_card.read(hair)


def test_colours_and_sizes_take_one_line_each(hair):
    assert model_card.read(hair) == CARD
    text = model_card.path_beside(hair).read_text()
    assert '"img_size": [32, 64]' in text and "[255, 0, 0]" in text


def test_an_export_gets_a_copy_unless_the_card_is_there(hair, tmp_path):
    assert model_card.card_for_export(tmp_path / "app" / "hair.pb", CARD) == CARD
    assert model_card.card_for_export(hair.with_suffix(".mlpackage"), CARD) is None


def test_the_card_of_earlier_exports_is_replaced_and_that_of_another_model_is_not(hair, tmp_path):
    export = tmp_path / "app" / "hair.pb"
    model_card.write(export, OTHER)
    assert model_card.card_for_export(export, CARD) == CARD
    export.with_suffix(".h5").touch()
    with pytest.raises(InputError, match="hair.json: belongs to another model"):
        model_card.card_for_export(export, CARD)


def test_a_json_that_is_no_card_is_not_replaced(tmp_path):
    (tmp_path / "hair.json").write_text('{"of": "an app"}')
    with pytest.raises(InputError, match="hair.json: the model card lacks"):
        model_card.card_for_export(tmp_path / "hair.pb", CARD)


def test_a_model_without_card_does_not_take_the_card_of_another(tmp_path):
    assert model_card.card_for_export(tmp_path / "app" / "hair.pb", None) is None
    model_card.write(tmp_path / "hair.pb", OTHER)
    with pytest.raises(InputError, match="belongs to another model"):
        model_card.card_for_export(tmp_path / "hair.pb", None)


def test_a_card_given_for_a_model_is_copied_once(tmp_path):
    export = tmp_path / "app" / "hair.pb"
    assert model_card.card_for_export(export, CARD) == CARD
    model_card.write(export, CARD)
    assert model_card.card_for_export(export, CARD) is None
