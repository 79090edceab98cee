"""The time by op, what XNNPACK runs, and what a GPU delegate lacks."""

import pytest

from segmentation.benchmark import gpu_delegate, litert_profiler, ops


def test_ops_of_one_name_are_one_row_and_parts_of_the_graph_are_counted():
    found = [
        ("Conv", 100, 0),
        ("Add", 20, 1),
        ("TILE", 60, None),
        ("Conv", 200, 0),
        ("TILE", 20, None),
    ]
    rows, parts = litert_profiler.by_type(found)
    assert parts == 2
    assert rows == [
        {"op": "Conv", "xnnpack": True, "count": 2, "milliseconds": 0.3, "share": 0.75},
        {"op": "TILE", "xnnpack": False, "count": 2, "milliseconds": 0.08, "share": 0.2},
        {"op": "Add", "xnnpack": True, "count": 1, "milliseconds": 0.02, "share": 0.05},
    ]


def test_ops_too_short_for_the_clock_have_a_share_of_nothing():
    rows, parts = litert_profiler.by_type([("Add", 0, 0)])
    assert rows[0]["share"] == 0 and parts == 1


def test_the_profiler_tells_what_runs_in_xnnpack_and_what_does_not(foreign):
    found = ops.measure(foreign, threads=1)
    kinds = {(row["op"], row["xnnpack"]): row["count"] for row in found["ops"]}
    assert kinds[("REVERSE_SEQUENCE", False)] == 1
    assert kinds[("Sigmoid (NC)", True)] == 1
    assert [op for op, xnnpack in kinds if not xnnpack] == ["REVERSE_SEQUENCE"]
    assert found["xnnpack_parts"] == 2  # before and after it
    assert found["gpu_refused"] == ["REVERSE_SEQUENCE"]
    assert sum(row["share"] for row in found["ops"]) == pytest.approx(1, abs=0.001)


def test_an_export_of_ours_is_one_part_and_refused_by_nobody(own):
    found = ops.measure(own, threads=2)
    assert found["xnnpack_parts"] == 1 and found["gpu_refused"] == []
    assert all(row["xnnpack"] for row in found["ops"])
    counts = {row["op"].split(" (")[0]: row["count"] for row in found["ops"]}
    assert counts["Deconvolution"] == 1 and counts["Resize Bilinear"] == 1


def no_profiler(connection, path, threads):
    raise SystemExit(1)


def test_without_a_profiler_the_rest_is_told_with_a_warning(foreign, monkeypatch, capsys):
    monkeypatch.setattr(litert_profiler, "serve", no_profiler)
    found = ops.measure(foreign, threads=1)
    assert (found["ops"], found["xnnpack_parts"]) == (None, None)
    assert found["gpu_refused"] == ["REVERSE_SEQUENCE"]
    assert "ended with status 1" in capsys.readouterr().err


def test_a_call_that_litert_refuses_is_an_error_and_no_measurement():
    with pytest.raises(RuntimeError, match="LiteRtCreateModelFromFile failed with status"):
        litert_profiler.profile("absent.tflite", 1)


def test_names_of_ops_in_the_table_exist():
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    custom = {name for name in gpu_delegate.HAS_KERNEL if name != name.upper()}
    assert len(custom) == 4
    assert gpu_delegate.HAS_KERNEL - custom <= set(vars(BuiltinOperator))
