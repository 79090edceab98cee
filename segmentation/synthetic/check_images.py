"""The images that exports are checked on by default, which are package data of `export`.

They were made once, by

    python -c "from segmentation.synthetic import check_images; \
        check_images.write('segmentation/export/check_images')"

Portraits, so that masks show something, and, in turns with them, smooth random colours with fine
noise, which drive every channel from 0 to 255.
"""

from pathlib import Path

import cv2
import numpy as np

from segmentation.synthetic.portraits import portrait

COUNT = 8
SIDE = 256  # pixels, of the colours
QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 90]


def write(folder):
    """Write the images into `folder`, which is made if it is missing: `0.jpg`, `1.jpg` …"""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(COUNT):
        image = portrait(0, index)[0] if index % 2 == 0 else colors(index)
        encoded = cv2.imencode(".jpg", image[..., ::-1], QUALITY)[1]
        (folder / f"{index}.jpg").write_bytes(encoded.tobytes())


def colors(seed):
    """Return smooth random colours with fine noise, `(SIDE, SIDE, 3)` uint8 RGB."""
    generator = np.random.default_rng(seed)
    coarse = generator.uniform(-64, 319, (6, 6, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    noise = generator.normal(0, 8, (SIDE, SIDE, 3))
    return np.clip(smooth + noise, 0, 255).astype(np.uint8)
