"""The page: every section as HTML, all pictures and the style sheet inside."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fcn_caffe import program
from fcn_caffe.pictures import drawing
from fcn_caffe.pictures.difference import difference
from fcn_caffe.pictures.legend import Legend
from fcn_caffe.reporting.charts import ChartLine, chart, matrix
from fcn_caffe.reporting.examples import Examples
from fcn_caffe.reporting.gather import TrainedStage
from fcn_caffe.scoring import metrics
from fcn_caffe.scoring.detail import Detail
from fcn_caffe.scoring.looking import Seen
from fcn_caffe.training.forecast import span
from fcn_caffe.training.losses import smoothed
from fcn_caffe.training.score_history import quality, quality_name

GENERATOR = "fcn-caffe report"
STYLE = Path(__file__).with_name("style.css")
METRICS = {
    "pixel_accuracy": "pixel acc.",
    "mean_accuracy": "mean acc.",
    "mean_iu": "mean IU",
    "fw_iu": "f.w. IU",
}
WIDE = 360
SMOOTHED_OVER = 50
"""A smoothed loss is the mean over this part of all iterations."""


def page(stages: Sequence[TrainedStage], examples: Examples) -> str:
    """The whole file. examples: of the last stage."""
    last = stages[-1]
    sections = [_stages(stages), *(_curves(stage) for stage in stages)]
    for label, detail in examples.details.items():
        legend = last.net.legends.get(last.heads.get(label, "score"), Legend())
        title = f" ({label})" if len(examples.details) > 1 else ""
        sections += [_classes(detail, legend, title), _confusion(detail, legend, title)]
    sections += [_images(last, examples), _runs(stages)]
    body = "\n".join(sections)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="generator" '
        f'content="{GENERATOR}">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{_text(last.name)}: report</title>\n'
        f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n<main>\n{_head(last)}\n{body}\n"
        f"</main>\n</body>\n</html>\n"
    )


def _head(last: TrainedStage) -> str:
    score = next(iter(last.net.classes))
    classes = f"{last.net.classes[score]} classes"
    return f"<header><h1>{_text(last.name)}</h1><p>{classes}, {_where(last)}; {_text(str(last.folder))}</p></header>"


def _where(stage: TrainedStage) -> str:
    """The data that a stage learned from and was scored on."""
    data = list((stage.settings.get("data") or {}).values())
    told = []
    for words, settings in zip(("trained on", "scored on"), (data[0], data[-1]) if data else ()):
        folder = next((str(value) for key, value in settings.items() if key.endswith(("_dir", "images"))), "")
        told.append(f"{words} {_text(folder)} ({_text(str(settings.get('split')))})")
    return ", ".join(told)


def _stages(stages: Sequence[TrainedStage]) -> str:
    rows = []
    best = max((_metric(stage, label, "mean_iu") for stage in stages for label in stage.heads), default=-1.0)
    for stage in stages:
        for label in stage.heads:
            numbers = [_metric(stage, label, key) for key in METRICS]
            cells = [f"{value:.4f}" if value >= 0 else "–" for value in numbers]
            cells[2] = f"<strong>{cells[2]}</strong>" if numbers[2] == best else cells[2]
            name = stage.name + (f" ({label})" if len(stage.heads) > 1 else "")
            starts = ", ".join(stage.settings.get("starts") or {})
            iterations = f"{int(stage.losses.iterations[-1]) + 1:,}" if len(stage.losses.iterations) else "0"
            time = "–" if math.isnan(stage.seconds) else span(stage.seconds)
            rows.append([_text(name), _text(starts), iterations, time, *cells])
    head = ["stage", "started from", "iterations", "time", *METRICS.values()]
    return _section("Scores", _table(head, rows, numbers_from=2))


def _metric(stage: TrainedStage, label: str, key: str) -> float:
    """Of the last scoring; -1 where there is none."""
    value = stage.scores[-1].get(label, {}).get(key) if stage.scores else None
    return -1.0 if value is None else float(value)


def _curves(stage: TrainedStage) -> str:
    iterations, loss = stage.losses.iterations, stage.losses.per_pixel
    window = max(1, len(loss) // SMOOTHED_OVER)
    good = loss[np.isfinite(loss)]
    lines = [ChartLine(iterations, loss, "raw"), ChartLine(iterations, smoothed(loss, window), "smooth")]
    logarithmic = bool(good.size and good.min() > 0 and good.max() > 4 * good.min())
    losses = chart(f"Loss of {stage.name}", "iteration", "loss per labelled pixel", lines, logarithmic)
    marks = []
    for number, label in enumerate(stage.heads):
        points = [(entry["iteration"], quality(entry[label])) for entry in stage.scores if label in entry]
        at, values = np.array(points, float).reshape(-1, 2).T
        marks.append(ChartLine(at, values, f"head{number % 3}", marks=True))
    qualities = chart(f"Scores of {stage.name}", "iteration", html.escape(quality_name(stage.scores)), marks)
    told = f"Loss: every iteration, and the mean of {window:,}. Rate: {_rates(stage)}."
    return _section(
        f"Training of {stage.name}", f'<div class="pair">{losses}{qualities}</div><p class="muted">{told}</p>'
    )


def _rates(stage: TrainedStage) -> str:
    """The learning rates of a stage, first to last."""
    known = stage.losses.rates[~np.isnan(stage.losses.rates)]
    if not known.size:
        return "not recorded"
    changes = known[np.concatenate([[True], np.diff(known) != 0])]
    return ", then ".join(f"{rate:g}" for rate in changes) if len(changes) <= 6 else f"{known[0]:g} to {known[-1]:g}"


def _names(detail: Detail, legend: Legend) -> list[str]:
    return [legend.name(cls) for cls in range(len(detail.confusion))]


def _classes(detail: Detail, legend: Legend, title: str) -> str:
    found, names = metrics.scores(detail.confusion), _names(detail, legend)
    order = sorted(range(len(names)), key=lambda cls: -1.0 if math.isnan(found.iu[cls]) else found.iu[cls])[::-1]
    total = max(int(detail.confusion.sum()), 1)
    rows = []
    for cls in order:
        share = detail.confusion[cls].sum() / total
        images = sum(cls in image.classes for image in detail.images)
        iu = found.iu[cls]
        bar = "" if math.isnan(iu) else f'<div class="bar"><div style="width:{100 * iu:.1f}%"></div></div>'
        square = f'<span class="square" style="background:{_colour(legend, cls)}"></span>'
        numbers = [_share(iu), _share(found.accuracy[cls])]
        rows.append([str(cls), f"{square}{_text(names[cls])}", f"{share:.2%}", f"{images:,}", *numbers, bar])
    head = ["", "class", "of the truth", "images with it", "IU", "accuracy", ""]
    told = f"By IU, of {len(detail.images):,} validation images."
    return _section(f"Classes{title}", f'<p class="muted">{told}</p>{_table(head, rows, numbers_from=2)}')


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _confusion(detail: Detail, legend: Legend, title: str) -> str:
    told = "Rows: the true class. Columns: what its pixels are taken for, in percent of the row."
    drawn = matrix(detail.confusion, _names(detail, legend))
    return _section(f"Confusion{title}", f'<p class="muted">{told}</p><div class="scroll">{drawn}</div>')


def _images(last: TrainedStage, examples: Examples) -> str:
    if examples.note:
        return _section("Images", f'<p class="muted">Left out: {_text(examples.note)}</p>')
    if not examples.best and not examples.worst:
        return ""
    label, score = next(iter(last.heads.items()))
    legend, ious = last.net.legends.get(score, Legend()), {}
    for image in examples.details[label].images:
        ious[image.name] = image.mean_iu
    parts = [_legend(legend, examples)]
    for words, found in (("Best", examples.best), ("Worst", examples.worst)):
        parts += [f"<h3>{words}</h3>", *(_example(seen, ious[seen.name], legend, last) for seen in found)]
    return _section("Images", "\n".join(parts))


def _legend(legend: Legend, examples: Examples) -> str:
    seen = [*examples.best, *examples.worst]
    shown = sorted({int(cls) for each in seen for cls in (*np.unique(each.truth), *np.unique(each.predicted))})
    squares = [
        f'<span class="key"><span class="square" style="background:{_colour(legend, cls)}"></span>'
        f"{_text(legend.name(cls))}</span>"
        for cls in shown
        if cls < len(legend.names or range(255))
    ]
    wrong = '<span class="key"><span class="square wrong"></span>another class than the truth</span>'
    void = '<span class="key"><span class="square void"></span>not counted</span>'
    return f'<p class="keys">{"".join(squares)}{wrong}{void}</p>'


def _example(seen: Seen, iou: float | None, legend: Legend, last: TrainedStage) -> str:
    n_classes = last.net.classes[next(iter(last.heads.values()))]
    pictures = {
        "image": seen.image,
        "truth": drawing.label_image(seen.truth, legend.colours).convert("RGB"),
        "prediction": drawing.label_image(seen.predicted, legend.colours).convert("RGB"),
        "difference": difference(seen.image, seen.truth, seen.predicted, n_classes),
    }
    figures = "".join(
        f'<figure><img alt="{words} of {_text(seen.name)}" src="{_data(picture, words == "image")}">'
        f"<figcaption>{words}</figcaption></figure>"
        for words, picture in pictures.items()
    )
    told = f"mean IU {iou:.3f}" if iou is not None else ""
    return f'<p class="of">{_text(seen.name)} <span class="muted">{told}</span></p><div class="row">{figures}</div>'


def _data(picture: Image.Image, is_photo: bool) -> str:
    """A picture as the address of itself, at most WIDE pixels wide."""
    if picture.width > WIDE:
        size = (WIDE, max(1, round(picture.height * WIDE / picture.width)))
        picture = picture.resize(size, drawing.RESAMPLING.LANCZOS if is_photo else drawing.RESAMPLING.NEAREST)
    content, kind = io.BytesIO(), "jpeg" if is_photo else "png"
    picture.save(content, kind.upper(), **({"quality": 85} if is_photo else {"optimize": True}))
    return f"data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}"


def _runs(stages: Sequence[TrainedStage]) -> str:
    rows = []
    for stage in stages:
        for run in stage.runs or [{"command": "not recorded", "began": "", "iteration": 0}]:
            settings = {**run.get("versions", {}), **run.get("machine", {})}
            told = ", ".join(f"{key} {value}" for key, value in settings.items())
            command = f"<code>{_text(str(run.get('command', '')))}</code>"
            begin = [_text(str(run.get("began", ""))), f"{run.get('iteration', 0):,}"]
            rows.append([_text(stage.name), *begin, command, _text(told)])
    head = ["stage", "began", "at iteration", "command", "versions and machine"]
    seeds = ", ".join(
        f"{stage.name}: seed {stage.settings.get('seed')}, {stage.settings.get('precision') or 'fp32'}"
        for stage in stages
    )
    made = f"Settings: {_text(seeds)}. This page was made by fcn-caffe {_text(program.version())}."
    return _section("How it was made", f'<div class="scroll">{_table(head, rows)}</div><p class="muted">{made}</p>')


def _colour(legend: Legend, cls: int) -> str:
    return "#" + "".join(f"{int(value):02x}" for value in legend.colours[cls])


def _section(title: str, content: str) -> str:
    return f"<section><h2>{_text(title)}</h2>\n{content}\n</section>"


def _table(head: Iterable[str], rows: Iterable[Sequence[str]], numbers_from: int = 99) -> str:
    """Cells are HTML. numbers_from: the column from which on they are numbers."""

    def line(cells: Iterable[str], kind: str) -> str:
        made = (
            f"<{kind}{' class=number' if column >= numbers_from else ''}>{cell}</{kind}>"
            for column, cell in enumerate(cells)
        )
        return f"<tr>{''.join(made)}</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(head, 'th')}</thead>\n<tbody>\n{body}\n</tbody></table>"


def _text(text: str) -> str:
    return html.escape(text)
