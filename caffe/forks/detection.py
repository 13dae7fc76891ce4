"""Detection: SSD's Permute, Normalize and PriorBox, Fast R-CNN's ROIPooling, YOLO's Reorg."""

import math

import numpy as np
import torch

from caffe import device
from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.forks.region_blobs import check_regions, pooled_bins, read_regions
from caffe.layer_types.added import filler, register_layer
from caffe.layer_types.base import Shape, TorchLayer
from caffe.layer_types.helpers.spatial import check_image
from caffe.shapes import shape_text

NORMFACE_EPS = 1e-6
SAME_RATIO = 1e-6
DENSE = {32: 4, 64: 2}
"""FaceBoxes' sizes with several boxes a cell: so many along each axis."""


@register_layer
class Permute(TorchLayer):
    """Puts the axes into another order.

    y[i_order[0], i_order[1], …] = x[i_0, i_1, …]
    bottom: x, any shape
    top: the axes that `order` lists, then the others in their order
    parameters: order
    source: SSD: src/caffe/layers/permute_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "permute_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        axes, order = len(bottom[0].shape), list(self.message.order)
        if len(set(order)) < len(order) or any(axis >= axes for axis in order):
            raise NetError(
                f"{self}: order is {order}, of a bottom with {axes} axes; expected each axis once. Correct it."
            )
        self.order = order + [axis for axis in range(axes) if axis not in order]

    def top_shapes(self, x: Shape) -> list[Shape]:
        if len(x) != len(self.order):
            raise ShapeError(
                f"{self}: bottom is {x}, it had {len(self.order)} axes; their number may not change."
                " Reshape the bottom."
            )
        return [tuple(x[axis] for axis in self.order)]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(*self.order).contiguous()


@register_layer
class Normalize(TorchLayer):
    """Gives vectors length 1: SSD's, with a learned scale, or NormFace's.

    y = scale · x / √(Σ x² + eps), over the channels, and over height and width too if across_spatial (SSD, norm_param)
    y = x / √(Σ x² + 1e-6), with normalize_type "L1" x / (Σ |x| + 1e-6), over the channels (NormFace, normalize_param)
    bottom: (N, C, …)
    top: like the bottom; NormFace's second top is the length
    blobs: SSD's scale: (), or (C) unless channel_shared
    parameters: across_spatial (true), scale_filler (constant 1), channel_shared (true), eps (1e-10), fix_scale; or
        normalize_type ("L2"). Without either message it is SSD's
    source: SSD and caffe-windows: src/caffe/layers/normalize_layer.cpp
    """

    bottoms = 1
    tops = (1, 2)
    settings = ("norm_param", "normalize_param")

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param, faces = self.layer_param.norm_param, self.layer_param.normalize_param
        self.scales = not self.layer_param.HasField("normalize_param")
        if not self.scales and self.layer_param.HasField("norm_param"):
            raise NetError(f"{self}: norm_param is SSD's, normalize_param NormFace's. Keep one.")
        if len(bottom[0].shape) < 2 or (self.scales and len(top) > 1):
            raise NetError(
                f"{self}: bottom is {shape_text(bottom[0].shape)}, with {len(top)} tops; expected (N, C, …) and one "
                "top."
                " Correct the shape and the tops."
            )
        self.kind = faces.normalize_type
        if not self.scales:
            if self.kind not in ("L1", "L2") or faces.fix_gradient or faces.bp_norm:
                raise NetError(
                    f"{self}: normalize_type is '{self.kind}', expected L1 or L2; fix_gradient and bp_norm are not "
                    "implemented. Correct them."
                )
            return
        self.across, self.eps, self.shared = param.across_spatial, param.eps, param.channel_shared
        if self.eps < 0:
            raise NetError(f"{self}: eps is {self.eps:g}, expected 0 or more. Correct it.")
        begin = param.scale_filler if param.HasField("scale_filler") else filler(value=1)
        self.add_param(() if self.shared else (bottom[0].shape[1],), begin)
        if param.fix_scale:
            specs = self.layer_param.param
            (specs[0] if specs else specs.add()).lr_mult = 0

    def top_shapes(self, x: Shape) -> list[Shape]:
        if self.scales and not self.shared and x[1] != self.blobs[0].shape[0]:
            raise ShapeError(
                f"{self}: bottom is {x}, the scale has {self.blobs[0].shape[0]} channels. Give it as many channels."
            )
        return [x, (x[0], 1, *x[2:])]

    def compute(self, x: torch.Tensor) -> list[torch.Tensor]:
        if not self.scales:
            lengths = x.abs().sum(1, keepdim=True) + NORMFACE_EPS
            if self.kind == "L2":
                lengths = (x.square().sum(1, keepdim=True) + NORMFACE_EPS).sqrt()
            return [x / lengths, lengths]
        axes = tuple(range(1, x.dim())) if self.across else 1
        lengths = (x.square().sum(axes, keepdim=True) + self.eps).sqrt()
        scale = self.tensors[0] if self.shared else self.tensors[0].reshape(-1, *[1] * (x.dim() - 2))
        return [x / lengths * scale]


@register_layer
class PriorBox(TorchLayer):
    """The boxes that a detector starts from, at every position of a map.

    y[0, 0] = xmin, ymin, xmax, ymax as shares of the image, y[0, 1] = their variances; by row, column, and for each
        min_size s with max_size S: (s, s), (√(s·S), √(s·S)), then (s·√r, s/√r) for each aspect ratio r; sizes are cut
        to whole numbers
    bottom: a map (N, C, H, W), the image
    top: (1, 2, H · W · boxes · 4)
    parameters: min_size, max_size, aspect_ratio, flip (true: 1/r too), clip (false), variance (0.1), img_size or img_h
        and img_w (the image's), step or step_h and step_w (image / map), offset (0.5)
    restrictions: fixed_size, fixed_ratio and density (OpenVINO's fork) are refused; FaceBoxes' layer of the same
        name and settings has other boxes: choose dialect "faceboxes"
    source: SSD: src/caffe/layers/prior_box_layer.cpp; it has no gradient, and bottoms get 0
    """

    bottoms = 2
    tops = 1
    settings = "prior_box_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        if param.fixed_size or param.fixed_ratio or param.density:
            raise NetError(
                f"{self}: fixed_size, fixed_ratio and density are OpenVINO's, and not implemented. Remove them."
            )
        sizes, largest = list(param.min_size), list(param.max_size)
        if not sizes or min(sizes) <= 0 or (largest and len(largest) != len(sizes)):
            raise NetError(
                f"{self}: min_size is {sizes}, max_size {largest}; expected positive ones, and as many of both."
                " Correct them."
            )
        if any(high <= low for low, high in zip(sizes, largest, strict=False)):
            raise NetError(
                f"{self}: max_size is {largest}, min_size {sizes}. max_size must be greater than min_size."
                " Correct them."
            )
        if len(param.variance) not in (0, 1, 4) or any(value <= 0 for value in param.variance):
            raise NetError(f"{self}: variance is {list(param.variance)}. Must provide 1 or 4 variance, above 0.")
        if any(ratio <= 0 for ratio in param.aspect_ratio):
            raise NetError(f"{self}: aspect_ratio is {list(param.aspect_ratio)}, expected numbers above 0. Correct it.")
        if max(*sizes, *largest, 0) == math.inf or min(sizes) < 1:
            raise NetError(
                f"{self}: min_size is {sizes}, max_size {largest}; sizes are pixels, cut to whole numbers: expected 1 "
                "or more. Correct them."
            )
        ratios = [1.0]
        for ratio in param.aspect_ratio:
            if all(abs(ratio - known) >= SAME_RATIO for known in ratios):
                ratios += [ratio, 1 / ratio] if param.flip else [ratio]
        self.boxes: list[tuple[float, float, float, float]] = []
        for index, size in enumerate(map(int, sizes)):
            self.boxes += self.squares(size)
            if largest:
                side = math.sqrt(size * int(largest[index]))
                self.boxes.append((0, 0, side, side))
            shapes = [(size * math.sqrt(r), size / math.sqrt(r)) for r in ratios if abs(r - 1) >= SAME_RATIO]
            self.boxes += [(0, 0, *shape) for shape in shapes]
        self.variance = list(param.variance) or [0.1]
        self.image = self.pair("img_size", "img_h", "img_w")
        self.steps = self.pair("step", "step_h", "step_w")
        self.offset, self.clip = param.offset, param.clip

    def pair(self, both: str, *sides: str) -> tuple[float, float]:
        """A setting for height and width, given once or for each; 0 where it is left out."""
        param = self.message
        given = [name for name in (both, *sides) if param.HasField(name)]
        if given not in ([], [both], list(sides)) or any(getattr(param, name) <= 0 for name in given):
            raise NetError(
                f"{self}: {', '.join(f'{name} is {getattr(param, name):g}' for name in given)}; Either {both} or "
                f"{' and '.join(sides)} should be specified; not both, and above 0. Correct them."
            )
        height, width = (getattr(param, name if name in given else both) for name in sides)
        return height, width

    def squares(self, size: int) -> list[tuple[float, float, float, float]]:
        """The boxes of a min_size: how far right and down of the centre, width, height."""
        return [(0, 0, size, size)]

    def top_shapes(self, x: Shape, image: Shape) -> list[Shape]:
        check_image(self, x)
        check_image(self, image)
        if 0 in (*x[2:], *image[2:]):
            raise ShapeError(f"{self}: bottoms are {x} and {image}, expected pixels in both. Give larger ones.")
        return [(1, 2, x[2] * x[3] * len(self.boxes) * 4)]

    def compute(self, x: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        height, width = (given or size for given, size in zip(self.image, image.shape[2:], strict=True))
        down, right = (
            step or whole / cells for step, whole, cells in zip(self.steps, (height, width), x.shape[2:], strict=True)
        )
        rows = (np.arange(x.shape[2]) + self.offset) * down
        columns = (np.arange(x.shape[3]) + self.offset) * right
        moves, halves = np.array(self.boxes)[:, :2], np.array(self.boxes)[:, 2:] / 2
        centres = np.stack(np.meshgrid(columns, rows), axis=-1)[:, :, None] + moves
        boxes = np.concatenate([centres - halves, centres + halves], axis=-1) / (width, height, width, height)
        if self.clip:
            boxes = boxes.clip(0, 1)
        variances = np.resize(np.array(self.variance), boxes.size)
        values = np.stack([boxes.reshape(-1), variances]).astype(np.float32)
        return torch.from_numpy(values)[None].to(device.current())


@register_layer(name="PriorBox", dialect="faceboxes")
class FaceBoxesPriorBox(PriorBox):
    """FaceBoxes': small boxes lie closer together than cells, and a size s spans s − 1 pixels."""

    def squares(self, size: int) -> list[tuple[float, float, float, float]]:
        """16 boxes of size 32, 8 pixels apart, 4 of size 64, 16 apart, one of any other."""
        count = DENSE.get(size, 1)
        steps = [index * size // 4 for index in range(-(count // 2), count - count // 2)]
        return [(right, down, size - 1, size - 1) for down in steps for right in steps]


@register_layer
class ROIPooling(TorchLayer):
    """The largest value in each part of a region, for regions of any size.

    y[r, c, i, j] = max x[image, c] over bin (i, j) of region r; an empty bin gives 0
    bottom: (N, C, H, W); regions (R, 5): number of the image, x1, y1, x2, y2 in pixels of the image
    top: (R, C, pooled_h, pooled_w)
    parameters: pooled_h, pooled_w (or pooled_size), spatial_scale (of the map to the image), pad_ratio (0, MSCNN's: a
        region of w = x2 − x1 + 1 pixels is made wider by pad_ratio · w at each side, and higher alike)
    source: Fast R-CNN: src/caffe/layers/roi_pooling_layer.cpp
    """

    bottoms = 2
    tops = 1
    settings = "roi_pooling_param"
    constant = (1,)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        self.bins = pooled_bins(param)
        self.scale = param.spatial_scale
        if min(self.bins) < 1 or self.scale <= 0:
            raise NetError(
                f"{self}: pooled_h and pooled_w are {self.bins}, spatial_scale {self.scale:g}; they must be > 0. Set "
                "them."
            )

    def top_shapes(self, x: Shape, regions: Shape) -> list[Shape]:
        check_regions(self, x, regions)
        return [(regions[0], x[1], *self.bins)]

    def compute(self, x: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
        images, boxes = read_regions(self, regions, len(x))
        if not len(images):
            return x.new_zeros(0, x.shape[1], *self.bins)
        pads = (boxes[:, 2:] - boxes[:, :2] + 1) * np.float32(self.message.pad_ratio)
        corners = (boxes + np.concatenate([-pads, pads], axis=1)) * np.float32(self.scale)
        corners = np.where(corners < 0, -np.floor(0.5 - corners), np.floor(corners + 0.5)).astype(np.int64)
        tops = [self._pooled(x[image], box) for image, box in zip(images, corners, strict=True)]
        return torch.stack(tops)

    def _pooled(self, x: torch.Tensor, box: np.ndarray) -> torch.Tensor:
        """(C, H, W) → (C, bins) of one region."""
        rows = _bins(int(box[1]), int(box[3]), self.bins[0], x.shape[1])
        columns = _bins(int(box[0]), int(box[2]), self.bins[1], x.shape[2])
        result = []
        for top, bottom in rows:
            for left, right in columns:
                window = x[:, top:bottom, left:right].flatten(start_dim=1)
                result.append(window.max(1).values if window.shape[1] else x.new_zeros(len(x)))
        return torch.stack(result, dim=1).reshape(len(x), *self.bins)


def _bins(start: int, end: int, count: int, size: int) -> list[tuple[int, int]]:
    """Begin and end of each bin of a region along one axis, clipped to the map."""
    step = np.float32(max(end - start + 1, 1)) / np.float32(count)
    edges = []
    for index in range(count):
        first, last = math.floor(np.float32(index) * step), math.ceil(np.float32(index + 1) * step)
        edges.append((min(max(first + start, 0), size), min(max(last + start, 0), size)))
    return edges


@register_layer
class Reorg(TorchLayer):
    """Turns pixels into channels, in darknet's order.

    y[b] = x[t] in memory: b counts (c, j, i) of shape (C, H, W), o = c div (C / s²),
        t = i·s + o mod s + W·s · (j·s + o div s + H·s · (c mod (C / s²)))
    bottom: (N, C, H, W)
    top: (N, C · s², H / s, W / s)
    parameters: stride (s)
    restrictions: reverse is refused; C is a multiple of s², H and W are multiples of s
    source: YOLO's ports: src/caffe/layers/reorg_layer.cpp
    """

    bottoms = 1
    tops = 1
    settings = "reorg_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.stride = self.message.stride
        if self.stride < 1 or self.message.reverse:
            raise NetError(
                f"{self}: stride is {self.stride}, expected at least 1; `reverse` is not implemented."
                " Correct it, or leave `reverse` out."
            )

    def top_shapes(self, x: Shape) -> list[Shape]:
        check_image(self, x)
        s = self.stride
        if x[1] % s**2 or x[2] % s or x[3] % s:
            raise ShapeError(
                f"{self}: bottom is {x}, stride {s}; expected multiples of {s**2} channels and {s} pixels."
                " Correct the shape or the stride."
            )
        return [(x[0], x[1] * s**2, x[2] // s, x[3] // s)]

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        count, channels, height, width = x.shape
        s, inner = self.stride, channels // self.stride**2
        # t counts (c mod inner, j, o div s, i, o mod s) of x's memory.
        parts = x.reshape(count, inner, height, s, width, s)
        y = parts.permute(0, 3, 5, 1, 2, 4)
        return y.reshape(count, channels * s**2, height // s, width // s)
