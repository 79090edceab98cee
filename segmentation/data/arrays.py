"""The files of prepared data: images-128.npy, masks-128.npy, names-128.txt and labels.txt."""

import hashlib
import json
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segmentation.data import labels
from segmentation.data.masks import PART_NAMES, PART_ORDER
from segmentation.errors import InputError, reason

CHUNK = 64  # rows looked at together, so that memory does not grow with the file
FINGERPRINT_ROWS = 64
PREPARE_AGAIN = "prepare the data again with data.py"
# The older project's mask arrays: red hair, green face, blue background, resized with
# interpolation, so a border pixel mixes two colours, and the three still add up to 255.
OLD_IDS = np.array([1, 2, 0], np.uint8)  # of the strongest channel: red, green, blue
OLD_SUM_TOLERANCE = 3  # each channel was rounded


@dataclass(frozen=True)
class Arrays:
    """Prepared images and masks, memory-mapped: a `Dataset`.

    `images` is `(N, H, W, 3)` uint8 RGB, `masks` `(N, H, W)` uint8 class ids (255: no class);
    `stems` holds the file name of each row, without folder and suffix, `groups` the person
    (empty: unknown), and `labels` the class names by id. `masks_checksum`, of `open_arrays`, tells
    all masks from those in which a single pixel is another.
    """

    images: np.ndarray
    masks: np.ndarray
    stems: list[str]
    groups: list[str]
    labels: list[str]
    masks_checksum: str | None = None

    def __len__(self):
        return len(self.images)

    def read(self, index):
        """Return `(H, W, 3)` uint8 RGB and `(H, W)` uint8 class ids (255: no class) of a row."""
        return np.asarray(self.images[index]), np.asarray(self.masks[index])

    def read_mask(self, index):
        """Return `(H, W)` uint8 class ids of a row."""
        return np.asarray(self.masks[index])

    def fingerprint(self):
        """Return 64 hexadecimal digits that identify the data.

        They depend on the shapes, names, persons and classes, and on the bytes of up to
        `FINGERPRINT_ROWS` rows, spread evenly: cheap, and different data hardly ever agree in
        all of these.
        """
        digest = hashlib.sha256()
        texts = [self.images.shape, self.stems, self.groups, self.labels]
        digest.update(json.dumps(texts).encode())
        for row in np.linspace(0, len(self) - 1, FINGERPRINT_ROWS).round().astype(int):
            image, mask = self.read(row)
            digest.update(np.ascontiguousarray(image).data)
            digest.update(np.ascontiguousarray(mask).data)
        return digest.hexdigest()

    def shared(self, other):
        """Return how many images another `Arrays` holds as well.

        Images of one size are compared byte by byte, of two sizes by stem and group together; rows
        without names are then in neither.
        """
        if self.images.shape[1:] != other.images.shape[1:]:
            theirs = set(other._names())
            return sum(name in theirs for name in self._names())
        theirs = set(map(_digest, other.images))
        return sum(_digest(image) in theirs for image in self.images)

    def _names(self):
        if not any(self.groups) and self.stems == _numbers(len(self)):
            return []
        return list(zip(self.stems, self.groups, strict=True))


def _numbers(count):
    return [str(row) for row in range(count)]


def _digest(array):
    return hashlib.sha256(np.ascontiguousarray(array)).digest()


def size_name(img_size):
    """Return `(height, width)` as file names have it: `128`, or `384x480`."""
    height, width = img_size
    return str(height) if height == width else f"{height}x{width}"


def paths(folder, img_size):
    """Return the paths of images, masks, names and labels for `(height, width)` in `folder`."""
    size = size_name(img_size)
    names = (f"images-{size}.npy", f"masks-{size}.npy", f"names-{size}.txt", "labels.txt")
    return tuple(Path(folder) / name for name in names)


def open_arrays(img_file, mask_file=None, label_file=None):
    """Open prepared arrays without reading them into memory.

    Args:
        img_file: `images-X.npy`. `names-X.txt` is looked for beside it; without one, rows are
            named by their number and groups are unknown.
        mask_file: default `masks-X.npy` beside it. A `(N, H, W, 3)` array in the older
            red/green/blue form is converted to class ids.
        label_file: default `labels.txt` beside it.

    Returns:
        `Arrays`.

    Raises:
        InputError: if a file is missing, damaged or pickled, is not uint8, has another shape than
            its partner, or holds class ids that labels.txt does not name.
    """
    img_file = Path(img_file)
    if img_file.suffix == ".tfrecord":
        raise InputError(f"{img_file}: holds no arrays; TFRecords are given as --tfrecord_data")
    mask_file = Path(mask_file) if mask_file else _beside(img_file, "masks", ".npy")
    if mask_file is None:
        raise InputError(f"{img_file} is not called images-….npy: name its mask file as well")
    images, masks = open_images(img_file), _open(mask_file)
    if masks.shape not in (images.shape, images.shape[:3]):
        raise InputError(
            f"{mask_file} has shape {masks.shape}, and {img_file.name} {images.shape}: "
            f"they do not belong together; {PREPARE_AGAIN}"
        )
    names = _label_names(img_file, label_file, old=masks.ndim == 4)
    if masks.ndim == 4:
        masks = _old_masks_to_ids(masks, mask_file)
    checksum = _check_masks(masks, mask_file, names)
    stems, groups = _read_names(_beside(img_file, "names", ".txt"), len(images))
    return Arrays(images, masks, stems, groups, names, checksum)


