"""Time models on the page of serve.py in Chromium, or take its pictures for the documentation.

    python benchmarks/page.py grid/unet_256.tflite --seconds 10
    python benchmarks/page.py demo/portraits.tflite --samples demo/raw/images --screenshots docs

Needs Chromium, and playwright of requirements-dev.txt. The models take turns, on the frames of
Chromium's own test camera, 960 x 720 pixels, 60 a second; without a GPU, so on the CPU (WASM). A
row has what the page shows, read ten times a second: the median milliseconds of the model and the
fewest, and the median frames a second, with all that the page does besides. The pictures are
page-desktop.jpg and page-phone.jpg, of a sample: in colours on a light page, recoloured on a dark
one.
"""

import contextlib
import io
import statistics
import sys
import tempfile
import threading
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from segmentation.cli import options, terminal
from segmentation.errors import InputError

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    "--use-fake-device-for-media-stream=fps=60",
)
# Width and height in pixels, colour scheme and effect of the pictures.
PICTURES = {
    "desktop": (1280, 800, "light", "colors"),
    "phone": (390, 844, "dark", "recolor"),
}
SETTLED = 3000  # milliseconds before the first reading


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument("models", type=Path, nargs="+", help=".tflite files of tf_converter.py")
    parser.add_argument("--seconds", type=options.count, default=10, help="of each model")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="path of the browser")
    parser.add_argument("--samples", type=Path, metavar="DIR", help="images for the pictures")
    parser.add_argument("--sample", type=options.count, default=1, help="which of them, from 1")
    parser.add_argument(
        "--screenshots", type=Path, metavar="DIR", help="take pictures instead, of one model"
    )
    args = parser.parse_args(argv)
    if args.screenshots and (len(args.models) > 1 or not args.samples):
        parser.error("--screenshots shows one model, and needs --samples")
    return args


@contextlib.contextmanager
def served(model, samples):
    """Yield the address of the page of a model."""
    from segmentation.serving import site
    from segmentation.serving.server import Server

    predict = site.open_model(model)
    with tempfile.TemporaryDirectory() as folder:
        site.assemble(Path(folder) / "site", predict, samples)
        with Server(Path(folder) / "site", "127.0.0.1", 0) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield server.urls[0]
            server.shutdown()


def measure(page, seconds):
    """Return milliseconds of the model, frames a second, and what ran it."""
    page.click("#camera")
    page.wait_for_timeout(SETTLED)
    milliseconds, rates = [], []
    for _ in range(10 * seconds):
        page.wait_for_timeout(100)
        milliseconds.append(float(page.inner_text("#milliseconds").split()[0]))
        rates.append(float(page.inner_text("#rate")))
    return {
        "milliseconds": statistics.median(milliseconds),
        "fewest_milliseconds": min(milliseconds),
        "frames_per_second": statistics.median(rates),
        "ran_on": page.inner_text("#ran"),
    }


def take_pictures(page, folder, sample):
    """Write the pictures of the page in `PICTURES`."""
    page.locator("#samples button").nth(sample - 1).click()
    page.locator("#status", has_text=f"Sample {sample}: ").wait_for()
    for name, (width, height, scheme, effect) in PICTURES.items():
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        page.select_option("#effect", effect)
        page.mouse.move(0, 0)
        page.wait_for_timeout(500)
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        # JPEG without loss of colour resolution: a third of the bytes of a PNG.
        shot.save(folder / f"page-{name}.jpg", quality=90, subsampling=0, optimize=True)


def main(argv=None):
    """Measure, or take pictures."""
    args = parse_args(argv)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise InputError("needs playwright: pip install -r requirements-dev.txt") from None
    if not Path(args.chromium).exists():
        raise InputError(f"{args.chromium}: no such browser; name one with --chromium")
    rows = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=args.chromium, args=FLAGS)
        for model in args.models:
            with served(model, args.samples) as url:
                page = browser.new_page(permissions=["camera"])
                page.goto(url)
                page.locator("#status", has_text="Ready: ").wait_for(timeout=60_000)
                if args.screenshots:
                    take_pictures(page, args.screenshots, args.sample)
                else:
                    rows.append({"model": model.name, **measure(page, args.seconds)})
                page.close()
        browser.close()
    for row in rows:
        figures = [row["milliseconds"], row["fewest_milliseconds"], row["frames_per_second"]]
        terminal.show(
            " | ".join(["", row["model"], *(f"{each:.1f}" for each in figures), ""]).strip()
        )
    terminal.print_result({"pages": rows})
    return 0


if __name__ == "__main__":
    terminal.run(main)
