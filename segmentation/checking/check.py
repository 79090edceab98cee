"""Check data sets: look at each sample, find what is wrong, write report.html and report.json."""

import time
from collections import Counter
from pathlib import Path

from segmentation import files
from segmentation.checking import examine, findings, page
from segmentation.data import labels
from segmentation.errors import InputError


def check(datasets, out_dir, data, fewest=10, workers=1, more=(), notes=(), predict=None):
    """Write the reports on some data, and return what report.json holds, lists left out.

    Args:
        datasets: `Dataset` by part: "training" alone, or "validation" as well.
        out_dir: folder of report.html and report.json.
        data: what the data is called.
        fewest: a class that fewer images show is a finding.
        workers: threads.
        more: `findings.Finding`s known beforehand.
        notes: lines to show.
        predict: `Predictor` whose disputes with the masks are ranked, or None.

    Raises:
        InputError: if the parts have different classes, or no sample can be read.
    """
    start = time.perf_counter()
    names = next(iter(datasets.values())).labels
    for part, dataset in datasets.items():
        if not labels.same(dataset.labels, names):
            raise InputError(
                f"training and {part} data have other classes: {labels.listed(names)}, and "
                f"{labels.listed(dataset.labels)}; check each by itself"
            )
    facts, pixels = [], 0
    for part, dataset in datasets.items():
        more_facts, more_pixels = examine.examine(dataset, part, workers)
        facts += more_facts
        pixels = pixels + more_pixels
    good = [one for one in facts if not one.problem]
    if not good:
        raise InputError(f"none of the {len(facts)} samples can be read: {facts[0].problem}")
    found = [*more, *findings.of(facts, names, fewest)]
    disputed = []
    if predict:
        from segmentation.checking import disputes  # loads Keras

        disputed = disputes.rank(predict, datasets)
    by_kind = Counter(one.kind for one in found)
    shown = Counter(index for one in good for index in one.shown)
    total = max(1, int(pixels[: len(names)].sum()))
    sizes = Counter(f"{one.size[1]} x {one.size[0]}" for one in good)
    report = {
        "data": list(map(str, data)),
        "pictures": len(facts),
        "parts": {part: len(dataset) for part, dataset in datasets.items()},
        "classes": names,
        "pixel_share": {name: round(pixels[i] / total, 6) for i, name in enumerate(names)},
        "pictures_showing": {name: shown[i] for i, name in enumerate(names)},
        "ignored_share": round(int(pixels[labels.IGNORED]) / int(pixels.sum()), 6),
        "sizes": dict(sizes.most_common(20)),
        "notes": list(notes),
        "findings": {kind: by_kind[kind] for kind in findings.MEANINGS if by_kind[kind]},
    }
    html = page.render(report, found, findings.MEANINGS, datasets, disputed)
    out_dir = Path(out_dir)
    lists = {"found": list(map(vars, found)), "disputed": list(map(vars, disputed))}
    files.write_json(out_dir / "report.json", report | lists)
    files.write_text(out_dir / "report.html", html)
    return report | {
        "report": str(out_dir / "report.html"),
        "seconds": round(time.perf_counter() - start, 2),
    }
