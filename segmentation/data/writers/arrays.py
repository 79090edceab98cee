"""Write samples as images-X.npy, masks-X.npy and names-X.txt, for training with any backend."""

import contextlib
import math
import os

import numpy as np

from segmentation import files
from segmentation.data import arrays, image_io
from segmentation.data.samples import OpenedImage
from segmentation.data.writers.tally import Tally

PIXEL, CODE = 4, 1  # bytes of a pixel: of image and mask, and of the code of the mask until the end


class ArraysWriter:
    """A writer of arrays, as `writers` describes it.

    Rows are in the order of the samples. Images and masks are stretched to one size.

    Args:
        output: the folder where the files go; made if missing.
        img_size: `(height, width)` in pixels.
    """

    needs_label_map = False  # the codes of the masks wait in a file until all are read

    def __init__(self, output, img_size=(128, 128)):
        self.mask_size = img_size
        *self._targets, self.label_path = arrays.paths(output, img_size)
        self.target = self._targets[0]
        self.tally = Tally()
        self._samples, self._legends = [], []
        self._one_of_each = {}  # equal legends share memory

    def require_room(self, samples, workers):
        """Raise InputError if the rows of all samples cannot fit on the disk, or one in memory."""
        pixels = math.prod(self.mask_size)
        size = "{}x{}".format(*self.mask_size)
        # An image and a mask as they are read, at most as large, and the two that are written.
        files.require_memory(workers * 2 * PIXEL * pixels, f"reading images at {size} px")
        files.require_disk(self.target, len(samples) * (PIXEL + CODE) * pixels)

    @contextlib.contextmanager
    def open(self, workspace):
        """Keep the unfinished files open, in the folder `workspace`."""
        self._images, self._masks, self._names = (workspace / path.name for path in self._targets)
        with (
            arrays.RowWriter(self._images, (*self.mask_size, 3)) as self._image_rows,
            open(workspace / "codes", "w+b") as self._code_rows,
        ):
            yield

    @staticmethod
    def open_image(sample):
        """Return the image of a sample, with its `size`."""
        pixels = sample.read_image()
        return OpenedImage(pixels.shape[:2], pixels)

    @staticmethod
    def load(sample, image, mask, table):
        """Return what `add` takes of a sample, whose mask is of `mask_size`."""
        return image_io.resize(image.pixels, mask.codes.shape), mask.codes, mask.legend

    def add(self, sample, loaded):
        """Append a row."""
        image, codes, legend = loaded
        self._image_rows.append(image)
        self._code_rows.write(codes.tobytes())
        self._legends.append(self._one_of_each.setdefault(legend, legend))
        self._samples.append(sample)

    def finish(self, label_map):
        """Write masks and names, when all rows have been added."""
        self._labels = label_map.labels
        tables = {legend: label_map.table(legend) for legend in self._one_of_each}
        height, width = self.mask_size
        self._code_rows.seek(0)
        with arrays.RowWriter(self._masks, self.mask_size) as mask_rows:
            for legend in self._legends:
                codes = np.frombuffer(self._code_rows.read(height * width), np.uint8)
                mask = tables[legend][codes].reshape(self.mask_size)
                mask_rows.append(mask)
                self.tally.add(np.bincount(mask.reshape(-1), minlength=256))
        stems = [sample.stem for sample in self._samples]
        arrays.write_names(self._names, stems, [sample.group for sample in self._samples])

    def fingerprint(self):
        """Return what identifies the data that were published, as when they are opened again.

        They are not checked again, which reads every mask.
        """
        images, masks = (np.load(path, mmap_mode="r") for path in self._targets[:2])
        stems = [sample.stem for sample in self._samples]
        persons = [sample.group for sample in self._samples]
        return arrays.Arrays(images, masks, stems, persons, self._labels).fingerprint()

    def publish(self):
        """Move the files to their places; return the entries of the result that name them."""
        # A kill in between must not leave old images beside new masks: without images, nothing
        # opens.
        self.target.unlink(missing_ok=True)
        sources = (self._images, self._masks, self._names)
        for source, target in reversed([*zip(sources, self._targets, strict=True)]):
            os.replace(source, target)
        paths = zip(("images", "masks", "names"), map(str, self._targets), strict=True)
        return dict(paths) | {"labels": str(self.label_path), "img_size": list(self.mask_size)}
