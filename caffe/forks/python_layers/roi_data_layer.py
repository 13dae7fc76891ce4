"""roi_data_layer.layer of py-faster-rcnn: one image and its true boxes, for training with proposals of the net's own.

layer { type: "Python" top: "data" top: "im_info" top: "gt_boxes"
        python_param { module: "roi_data_layer.layer" layer: "RoIDataLayer" param_str: "'num_classes': 21" } }

The images are those that a script gives by `net.layers[0].set_roidb(roidb)`, as py-faster-rcnn's does: dicts with
`image` (a path), `boxes` (x1, y1, x2, y2 in pixels), `gt_classes` and `flipped`. Or, without a script, those of a
database that `caffe convert_annoset` made: 'source': 'train_lmdb' in param_str.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from caffe.data import images
from caffe.data.annotated.source import items
from caffe.errors import DataError, NetError
from caffe.forks.python_layers import PublishedLayer, settings
from caffe.forks.python_layers.targets import Draws, put, read
from caffe.shapes import shape_text

DEFAULTS = {
    "num_classes": None,
    "source": "",
    "backend": "lmdb",
    "flip": True,
    "scales": (600,),
    "max_size": 1000,
    "pixel_means": (102.9801, 115.9465, 122.7717),
}
"""Beside the first four, names of py-faster-rcnn's configuration, in small letters, and its values."""


class RoIDataLayer(PublishedLayer):
    """Tops: the image (1, 3, H, W), its height, width and scale (1, 3), true boxes (G, 5) x1, y1, x2, y2, class."""

    def setup(self, bottom: Any, top: Any) -> None:
        """Read the settings, and open the database if there is one."""
        self.given = read(settings(self.param_str, str(self)), DEFAULTS, str(self))
        self.number(self.given, "num_classes", 21)
        if len(top) != 3:
            raise NetError(
                f"{self}: {len(top)} tops; expected data, im_info and gt_boxes. Data of Fast R-CNN, with proposals of "
                "another program (5 or 6 tops), are not implemented: write a Python layer roi_data_layer.layer.",
                layer=self.name,
                found=len(top),
                expected=3,
            )
        self.numbers(self.given, "scales")
        self.draws = Draws()
        self.entries: Iterator[Any] = iter(())
        if self.given["source"]:
            self.entries = self.of_database()
        for blob, shape in zip(top, ((1, 3, *[max(self.given["scales"])] * 2), (1, 3), (1, 5)), strict=True):
            blob.reshape(*shape)

    def set_roidb(self, roidb: Sequence[Any]) -> None:
        """The images to give, as py-faster-rcnn's scripts set them; in an order that is drawn anew after the last."""
        self.entries = self.of_list(roidb)

    def of_list(self, roidb: Sequence[Any]) -> Iterator[Any]:
        """Its entries for ever."""
        while len(roidb):
            yield from (roidb[number] for number in self.draws.shuffled(len(roidb)))

    def of_database(self) -> Iterator[Any]:
        """For ever, in its order, each mirrored or not by a coin's toss."""
        while True:
            any_box = False
            for item in items(self.given["source"], self.given["backend"], str(self)):
                if not len(item.rows):
                    continue
                any_box = True
                height, width = item.image.shape[:2]
                boxes = item.rows[:, 2:6] * (width, height, width, height) - (0, 0, 1, 1)
                flipped = self.given["flip"] and self.draws.shuffled(2)[0] == 1
                if flipped:
                    boxes[:, [0, 2]] = width - 1 - boxes[:, [2, 0]]
                yield {"image": item.image, "boxes": boxes, "gt_classes": item.rows[:, 0], "flipped": flipped}
            if not any_box:
                raise DataError(f"{self}: no image of '{self.given['source']}' has a box. Make another database.")

    def forward(self, bottom: Any, top: Any) -> None:
        """The next image."""
        entry = next(self.entries, None)
        if entry is None:
            raise DataError(
                f"{self}: there are no images. Call net.layers[0].set_roidb(roidb) in a script, or write 'source': "
                "'train_lmdb', a database of `caffe convert_annoset`, in param_str."
            )
        image = entry["image"]
        image = images.read(image) if isinstance(image, str) else image
        if entry.get("flipped"):
            image = image[:, ::-1]
        sizes = list(self.given["scales"])
        data, scale = self.scaled(image, sizes[self.draws.shuffled(len(sizes))[0]])
        classes = np.asarray(entry["gt_classes"]).reshape(-1)
        boxes = np.asarray(entry["boxes"], np.float32).reshape(-1, 4)[classes != 0] * np.float32(scale)
        classes = classes[classes != 0]
        if classes.max(initial=0) >= self.given["num_classes"]:
            raise DataError(
                f"{self}: a box is of class {classes.max()}, num_classes is {self.given['num_classes']}."
                " Raise num_classes, or correct the boxes."
            )
        put(top[0], data)
        put(top[1], np.array([[*data.shape[2:], scale]], np.float32))
        put(top[2], np.concatenate([boxes, classes[:, None]], axis=1))

    def scaled(self, image: np.ndarray, shortest: int) -> tuple[np.ndarray, float]:
        """(1, 3, H, W) less the mean, its shorter side this long unless the longer one becomes more than max_size."""
        if image.shape[2] != 3:
            raise DataError(
                f"{self}: an image is {shape_text(image.shape)}, expected three channels. Convert it to BGR."
            )
        height, width = image.shape[:2]
        scale = shortest / min(height, width)
        if round(scale * max(height, width)) > self.given["max_size"]:
            scale = self.given["max_size"] / max(height, width)
        values = torch.from_numpy(image.astype(np.float32) - np.float32(self.given["pixel_means"]))
        size = [max(round(side * scale), 1) for side in (height, width)]
        return F.interpolate(values.permute(2, 0, 1)[None], size, mode="bilinear").numpy(), scale
