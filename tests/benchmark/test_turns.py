"""Files are measured in turn, each in a process of its own."""

import os
import sys

import pytest

from segmentation import files
from segmentation.benchmark import child, turns
from segmentation.errors import InputError


def dies(connection, path, threads):
    os._exit(3)


def echoes(connection, path, threads):
    connection.send((path.name, threads))
    for question in iter(connection.recv, None):
        connection.send(question + 1)
    connection.send(InputError("mended by the user"))


def test_figures_of_a_file_are_of_all_its_runs(tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(bytes(1_234_567))
    row = turns.row(path, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 20.0, 3.0])
    assert row["megabytes"] == 1.235
    assert row["milliseconds"] == {"median": 5.0, "min": 1.0, "p90": 9.0}
    rows = turns.with_ratios([row, {"milliseconds": {"median": 1.0}}])
    assert [each["ratio"] for each in rows] == [1.0, 0.2]


def test_files_take_turns_and_each_gets_its_own_times(monkeypatch, tmp_path):
    asked = []

    class Child:
        def __init__(self, function, path, threads):
            self.path, self.closed = path, False

        def answer(self):
            return {"runtime": f"runtime of {self.path.name}"}

        def ask(self, question):
            asked.append((self.path.name, question))
            if question is None:
                return 2_500_000 if self.path.name == "a.tflite" else None
            return [1.0 if self.path.name == "a.tflite" else 3.0] * question

        def close(self):
            asked.append((self.path.name, "closed"))

    monkeypatch.setattr(turns, "Child", Child)
    paths = [tmp_path / "a.tflite", tmp_path / "b.tflite"]
    for path in paths:
        path.write_bytes(b"")
    first, second = turns.measure(paths, threads=1, rounds=2)
    a, b = ("a.tflite", turns.RUNS), ("b.tflite", turns.RUNS)
    assert asked[:4] == [a, b, a, b]
    assert asked[4:6] == [("a.tflite", None), ("b.tflite", None)]
    assert asked[6:] == [("a.tflite", "closed"), ("b.tflite", "closed")]
    assert (first["ratio"], second["ratio"]) == (1.0, 3.0)
    assert (first["peak_memory_mb"], second["peak_memory_mb"]) == (2.5, None)
    assert second["runtime"] == "runtime of b.tflite"


def test_a_child_answers_and_hands_on_mistakes_and_its_end_is_one_line(tmp_path):
    one = child.Child(echoes, tmp_path / "a.tflite", 2)
    try:
        assert one.answer() == ("a.tflite", 2)
        assert one.ask(1) == 2 and one.ask(5) == 6
        with pytest.raises(InputError, match="^mended by the user$"):
            one.ask(None)
    finally:
        one.close()
    dead = child.Child(dies, tmp_path / "a.tflite", 1)
    with pytest.raises(InputError, match=r"a.tflite: the process .* ended with status 3; leave"):
        dead.answer()
    dead.close()


def test_two_files_are_measured_on_this_computer(foreign, own):
    rows = turns.measure([own, foreign], threads=1, rounds=2)
    assert [row["file"] for row in rows] == [str(own), str(foreign)]
    assert [row["megabytes"] for row in rows] == [
        round(files.size(path) / 1e6, 3) for path in (own, foreign)
    ]
    assert rows[0]["ratio"] == 1
    for row in rows:
        assert 0 < row["milliseconds"]["min"] <= row["milliseconds"]["median"]
        assert row["runtime"].startswith("ai_edge_litert ")
        if sys.platform == "linux":  # more than the file, less than a TensorFlow
            assert 0 < row["peak_memory_mb"] < 150


@pytest.mark.slow
def test_a_keras_model_is_measured_beside_an_export(own, tmp_path):
    from tiny_models import quick_model, save

    trained = save(quick_model(1), tmp_path / "hair.keras")
    first, second = turns.measure([trained, own], threads=1, rounds=1)
    assert first["runtime"].startswith("keras ") and " on tensorflow " in first["runtime"]
    assert first["img_size"] == (32, 64) and second["img_size"] == (32, 32)


def test_the_second_file_cannot_be_read_and_no_process_stays(own, tmp_path):
    import multiprocessing

    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(b"no model")
    with pytest.raises(InputError, match="damaged.tflite: not a readable model"):
        turns.measure([own, damaged], threads=1, rounds=1)
    assert not multiprocessing.active_children()
    with pytest.raises(InputError, match="model.txt: unknown model format"):
        turns.measure([own, tmp_path / "model.txt"], threads=1, rounds=1)


def test_the_computer_has_a_name():
    assert turns.device().strip()
