"""Detection: MSCNN's boxes of several maps, and Cascade R-CNN's decoding of boxes."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from caffe import device
from caffe.blob import Blob
from caffe.data.boxes import areas, intersections
from caffe.errors import NetError, ShapeError
from caffe.forks.region_blobs import warn_of_nan
from caffe.layer_types.added import register_layer
from caffe.layer_types.base import NativeLayer, Shape, TorchLayer
from caffe.layer_types.helpers.spatial import check_image
from caffe.proto import caffe_pb2

NO_BOX = (0, 1, 1, 10, 10)
"""The box if nothing is found, so that a layer that pools regions has one."""
SUPPRESSIONS = ("IOU", "IOMU", "IOFU")


def statistics(layer: NativeLayer, param: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of dx, dy, dw, dh that a BBoxRegParameter says; 0 and 1 if it says neither."""
    means, deviations = list(param.bbox_mean), list(param.bbox_std)
    if not means and not deviations:
        return np.zeros(4, np.float32), np.ones(4, np.float32)
    if len(means) != 4 or len(deviations) != 4 or min(deviations) <= 0:
        raise NetError(
            f"{layer}: bbox_mean is {means}, bbox_std {deviations}; expected 4 of each, deviations above 0."
            " Correct them."
        )
    return np.array(means, np.float32), np.array(deviations, np.float32)


@register_layer
class BoxOutput(TorchLayer):
    """Boxes that may hold an object, of several maps, each with boxes of one size. It has no gradient.

    y[0][k] = image, x1, y1, x2, y2 in pixels; y[1][k] the same and the score, the largest of the classes less the
        background's: of places with a score of fg_thr or more, centre = field · d + (place + ½) · downsample_rate, size
        = field · exp(d), |d| limited by 1 / field_xyr and log field_whr, cut off at the image, those smaller than
        min_size dropped, by score, the first max_nms_num, those that overlap a better one by more than iou_thr dropped,
        the first max_post_nms_num; (0, 1, 1, 10, 10) if none is found
    bottom: maps (N, classes + 4, H, W): scores, background first, and dx, dy, dw, dh
    top: (R, 5, 1, 1), if named (R, 6, 1, 1)
    parameters: field_w, field_h, downsample_rate (for each bottom), fg_thr (0), iou_thr (0.5), nms_type (IOU; IOMU: of
        the smaller box, IOFU: of the better one), field_whr (2), field_xyr (2), max_nms_num, max_post_nms_num (0: all),
        min_size (15); bbox_reg_param bbox_mean, bbox_std: of d
    source: MSCNN: src/caffe/layers/box_output_layer.cpp
    """

    bottoms = (1, None)
    tops = (1, 2)
    settings = ("box_output_param", "bbox_reg_param")
    differentiable = False

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.param: Any = self.layer_param.box_output_param
        param = self.param
        counts = {len(param.field_h), len(param.field_w), len(param.downsample_rate)}
        fields = (*param.field_h, *param.field_w, *param.downsample_rate)
        if (
            counts != {len(bottom)}
            or min(fields, default=1) <= 0
            or param.nms_type not in SUPPRESSIONS
            or min(param.field_whr, param.field_xyr) <= 0
        ):
            raise NetError(
                f"{self}: {len(bottom)} bottoms, with {len(param.field_h)} field_h, {len(param.field_w)} field_w, "
                f"{len(param.downsample_rate)} downsample_rate, nms_type '{param.nms_type}'; expected one of each for "
                f"each bottom, and {', '.join(SUPPRESSIONS)}. Correct box_output_param."
            )
        self.means, self.deviations = statistics(self, self.layer_param.bbox_reg_param)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        for shape in bottoms:
            check_image(self, shape)
        if len({shape[:2] for shape in bottoms}) > 1 or bottoms[0][1] < 6:
            raise ShapeError(
                f"{self}: bottoms are {bottoms}; expected as many images, and at least 2 scores and 4 moves."
                " Correct the shapes."
            )
        return [(1, 5, 1, 1), (1, 6, 1, 1)]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        maps = [blob.tensor.detach().float().cpu().numpy() for blob in bottom]
        warn_of_nan(self, *maps)
        found = [np.insert(self.boxes(each), 0, n, axis=1) for n, each in enumerate(self.images(maps))]
        rows = np.concatenate(found)
        tops = [rows[:, :5], rows] if len(rows) else [np.array([NO_BOX]), np.zeros((1, 6))]
        for blob, values in zip(top, tops, strict=False):
            blob.reshape(*values.shape, 1, 1)
            blob.tensor = torch.from_numpy(values.astype(np.float32).reshape(blob.shape)).to(device.current())

    def images(self, maps: list[np.ndarray]) -> Iterator[list[Any]]:
        """Of each image, its maps (classes + 4, H, W)."""
        for number in range(len(maps[0])):
            yield [each[number] for each in maps]

    def boxes(self, maps: list[Any]) -> np.ndarray:
        """(R, 5) x1, y1, x2, y2, score, of one image."""
        param = self.param
        every = np.concatenate([self.of_map(index, each) for index, each in enumerate(maps)])
        every = every[np.argsort(-every[:, 4], kind="stable")][: param.max_nms_num or None]
        kept = []
        while len(every):
            best, every = every[0], every[1:]
            kept.append(best)
            every = every[self.shares(best[:4], every[:, :4]) <= np.float32(param.iou_thr)]
        return np.array(kept[: param.max_post_nms_num or None], np.float32).reshape(-1, 5)

    def shares(self, box: np.ndarray, others: np.ndarray) -> np.ndarray:
        """How much a box shares with others, as nms_type says."""
        shared, mine, theirs = intersections(box, others), areas(box), areas(others)
        over = {"IOU": mine + theirs - shared, "IOMU": np.minimum(mine, theirs), "IOFU": np.full_like(shared, mine)}
        whole = over[self.param.nms_type]
        return np.divide(shared, whole, out=np.zeros_like(shared), where=(shared > 0) & (whole > 0))

    def of_map(self, index: int, values: Any) -> np.ndarray:
        """(n, 5): boxes and scores of the places that are good enough, row by row."""
        param, (height, width) = self.param, values.shape[1:]
        rate, field = param.downsample_rate[index], np.array([param.field_w[index], param.field_h[index]], np.float32)
        scores = (values[1:-4].max(axis=0) - values[0]).reshape(-1)
        moves = values[-4:].reshape(4, -1).T * self.deviations + self.means
        places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2)
        largest = np.float32(math.log(param.field_whr))
        centres = moves[:, :2].clip(-1 / param.field_xyr, 1 / param.field_xyr) * field + (places + 0.5) * rate
        sizes = field * np.exp(moves[:, 2:].clip(-largest, largest))
        corners = np.maximum(centres - sizes / 2, 0)
        sizes = np.minimum(sizes, (width * rate, height * rate) - corners)
        stays = (scores >= np.float32(param.fg_thr)) & (sizes >= param.min_size).all(axis=1)
        return np.concatenate([corners, corners + sizes, scores[:, None]], axis=1)[stays]


