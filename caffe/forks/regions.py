"""Detection: layers on regions of an image: R-FCN's and Mask R-CNN's pooling, and Faster R-CNN's proposals."""

import math

import numpy as np
import torch

from caffe import device
from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.forks.region_blobs import check_regions, read_regions, sizes_of, warn_of_nan
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Shape, TorchLayer
from caffe.layer_types.helpers.spatial import check_image

SMALLEST_REGION = 0.1


def away_from_zero(values: np.ndarray) -> np.ndarray:
    """The nearest whole numbers; halves go away from zero, as C's round has it."""
    return np.sign(values) * np.floor(np.abs(values) + np.float32(0.5))


@register_layer
class PSROIPooling(TorchLayer):
    """The mean of each part of a region, each part from a map of its own.

    y[r, d, i, j] = mean x[image, (d · G + i) · G + j] over bin (i, j) of region r; an empty bin gives 0
    bottom: (N, output_dim · G², H, W); regions (R, 5): number of the image, x1, y1, x2, y2 in pixels of the image
    top: (R, output_dim, G, G)
    parameters: spatial_scale (of the map to the image), output_dim, group_size (G)
    source: R-FCN: src/caffe/layers/psroi_pooling_layer.cu
    """

    bottoms = 2
    tops = 1
    settings = "psroi_pooling_param"
    constant = (1,)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        self.scale, self.outputs, self.group = np.float32(param.spatial_scale), param.output_dim, param.group_size
        if min(self.outputs, self.group) < 1 or self.scale <= 0:
            raise NetError(
                f"{self}: output_dim is {self.outputs}, group_size {self.group}, spatial_scale {self.scale:g}; "
                "output_dim and group_size must be > 0, and a scale is required. Set them."
            )

    def top_shapes(self, x: Shape, regions: Shape) -> list[Shape]:
        check_regions(self, x, regions)
        if x[1] != self.outputs * self.group**2:
            raise ShapeError(
                f"{self}: bottom is {x}; input channel number does not match layer parameters: expected "
                f"{self.outputs} · {self.group}² channels."
                " Correct the channels or the settings."
            )
        return [(regions[0], self.outputs, self.group, self.group)]

    def compute(self, x: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
        images, boxes = read_regions(self, regions, len(x))
        boxes = away_from_zero(boxes) + np.array([0, 0, 1, 1], np.float32)
        maps = x.reshape(len(x), self.outputs, self.group, self.group, *x.shape[2:])
        tops = []
        for image, box in zip(images, boxes * self.scale, strict=True):
            rows, columns = (
                self.bins(box[axis], box[axis + 2], size) for axis, size in ((1, x.shape[2]), (0, x.shape[3]))
            )
            down, across = (_shares(bins, size).to(x) for bins, size in ((rows, x.shape[2]), (columns, x.shape[3])))
            tops.append(torch.einsum("dijhw,ih,jw->dij", maps[image], down, across))
        return torch.stack(tops) if tops else x.new_zeros(0, self.outputs, self.group, self.group)

    def bins(self, start: np.float32, end: np.float32, size: int) -> list[tuple[int, int]]:
        """Begin and end of each bin along one axis, clipped to the map."""
        step = np.float32(max(float(end - start), SMALLEST_REGION)) / np.float32(self.group)
        edges = []
        for index in range(self.group):
            first = math.floor(np.float32(index) * step + start)
            last = math.ceil(np.float32(index + 1) * step + start)
            edges.append((min(max(first, 0), size), min(max(last, 0), size)))
        return edges


def _shares(bins: list[tuple[int, int]], size: int) -> torch.Tensor:
    """(bins, size): what each pixel counts in the mean of each bin."""
    found = torch.zeros(len(bins), size)
    for row, (begin, end) in zip(found, bins, strict=True):
        row[begin:end] = 1 / max(end - begin, 1)
    return found


@register_layer
class ROIAlign(TorchLayer):
    """The mean of each part of a region, read bilinearly at places that are not rounded.

    y[r, c, i, j] = mean over a grid in bin (i, j) of bilinear x[image, c]; regions are scaled and not rounded, at
        least 1 pixel wide and high; a bin has sampling_ratio² places (0: ⌈its size⌉ along each axis), in the middles
        of equal parts; a place further than 1 outside the map gives 0, others are moved into it
    bottom: (N, C, H, W); regions (R, 5): number of the image, x1, y1, x2, y2 in pixels of the image
    top: (R, C, pooled_h, pooled_w)
    parameters: pooled_h, pooled_w, spatial_scale (of the map to the image), sampling_ratio or sample_num (0)
    restrictions: forks sample in several ways; this is Mask R-CNN's, or with roi_pooling_param Cascade R-CNN's, which
        reads the corners of pooled_h · pooled_w bins. aligned_h and aligned_w, of forks that read one
        place a bin, are refused
    source: Mask R-CNN's ports; torchvision.ops.roi_align with aligned=False computes the same
    """

    bottoms = 2
    tops = 1
    settings = "roi_align_param"
    constant = (1,)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        self.bins = (param.pooled_h, param.pooled_w)
        self.scale, self.sampling = np.float32(param.spatial_scale), param.sampling_ratio or param.sample_num
        aligned = param.HasField("aligned_h") or param.HasField("aligned_w")
        if aligned or min(self.bins) < 1 or self.sampling < 0 or self.scale <= 0:
            raise NetError(
                f"{self}: pooled_h and pooled_w are {self.bins}, spatial_scale {self.scale:g}, they must be > 0; "
                "aligned_h and aligned_w are not implemented. Correct roi_align_param."
            )

    def top_shapes(self, x: Shape, regions: Shape) -> list[Shape]:
        check_regions(self, x, regions)
        return [(regions[0], x[1], *self.bins)]

    def compute(self, x: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
        images, boxes = read_regions(self, regions, len(x))
        tops = []
        for image, box in zip(images, boxes * self.scale, strict=True):
            down, across = (
                torch.from_numpy(self.weights(box[axis], box[axis + 2], size, bins)).to(x)
                for axis, size, bins in ((1, x.shape[2], self.bins[0]), (0, x.shape[3], self.bins[1]))
            )
            tops.append(down @ x[image] @ across.T)
        return torch.stack(tops) if tops else x.new_zeros(0, x.shape[1], *self.bins)

    def weights(self, start: float, end: float, size: int, bins: int) -> np.ndarray:
        """(bins, size): what each pixel counts in each bin along one axis."""
        step = max(float(end) - float(start), 1) / bins
        count = self.sampling or math.ceil(step)
        apart = step / count
        first_seen = max(math.floor((-1 - float(start)) / apart - 0.5), 0)
        last_seen = min(math.ceil((size - float(start)) / apart - 0.5), bins * count - 1)
        numbers = np.arange(first_seen, last_seen + 1)
        row = numbers // count
        places = float(start) + (numbers + 0.5) * apart
        inside = (places >= -1) & (places <= size)
        places = places.clip(0, size - 1)
        first = np.minimum(places.astype(np.int64), size - 1)
        share = np.where(inside, places - first, 0)
        found = np.zeros((bins, size), np.float32)
        np.add.at(found, (row, first), np.where(inside, 1 - share, 0) / count)
        np.add.at(found, (row, np.minimum(first + 1, size - 1)), share / count)
        return found


@register_layer
class Proposal(TorchLayer):
    """Boxes that may hold an object, from scores and shifts of anchors. It has no gradient.

    y[k] = image, x1, y1, x2, y2: anchors moved by the deltas (with widths x2 − x1 + 1), clipped to the image, those
        smaller than min_size · scale dropped, by score, the first pre_nms_topn, those that overlap a better one by
        more than nms_thresh dropped, the first post_nms_topn
    bottom: scores (N, 2 · A, H, W), background's first; deltas (N, 4 · A, H, W); height, width and scale of each image
        (N, 3 or more), or of all (1, 3 or more); a fourth number is the scale of the width
    top: (R, 5), and a second one their scores (R)
    parameters: feat_stride (16), base_size (16), min_size (16), ratio (0.5, 1, 2), scale (8, 16, 32), pre_nms_topn
        (6000), post_nms_topn (300), nms_thresh (0.7)
    source: caffe-windows: src/caffe/layers/proposal_layer.cpp; there boxes that are too small get score 0
    """

    bottoms = 3
    tops = (1, 2)
    settings = "proposal_param"
    differentiable = False

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        ratios, scales = list(param.ratio) or [0.5, 1, 2], list(param.scale) or [8, 16, 32]
        if min(param.feat_stride, param.base_size, *ratios, *scales) <= 0 or param.nms_thresh < 0:
            raise NetError(
                f"{self}: feat_stride is {param.feat_stride}, base_size {param.base_size}, ratio {ratios}, scale "
                f"{scales}, nms_thresh {param.nms_thresh:g}; expected numbers above 0. Correct proposal_param."
            )
        self.anchors = anchors(param.base_size, ratios, scales)

    def top_shapes(self, scores: Shape, deltas: Shape, image: Shape) -> list[Shape]:
        check_image(self, scores)
        count = len(self.anchors)
        whose = image[0] in (1, scores[0]) if len(image) > 1 else scores[0] == 1
        numbers = math.prod(image[1:]) if len(image) > 1 else math.prod(image)
        if scores[1] != 2 * count or deltas != (scores[0], 4 * count, *scores[2:]) or numbers < 3 or not whose:
            raise ShapeError(
                f"{self}: bottoms are {scores}, {deltas} and {image}; expected (N, {2 * count}, H, W), "
                f"(N, {4 * count}, H, W), and height, width and scale of the image. Correct ratio and scale."
            )
        return [(scores[0] * self.message.post_nms_topn, 5), (scores[0] * self.message.post_nms_topn,)]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        scores, deltas, image = (blob.tensor.detach().float().cpu().numpy() for blob in bottom)
        given, found = self.message, []
        images = image.reshape(len(image) if image.ndim > 1 else 1, -1)
        warn_of_nan(self, scores, deltas)
        for number in range(len(scores)):
            foreground = scores[number, len(self.anchors) :]
            size = sizes_of(self, images[min(number, len(images) - 1)])
            kept, best = propose(
                foreground, deltas[number], size, self.anchors, given.feat_stride, given.min_size,
                given.pre_nms_topn, given.post_nms_topn, given.nms_thresh,
            )  # fmt: skip
            found.append((np.insert(kept, 0, number, axis=1), best))
        rows = [np.concatenate(each).astype(np.float32) for each in zip(*found, strict=True)]
        for blob, values in zip(top, rows, strict=False):
            blob.reshape(*values.shape)
            blob.tensor = torch.from_numpy(values).to(device.current())


def anchors(base: int, ratios: list[float], scales: list[float]) -> np.ndarray:
    """(A, 4): boxes around the first cell, by ratio and then scale; whole sizes, as py-faster-rcnn makes them."""
    found = []
    for ratio in ratios:
        width = np.round(math.sqrt(base * base / ratio))
        height = np.round(width * ratio)
        for scale in scales:
            half = np.array([width, height]) * scale / 2 - 0.5
            found.append([*((base - 1) / 2 - half), *((base - 1) / 2 + half)])
    return np.array(found)


def propose(
    scores: np.ndarray,
    deltas: np.ndarray,
    image: np.ndarray,
    boxes: np.ndarray,
    stride: float,
    smallest: float,
    before: int,
    after: int,
    threshold: float,
) -> tuple[np.ndarray, np.ndarray]:
    """(R, 4) boxes and (R,) scores of one image, best first; `image`: height, width, scale [and the width's scale]."""
    height, width = scores.shape[1:]
    cells = np.stack([*np.meshgrid(np.arange(width), np.arange(height))] * 2, axis=-1) * stride
    begin = (cells[:, :, None] + boxes).reshape(-1, 4)
    moved = shifted(begin, deltas.reshape(len(boxes), 4, height, width).transpose(2, 3, 0, 1).reshape(-1, 4))
    moved[:, 0::2] = moved[:, 0::2].clip(0, image[1] - 1)
    moved[:, 1::2] = moved[:, 1::2].clip(0, image[0] - 1)
    least = smallest * np.array([image[3] if len(image) > 3 else image[2], image[2]])
    large = (moved[:, 2:] - moved[:, :2] + 1 >= least).all(axis=1)
    moved, values = moved[large], scores.transpose(1, 2, 0).reshape(-1)[large]
    order = np.argsort(-values, kind="stable")[: before if before > 0 else None]
    kept = suppress(moved[order], threshold)[: after if after > 0 else None]
    return moved[order][kept], values[order][kept]


def shifted(boxes: np.ndarray, deltas: np.ndarray) -> np.ndarray:
    """Boxes (…, 4) moved by (dx, dy, dw, dh): centres by shares of the size, sizes by exp; widths are x2 − x1 + 1."""
    sizes = boxes[:, 2:] - boxes[:, :2] + 1
    centres = boxes[:, :2] + sizes / 2 + deltas[:, :2] * sizes
    halves = np.exp(deltas[:, 2:]) * sizes / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def suppress(boxes: np.ndarray, threshold: float) -> list[int]:
    """The numbers of the boxes, best first, that none before overlaps by more than the threshold; widths x2 − x1 +
    1.
    """
    areas = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    left, kept = np.arange(len(boxes)), []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        sides = np.minimum(boxes[best, 2:], boxes[left, 2:]) - np.maximum(boxes[best, :2], boxes[left, :2]) + 1
        shared = np.prod(np.maximum(sides, 0), axis=1)
        left = left[shared / (areas[best] + areas[left] - shared) <= threshold]
    return kept
