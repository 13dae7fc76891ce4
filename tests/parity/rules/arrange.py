"""Layers that join, cut, repeat, reorder or reduce."""

from __future__ import annotations

import math

from tests.parity.draft import Draft


def eltwise(d: Draft) -> None:
    first = d.pick()
    alike = [name for name in d.floats if d.shapes[name] == d.shapes[first]]
    bottoms = [first, *(d.choose(sorted(alike)) for _ in range(d.integer(1, 2)))]
    if len(alike) == 1:
        bottoms[1] = d.input(d.shapes[first]) if d.chance(0.97) else d.pick()
    operation = d.choose(["SUM", "SUM", "PROD", "MAX"])
    if operation == "MAX" and len(set(bottoms)) < len(bottoms):
        operation = "SUM"
    coeff = " ".join(f"coeff: {d.number(-2, 2)}" for _ in bottoms) if operation == "SUM" and d.chance(0.4) else ""
    body = f"eltwise_param {{ operation: {operation} {coeff} }}"
    d.add("Eltwise", bottoms, [d.shapes[first]], body, keeps=operation == "SUM")


def concat(d: Draft) -> None:
    first = d.pick()
    shape = d.shapes[first]
    axis = d.integer(0, len(shape) - 1)

    def joins(other):
        return len(other) == len(shape) and all(
            a == b for i, (a, b) in enumerate(zip(shape, other, strict=True)) if i != axis
        )

    bottoms = [first, *(d.pick(joins) for _ in range(d.integer(int(first in d.overwritten), 2)))]
    if d.chance(0.02):
        bottoms.append(d.pick())
    total = sum(d.shapes[name][axis % max(1, len(d.shapes[name]))] for name in bottoms)
    out = (*shape[:axis], total, *shape[axis + 1 :])
    if d.fits(out):
        d.add("Concat", bottoms, [out], f"concat_param {{ axis: {axis} }}", keeps=len(bottoms) > 1)


def slice_(d: Draft) -> None:
    bottom = d.pick(lambda shape: max(shape) >= 2)
    if bottom is None:
        return
    shape = d.shapes[bottom]
    axis = d.choose([i for i, size in enumerate(shape) if size >= 2])
    size = shape[axis]
    if size % 2 == 0 and d.chance(0.4):
        parts, points = [size // 2] * 2, ""
    else:
        cut = d.integer(1, size - 1)
        parts, points = [cut, size - cut], f"slice_point: {cut}"
    tops = [(*shape[:axis], part, *shape[axis + 1 :]) for part in parts]
    d.add("Slice", [bottom], tops, f"slice_param {{ axis: {axis} {points} }}", keeps=True)


def split(d: Draft) -> None:
    bottom = d.pick()
    d.add("Split", [bottom], [d.shapes[bottom]] * d.integer(1, 3))


# Real Caffe's Flatten and Reshape (and Concat of one bottom) share one diff between bottom and top, so that a layer in
# place on the bottom changes the diff of the top as well; and a Flatten after a Reshape, RNN, LSTM or Parameter loses
# the gradient.


def flatten(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) >= 2, but=d.overwritten | d.shared)
    if bottom is not None:
        shape = d.shapes[bottom]
        axis = d.integer(0, len(shape) - 1)
        end = d.integer(axis, len(shape) - 1)
        out = (*shape[:axis], math.prod(shape[axis : end + 1]), *shape[end + 1 :])
        d.add("Flatten", [bottom], [out], f"flatten_param {{ axis: {axis} end_axis: {end} }}")


def reshape(d: Draft) -> None:
    bottom = d.pick(but=d.overwritten)
    if bottom is None:
        return
    count = math.prod(d.shapes[bottom])
    first = d.choose([n for n in range(1, count + 1) if count % n == 0])
    second = d.choose([n for n in range(1, count // first + 1) if (count // first) % n == 0])
    out = [first, second, count // first // second][: d.integer(2, 3)]
    if len(out) == 2:
        out[1] = count // first
    dims = [str(size) for size in out]
    if d.chance(0.5):
        dims[d.integer(0, len(dims) - 1)] = "-1"
    d.add("Reshape", [bottom], [out], "reshape_param { shape { " + " ".join(f"dim: {s}" for s in dims) + " } }")


def tile(d: Draft) -> None:
    bottom = d.pick()
    shape = d.shapes[bottom]
    axis, tiles = d.integer(0, len(shape) - 1), d.integer(1, 3)
    out = (*shape[:axis], shape[axis] * tiles, *shape[axis + 1 :])
    if d.fits(out):
        d.add("Tile", [bottom], [out], f"tile_param {{ axis: {axis} tiles: {tiles} }}", keeps=True)


def reduction(d: Draft) -> None:
    bottom = d.pick(lambda shape: len(shape) >= 2)
    if bottom is not None:
        axis = d.integer(1, len(d.shapes[bottom]) - 1)
        operation = d.choose(["SUM", "ASUM", "SUMSQ", "MEAN"])
        body = f"reduction_param {{ operation: {operation} axis: {axis} coeff: {d.number(-1, 1)} }}"
        d.add("Reduction", [bottom], [d.shapes[bottom][:axis]], body)


def silence(d: Draft) -> None:
    d.add("Silence", [d.pick()], [])


def without_gradient(d: Draft) -> None:
    if not d.forced or d.chance(0.03):
        bottom = d.pick(lambda shape: len(shape) >= 2)
        if bottom is not None and d.chance(0.5):
            d.add("Threshold", [bottom], [d.shapes[bottom]], "threshold_param { threshold: 0.1 }", dead=True)
        elif bottom is not None:
            d.add("ArgMax", [bottom], [d.shapes[bottom]], "argmax_param { axis: 1 }", dead=True)
