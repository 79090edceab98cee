"""One export: write it to a temporary path, run it, compare it with the model, put it in place.

Its contract and, if the model has one, the model card are written with it.
"""

import contextlib
import pkgutil
from functools import cached_property
from pathlib import Path

import nets
from segmentation import files, formats, model_card
from segmentation.data import check_images as kept_images
from segmentation.data import image_io
from segmentation.errors import ExportError, InputError
from segmentation.export import contract, parity, parity_kit, tensorflow
from segmentation.export.interface import Interface
from segmentation.export.options import Written
from segmentation.inference import core_ml, predictor


class Exporter:
    """A model that is exported, and what its exports are checked against.

    Attributes:
        model: `keras.Model` for inference, from RGB 0..255 of a fixed size to probabilities.
        classes: `Classes` of its channels.
        images: `(N, height, width, 3)` uint8 RGB, the check images.
        calibration: images of the run to calibrate int8 on, `(N, height, width, 3)` uint8 RGB, none
            of them among its check images if there were enough; None if the run kept none.
    """

    def __init__(self, model, classes, check_images=None, source=None):
        """Prepare the check of all exports.

        Args:
            model: from RGB 0..255 of a fixed size to probabilities; training heads are removed.
            classes: of its channels.
            check_images: folder of images; None: those that the run kept, else those of
                `parity.CHECK_IMAGES`.
            source: `Predictor` of the file of a trained model, whose card goes with every export;
                None: the weights are random.
        """
        self.model, self.classes, self.source = nets.inference_model(model), classes, source
        img_size = self.model.input_shape[1:3]
        kept = kept_images.read(source.path, source.card, img_size) if source else None
        self.calibration = kept[1] if kept else None
        self._is_synthetic = not (check_images or kept)
        if kept and not check_images:
            self.images, self._origin = kept[0], "validation images of the run"
        else:
            self.images = parity.check_images(img_size, check_images)
            self._origin = f"images of {check_images}" if check_images else "synthetic images"

    @classmethod
    def of_trained(cls, source, check_images=None, full_resolution=False):
        """Return the exporter of a `Predictor` of a `.keras` or `.h5` file.

        Args:
            source: of the trained model.
            check_images: as for `Exporter`.
            full_resolution: whether exports give probabilities at the size of the input.
        """
        model = nets.full_resolution(source.model) if full_resolution else source.model
        return cls(model, source.classes, check_images, source)

    @cached_property
    def _reference(self):
        return parity.Reference.of_model(self.model, self.images, self._origin)

    def require_possible(self, paths, two_channels=False):
        """Check, before photos are read, that nothing stands in the way of exports.

        Args:
            paths: of the exports.
            two_channels: whether one of them is to give `[1 - p, p]`.

        Raises:
            InputError: if the model has several classes for `two_channels`, or the card of another
                model stands where its card would.
        """
        if two_channels and len(self.classes) > 1:
            raise InputError(
                f"{self.source.path}: predicts {', '.join(self.classes.names)}; "
                "--two_channels is for a single class"
            )
        for path in paths:
            self._card_for(path)

    def write(self, path, options):
        """Write an export that segments as the model does, its contract and its model card.

        Args:
            path: where it will stand, in the format of its suffix. Replaced if it exists.
            options: `Options`.

        Returns:
            what `parity.check` returns; `checked_by`, what ran the export, if its writer says so;
            `calibration_pictures`, how many images it was calibrated on, if it was; and
            `parity_kit`, the path of its kit, if it has one.

        Raises:
            ExportError: if the network cannot be converted, the export cannot be run here, or it
                differs from the model by more than its precision may. What stood under `path` is
                untouched, and the message says that it is of an earlier run.
        """
        model, classes, reference = self._adapted(options)
        file_format = formats.of_path(path)
        limits = file_format.precisions[options.precision]
        card = self._card_for(path)
        write = pkgutil.resolve_name(file_format.writer)
        with _naming_earlier(path):
            if self.source:
                ids_only = core_ml.gives_ids_only(options.output, len(classes))
                parity.require_two_classes(reference.expected, limits, path, ids_only)
            with files.written_whole(path) as temporary:
                with parity.converting(path):
                    written = write(model, temporary, classes, options) or Written()
                runners = written.runners or {"predictor": _loaded(temporary, path)}
                comparison = parity.check(path, runners, reference, limits, options.output)
        self._write_contract(path, classes, options, written, comparison)
        if card:
            model_card.write(path, card)
        if written.runners:
            comparison |= {"checked_by": " and ".join(written.runners)}
        if options.kit:
            kit = parity_kit.write(path, reference, classes, options, limits)
            comparison |= {"parity_kit": str(kit)}
        if _is_calibrated(options):
            comparison |= {"calibration_pictures": len(options.calibration)}
        return comparison

    def _adapted(self, options):
        """Return the model, classes and reference of an export with these options."""
        model, classes, reference = self.model, self.classes, self._reference
        if _is_calibrated(options) and self._is_synthetic:
            # Its ranges are those of photos: synthetic images exceed them, and would prove nothing.
            chosen = image_io.spread(len(options.calibration), parity.COUNT)
            reference = parity.Reference.of_model(
                model, options.calibration[chosen], "some of the images that it was calibrated on"
            )
        if options.two_channels:
            model = tensorflow.with_background(model)
            classes, reference = classes.with_background(), reference.with_background()
        return model, classes, reference

    def _card_for(self, path):
        """Return the model card to write beside an export, or None."""
        if self.source is None:
            return None
        return model_card.card_for_export(path, self.source.card)

    def _write_contract(self, path, classes, options, written, comparison):
        checked_by = f", by {' and '.join(written.runners)}" if written.runners else ""
        facts = [
            ("precision", options.precision),
            ("against the Keras model", parity.summary(comparison) + checked_by),
        ]
        if self.source is None:
            facts.insert(0, ("weights", "random: to time a device with"))
        elif self.source.card and "trained_img_size" in self.source.card:
            height, width = self.source.card["trained_img_size"]
            size = f"{width} x {height} pixels (width x height)"
            facts.insert(0, ("trained at", f"{size}; its scores there are not those of this size"))
        sizes = self.model.input_shape[1:3], self.model.output_shape[1:3]
        contract.write(path, Interface(*sizes, classes, options.output, written.steps), facts)


@contextlib.contextmanager
def _naming_earlier(path):
    """Say of an export that fails if an earlier one still stands there, to be taken for it."""
    try:
        yield
    except ExportError as error:
        if not Path(path).exists():
            raise
        raise ExportError(
            f"{error}; the {Path(path).name} that is there is of an earlier run: remove it"
        ) from error


def _is_calibrated(options):
    return options.precision == "int8" and options.calibration is not None


def _loaded(temporary, path):
    """Return the `Predictor` of an export at its temporary path."""
    try:
        return predictor.load(temporary)
    except InputError as error:
        raise ExportError(f"{path}: cannot be run ({error}); no file was written") from error
