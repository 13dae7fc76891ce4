"""Parameters of a dense CRF by coordinate search, coarse to fine, as DeepLab's were found (Chen et al., ICLR 2015)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fcn_caffe.scoring import crf, metrics
from fcn_caffe.scoring.saved_scores import SavedItem, read

Point = tuple[float, ...]

AXES = ((4, 5, 6, 7, 8, 9, 10), (20, 30, 40, 50, 60, 70, 80, 90, 100), (3, 4, 5, 6, 7, 8, 9, 10))
"""Weight, deviation of positions and deviation of colours of the kernel over colours; the paper's, and below them."""
START = (5.0, 50.0, 5.0)


def search(items: list[SavedItem], save: Path, chosen: Any, upright: bool) -> None:
    """Print what is tried, beginning with the parameters `chosen`, and write the best ones to `save`."""

    def mean_iu(candidate: Any) -> float:
        return metrics.scores(np.sum(list(_confusions(items, upright, candidate)), axis=0)).mean_iu

    def measure(point: Point) -> float:
        value = mean_iu(with_kernel(chosen, point))
        print("weight {:g}, positions {:g}, colours {:g}".format(*point), f"mean IU {value:.4f}", sep=": ", flush=True)
        return value

    without = mean_iu(None)
    if np.isnan(without):
        raise ValueError(
            f"the {len(items)} labels have no pixel of a class, all is void: there is nothing to search by. Name the "
            "true labels with --labels."
        )
    print(f"without a CRF: mean IU {without:.4f}", flush=True)
    best, value = coordinate_search(measure)
    crf.save(with_kernel(chosen, best), save, mean_iu=value, without=without, images=len(items))
    print("best: weight {:g}, positions {:g}, colours {:g}".format(*best), f"mean IU {value:.4f}", sep=": ")
    print(f"{save}: for --crf" if value > without else f"{save}: no better than without a CRF")


def _confusions(items: list[SavedItem], upright: bool, chosen: Any) -> Iterator[np.ndarray]:
    for item in items:
        scores, image, truth = read(item, upright)
        assert truth is not None, "a search needs labels"
        found = scores if chosen is None else crf.refined(scores, image, chosen)
        yield metrics.confusion(truth, found.argmax(0), len(scores))


def coordinate_search(
    measure: Callable[[Point], float], axes: Sequence[Sequence[float]] = AXES, start: Point = START
) -> tuple[Point, float]:
    """The point with the highest measure that is found, and the measure.

    Along one axis after another its values are tried, until none of them is better; then values half a step beside the
    best. No point is measured twice.
    """
    known: dict[Point, float] = {}

    def measured(point: Point) -> float:
        if point not in known:
            known[point] = measure(point)
        return known[point]

    best = _climb(measured, axes, tuple(map(float, start)))
    halves = [(axis[1] - axis[0]) / 2 for axis in axes]
    best = _climb(measured, [_around(value, half) for value, half in zip(best, halves)], best)
    return best, measured(best)


def with_kernel(given: Any, point: Point) -> Any:
    """A CRF with its last kernel's weight, deviation of positions and deviation of colours set."""
    weight, position, colour = point
    kernel = given.kernels[-1]._replace(weight=weight, position=position, colour=colour)
    return given._replace(kernels=(*given.kernels[:-1], kernel))


def _climb(measured: Callable[[Point], float], axes: Sequence[Sequence[float]], best: Point) -> Point:
    while True:
        before = best
        for index, axis in enumerate(axes):
            for value in axis:
                point = (*best[:index], float(value), *best[index + 1 :])
                best = point if measured(point) > measured(best) else best
        if best == before:
            return best


def _around(value: float, half: float) -> Sequence[float]:
    return [each for each in (value - half, value, value + half) if each > 0]
