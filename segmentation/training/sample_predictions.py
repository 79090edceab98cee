"""Seeing a network learn: what it predicts for the same few images as epochs go by."""

import io
import time

import numpy as np
from PIL import Image

from segmentation import files
from segmentation.data import image_io, masks
from segmentation.evaluation.contact_sheet import CELL, contact_sheet
from segmentation.inference.visualization import overlay
from segmentation.probabilities import to_mask_at

JPEG_QUALITY = 90  # of the images for TensorBoard, which keeps those of every epoch


class SamplePredictions:
    """The predictions for a few validation images, as overlays.

    Attributes:
        stems: of the samples, with their number before it.
        masks: by epoch, `(n, h, w)` uint8 channel ids at the size of `images`: of the epochs 1, 2,
            4, 8 …, of the best one and of the last one. A checkpoint keeps them.

    Args:
        samples: `Dataset` of n samples.
        classes: `Classes` of the network.
        img_size: `(height, width)` of the network in pixels.
    """

    def __init__(self, samples, classes, img_size):
        read = [samples.read(index) for index in range(len(samples))]
        height, width = img_size
        scale = min(1, CELL / height, 2 * CELL / width)  # no larger than a contact sheet shows it
        self._size = max(1, round(scale * height)), max(1, round(scale * width))
        self._colors = classes.id_colors
        self.stems = [f"{number} {stem}" for number, stem in enumerate(samples.stems, start=1)]
        self._inputs = [image_io.resize(image, img_size) for image, _ in read]
        self._images = [image_io.resize(image, self._size) for image in self._inputs]
        truth = [classes.table[masks.resize(ids, self._size)] for _, ids in read]
        self._truth = self._overlays(truth)
        self.masks = {}
        self._events = None

    def _overlays(self, channel_ids):
        return [
            overlay(image, ids, self._colors)
            for image, ids in zip(self._images, channel_ids, strict=True)
        ]

    def add(self, model, epoch, best_epoch):
        """Predict with a compiled model after an epoch, and forget masks that are not to be kept.

        Args:
            model: `mask` is its first output.
            epoch: its number, from 1.
            best_epoch: number of the best epoch up to now.
        """
        predicted = []
        for image in self._inputs:  # one by one: 150 classes at full size fill the memory
            outputs = model.predict_on_batch(image[None].astype(np.float32))
            scores = outputs[0] if isinstance(outputs, list | tuple) else outputs
            predicted.append(to_mask_at(np.asarray(scores)[0], self._size))
        self.masks[epoch] = np.stack(predicted)
        self.masks = {
            number: kept
            for number, kept in self.masks.items()
            if number in (epoch, best_epoch) or number.bit_count() == 1
        }

    def save(self, path, best_epoch):
        """Write a picture: a row per sample; the image, the ground truth, and each epoch kept."""
        columns = [("image", self._images), ("truth", self._truth)]
        for epoch, predicted in sorted(self.masks.items()):
            caption = f"epoch {epoch}" + ("\nbest" if epoch == best_epoch else "")
            columns.append((caption, self._overlays(predicted)))
        with files.written_whole(path) as temporary:
            sheet = Image.fromarray(contact_sheet(columns, self.stems, {}))
            sheet.save(temporary, compress_level=3)  # a third of the time, a sixth larger

    def log(self, log_dir):
        """Write the images of the last epoch for TensorBoard, into `log_dir/samples`."""
        epoch = max(self.masks)
        shown = {"prediction": self._overlays(self.masks[epoch])}
        if self._events is None:
            from tensorboard.summary.writer.event_file_writer import EventFileWriter

            self._events = EventFileWriter(str(log_dir / "samples"))
            shown |= {"image": self._images, "truth": self._truth}
        for kind, images in shown.items():
            for stem, image in zip(self.stems, images, strict=True):
                self._events.add_event(_event(f"{stem}/{kind}", image, epoch))
        self._events.flush()


def _event(tag, image, step):
    """Return a TensorBoard event that shows an image, `(h, w, 3)` uint8 RGB."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    encoded = io.BytesIO()
    Image.fromarray(image).save(encoded, "JPEG", quality=JPEG_QUALITY)
    height, width, channels = image.shape
    value = Summary.Value(
        tag=tag,
        image=Summary.Image(
            height=height,
            width=width,
            colorspace=channels,
            encoded_image_string=encoded.getvalue(),
        ),
    )
    return Event(wall_time=time.time(), step=step, summary=Summary(value=[value]))
