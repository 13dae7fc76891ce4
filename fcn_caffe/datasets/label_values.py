"""Checks on the values of all labels of a data set together: whether they can be class indices."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from fcn_caffe.data_layers.segdata.labels import VOID
from fcn_caffe.datasets.findings import Findings
from fcn_caffe.datasets.layouts import Layout
from fcn_caffe.pictures import drawing

BLURRED = 8
"""With at least this many different values between 0 and 255, and few pixels of each, a mask was resampled."""
MOSTLY = 0.8
"""The share of pixels that such a mask leaves as 0 and 255."""


def judge(layout: Layout, found: Findings, training: Collection[str]) -> None:
    """Add findings on whether there is something to learn, for every class.

    training: the lists of images to train on. A class is missing if none of these has a pixel of it.
    """
    values = np.flatnonzero(found.pixels[:VOID]).tolist()
    if layout.read is None and not layout.colours:
        _are_indices(values, layout, found)
    if found.n_classes is None:
        found.n_classes = values[-1] + 1 if values else 0
    if found.colours and found.colours <= set(map(tuple, drawing.palette().tolist())):
        found.warning("the labels' colours are all of VOC's palette: they are class indices, looked up", "")
    if found.unusable_labels or not found.images:
        return  # the others may have what is missing
    if _is_mask(values, layout, found):
        found.error(f"masks of 0 and {VOID}, which is void, so that one class is left: {_masks_cure(layout)}", "")
    elif not values:
        found.error("every pixel of every label is void: there is nothing to learn", "")
    elif len(values) == 1:
        found.error("the labels have one class only: there is nothing to tell it from", found.name(values[0]))
    else:
        _absent(layout, found, training)


def _are_indices(values: list[int], layout: Layout, found: Findings) -> None:
    """Say of gray levels that they are not class indices, whether or not it is known how many classes there are."""
    strange = [value for value in values if found.n_classes is not None and value >= found.n_classes]
    if len(values) > BLURRED and _mostly_black_and_white(found) and (strange or found.n_classes is None):
        found.error(
            f"masks of 0 and {VOID} with blurred edges: save them as PNG and without resampling; then "
            f"{_masks_cure(layout)}",
            f"{len(values)} different values",
        )
    elif strange and len(values) <= (found.n_classes or 0) + 1:
        levels = ", ".join(map(str, values))
        found.warning(
            "the label values are as many as the classes, but no class indices: give each class its gray level as a "
            f"colour in the list of classes, such as `name {strange[0]} {strange[0]} {strange[0]}`",
            levels,
        )
    elif found.n_classes is None and values != [0] and len(values) < (values[-1] + 1 if values else 0) / 2:
        found.warning("gaps in the label values: are they class indices?", ", ".join(map(str, values[:12])))


def _mostly_black_and_white(found: Findings) -> bool:
    ends = found.pixels[0] + found.pixels[VOID]
    return bool(min(found.pixels[0], found.pixels[VOID]) and ends >= MOSTLY * found.pixels.sum())


def _is_mask(values: list[int], layout: Layout, found: Findings) -> bool:
    return layout.read is None and not layout.colours and values == [0] and bool(found.pixels[VOID])


def _masks_cure(layout: Layout) -> str:
    first, second = layout.names if len(layout.names) == 2 else ("background", "thing")
    return (
        f"write a list of classes with the lines `{first} 0 0 0` and `{second} {VOID} {VOID} {VOID}`, and make a task "
        "of it (fcn new --classes); or save the masks as 0 and 1"
    )


def _absent(layout: Layout, found: Findings, training: Collection[str]) -> None:
    """Classes of which nothing can be learned."""
    everywhere = found.pixels[:VOID] > 0
    counts = [found.images_with[split][:VOID] > 0 for split in training if split in found.images_with]
    learned = np.logical_or.reduce(counts) if counts else np.zeros(VOID, bool)
    if not training:
        learned = everywhere
    classes = range(found.n_classes or 0)
    if layout.n_classes is None:
        return
    if not layout.own_classes:
        found.warning("classes that no label has", *(found.name(cls) for cls in classes if not everywhere[cls]))
        return
    absent = [found.name(cls) for cls in classes if not learned[cls]]
    where = "no label has" if not training else "no image to train on shows"
    if layout.allow_absent:
        found.warning(f"classes that {where}", *absent)
    else:
        found.error(
            f"classes that {where}, so that nothing is learned of them (correct the list of classes or the lists of "
            "images; or allow it with --allow-absent)",
            *absent,
        )
