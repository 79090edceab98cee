"""The page that shows what a check found: one file, which needs no network."""

import base64
import html
import io

import numpy as np
from PIL import Image

from segmentation.data import palette
from segmentation.errors import InputError
from segmentation.inference import visualization

CELL = 220  # longest side of an image, pixels
SHEET = 24  # overlays of the contact sheet
SUSPECTS = 24  # shown of each kind; report.json names all
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff;max-width:70rem;
margin:auto;padding:1rem}
table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left;
overflow-wrap:anywhere}.bar{background:#1f5fa8;height:.8rem;min-width:1px}
.wide{width:40%}.sheet{display:flex;flex-wrap:wrap;gap:.8rem}figure{margin:0;max-width:220px}
img{max-width:100%}figcaption{font-size:.8rem;overflow-wrap:anywhere}
.swatch{display:inline-block;width:.8rem;height:.8rem;border:1px solid #555}
"""


def render(report, findings, meanings, datasets, disputes=()):
    """Return the page as HTML.

    Args:
        report: dictionary that report.json holds.
        findings: list of `findings.Finding`.
        meanings: what each kind means.
        datasets: `Dataset` by part.
        disputes: list of `findings.Finding`, the most disputed first.
    """
    colors = palette.colors(report["classes"])
    title = f"Check of {', '.join(report['data'])}"
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width,initial-scale=1'>"
        f"<title>{_text(title)}</title><style>{STYLE}</style><h1>{_text(title)}</h1>",
        f"<p>{report['pictures']} images, {len(findings)} findings.</p>",
        _table("What was found", report["findings"], meanings) if findings else "",
        "<h2>What reading said</h2><ul>" if report["notes"] else "",
        *(f"<li>{_text(note)}" for note in report["notes"]),
        "</ul>" if report["notes"] else "",
        _histogram(report, colors),
        _table("Sizes, width x height", report["sizes"]),
        "<h2>Contact sheet</h2>",
        _sheet(_spread(datasets), datasets, colors),
    ]
    for kind in report["findings"]:
        found = [one for one in findings if one.kind == kind]
        more = f", {SUSPECTS} of {len(found)}" if len(found) > SUSPECTS else ""
        parts.append(f"<h2>{_text(meanings[kind])}{more}</h2>")
        parts.append(_suspects(found[:SUSPECTS], datasets, colors))
    if disputes:
        parts.append("<h2>Masks that the model disputes most</h2>")
        parts.append(_suspects(disputes[:SUSPECTS], datasets, colors))
    return "\n".join(parts)


def _text(text):
    return html.escape(str(text))


def _table(title, counts, meanings=None):
    rows = "".join(
        f"<tr><td>{count}<td>{_text((meanings or {}).get(key, key))}"
        for key, count in counts.items()
    )
    return f"<h2>{title}</h2><table><tr><th>number<th>what{rows}</table>"


def _histogram(report, colors):
    rows = []
    for name, color in zip(report["classes"], colors, strict=True):
        share, shown = report["pixel_share"][name], report["pictures_showing"][name]
        rows.append(
            f"<tr><td><span class=swatch style='background:rgb{tuple(color)}'></span> "
            f"{_text(name)}<td>{shown}<td>{share:.2%}"
            f"<td class=wide><div class=bar style='width:{share:.2%}'></div>"
        )
    head = "<tr><th>class<th>images<th>pixels<th>"
    return f"<h2>Classes</h2><table style='width:100%'>{head}{''.join(rows)}</table>"


def _spread(datasets):
    places = [(part, number) for part, data in datasets.items() for number in range(len(data))]
    return [places[i] for i in np.linspace(0, len(places) - 1, min(SHEET, len(places))).astype(int)]


def _sheet(places, datasets, colors):
    return f"<div class=sheet>{''.join(_figure(p, datasets, colors) for p in places)}</div>"


def _suspects(found, datasets, colors):
    figures = []
    for one in found:
        shown = "".join(_figure(p, datasets, colors, one.detail) for p in one.samples)
        figures.append(shown or f"<p>{_text(one.name)}: {_text(one.detail)}</p>")
    return f"<div class=sheet>{''.join(figures)}</div>"


def _figure(place, datasets, colors, detail=""):
    part, number = place
    name = _text(f"{part}: {datasets[part].stems[number]}")
    caption = f"<figcaption>{name}<br>{_text(detail)}</figcaption>"
    try:
        image, ids = datasets[part].read(number)
    except InputError as error:
        return f"<figure>{caption if detail else _text(error)}</figure>"
    picture = Image.fromarray(visualization.overlay(image, ids, colors))
    picture.thumbnail((CELL, CELL))
    memory = io.BytesIO()
    picture.save(memory, "JPEG", quality=80)
    data = base64.b64encode(memory.getvalue()).decode()
    alt = f"mask over image {name}"
    return f'<figure><img alt="{alt}" src="data:image/jpeg;base64,{data}">{caption}</figure>'
