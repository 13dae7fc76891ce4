"""The segmentation data layer that every data set's own layer derives from."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

import caffe
from segdata import files, order, params, splits
from segdata.feed import Feed


class SegDataLayer(caffe.Layer):
    """Loads whole images with their labels, one pair at a time, and gives its tops the image's size.

    Tops: `data`, 1×3×H×W, float32, BGR in 0–255 minus the mean; `label`, 1×1×H×W, class indices, 255 void.

    A data set's layer says where things are: `dir_key`, `n_classes`, `split_file`, `image_file`, `label_file`, and, if
    labels are no PNGs, `read_label`. Settings, in `param_str`, a Python dictionary literal:

    <dir_key>   the data set's folder
    split       which list of images; one with "train" in its name is taken in random order, any other from first to
                last and again from the start
    mean        (blue, green, red), subtracted
    randomize   False: a training split from first to last, too
    seed        of the random order; by default another one in every run
    order       "py3" (default), "py2" or "shuffle", see segdata/order.py
    n_classes   how many classes the label files have; a label with another value than 0..n_classes-1 or 255 is an error
    classes     ids of the classes to keep, renumbered 0, 1, 2, … in this order; every other class becomes void
    prefetch    how many images a worker thread loads ahead (default 2); 0: no thread

    Errors are ValueError and FileNotFoundError; they name the image, its file and the split.
    """

    dir_key: ClassVar[str]
    n_classes: ClassVar[int]

    def split_file(self) -> str:
        """The path of the list of names."""
        raise NotImplementedError

    def image_file(self, name: str) -> str:
        """The path of an image."""
        raise NotImplementedError

    def label_file(self, name: str) -> str:
        """The path of an image's label."""
        raise NotImplementedError

    def read_label(self, path: str) -> np.ndarray:
        """The label in a file: integers, height×width."""
        return files.read_label(path)

    def setup(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        who = type(self).__name__
        if len(top) != 2:
            raise ValueError(f"{who} has {len(top)} top(s). Need to define two tops: data and label.")
        if bottom:
            raise ValueError(f"{who} has {len(bottom)} bottom(s), and a data layer takes none. Do not define a bottom.")
        optional = ("randomize", "seed", "order", "n_classes", "classes", "prefetch")
        settings = params.parse(self.param_str, who, (self.dir_key, "split", "mean"), optional)
        self.folder = str(settings[self.dir_key])
        self.split = str(settings["split"])
        self.mean = params.mean(settings, who)
        self.label_map = params.label_map(settings, self.n_classes, who)
        self.random = bool(settings.get("randomize", True)) and "train" in self.split
        self.order = params.choice(settings, "order", order.DEFAULT, order.RANDOM, who) if self.random else "sequential"
        self.seed = params.whole(settings, "seed", random.SystemRandom().getrandbits(32), 0, who)
        self.prefetch = params.whole(settings, "prefetch", 2, 0, who)
        self.indices = splits.read_names(self.split_file(), who)
        self._start_at(0)

    def reshape(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        for i, values in enumerate(self._feed.current()):
            top[i].reshape(1, *values.shape)

    def forward(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        for i, values in enumerate(self._feed.current()):
            top[i].data[...] = values
        self._feed.advance()
        self._position += 1

    def backward(self, top: Sequence[Any], propagate_down: Sequence[bool], bottom: Sequence[Any]) -> None:
        pass

    @property
    def idx(self) -> int:
        """Index, in `indices`, of the image that the next forward delivers."""
        return self._feed.index

    def state(self) -> dict[str, Any]:
        """Where in the order the layer stands, as plain values: what `set_state` needs to go on from here."""
        return {
            "split": self.split,
            "images": len(self.indices),
            "order": self.order,
            "seed": self.seed,
            "position": self._position,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on where `state()` was taken. Raises ValueError if that was on another split or in another order."""
        own = self.state()
        for key in ("split", "images", "order"):
            if state.get(key) != own[key]:
                raise ValueError(
                    f"{type(self).__name__}: the saved position belongs to {key} {state.get(key)!r}, this layer has "
                    f"{own[key]!r}. Restore the settings, or start the order afresh."
                )
        self.seed = state["seed"]
        self._start_at(state["position"])

    def load_image(self, name: str) -> np.ndarray:
        """The image, float32, 3×H×W, BGR minus the mean."""
        bgr = files.read_image(self.image_file(name))[:, :, ::-1]
        data = np.empty((3, *bgr.shape[:2]), np.float32)
        for channel, mean in enumerate(self.mean):
            np.subtract(bgr[:, :, channel], mean, out=data[channel], dtype=np.float64, casting="same_kind")
        return data

    def load_label(self, name: str) -> np.ndarray:
        """The label, uint8, 1×H×W; the leading 1 is the channel that the loss expects."""
        path = self.label_file(name)
        return self.label_map(self.read_label(path), path)[np.newaxis]

    def _start_at(self, position: int) -> None:
        self._position = position
        self._feed = Feed(self._load, order.indices(self.order, self.seed, len(self.indices), position), self.prefetch)

    def _load(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        name = self.indices[index]
        try:
            data, label = self.load_image(name), self.load_label(name)
            if data.shape[1:] != label.shape[1:]:
                image_size, label_size = (f"{a.shape[2]}×{a.shape[1]}" for a in (data, label))
                raise ValueError(
                    f"the image is {image_size} pixels, its label {label_size}; expected one size. "
                    "Is it the label of another version of the image?"
                )
        except (ValueError, FileNotFoundError) as error:
            kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
            raise kind(f"{type(self).__name__}: image '{name}' of split '{self.split_file()}': {error}") from error
        return data, label
