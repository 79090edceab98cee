"""What several workers add to a step, reckoned by hand."""

import runpy

import pytest

import printed

SCALING = runpy.run_path(str(printed.ROOT / "benchmarks" / "scaling.py"))


def test_the_exchange_of_a_ring_by_hand():
    row = {"network": "a", "precision": "float32", "batch_size": 4, "step_seconds": 0.1}
    row |= {"trainable": 1_000_000, "statistics": 5_000}  # 4,040,000 bytes
    found = SCALING["reckon"](row, 8, 10)
    assert found["bytes_sent"] == 7_070_000  # 14 of 8 parts
    assert found["seconds"] == pytest.approx(7_070_000 / 1.25e9)
    assert SCALING["reckon"](row, 1, 10)["bytes_sent"] == 0  # alone
    assert SCALING["reckon"](row, 512, 10)["seconds_of_hops"] == pytest.approx(1022 * 1e-5)


def test_the_table_of_passes_goes_from_one_worker_to_many():
    args = SCALING["parse_args"](["--workers", "64", "-b", "16"])
    alone, many = SCALING["passes_table"](args).splitlines()[2:]
    assert alone.startswith("| 1 | 16 | 0.008 | 0.008 | 99 | 1,263 |")
    assert many.startswith("| 64 | 1,024 | 0.064 | 0.512 | 1 | 19 |")
    fewer = SCALING["passes_table"](SCALING["parse_args"](["--workers", "4", "-b", "4"]))
    assert fewer.splitlines()[2].startswith("| 1 | 4 | 0.004 | 0.002 |")
    assert fewer.splitlines()[3].startswith("| 4 | 16 | 0.008 | 0.008 |")
