"""What an app relies on: names, layout and meaning of an export's input and output."""

from dataclasses import dataclass

from segmentation.data.classes import Classes

VERSION = "1"  # of names, layout and meaning of input and output


@dataclass(frozen=True)
class Interface:
    """Input and output of an export.

    Attributes:
        img_size: `(height, width)` of the input in pixels.
        scores_size: `(height, width)` of the probabilities; class ids and grayscale images have the
            size of the input.
        classes: `Classes` of the channels.
        output: profile of a Core ML package, as in `options.Options`.
        steps: of a uint8 output, as in `options.Written`.
    """

    img_size: tuple[int, int]
    scores_size: tuple[int, int]
    classes: Classes
    output: str = "scores"
    steps: tuple[float, int] | None = None

    @property
    def output_size(self):
        """The `(height, width)` of what the export gives."""
        return tuple(self.scores_size if self.output == "scores" else self.img_size)

    @property
    def is_single(self):
        """Whether the model has a single class, and so a single channel."""
        return len(self.classes) == 1


def description(classes, img_size):
    """Return a sentence, without its full stop, for the person who opens an export."""
    height, width = img_size
    return f"Segments {', '.join(classes.names)} in an RGB image of {width} x {height} pixels"


def class_ids(classes):
    """Return the names of the classes with their ids: `0 none, 1 hair`."""
    return ", ".join(f"{number} {name}" for number, name in enumerate(classes.id_names))
