"""Detection: Cascade R-CNN's proposals from boxes of many sizes, its routing of regions to maps, its ROIAlign."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from caffe import device
from caffe.blob import Blob
from caffe.errors import NetError, ShapeError
from caffe.forks.mscnn import SUPPRESSIONS, BoxOutput, statistics
from caffe.forks.region_blobs import check_regions, pooled_bins, read_regions
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import Shape, TorchLayer, stands_for
from caffe.layer_types.helpers.spatial import check_image

HALF = 0.5
USUAL_SCALE = 256.0


@register_layer
class BoxGroupOutput(BoxOutput):
    """Boxes that may hold an object, of maps with boxes of several sizes at each place. It has no gradient.

    y[0][k] = image, x1, y1, x2, y2 in pixels; y[1][k] the same and the score, 1 less the background's: of places with a
        score of fg_thr or more, centre = field · d + (place + ½) · stride, size = field · exp(d), |d| limited by
        1 / field_xyr and log field_whr, cut off at the image, those smaller than min_size dropped, by score, the first
        max_nms_num, those that overlap a better one by more than iou_thr dropped, the first max_post_nms_num;
        (0, 1, 1, 10, 10) if none is found. Boxes are x2 − x1 + 1 pixels wide
    bottom: for each map the shares of the classes (N · G, classes, H, W), background first, and dx, dy, dw, dh
        (N · G, 4, H, W), of the G sizes of each image one after the other
    top: (R, 5, 1, 1), if named (R, 6, 1, 1)
    parameters: for each map a box_group_param { field_w, field_h (G of each), stride }; fg_thr (0), iou_thr (0.5),
        nms_type (IOU; IOMU: of the smaller box, IOFU: of the better one), field_whr (2), field_xyr (2), max_nms_num,
        max_post_nms_num (0: all), min_size (15); bbox_reg_param bbox_mean, bbox_std: of d
    source: Cascade R-CNN: src/caffe/layers/box_group_output_layer.cpp
    """

    bottoms = (2, None)
    settings = ("box_group_output_param", "bbox_reg_param")

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.param = self.layer_param.box_group_output_param
        groups = [(list(each.field_w), list(each.field_h), each.stride) for each in param.box_group_param]
        uneven = any(not w or len(w) != len(h) or min(*w, *h, step) < 1 for w, h, step in groups)
        if 2 * len(groups) != len(bottom) or uneven or param.nms_type not in SUPPRESSIONS:
            raise NetError(
                f"{self}: {len(bottom)} bottoms, {len(groups)} box_group_param, nms_type '{param.nms_type}'; expected "
                "shares and moves for each box_group_param, which has as many field_w as field_h, and a stride, and "
                f"one of {', '.join(SUPPRESSIONS)}. Correct box_group_output_param."
            )
        if min(param.field_whr, param.field_xyr) <= 0:
            raise NetError(
                f"{self}: field_whr is {param.field_whr:g}, field_xyr {param.field_xyr:g}; expected numbers above 0."
                " Correct them."
            )
        self.groups = [(np.array([w, h], np.float32), step) for w, h, step in groups]
        self.means, self.deviations = statistics(self, self.layer_param.bbox_reg_param)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        for shape in bottoms:
            check_image(self, shape)
        counts = [shape[0] / field.shape[1] for shape, (field, _) in zip(bottoms[::2], self.groups, strict=True)]
        pairs = zip(bottoms[::2], bottoms[1::2], strict=True)
        fit = all(moves == (shares[0], 4, *shares[2:]) and shares[1] for shares, moves in pairs)
        if not fit or len({*counts}) > 1 or counts[0] % 1:
            raise ShapeError(
                f"{self}: bottoms are {bottoms}; expected (N · G, classes, H, W) and (N · G, 4, H, W) with G of "
                f"{', '.join(str(field.shape[1]) for field, _ in self.groups)}. Correct them."
            )
        return [(1, 5, 1, 1), (1, 6, 1, 1)]

    def images(self, maps: list[np.ndarray]) -> Iterator[list[Any]]:
        """Of each image, shares (G, classes, H, W) and moves (G, 4, H, W) of each map."""
        for number in range(len(maps[0]) // self.groups[0][0].shape[1]):
            parts = []
            for shares, moves, (field, _) in zip(maps[::2], maps[1::2], self.groups, strict=True):
                mine = slice(number * field.shape[1], (number + 1) * field.shape[1])
                parts.append((shares[mine], moves[mine]))
            yield parts

    def of_map(self, index: int, values: Any) -> np.ndarray:
        """(n, 5): boxes and scores of the places that are good enough, by size and then row by row."""
        (shares, moves), (fields, step), param = values, self.groups[index], self.param
        height, width = shares.shape[2:]
        scores = (1 - shares[:, 0]).reshape(-1)
        moves = moves.transpose(0, 2, 3, 1).reshape(-1, 4) * self.deviations + self.means
        field = np.repeat(fields.T, height * width, axis=0)
        places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2)
        largest = np.float32(math.log(param.field_whr))
        centres = moves[:, :2].clip(-1 / param.field_xyr, 1 / param.field_xyr) * field
        centres += np.tile((places + HALF) * step, (fields.shape[1], 1))
        sizes = field * np.exp(moves[:, 2:].clip(-largest, largest))
        begins = centres - sizes / 2
        ends = np.minimum(begins + sizes - 1, (width * step, height * step))
        begins = np.maximum(begins, 0)
        stays = (scores >= np.float32(param.fg_thr)) & (ends - begins + 1 >= param.min_size).all(axis=1)
        return np.concatenate([begins, ends, scores[:, None]], axis=1)[stays]

    def shares(self, box: np.ndarray, others: np.ndarray) -> np.ndarray:
        """How much a box shares with others, as nms_type says; boxes that meet in one row alone share nothing."""
        sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
        shared = np.where((sides[:, 0] < 0) | (sides[:, 1] <= 0), 0, np.prod(sides + 1, axis=1))
        mine = float(np.prod(box[2:] - box[:2] + 1))
        theirs = np.prod(others[:, 2:] - others[:, :2] + 1, axis=1)
        whole = {"IOU": mine + theirs - shared, "IOMU": np.minimum(mine, theirs), "IOFU": np.full_like(theirs, mine)}
        return shared / whole[self.param.nms_type]


@register_layer
class ScaleRoute(TorchLayer):
    """Keeps the regions whose size is in a range, and what belongs to them. It has no gradient.

    y_i[k] = x_i[n] of the regions n, of x_0, with low_scale ≤ √(width · height) < high_scale; if there is none, of the
        region that is nearest to √(low_scale · high_scale) on a logarithmic scale
    bottom: regions (R, 5): image, x1, y1, x2, y2; further ones with R items
    top: one for each bottom, with as many items as are kept
    parameters: low_scale (0), high_scale (none); without either, the middle is 256
    source: Cascade R-CNN: src/caffe/layers/scale_route_layer.cpp
    """

    bottoms = tops = (1, None)
    equal_bottoms_and_tops = True
    settings = "scale_route_param"
    differentiable = False

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        given = self.message
        self.low = given.low_scale if given.HasField("low_scale") else 0.0
        self.high = given.high_scale if given.HasField("high_scale") else math.inf
        bounds = [bound for bound in (self.low, self.high) if 0 < bound < math.inf]
        self.middle = math.sqrt(bounds[0] * bounds[-1]) if bounds else USUAL_SCALE
        if not 0 <= self.low <= self.high or (given.HasField("low_scale") and self.low <= 0):
            raise NetError(
                f"{self}: low_scale is {self.low:g}, high_scale {self.high:g}; expected low_scale above 0, and at most "
                "high_scale. Correct them."
            )

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        regions = bottoms[0]
        if not regions or math.prod(regions[1:]) != 5 or any(not x or x[0] != regions[0] for x in bottoms):
            raise ShapeError(
                f"{self}: bottoms are {bottoms}; expected (R, 5), and R items in the others. Correct them."
            )
        return [(1, *shape[1:]) for shape in bottoms]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        boxes = bottom[0].tensor.detach().float().cpu().numpy().reshape(-1, 5)[:, 1:]
        sides = boxes[:, 2:] - boxes[:, :2]
        sizes = np.sqrt(np.where((sides < 0).any(axis=1), 0, np.prod(sides + 1, axis=1)))
        kept = np.flatnonzero((sizes >= self.low) & (sizes < self.high))
        if not len(kept):
            with np.errstate(divide="ignore"):
                away = np.abs(np.log2(sizes / self.middle))
            if not np.isfinite(away).any():
                raise ShapeError(f"{self}: no region of {len(boxes)} has a size. Correct the regions.")
            kept = np.array([np.nanargmin(away)])
        index = torch.from_numpy(kept).to(device.current())
        for source, blob in zip(bottom, top, strict=True):
            values = source.tensor.detach().index_select(0, index)
            blob.reshape(*values.shape)
            blob.tensor = values


@stands_for("ROIAlign", where=lambda layer: layer.HasField("roi_pooling_param"))
class GridROIAlign(TorchLayer):
    """Cascade R-CNN's ROIAlign, with its settings in roi_pooling_param: bilinear values at the corners of the bins.

    Tops are (R, C, pooled_h + 1, pooled_w + 1); src/caffe/layers/roi_align_layer.cpp.
    """

    bottoms = 2
    tops = 1
    settings = "roi_pooling_param"
    constant = (1,)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.message
        self.bins = pooled_bins(param)
        if min(self.bins) < 1 or self.layer_param.HasField("roi_align_param"):
            raise NetError(
                f"{self}: pooled_h and pooled_w are {self.bins}, they must be > 0; either roi_pooling_param, as in "
                "Cascade R-CNN, or roi_align_param is expected. Correct them."
            )

    def top_shapes(self, x: Shape, regions: Shape) -> list[Shape]:
        check_regions(self, x, regions)
        return [(regions[0], x[1], self.bins[0] + 1, self.bins[1] + 1)]

    def compute(self, x: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
        images, boxes = read_regions(self, regions, len(x))
        pads = (boxes[:, 2:] - boxes[:, :2] + 1) * np.float32(self.message.pad_ratio)
        corners = (boxes + np.concatenate([-pads, pads], axis=1)) * np.float32(self.message.spatial_scale) - HALF
        tops = []
        for image, box in zip(images, corners, strict=True):
            there = (box[2:] > box[:2]).all()
            down, across = (
                torch.from_numpy(corner_weights(box[axis], box[axis + 2], size, bins) * there).to(x)
                for axis, size, bins in ((1, x.shape[2], self.bins[0]), (0, x.shape[3], self.bins[1]))
            )
            tops.append(down @ x[image] @ across.T)
        return torch.stack(tops) if tops else x.new_zeros(0, x.shape[1], self.bins[0] + 1, self.bins[1] + 1)


def corner_weights(begin: float, end: float, size: int, bins: int) -> np.ndarray:
    """(bins + 1, size): how much each pixel counts at each corner along one axis; 0 for corners outside of the map."""
    places = begin + np.arange(bins + 1, dtype=np.float32) * np.float32((end - begin) / bins)
    inside = (places >= -HALF) & (places <= size - HALF)
    places = places.clip(0, size - 1)
    return np.maximum(1 - np.abs(places[:, None] - np.arange(size)), 0).astype(np.float32) * inside[:, None]
