"""A sheet of labelled images, for a look at the labels before training."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from fcn_caffe.data_layers.segdata import files
from fcn_caffe.data_layers.segdata.classes import ClassList
from fcn_caffe.data_layers.segdata.labels import VOID, ColourMap
from fcn_caffe.data_layers.segdata.pairs import by_stem
from fcn_caffe.data_layers.segdata.splits import Entry
from fcn_caffe.datasets.findings import Findings
from fcn_caffe.pictures import drawing, legend, lettering
from fcn_caffe.pictures.legend import Legend
from fcn_caffe.variants.tasks import Task

FILE = "labels.png"
CELLS, COLUMNS = 12, 4
CELL = 320, 240
MARGIN, LINE = 8, 20


def draw(task: Task, labels: str, lists: dict[str, list[Entry]], listed: ClassList, found: Findings) -> Image.Image:
    """Some images of a task with their labels over them, outlined, and the classes with their shares of all pixels.

    labels: the folder where they are now. listed, found: the classes, and how many pixels each has.
    """
    image_files, label_files = by_stem(task.images, "images"), by_stem(labels, "labels")
    entries = [entry for entries in lists.values() for entry in entries]
    chosen = [entries[index * len(entries) // min(CELLS, len(entries))] for index in range(min(CELLS, len(entries)))]
    known = Legend(listed.names, drawing.class_colours(listed.colours))
    colour_map = ColourMap(listed.colours) if listed.colours else None
    cells = []
    for entry in chosen:
        path = label_files[entry.label or entry.image]
        if colour_map:
            label = colour_map(files.read_colours(path, task.upright), path)
        else:
            label = files.read_label(path, task.upright)
        picture = Image.fromarray(files.read_image(image_files[entry.image], task.upright))
        cells.append((entry.image, _painted(picture, label, known)))
    return _sheet(cells, _lines(known, found))


def _painted(picture: Image.Image, label: np.ndarray, known: Legend) -> Image.Image:
    """An image, of a size that fits into a cell, with its classes coloured and outlined, and void hatched."""
    scale = max(CELL[0] / picture.width, CELL[1] / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    label = np.asarray(Image.fromarray(label.astype(np.uint8)).resize(size, drawing.RESAMPLING.NEAREST))
    picture = picture.resize(size, drawing.RESAMPLING.BILINEAR)
    painted = drawing.overlay(picture, label, known.colours, 0.55, known.background)
    painted = drawing.outlined(drawing.hatched(painted, label == VOID), label)
    left, top = (size[0] - CELL[0]) // 2, (size[1] - CELL[1]) // 2
    return painted.crop((left, top, left + CELL[0], top + CELL[1]))


def _lines(known: Legend, found: Findings) -> list[tuple[str, tuple[int, ...] | None]]:
    """The legend's lines, each with the colour before it; None is void's hatching."""
    total = max(int(found.pixels.sum()), 1)
    shares = found.pixels / total
    lines: list[tuple[str, tuple[int, ...] | None]] = [
        (f"{name}  {shares[cls]:.1%}", tuple(known.colours[cls].tolist())) for cls, name in enumerate(known.names)
    ]
    return [*lines, (f"void  {shares[VOID]:.1%}", None)] if found.pixels[VOID] else lines


def _sheet(cells: list[tuple[str, Image.Image]], lines: list[tuple[str, tuple[int, ...] | None]]) -> Image.Image:
    columns = min(COLUMNS, len(cells))
    step = CELL[0] + MARGIN, CELL[1] + MARGIN + LINE
    canvas = Image.new("RGB", (columns * step[0] + MARGIN, -(-len(cells) // columns) * step[1] + MARGIN), "white")
    draw = ImageDraw.Draw(canvas)
    for index, (name, cell) in enumerate(cells):
        left, top = MARGIN + index % columns * step[0], MARGIN + index // columns * step[1]
        canvas.paste(cell, (left, top))
        lettering.write(draw, (left, top + CELL[1] + 1), lettering.shortened(name, CELL[0]))
    return legend.below(canvas, lines)
