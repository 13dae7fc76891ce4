"""SSD's, Fast R-CNN's and YOLO's layers in ONNX."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from caffe.export.normalization import by_channel
from caffe.export.onnx_graph import OnnxGraph, OnnxValue
from caffe.export.registry import NotExportable, converts, values_of
from caffe.forks.box_codes import CODES
from caffe.forks.detection import NORMFACE_EPS

NEVER = -1e30
"""A score that is below every threshold."""


@converts("Normalize")
def normalize(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    (x,) = bottoms
    if not layer.scales:
        kind = "ReduceL1" if layer.kind == "L1" else "ReduceSumSquare"
        length = g.add("Add", [g.reduce(kind, x.name, [1], keep=True), g.number(NORMFACE_EPS)])
        length = g.add("Sqrt", [length]) if layer.kind == "L2" else length
        return [g.add("Div", [x.name, length]), length][: len(tops)]
    axes = list(range(1, len(x.shape))) if layer.across else [1]
    squares = g.reduce("ReduceSumSquare", x.name, axes, keep=True)
    length = g.add("Sqrt", [g.add("Add", [squares, g.number(layer.eps)])])
    (scale,) = values_of(layer)
    factor = scale if layer.shared else by_channel(scale, len(x.shape))
    return [g.add("Mul", [g.add("Div", [x.name, length]), g.constant(factor, "scale")])]


@converts("PriorBox", fixes="size")
def prior_box(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    """Constant, for maps and images of fixed sizes."""
    shapes = [tuple(size or 1 for size in x.shape) for x in bottoms]
    boxes = layer.compute(*(torch.empty(shape, device="meta") for shape in shapes))
    return [g.add("Identity", [g.constant(boxes.cpu().numpy(), "boxes")])]


@converts("ROIPooling")
def roi_pooling(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    if layer.message.pad_ratio:
        raise NotExportable("pad_ratio makes regions wider, which ONNX's MaxRoiPool does not; cut the net before it")
    x, regions = bottoms
    rows = g.reshape(regions.name, [g.dim(regions, 0), 5])
    return [g.add("MaxRoiPool", [x.name, rows], pooled_shape=list(layer.bins), spatial_scale=float(layer.scale))]


@converts("Reorg")
def reorg(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    (x,) = bottoms
    s = layer.stride
    batch, channels, height, width = g.dims(x)
    parts = g.reshape(x.name, [batch, channels // s**2, height, s, width, s])
    y = g.add("Transpose", [parts], perm=[0, 3, 5, 1, 2, 4])
    return [g.reshape(y, [batch, channels * s**2, height // s, width // s])]


@converts("DetectionOutput", fixes="all")
def detection_output(g: OnnxGraph, layer: Any, bottoms: list[OnnxValue], tops: list[OnnxValue]) -> Sequence[str]:
    """NonMaxSuppression over the best boxes of each class, and the best of what is left."""
    param = layer.param
    if layer.sets > 1 or param.nms_param.eta < 1:
        raise NotExportable(
            "share_location: false and eta below 1 are more than ONNX's NonMaxSuppression can; cut the net before it "
            "with --outputs, and decode what it gives outside of the model"
        )
    locations, confidences, priors = bottoms
    images, count = int(locations.shape[0] or 1), int(priors.shape[2] or 0) // 4
    boxes = _decoded(g, layer, g.reshape(locations.name, [images, count, 4]), priors, count)
    scores = g.reshape(confidences.name, [images, count, param.num_classes])
    scores = g.add("Transpose", [scores], perm=[0, 2, 1])
    found = g.add(
        "NonMaxSuppression",
        [
            boxes,
            _counted(g, layer, scores, count),
            g.vector([count]),
            g.number(param.nms_param.nms_threshold),
            g.number(param.confidence_threshold if param.HasField("confidence_threshold") else NEVER / 10),
        ],
    )
    if param.keep_top_k > -1:
        parts = [_best(g, found, scores, param.keep_top_k, image, images) for image in range(images)]
        found = parts[0] if len(parts) == 1 else g.add("Concat", parts, axis=0)
    return [_rows(g, found, scores, boxes, images)]


def _decoded(g: OnnxGraph, layer: Any, codes: str, priors: OnnxValue, count: int) -> str:
    """Boxes (N, boxes, 4): xmin, ymin, xmax, ymax."""
    parts = g.reshape(priors.name, [2, count, 4])
    prior, variance = (
        g.add("Gather", [parts, g.constant(np.array(index, np.int64), "part")], axis=0) for index in (0, 1)
    )
    if not layer.param.variance_encoded_in_target:
        codes = g.add("Mul", [codes, variance])
    if layer.param.code_type == CODES["CORNER"]:
        return g.add("Add", [prior, codes])
    halves = g.constant([2, 2], "halves")
    low, high = g.add_many("Split", [prior, halves], 2, axis=-1)
    sizes = g.add("Sub", [high, low])
    if layer.param.code_type == CODES["CORNER_SIZE"]:
        return g.add("Add", [prior, g.add("Mul", [codes, g.add("Concat", [sizes, sizes], axis=-1)])])
    shift, growth = g.add_many("Split", [codes, halves], 2, axis=-1)
    half = g.number(0.5)
    middles = g.add("Mul", [g.add("Add", [low, high]), half])
    centres = g.add("Add", [g.add("Mul", [shift, sizes]), middles])
    extents = g.add("Mul", [g.add("Mul", [g.add("Exp", [growth]), sizes]), half])
    return g.add("Concat", [g.add("Sub", [centres, extents]), g.add("Add", [centres, extents])], axis=-1)


def _counted(g: OnnxGraph, layer: Any, scores: str, count: int) -> str:
    """The scores, those of the background and of all but the best top_k of each class out of the running."""
    param, never = layer.param, g.number(NEVER)
    counts = np.arange(param.num_classes) != param.background_label_id
    counted = g.add("Where", [g.constant(counts.reshape(1, -1, 1), "classes"), scores, never])
    nms = param.nms_param
    if nms.HasField("top_k") and -1 < nms.top_k < count:
        best, _ = g.add_many("TopK", [scores, g.vector([nms.top_k])], 2, axis=2)
        last = g.add("Gather", [best, g.constant([nms.top_k - 1], "last")], axis=2)
        counted = g.add("Where", [g.add("Less", [scores, last]), never, counted])
    return counted


def _best(g: OnnxGraph, found: str, scores: str, keep: int, image: int, images: int) -> str:
    """Of what is found in an image (M, 3), the `keep` of the highest scores, in their order."""
    if images > 1:
        number = g.add("Gather", [found, g.constant(np.array(0, np.int64), "column")], axis=1)
        found = g.add("Compress", [found, g.add("Equal", [number, g.constant(np.array(image, np.int64))])], axis=0)
    number = g.add("Gather", [g.add("Shape", [found]), g.constant([0], "axis")], axis=0)
    many = g.add("Min", [number, g.vector([keep])])
    _, index = g.add_many("TopK", [g.add("GatherND", [scores, found]), many], 2, axis=0)
    ordered, _ = g.add_many("TopK", [index, many], 2, axis=0, largest=0)
    return g.add("Gather", [found, ordered], axis=0)


def _rows(g: OnnxGraph, found: str, scores: str, boxes: str, images: int) -> str:
    """(1, 1, M, 7): image, class, score, box; a row of −1 for each image if nothing is found in any."""
    numbers = g.add("Gather", [found, g.constant([0, 1], "columns")], axis=1)
    where = g.add("Gather", [found, g.constant([0, 2], "columns")], axis=1)
    score = g.add("Unsqueeze", [g.add("GatherND", [scores, found]), g.constant([1], "axes")])
    rows = g.add("Concat", [g.real(numbers), score, g.add("GatherND", [boxes, where])], axis=1)
    nothing = np.full((images, 7), -1, np.float32)
    nothing[:, 0] = np.arange(images)
    every = g.add("Concat", [rows, g.constant(nothing, "nothing")], axis=0)
    count = g.add("Gather", [g.add("Shape", [rows]), g.constant([0], "axis")], axis=0)
    none = g.add("Sub", [g.vector([1]), g.add("Min", [count, g.vector([1])])])
    end = g.add("Add", [count, g.add("Mul", [none, g.vector([images])])])
    kept = g.add("Slice", [every, g.vector([0]), end, g.constant([0], "axes")])
    return g.add("Unsqueeze", [kept, g.constant([0, 1], "axes")])
