"""Reading the metadata of `.tflite` files."""

import json
import zipfile

OWN_FILE = "segmentation.json"  # holds, inside a `.tflite`, what TFLite Metadata has no place for


def read_metadata(path):
    """Return what our converter wrote into a `.tflite`; {} for a file of another origin."""
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(OWN_FILE))
    except (zipfile.BadZipFile, KeyError, ValueError):
        return {}