def open_images(path):
    """Open prepared images, `(N, H, W, 3)` uint8 RGB, without reading them into memory.

    Raises:
        InputError: if the file is missing, damaged, pickled, empty or of another type or shape.
    """
    images = _open(path)
    if images.ndim != 4 or images.shape[-1] != 3:
        raise InputError(f"{path} has shape {images.shape}, not (N, H, W, 3): {PREPARE_AGAIN}")
    if not len(images):
        raise InputError(f"{path} holds no images: {PREPARE_AGAIN}")
    return images


def _beside(img_file, noun, suffix):
    """Return `masks-X.npy` for `images-X.npy`, or None for a file of another name."""
    if not img_file.stem.startswith("images"):
        return None
    return img_file.with_name(noun + img_file.stem.removeprefix("images") + suffix)


def _open(path):
    """Memory-map an .npy file of bytes. `open_memmap` never unpickles."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; data.py writes it") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror})") from None
    except Exception as error:  # NumPy parses the header as Python, with whatever that raises
        raise InputError(
            f"{path} is not a whole .npy array ({reason(error)}): {PREPARE_AGAIN}"
        ) from None
    if array.dtype != np.uint8:
        raise InputError(
            f"{path} holds {array.dtype}, not uint8 0..255: {PREPARE_AGAIN} "
            "(values are scaled inside the network)"
        )
    return array


def _label_names(img_file, label_file, old):
    beside = img_file.with_name("labels.txt")
    if not label_file and not beside.exists():
        if old:
            return list(PART_NAMES)
        raise InputError(
            f"{beside}: no such file; it names the classes of the masks, {PREPARE_AGAIN}"
        )
    names = labels.read(label_file or beside)
    wrong = labels.misplaced(names, PART_NAMES) if old else None
    if wrong:
        raise InputError(
            f"{label_file or beside}: calls class {wrong[0]} '{wrong[1]}', and in red/green/blue "
            f"masks {PART_ORDER}: put the names in this order"
        )
    return names


def _old_masks_to_ids(masks, mask_file):
    """Convert `(N, H, W, 3)` red/green/blue to class ids, in an unnamed temporary file."""
    file = tempfile.TemporaryFile()
    for start in range(0, len(masks), CHUNK):
        chunk = np.asarray(masks[start : start + CHUNK])
        total = chunk.sum(axis=-1, dtype=np.int16)
        odd = np.abs(total - 255) > OLD_SUM_TOLERANCE
        if odd.any():
            row, y, x = np.argwhere(odd)[0]
            raise InputError(
                f"{mask_file}: row {start + row} holds the colour {chunk[row, y, x].tolist()}, "
                f"which is not one of a red, green and blue part mask: {PREPARE_AGAIN}"
            )
        file.write(OLD_IDS[chunk.argmax(axis=-1)].tobytes())
    file.flush()
    return np.memmap(file, np.uint8, "r", shape=masks.shape[:3])


def check_ids(mask, name, names):
    """Return the highest class id in `mask` other than 255, and whether there is a 255.

    Args:
        mask: array of uint8 class ids.
        name: of the file, for messages.
        names: of the classes, by id.

    Raises:
        InputError: if `names` ends below the highest id.
    """
    highest, ignored = int(mask.max()), False
    if highest == labels.IGNORED:
        ignored = True
        highest = int(np.where(mask == labels.IGNORED, 0, mask).max())
    if highest >= len(names):
        raise InputError(
            f"{name} holds class {highest}, and labels.txt names 0 to {len(names) - 1}: "
            "complete labels.txt, or prepare the data again with data.py"
        )
    return highest, ignored


def _check_masks(masks, mask_file, names):
    """Raise InputError for masks that are none; return their checksum."""
    found, checksum = [], 0
    for start in range(0, len(masks), CHUNK):
        chunk = np.ascontiguousarray(masks[start : start + CHUNK])
        found.append(check_ids(chunk, mask_file, names))
        checksum = zlib.crc32(chunk, checksum)
    highest, ignored = map(max, zip(*found, strict=True))
    if ignored and not highest:
        raise InputError(
            f"{mask_file} holds 0 and 255, not class ids (255 means no class): {PREPARE_AGAIN}"
        )
    return f"{checksum:08x}"


def _read_names(path, count):
    """Return the stem and the group of each row, from lines of stem, tab, group."""
    if path is None or not path.exists():
        return _numbers(count), [""] * count
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror})") from None
    lines = text.split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines
    if len(lines) != count:
        raise InputError(
            f"{path} has {len(lines)} lines for {count} images: {PREPARE_AGAIN}, or delete it"
        )
    pairs = [line.partition("\t") for line in lines]
    return [stem for stem, _, _ in pairs], [group.strip() for _, _, group in pairs]


def write_names(path, stems, groups):
    """Write a line per row: stem, tab, group. Undecodable bytes of file names are kept."""
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        file.writelines(f"{stem}\t{group}\n" for stem, group in zip(stems, groups, strict=True))


class RowWriter:
    """Append rows to an .npy file whose number of rows is known only at the end.

    Plain writes, not a memory map: on a full disk they raise OSError, where a map kills the
    process. NumPy pads the header so that the first axis may grow in place.
    """

    def __init__(self, path, row_shape):
        self.row_shape = tuple(row_shape)
        self.rows = 0
        self.file = open(path, "wb")
        self._write_header()

    def append(self, row):
        """Write one row, uint8 of `row_shape`."""
        if row.shape != self.row_shape or row.dtype != np.uint8:
            raise ValueError(f"a row is {row.dtype} {row.shape}, not uint8 {self.row_shape}")
        self.file.write(np.ascontiguousarray(row).data)
        self.rows += 1

    def _write_header(self):
        shape = (self.rows, *self.row_shape)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, header)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        with self.file:
            if exception[0] is None:
                self.file.seek(0)
                self._write_header()
