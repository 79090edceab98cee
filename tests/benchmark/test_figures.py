"""The table of the networks and the plot of the published figures, of figures made up here."""

import json
import runpy

import pytest
from PIL import Image

import nets
import printed
from segmentation.cli import terminal
from segmentation.errors import InputError


@pytest.fixture(scope="module")
def pareto():
    return runpy.run_path(str(printed.ROOT / "benchmarks" / "pareto.py"))


@pytest.fixture(scope="module")
def networks():
    return runpy.run_path(str(printed.ROOT / "benchmarks" / "networks.py"))


def row(name, milliseconds, iou, megabytes=1.0, **others):
    return {
        "name": name,
        "data": "LFW",
        "metric": "hair IoU",
        "iou": iou,
        "milliseconds": milliseconds,
        "megabytes": megabytes,
        "device": "one",
        "runtime": "LiteRT",
    } | others


def test_the_front_is_what_no_other_beats_in_both(pareto):
    rows = [row("slow", 9, 0.8), row("worse", 5, 0.6), row("fast", 1, 0.5), row("middle", 4, 0.7)]
    rows += [row("as good, slower", 10, 0.8), row("as fast, worse", 1, 0.4)]
    assert [each["name"] for each in pareto["front"](rows)] == ["fast", "middle", "slow"]


def test_labels_overlap_neither_each_other_nor_marks_and_stay_inside(pareto):
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    figure = Figure(figsize=(7.5, 5), dpi=120)
    axis = figure.subplots()
    # A bunch of marks, large and small, and one at each edge.
    rows = [
        row(f"network {n}, alpha 0.25, int8", 2 + 0.1 * n, 0.7 + 0.004 * (n % 3), 1 + 3 * (n % 4))
        for n in range(9)
    ]
    rows += [row("at the left, alpha 1, float32", 0.5, 0.9), row("at the right", 40, 0.2)]
    pareto["_draw_panel"](axis, rows)
    figure.draw_without_rendering()
    texts = pareto["place_labels"](axis, rows)
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in texts]
    inside = axis.get_window_extent()
    for number, box in enumerate(boxes):
        assert not box.count_overlaps(boxes[:number])
        assert inside.x0 < box.x0 and box.x1 < inside.x1
        assert inside.y0 < box.y0 and box.y1 < inside.y1
        for each in rows:
            x, y = axis.transData.transform((each["milliseconds"], each["iou"]))
            assert not (box.x0 < x < box.x1 and box.y0 < y < box.y1)
    assert [text.get_text() for text in texts] == [each["name"] for each in rows]


def test_the_plot_has_a_panel_for_each_data_set_and_leaves_out_what_has_no_iou(
    pareto, tmp_path, capsys
):
    figures, plot = tmp_path / "figures.json", tmp_path / "docs" / "networks.png"
    rows = [row("a", 1, 0.5), row("b", 2, 0.4), row("no iou", 3, None)]
    rows += [row("c", 2, 0.4, data="CamVid", metric="mean IoU of 11 classes")]
    figures.write_text(json.dumps(rows))
    pareto["main"]([str(figures), "-o", str(plot)])
    result = json.loads(capsys.readouterr().out)
    assert result["rows"] == 3
    assert result["front"] == {"LFW: hair IoU": ["a"], "CamVid: mean IoU of 11 classes": ["c"]}
    with Image.open(plot) as image:
        assert image.width == 2 * 7.5 * 120


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row("a", 1, 0.5), row("b", 1, 0.5, device="two")], "on one and two; choose one with"),
        ([row("a", 1, 0.5, megabytes=None)], "the row a lacks megabytes"),
        ([row("a", 1, None)], "has no row with iou and milliseconds"),
        ({"rows": []}, "is no list of rows"),
    ],
)
def test_figures_that_cannot_be_compared_are_refused(pareto, tmp_path, rows, message):
    figures, plot = tmp_path / "figures.json", tmp_path / "networks.png"
    figures.write_text(json.dumps(rows))
    with pytest.raises(InputError, match=message):
        pareto["main"]([str(figures), "-o", str(plot)])
    assert not plot.exists()


def test_one_device_of_several_can_be_chosen(pareto, tmp_path):
    figures = tmp_path / "figures.json"
    figures.write_text(json.dumps([row("a", 1, 0.5), row("b", 1, 0.5, device="two")]))
    assert [each["name"] for each in pareto["read"](figures, "two")] == ["b"]
    with pytest.raises(InputError, match="has no row with iou and milliseconds of three"):
        pareto["read"](figures, "three")


def test_there_are_eight_configurations_of_networks_that_take_their_arguments(networks):
    configurations = networks["CONFIGURATIONS"]
    assert len(configurations) >= 8
    for network, arguments, img_size, classes in configurations:
        assert set(arguments) <= set(nets.arguments(network, {})), network
        assert all(side % 32 == 0 for side in img_size) and classes >= 1


@pytest.mark.slow
def test_networks_and_files_of_others_are_timed_in_one_table(
    networks, foreign, tmp_path, monkeypatch, capsys
):
    main, out = networks["main"], tmp_path / "costs.json"
    smallest = (("mobile_unet", {"alpha": 0.25}, (32, 64), 1),)
    monkeypatch.setitem(main.__globals__, "CONFIGURATIONS", smallest)
    terminal.connect()
    main([str(foreign), "--rounds", "1", "-o", str(out)])
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| network | arguments | input, px |") and len(lines) == 4
    assert lines[2].startswith("| `mobile_unet` | alpha 0.25 | 32 × 64 | 1 |")
    assert lines[3].startswith("| foreign | — | 32 × 64 | — |")
    rows = json.loads(last)["rows"]
    assert json.loads(out.read_text()) == rows
    assert rows[0]["arguments"] == {"alpha": 0.25} and rows[0]["precision"] == "float32"
    for each in rows:
        assert each["milliseconds"] > 0 and each["device"] and each["runtime"]
        assert each["command"].startswith("python benchmarks/networks.py ")
