"""The page in a real browser, Debian's Chromium: skipped where that or Node is missing."""

import io
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import page_models
from segmentation import probabilities
from segmentation.data import image_io
from segmentation.errors import InputError
from segmentation.export import parity, parity_kit
from segmentation.export.options import Options
from segmentation.inference import predictor
from segmentation.serving import site
from segmentation.serving.server import Server

pytestmark = pytest.mark.slow
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = shutil.which("chromium")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    "--use-fake-device-for-media-stream",
)
ROOT = Path(__file__).resolve().parents[2]
FILM_SIZE, FRAMES = (120, 160), 8
RED, GREY = (81, 90, 240), (128, 128, 128)  # Y, U, V of BT.601
WAIT = 60_000  # milliseconds, on a busy machine
SAME = 0.999  # mask IoU


def film(path):
    """Draw a film whose left quarter is red, on grey that flickers."""
    height, width = FILM_SIZE
    planes = []
    for frame in range(FRAMES):
        for channel, step in ((0, 1), (1, 2), (2, 2)):
            plane = np.full((height // step, width // step), GREY[channel], np.uint8)
            plane += 4 * (frame % 2) * (channel == 0)
            plane[:, : width // 4 // step] = RED[channel]
            planes.append(plane.tobytes())
    frames = [b"FRAME\n" + b"".join(planes[3 * i : 3 * i + 3]) for i in range(FRAMES)]
    header = f"YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(header + b"".join(frames))
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not CHROMIUM:
        pytest.skip("Chromium is not installed")
    drawn = film(tmp_path_factory.mktemp("film") / "film.y4m")
    flags = [*FLAGS, f"--use-file-for-fake-video-capture={drawn}"]
    with playwright.sync_playwright() as driver:
        try:
            started = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        except playwright.Error as error:
            pytest.skip(f"Chromium does not start: {str(error).splitlines()[0]}")
        yield started
        started.close()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The `.tflite` files of a class, of several with a quarter of the size, and of int8."""
    folder = tmp_path_factory.mktemp("models")
    red, quarter = page_models.red_model(), page_models.quarter_model()
    return {
        "red": page_models.write(folder / "red.tflite", red, page_models.RED),
        "quarter": page_models.write(folder / "quarter.tflite", quarter, page_models.COLORS),
        "int8": page_models.write(folder / "int8.tflite", red, page_models.RED, "int8"),
    }


@pytest.fixture(scope="module")
def kits(models):
    """The parity kits of the model of one class, in float32 and in int8."""
    images = page_models.images(2, page_models.SIZE, seed=5)
    predict = predictor.load(models["red"])
    reference = parity.Reference(images, predict(images), "photos (2)")
    return {
        name: parity_kit.write(models[name], reference, predict.classes, Options(precision), limits)
        for name, precision, limits in (
            ("red", "float32", "float32"),
            ("int8", "int8", "full_int8"),
        )
    }


@pytest.fixture(scope="module")
def sites(tmp_path_factory, models, kits):
    """The address of a page for each model."""
    try:
        site.build()
    except InputError as error:
        if "npm run" in str(error):  # the code of the page is wrong: no reason to skip
            raise
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("sites")
    samples = folder / "samples"
    samples.mkdir()
    Image.fromarray(page_models.images(1, (90, 70))[0]).save(samples / "a.png")
    for name, model in models.items():
        site.assemble(folder / name, site.open_model(model), samples, kits.get(name))
    with Server(folder, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield {name: f"{server.urls[0]}{name}/" for name in models}
        server.shutdown()


@pytest.fixture
def open_page(browser):
    """Return a function that opens a page: one for each test, all of one browser."""
    contexts = []

    def open_page(url, ready=True, **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(WAIT)
        page.requested, page.faults = [], []
        page.on("request", lambda request: page.requested.append(request.url))
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        if url:
            page.goto(url)
        if ready:
            says(page, "#status", "Ready: ")
        return page

    yield open_page
    for context in contexts:
        context.close()


def says(page, selector, text):
    """Wait until an element says so."""
    playwright.expect(page.locator(selector)).to_contain_text(text, timeout=WAIT)


def choose(page, image):
    """Let the page segment an image; return its mask of class ids."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    name = "{}x{}.png".format(*image.shape)  # of its own, or the page seems ready at once
    file = {"name": name, "mimeType": "image/png", "buffer": buffer.getvalue()}
    page.set_input_files("#choose", file)
    says(page, "#status", f"{name}: ")
    return mask_of(page)


def mask_of(page):
    found = page.evaluate(
        "() => { const { mask, width, height } = document.getElementById('view').found;"
        " return { mask: Array.from(mask), width, height }; }"
    )
    return np.uint8(found["mask"]).reshape(found["height"], found["width"])


def test_the_page_loads_without_outside_requests_and_shows_what_the_file_says(sites, open_page):
    page = open_page(sites["quarter"])
    home = sites["quarter"].rsplit("/", 2)[0]
    assert page.requested and all(url.startswith(home) for url in page.requested)
    assert not page.faults
    assert page.locator("h1").inner_text() == "quarter.tflite"
    assert page.locator("#classes th").all_inner_texts() == ["background", "red", "blue"]
    assert "96 × 64 pixels · float32" in page.locator("#facts").inner_text()
    color = "e => getComputedStyle(e).backgroundColor"
    assert page.locator("#classes .swatch").nth(2).evaluate(color) == "rgb(0, 0, 255)"
    assert page.evaluate("() => crossOriginIsolated")
    page.evaluate("() => fetch('https://example.org/').then(() => { throw 1 }, () => 0)")


@pytest.mark.parametrize("name", ["red", "quarter", "int8"])
def test_the_masks_of_the_page_are_those_of_litert_in_python(name, sites, models, open_page):
    page, predict = open_page(sites[name]), predictor.load(models[name])
    for size in ((150, 210), page_models.SIZE, (40, 50)):  # shrunk, as it is, enlarged
        (image,) = page_models.images(1, size, seed=size[0])
        mask = choose(page, image)
        (scores,) = predict(image_io.resize(image, predict.img_size)[None])
        expected = probabilities.to_mask_at(scores, mask.shape)
        for each in np.unique(expected):
            union = ((mask == each) | (expected == each)).sum()
            assert ((mask == each) & (expected == each)).sum() / union >= SAME
        assert len(np.unique(expected)) == len(predict.classes.id_names)  # all are to be seen
    rows = page.locator("#classes .number").all_inner_texts()
    assert float(rows[1].rstrip(" %")) == pytest.approx(100 * (mask == 1).mean(), abs=0.06)


@pytest.mark.parametrize("size", [(60, 90), (4100, 5000)])  # the latter no canvas has to hold
def test_photos_are_turned_as_their_exif_orientation_says(size, sites, open_page, tmp_path):
    image = np.full((*size, 3), 128, np.uint8)
    image[: size[0] // 4] = [255, 0, 0]
    turned, exif = Image.fromarray(image), Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: what is on top goes to the right
    turned.save(tmp_path / "photo.jpg", quality=95, exif=exif)
    page = open_page(sites["red"])
    page.set_input_files("#choose", tmp_path / "photo.jpg")
    says(page, "#status", "photo.jpg: ")
    mask = mask_of(page)
    assert mask.shape[0] == 384 and mask.shape[1] == round(384 * size[0] / size[1])
    border = round(mask.shape[1] * 0.75)
    assert mask[:, border + 12 :].all() and not mask[:, : border - 12].any()  # JPEG blurs


def test_the_frames_of_the_camera_give_masks(sites, open_page):
    page = open_page(sites["red"], permissions=["camera"])
    page.click("#camera")
    says(page, "#classes tr:nth-child(2) .number", "25.")
    mask = mask_of(page)
    third = mask.shape[1] // 4
    assert mask[:, : third - 4].all() and not mask[:, third + 4 :].any()
    says(page, "#status", "The camera is on.")
    assert page.locator("#view").evaluate("e => e.classList.contains('mirrored')")
    page.uncheck("#smooth")
    page.select_option("#effect", "replace")
    page.click("#camera")
    says(page, "#status", "The camera is off.")
    assert not page.faults


def test_a_camera_that_is_not_allowed_is_a_sentence_and_pictures_go_on(sites, open_page):
    page = open_page(sites["red"], permissions=[])
    page.click("#camera")
    says(page, "#problem", "The camera is not allowed.")
    assert choose(page, page_models.images(1, (50, 60))[0]).any()
    assert not page.locator("#problem").inner_text()


def test_a_file_that_is_no_model_is_a_sentence(sites, open_page):
    page = open_page(None, ready=False)
    page.route("**/model.tflite", lambda route: route.fulfill(body="<html>404"))
    page.goto(sites["red"])
    says(page, "#problem", "is not a LiteRT model")
    assert page.locator("#camera").is_disabled()


def test_a_damaged_model_and_a_file_that_is_no_picture_are_sentences(sites, models, open_page):
    page = open_page(None, ready=False)
    damaged = models["red"].read_bytes()[:200]
    page.route("**/model.tflite", lambda route: route.fulfill(body=damaged))
    page.goto(sites["red"])
    says(page, "#problem", "The model cannot be read")
    page = open_page(sites["red"])
    file = {"name": "notes.txt", "mimeType": "image/png", "buffer": b"not a picture"}
    page.set_input_files("#choose", file)
    says(page, "#problem", "notes.txt is no picture")


def test_a_lost_connection_is_a_sentence(sites, open_page):
    page = open_page(sites["red"])
    page.context.set_offline(True)
    page.click("#samples button")
    says(page, "#problem", "Connection lost")
    page.context.set_offline(False)
    page.click("#samples button")
    says(page, "#status", "Sample 1: ")
    assert not page.locator("#problem").inner_text()


def test_the_self_test_passes_on_the_model_of_the_kit(sites, open_page):
    page = open_page(sites["red"])
    page.click("#run-selftest")
    says(page, "#verdict", "Passed")
    result = json.loads(page.locator("#selftest-json").input_value())
    assert result["passed"] and result["model_checked"] and result["mask_iou"] == 1
    assert result["largest_difference"] < 1e-5 and len(result["samples"]) == 2
    assert page.locator("#selftest-rows tr").count() == 2
    assert open_page(sites["quarter"]).locator("#selftest").is_hidden()


def test_the_self_test_passes_on_a_model_of_bytes(sites, open_page):
    page = open_page(sites["int8"])
    page.click("#run-selftest")
    says(page, "#verdict", "Passed")


def test_the_self_test_says_failed_for_other_weights(sites, tmp_path, open_page):
    path = tmp_path / "red.tflite"
    other = page_models.write(path, page_models.red_model(gain=0.1), page_models.RED)
    page = open_page(None, ready=False)
    page.route("**/model.tflite", lambda route: route.fulfill(body=other.read_bytes()))
    page.goto(sites["red"])
    says(page, "#status", "Ready: ")
    page.click("#run-selftest")
    says(page, "#verdict", "Failed: the model is another file than the kit's red.tflite")
    says(page, "#verdict", "probabilities differ by")
    assert json.loads(page.locator("#selftest-json").input_value())["passed"] is False


def test_every_control_has_a_name_and_is_reached_by_the_keyboard(sites, open_page):
    page = open_page(sites["red"])
    nameless = page.evaluate(
        "() => [...document.querySelectorAll('button, input, select, textarea')].filter("
        "e => !(e.textContent.trim() || e.labels?.length || e.querySelector('img[alt]')))"
        ".map(e => e.outerHTML)"
    )
    assert nameless == []
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("() => document.activeElement.id"))
    wanted = ["camera", "choose", "effect", "opacity", "facing", "accelerator", "smooth"]
    assert [each for each in dict.fromkeys(reached) if each in wanted] == wanted
    assert page.locator("[aria-live=polite]").count() == 1


def test_the_pictures_of_the_documentation_are_taken(sites, browser, models, tmp_path):
    (tmp_path / "samples").mkdir()
    Image.fromarray(page_models.images(1, (90, 70))[0]).save(tmp_path / "samples/a.png")
    command = [sys.executable, ROOT / "benchmarks/page.py", models["red"], "--chromium", CHROMIUM]
    command += ["--samples", tmp_path / "samples", "--screenshots", tmp_path]
    subprocess.run(command, check=True, capture_output=True)
    for name, size in (("desktop", (1280, 800)), ("phone", (390, 844))):
        with Image.open(tmp_path / f"page-{name}.jpg") as picture:
            assert picture.size == size
            assert len(picture.getcolors(picture.width * picture.height)) > 100  # it is not blank
