"""Damage the files of every layout at random: nothing but an InputError may come of it.

    PYTHONPATH=. python tests/mutate_readers.py --count 10000 --seed 1

Prints the failures, with the seed of each, and exits with 1 if there are any.
"""

import argparse
import json
import logging
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

import layout_sets
from segmentation.cli import data_options
from segmentation.data.samples import SourceFiles
from segmentation.errors import InputError

VALUES = [None, -1, 0, 1, 255, 256, 10**6, 2**40, 1e308, float("nan"), True, "", "x", [], {}, [[]]]
VALUES += ["\0", "../f0.jpg", [1], [[1, 2]], {"size": [1, 1], "counts": "oo"}, "9" * 40, "é\udcff"]


def mutated(data, choose):
    """Return the bytes of a file with a few changes."""
    data = bytearray(data)
    for _ in range(choose.choice((1, 1, 2, 8))):
        place = choose.randrange(len(data) + 1)
        kind = choose.randrange(5)
        if kind == 0 and data:
            data[place % len(data)] ^= 1 << choose.randrange(8)
        elif kind == 1:
            del data[place:]
        elif kind == 2:
            del data[place : place + choose.randrange(1, 40)]
        elif kind == 3:
            data[place:place] = choose.randbytes(choose.randrange(1, 9))
        else:
            data[place:place] = data[: choose.randrange(1, 60)]
    return bytes(data)


def mutated_json(found, choose):
    """Change a value somewhere in a JSON object, or remove it."""
    places = []

    def walk(node):
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    walk(found)
    node, key = choose.choice(places)
    if choose.random() < 0.2:
        del node[key]
    elif isinstance(node[key], str) and choose.random() < 0.5:
        letters = list(node[key] or "x")
        letters[choose.randrange(len(letters))] = chr(choose.randrange(1, 200))
        node[key] = "".join(letters)
    else:
        node[key] = choose.choice(VALUES)
    return found


def damage(folder, choose):
    """Damage a file of a folder, or give it another name, or the content of another."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = choose.choice(files)
    kind = choose.random()
    if kind < 0.1:
        path.unlink()
    elif kind < 0.2:
        path.rename(path.with_name(choose.choice(("x", "._", "é", "a b", "\n")) + path.name))
    elif kind < 0.3:
        path.write_bytes(choose.choice(files).read_bytes())
    elif path.suffix == ".json" and kind < 0.8:
        found = mutated_json(json.loads(path.read_text()), choose)
        path.write_text(json.dumps(found), errors="replace")
    else:
        path.write_bytes(mutated(path.read_bytes(), choose))


def outcome(folder):
    """Read all of a folder; return "read", "refused" or, of an exception of ours, "failed"."""
    try:
        found = SourceFiles(data_options.open_reader("auto", [folder]))
        refused = False
        for index in range(len(found)):
            try:
                image, mask = found.read(index)
                assert image.shape[:2] == mask.shape
                assert {*mask.reshape(-1).tolist()} <= {*range(len(found.labels)), 255}
            except InputError as error:
                refused |= bool(one_line(error))
        return "refused" if refused else "read"
    except InputError as error:
        one_line(error)
        return "refused"


def one_line(error):
    assert str(error) and "\n" not in str(error), repr(str(error))
    return str(error)


def run(count, seed):
    """Mutate; return a `Counter` of outcomes and the failures, as texts."""
    outcomes, failures = Counter(), []
    names = list(layout_sets.CASES)
    with tempfile.TemporaryDirectory() as temporary:
        for name in names:
            (Path(temporary) / name).mkdir()
            layout_sets.CASES[name][0](Path(temporary) / name)
        for number in range(count):
            name, choose = names[number % len(names)], random.Random(f"{seed} {number}")
            folder = Path(temporary) / "mutated"
            shutil.copytree(Path(temporary) / name, folder)
            damage(folder, choose)
            try:
                outcomes[outcome(folder)] += 1
            except Exception:
                outcomes["failed"] += 1
                failures.append(f"{name}, number {number}: {traceback.format_exc()}")
            shutil.rmtree(folder)
    return outcomes, failures


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    logging.disable(logging.CRITICAL)
    outcomes, failures = run(args.count, args.seed)
    print("\n".join(failures[:20]))
    print(dict(outcomes))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
