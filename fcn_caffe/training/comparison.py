"""A picture that compares several trained nets with the truth, for validation images of one data set."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
from PIL import Image

from fcn_caffe.data_layers.segdata.labels import VOID
from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.pictures import drawing, edges, legend
from fcn_caffe.pictures.legend import legend_of
from fcn_caffe.training import trained
from fcn_caffe.training.score_history import read_scores
from fcn_caffe.variants import stages
from fcn_caffe.variants.customise import everything
from fcn_caffe.variants.loading import load


def picture(variants: list[str], images: int, skip: int = 0) -> Image.Image:
    """The rows as one picture, with each net's mean IU above, and the classes' colours below; of nets that find edges,
    their names alone."""
    pictures, captions = rows(variants, images, skip)
    first = everything().find(variants[0])
    if legend_of(first).of_edges:
        return drawing.grid(pictures, ["image", "truth", *variants])
    titles = ["image", "truth", *map(_title, variants)]
    return legend.below(drawing.grid(pictures, titles, captions=captions), _lines(first))


def _label(row: Variant) -> str:
    """What the labels are called that `score` is for."""
    return next(head.label for head in row.data.heads if not head.suffix)


def _title(variant: str) -> str:
    """The name of a variant, and its mean IU when it was scored last."""
    scored = read_scores(stages.SNAPSHOTS / variant)
    last: dict[str, Any] = next((each for key, each in scored[-1].items() if key != "iteration"), {}) if scored else {}
    return f"{variant}: mean IU {last['mean_iu']:.3f}" if "mean_iu" in last else variant


def _lines(row: Variant) -> list[tuple[str, Optional[tuple[int, ...]]]]:
    known = legend_of(row)
    classes = range(row.data.heads[0].classes)
    return [*((known.name(cls), tuple(known.colours[cls].tolist())) for cls in classes), ("void", None)]


def rows(variants: list[str], images: int, skip: int = 0) -> tuple[list[list[Image.Image]], list[list[str]]]:
    """Image, truth and each variant's labels, for `images` validation images of the first variant's data set.

    And a caption for each: which share of the pixels that count a net has right; none for nets that find edges. After
    each image `skip` others are left out. The weights are those of each variant's newest snapshot.
    """
    nets, known = [], everything()
    for name in variants:
        _check(known.find(name), known.find(variants[0]))
    for name in variants:
        row = known.find(name)
        known.write(row)
        nets.append(load(known.net_file(row, row.data.val.file), str(trained.weights(row))))
    first_row = known.find(variants[0])
    mean, classes = np.asarray(trained.of(first_row).mean), legend_of(first_row)
    found, captions = [], []
    for number in range(images * (skip + 1)):
        if number % (skip + 1):
            for net in nets:
                net._forward(0, _last_data_layer(net))
            continue
        for net in nets:
            net.forward()
        first = nets[0].blobs
        bgr = first["data"].data[0].transpose(1, 2, 0) + mean
        image = Image.fromarray(bgr[:, :, ::-1].round().clip(0, 255).astype(np.uint8))
        truth, scores = first[_label(first_row)].data[0, 0], [net.blobs["score"].data[0] for net in nets]
        if classes.of_edges:
            found.append([image, edges.printed_truth(truth), *(edges.printed(edges.probability(x)) for x in scores)])
            captions.append([""] * len(found[-1]))
            continue
        maps = [truth, *(each.argmax(0) for each in scores)]
        found.append([image, *(drawing.label_picture(labels, classes.colours) for labels in maps)])
        counted = truth != VOID
        right = [np.mean(labels[counted] == truth[counted]) if counted.any() else 0.0 for labels in maps[1:]]
        captions.append(["", "", *(f"{share:.1%} of pixels right" for share in right)])
    return found, captions


def _last_data_layer(net: Any) -> int:
    return max(index for index in range(len(net.layers)) if not list(net._bottom_ids(index)))


def _check(row: Variant, first: Variant) -> None:
    """Raises ValueError unless a row can stand beside the first."""
    of_classes = ["score" + head.suffix for head in row.data.heads if head.classes > 1]
    if list(row.data.inputs) != ["data"] or "score" not in of_classes:
        heads = ", ".join(head.label for head in row.data.heads)
        raise ValueError(
            f"{row.name} takes {', '.join(row.data.inputs)} and scores {heads}, "
            "expected a net that takes one image and has one blob of scores of classes. Compare others by their "
            "predictions: "
            f"fcn score {row.name} --save-dir DIR."
        )
    trained.check_sees_colours(row.name, trained.of(row).sees)
    if _label(row) != _label(first):
        raise ValueError(
            f"{row.name} is scored by its {_label(row)}, {first.name} by its {_label(first)}: they have no truth in "
            "common. Name nets that learn the same."
        )
    if (row.data.module, row.data.val) != (first.data.module, first.data.val):
        raise ValueError(
            f"{row.name} is scored on {_data(row)}, {first.name} on {_data(first)}: they have no images in common. "
            "Name nets of one data set."
        )


def _data(row: Variant) -> str:
    return f"{' '.join(row.data.val.folders)} ({row.data.val.params.get('split')})"
