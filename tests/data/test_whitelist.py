"""Whitelists: which classes they choose and merge, and what is said of wrong names."""

import pytest

from segmentation.data import palette
from segmentation.data.whitelist import apply_whitelist
from segmentation.errors import InputError


def test_a_whitelist_gives_names_and_a_table():
    names = {1: "person", 2: "car", 5: "truck", 9: "van", 12: "sea"}
    found, table = apply_whitelist(names, "person|truck : car:van")
    assert found == ["none", "person", "truck"]  # a merged group is called by its first member
    assert table[[0, 1, 2, 5, 9, 12, 255]].tolist() == [0, 1, 2, 2, 2, 0, 255]
    found, table = apply_whitelist(names)
    assert found == ["none", *names.values()]
    assert table[[0, 1, 2, 5, 9, 12, 255]].tolist() == [0, 1, 2, 3, 4, 5, 255]


def test_every_unknown_name_is_listed_with_its_nearest():
    names = dict(enumerate(palette.ade20k(), start=1))
    with pytest.raises(InputError) as error:
        apply_whitelist(names, "chiar|wall|Sky|couch|qqq")
    message = str(error.value)
    assert "'chiar' (did you mean 'chair'" in message and "'Sky' (did you mean 'sky'" in message
    assert "'couch' (did you mean 'sofa, couch, lounge'" in message and "'qqq';" in message
    assert "'wall'" not in message and "\n" not in message
