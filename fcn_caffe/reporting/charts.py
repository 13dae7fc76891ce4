"""Line charts and matrices as inline SVG; the style sheet sets the colours, light or dark."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 480, 260
LEFT, RIGHT, TOP, BOTTOM = 70, 12, 12, 40
MOST_POINTS = 500
CELL, NUMBERED = 44, 24


@dataclass(frozen=True)
class ChartLine:
    """One line of a chart: x and y of its points; kind: a class of the style sheet. marks: whether points are shown."""

    x: np.ndarray
    y: np.ndarray
    kind: str
    marks: bool = False


def chart(title: str, x_label: str, y_label: str, lines: Sequence[ChartLine], logarithmic: bool = False) -> str:
    """Lines over one pair of axes. Values that cannot be drawn, NaN or not positive on a logarithmic axis, are left
    out."""
    drawn = [line for line in (_drawable(line, logarithmic) for line in lines) if len(line.x)]
    if not drawn:
        return f'<p class="muted">{html.escape(title)}: nothing was recorded.</p>'
    xs, ys = (np.concatenate([getattr(line, axis) for line in drawn]) for axis in "xy")
    x_ticks = _ticks(0.0, float(xs.max()) or 1.0)
    y_ticks = _decades(float(ys.min()), float(ys.max())) if logarithmic else _ticks(*_room(ys))
    scale = _Scale(x_ticks, y_ticks, logarithmic)
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">']
    parts += [f"<title>{html.escape(title)}</title>", *scale.axes(x_label, y_label)]
    for line in drawn:
        points = " ".join(f"{scale.x(x):.1f},{scale.y(y):.1f}" for x, y in zip(*_thinned(line.x, line.y)))
        parts.append(f'<polyline class="{line.kind}" points="{points}"/>')
        if line.marks:
            parts += [
                f'<circle class="{line.kind}" cx="{scale.x(x):.1f}" cy="{scale.y(y):.1f}" r="3">'
                f"<title>{x:g}: {y:.4f}</title></circle>"
                for x, y in zip(line.x, line.y)
            ]
    return "\n".join([*parts, "</svg>"])


class _Scale:
    """Where values lie in the picture, from their ticks."""

    def __init__(self, x_ticks: list[float], y_ticks: list[float], logarithmic: bool):
        self.x_ticks, self.y_ticks = x_ticks, y_ticks
        self._of = math.log10 if logarithmic else float
        self._low, self._high = self._of(y_ticks[0]), self._of(y_ticks[-1])

    def x(self, value: float) -> float:
        low, high = self.x_ticks[0], self.x_ticks[-1]
        return LEFT + (value - low) / ((high - low) or 1) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (self._of(value) - self._low) / ((self._high - self._low) or 1)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def axes(self, x_label: str, y_label: str) -> list[str]:
        """Lines of the grid, numbers and labels."""
        right, low = WIDTH - RIGHT, HEIGHT - BOTTOM
        parts = []
        for tick in self.y_ticks:
            y = self.y(tick)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
        for tick in self.x_ticks:
            at = self.x(tick)
            anchor = "end" if tick == self.x_ticks[-1] else "middle"
            parts.append(f'<text class="tick" x="{at:.1f}" y="{low + 16}" text-anchor="{anchor}">{tick:g}</text>')
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{low}" y2="{low}"/>')
        middle = (LEFT + right) / 2
        parts.append(f'<text class="label" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{x_label}</text>')
        turn = f'transform="translate(12 {(TOP + low) / 2}) rotate(-90)"'
        parts.append(f'<text class="label" {turn} text-anchor="middle">{y_label}</text>')
        return parts


def _drawable(line: ChartLine, logarithmic: bool) -> ChartLine:
    good = np.isfinite(line.x) & np.isfinite(line.y)
    if logarithmic:
        good &= line.y > 0
    return ChartLine(line.x[good], line.y[good], line.kind, line.marks)


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most 2 × MOST_POINTS points: of more, the lowest and the highest of each stretch, so that no peak is lost."""
    if len(x) <= 2 * MOST_POINTS:
        return x, y
    kept = []
    for stretch in np.array_split(np.arange(len(x)), MOST_POINTS):
        kept += sorted({int(stretch[y[stretch].argmin()]), int(stretch[y[stretch].argmax()])})
    return x[kept], y[kept]


def _room(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.05, high + 0.05)


def _ticks(low: float, high: float) -> list[float]:
    """Some five round numbers that hold low and high between them."""
    rough = (high - low) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _decades(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each power of ten, those that hold low and high between them."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    first = max(index for index, mark in enumerate(marks) if mark <= low * 1.0001)
    last = min(index for index, mark in enumerate(marks) if mark >= high * 0.9999)
    return [float(f"{mark:.6g}") for mark in marks[first : max(last, first + 1) + 1]]


def matrix(confusion: np.ndarray, names: Sequence[str]) -> str:
    """A confusion matrix, classes×classes, as SVG, each row (true class) divided by its sum."""
    sums = confusion.sum(1, keepdims=True)
    shares = np.divide(confusion, sums, out=np.zeros(confusion.shape), where=sums > 0)
    count = len(names)
    cell = CELL if count <= NUMBERED else max(8, CELL * NUMBERED // count)
    margin = 10 + round(7.2 * max(map(len, names)))
    size = margin + cell * count + 4
    parts = [f'<svg class="matrix" viewBox="0 0 {size} {size}" style="max-width:{size}px" role="img">']
    parts.append("<title>Confusion matrix, each row divided by its sum</title>")
    for row, name in enumerate(names):
        middle = margin + cell * row + cell / 2
        label = html.escape(name)
        parts.append(f'<text class="name" x="{margin - 6}" y="{middle + 4}" text-anchor="end">{label}</text>')
        parts.append(f'<text class="name" transform="translate({middle + 4} {margin - 6}) rotate(-90)">{label}</text>')
        for column, other in enumerate(names):
            share, x, y = shares[row, column], margin + cell * column, margin + cell * row
            kind = "hit" if row == column else "miss"
            told = f"{label} predicted as {html.escape(other)}: {share:.1%}"
            parts.append(
                f'<rect class="{kind}" x="{x}" y="{y}" width="{cell - 1}" height="{cell - 1}" '
                f'fill-opacity="{share:.3f}"><title>{told}</title></rect>'
            )
            if count <= NUMBERED and share >= 0.005:
                strong = " strong" if share > 0.55 else ""
                at = f'x="{x + cell / 2 - 0.5}" y="{y + cell / 2 + 4}"'
                parts.append(f'<text class="share{strong}" {at} text-anchor="middle">{100 * share:.0f}</text>')
    return "\n".join([*parts, "</svg>"])