@register_layer
class DecodeBBox(TorchLayer):
    """Moves regions to where a detector says that their objects are. It has no gradient.

    y[k] = image, x1, y1, x2, y2: regions of w = x2 − x1 + 1 pixels, centre + w · d, size w · exp(d), d of the object's
        four, times bbox_std plus bbox_mean; in TRAIN, boxes whose end lies before their begin are dropped
    bottom: dx, dy, dw, dh (R, 8) of background and object, regions (R, 5): image, x1, y1, x2, y2
    top: (R, 5)
    parameters: bbox_mean, bbox_std
    restrictions: a third bottom, the true boxes that regions are matched with, is refused
    source: Cascade R-CNN: src/caffe/layers/decode_bbox_layer.cpp
    """

    bottoms = 2
    tops = 1
    settings = "bbox_reg_param"
    differentiable = False

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        self.means, self.deviations = statistics(self, self.message)

    def top_shapes(self, moves: Shape, regions: Shape) -> list[Shape]:
        if moves[0] != regions[0] or math.prod(moves[1:]) != 8 or math.prod(regions[1:]) != 5:
            raise ShapeError(f"{self}: bottoms are {moves} and {regions}; expected (R, 8) and (R, 5). Correct them.")
        return [regions]

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        moves, regions = (blob.tensor.detach().float().cpu().numpy().reshape(len(blob.tensor), -1) for blob in bottom)
        moves = moves[:, 4:] * self.deviations + self.means
        sizes, centres = regions[:, 3:] - regions[:, 1:3] + 1, (regions[:, 3:] + regions[:, 1:3]) / 2
        with np.errstate(over="ignore"):  # of a net that has learned nothing yet
            wanted = sizes * np.exp(moves[:, 2:])
        corners = moves[:, :2] * sizes + centres - (wanted - 1) / 2
        rows = np.concatenate([regions[:, :1], corners, corners + wanted - 1], axis=1)
        if self.phase == caffe_pb2.TRAIN:
            rows = rows[(rows[:, 1:3] <= rows[:, 3:]).all(axis=1)]
            if not len(rows):
                raise ShapeError(f"{self}: no region is left: all end before they begin. Lower the learning rate.")
        top[0].reshape(len(rows), *bottom[1].shape[1:])
        top[0].tensor = torch.from_numpy(rows.reshape(top[0].shape)).to(device.current())
