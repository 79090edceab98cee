"""Sets of images and masks in folders, as `data.py lfw` reads them."""

import numpy as np
from PIL import Image

PARTS = np.array([(0, 0, 255), (255, 0, 0), (0, 255, 0)], np.uint8)


def folder_set(folder, stems, size=40, seed=0):
    """Write images/STEM.png, noise, and masks/STEM.ppm, thirds of background, hair and face."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "masks").mkdir(exist_ok=True)
    random = np.random.default_rng(seed)
    mask = np.repeat(np.arange(size)[None] * 3 // size, size, axis=0)
    for stem in stems:
        noise = random.integers(0, 256, (size, size, 3), np.uint8)
        Image.fromarray(noise).save(folder / "images" / f"{stem}.png")
        Image.fromarray(PARTS[mask]).save(folder / "masks" / f"{stem}.ppm")
    return folder
