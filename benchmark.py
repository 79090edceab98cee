"""Measure what models cost: milliseconds for one image, megabytes, memory, and the time by op.

    python benchmark.py artifacts/hair.tflite
    python benchmark.py artifacts/hair.tflite other.tflite --ops --rounds 40
    python benchmark.py artifacts/hair.keras artifacts/hair.pb artifacts/hair.tflite -o costs.json
    python benchmark.py artifacts/hair.tflite --adb --adb_benchmark android_aarch64_benchmark_model

Models: .tflite of any origin, and what evaluate.py reads. The files take turns, five runs a round
after one that does not count, so that a machine that slows down does so for all of them. Shown are
the median of all runs, their minimum and 90th percentile, and the ratio of the medians to the
first file's. Compare figures of one run alone: a busy machine doubles them.
What is timed: of a .tflite, LiteRT's interpreter alone (`invoke`, on XNNPACK), without what brings
an image into its input; of other formats, the call that predict.py makes. An .mlpackage runs in an
interpreter in NumPy here, which says nothing about Core ML. The input is random, in whole numbers.
Peak memory: every file has a process of its own; counted is by how much its resident memory grew
over that of Python and the runtime, from loading the file to the last run, the pages of the file
that were read included. LiteRT takes about 10 MB for any file. Linux and macOS tell it.
`--threads` holds for LiteRT, ONNX Runtime, TensorFlow, PyTorch and NumPy; GPUs are not used.
`--ops`, for .tflite: LiteRT's profiler in runs of its own, in whole microseconds, so that many
short ops add up to a little less than the time above. XNNPACK is what makes floats fast: every part
of the graph outside of it costs time, and so does every further part. The GPU delegate is judged by
the names of the ops; a device may refuse more.
`--adb` measures on a connected Android device, with LiteRT's benchmark_model.
`-o FILE` writes what the last line says, and the command. 120 runs a file take some seconds.
"""

import shlex
import sys
from pathlib import Path

from segmentation import remote, storage
from segmentation.cli import options, terminal
from segmentation.errors import InputError
from segmentation.formats import FORMATS


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument("models", type=Path, nargs="+", help="files or folders to measure in turn")
    parser.add_argument(
        "--threads", type=options.count, default=1, help="that a model may use (%(default)s)"
    )
    parser.add_argument(
        "--rounds", type=options.count, default=20, help="turns of every model (%(default)s)"
    )
    parser.add_argument(
        "--ops", action="store_true", help="also the time by op, and what runs in a delegate"
    )
    parser.add_argument(
        "--adb", action="store_true", help="measure on the Android device that adb finds"
    )
    parser.add_argument(
        "--adb_benchmark",
        type=Path,
        metavar="PATH",
        help="of benchmark_model for the device (default: /data/local/tmp/benchmark_model on it)",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="JSON file to write")
    args = parser.parse_args(argv)
    if args.ops and args.adb:
        parser.error("--ops measures on this computer: omit it, or --adb")
    if args.adb_benchmark and not args.adb:
        parser.error("--adb_benchmark goes with --adb")
    for path in args.models if args.ops or args.adb else ():
        if path.suffix.lower() != FORMATS["tflite"].suffix:
            parser.error(f"--ops and --adb are for .tflite files, and {path} is none")
    if args.output and (args.output.suffix != ".json" or args.output.is_dir()):
        parser.error(f"-o/--output: name a file that ends in .json, not {args.output}")
    return args


def main(argv=None):
    """Measure, and print the tables and the figures."""
    args = parse_args(argv)
    from segmentation import files
    from segmentation.benchmark import android, ops, turns
    from segmentation.inference import predictor

    turns.require(args.models + ([args.adb_benchmark] if args.adb_benchmark else []))
    if args.output:
        require_place(args.output)
    if args.adb:
        device, rows = android.measure(args.models, args.threads, args.rounds, args.adb_benchmark)
    else:
        device, rows = turns.device(), turns.measure(args.models, args.threads, args.rounds)
        for path in args.models:
            if predictor.format_of(path) is FORMATS["mlpackage"]:
                terminal.say(f"{path}: runs in NumPy here, which says nothing about Core ML")
    if args.ops:
        rows = [row | ops.measure(row["file"], args.threads) for row in rows]
    runtimes = ", ".join(dict.fromkeys(row["runtime"] for row in rows))
    print(f"{device}; {runtimes}; threads: {args.threads}; rounds: {args.rounds}")
    print_costs(rows)
    for row in rows if args.ops else ():
        print_ops(row)
    result = {"device": device, "threads": args.threads, "rounds": args.rounds, "rows": rows}
    if args.output:
        words = sys.argv[1:] if argv is None else argv
        command = shlex.join(["python", "benchmark.py", *map(str, words)])
        files.write_json(args.output, {"command": command} | result)
    terminal.print_result(result)


def require_place(path):
    """Raise InputError if a file of another command, a model card for one, stands at `path`."""
    storage.look(path)
    if path.exists() and '"peak_memory_mb"' not in path.read_text(encoding="utf-8"):
        raise InputError(f"{path}: exists and is not of benchmark.py; choose another name")


def print_costs(rows):
    """Print a row per file."""
    table = _table("File", "ms", "min", "90 %", "Ratio", "MB", "Memory, MB")
    for row in rows:
        taken, memory = row["milliseconds"], row["peak_memory_mb"]
        cells = [f"{taken[key]:.2f}" for key in ("median", "min", "p90")]
        cells += [f"{row['ratio']:.2f}", f"{row['megabytes']:.2f}"]
        cells.append("—" if memory is None else f"{memory:.1f}")
        table.add_row(remote.shown(row["file"]), *cells)
    _show(table)


def print_ops(row):
    """Print the time by op of a file, and what its delegates refuse."""
    terminal.show(f"\n{row['file']}")
    if row["ops"] is not None:
        table = _table("Op", "ms", "Share", "Count", "Runs in")
        for each in row["ops"]:
            where = "XNNPACK" if each["xnnpack"] else "LiteRT"
            share, count = f"{100 * each['share']:.1f} %", str(each["count"])
            table.add_row(each["op"], f"{each['milliseconds']:.3f}", share, count, where)
        _show(table)
        outside = ", ".join(each["op"] for each in row["ops"] if not each["xnnpack"])
        parts = row["xnnpack_parts"]
        print(f"parts of the graph in XNNPACK: {parts}; outside of it: {outside or 'nothing'}")
    refused = ", ".join(row["gpu_refused"])
    kernels = f"no kernel for {refused}" if refused else "a kernel for every op"
    print(f"GPU delegate: {kernels} (by name: shapes and types are not looked at)")


def _table(first, *others):
    from rich.table import Table

    table = Table()
    table.add_column(first, overflow="fold")
    for heading in others:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _show(table):
    from rich.console import Console

    Console(markup=False).print(table)  # a file may be called "hair [old].tflite"


if __name__ == "__main__":
    terminal.run(main)
