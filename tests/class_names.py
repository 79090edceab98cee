"""Class names that several test files share."""

from hypothesis import strategies as st

from segmentation.data import labels

NAMES = ["background", "hair", "face", "hat"]
class_names = st.lists(
    st.text(st.characters(exclude_categories=("C", "Z")), min_size=1), max_size=20, unique=True
).map(lambda names: ["none", *(name for name in names if not labels.is_background(name))])
