"""The segmentation data layer that every data set's own layer derives from."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

import caffe
from fcn_caffe.data_layers.segdata import augment, crops, files, labels, order, params, splits, tags
from fcn_caffe.data_layers.segdata.feed import Feed

ILSVRC_MEAN = (104.00699, 116.66877, 122.67892)
"""Of ILSVRC's training images: blue, green, red."""

MOST_AHEAD = 1024
"""Images that may be loaded ahead."""

Loader = Callable[[str], np.ndarray]
COLOURED = ("data", "color")
"""What tops with the colours of images are called."""


class ComingImage(NamedTuple):
    """An image that comes: its number in the list, and how it is changed."""

    number: int
    mirrored: bool
    place: tuple[float, float]
    changes: tuple[float, ...]


class SegDataLayer(caffe.Layer):
    """Loads whole images with their labels, one at a time, and gives its tops the image's size.

    Tops, unless a data set has others: `data`, 1×3×H×W, float32, BGR in 0–255 minus the mean; `label`, 1×1×H×W, class
    indices, 255 void.

    A data set's layer says which settings it `requires` and what else it `accepts`, where things are (`split_file`,
    `image_file`, `label_file`), and, where labels are no PNGs with classes 0..`n_classes`-1 and void 255, how they are
    read (`read_label`) and what they mean (`stored`). If it has other tops, `loaders` names them and what loads each.
    Settings, in `param_str`, a Python dictionary literal:

    <folders>   where the data set is
    split       which list of images; one with "train" in its name is taken in random order, any other from first to
                last and again from the start
    mean        (blue, green, red), subtracted; may be left out where the data set's own is published
    randomize   False: a training split from first to last, too
    seed        of the random order; by default another one in every run
    order       "py3" (default), "py2" or "shuffle", see segdata/order.py
    mirror      True: a training image comes, by the toss of a coin that the seed decides, with left and right exchanged
    crop        a number of pixels: a training image comes as a square of such a side, cut out where the seed decides;
                where it is smaller it is filled up, on the right and below, by the mean, and its label by void
    square      a number of pixels: every image, in scoring, too, comes on a square of such a side, filled up on the
                right and below by the mean, and its label by void; a larger image is an error
    scale       two factors, such as (0.5, 2): a training image comes at a size that the seed draws between them
    colour      from 0 (default) to 1: how much brightness, contrast and saturation of a training image change at most,
                as the seed draws them
    batch       how many training images come at once (default 1); smaller ones are filled up as with `crop`
    tags        "present": instead of a label, which class is anywhere in it, C×1×1, 0 or 1; "sizes": the share of the
                labelled pixels that each class has. Nothing else of the label leaves the layer
    n_classes   how many classes the label files have; a label with another value is an error
    classes     ids of the classes to keep, renumbered 0, 1, 2, … in this order; every other class becomes void
    upright     True (default): pictures are turned as their EXIF orientation says. False: they stay as they are stored,
                for labels that were made so
    prefetch    how many images a worker thread loads ahead (default 2, at most 1024); 0: no thread

    Errors are ValueError and FileNotFoundError; they name the image, its file and the split.
    """

    requires: ClassVar[tuple[str, ...]]
    accepts: ClassVar[tuple[str, ...]] = ("n_classes",)
    n_classes: ClassVar[int]
    own_mean: ClassVar[tuple[float, float, float] | None] = None
    label_classes = 0
    """How many classes the top `label` has, where it has one; 0 where there are several labels."""

    @staticmethod
    def stored(n_classes: int) -> dict[int, int]:
        """Every value that a label file may have, and the class or the void that it stands for."""
        return labels.from_zero(n_classes)

    def loaders(self) -> dict[str, Loader]:
        """The tops in their order, each with what loads it for an image's name: an array, channels×height×width."""
        return {"data": self.load_image, "label": self.load_label}

    def prepare(self) -> None:
        """Take what the layer needs out of `settings`; called once, before anything is loaded."""
        n_classes = params.n_classes(self.settings, self.n_classes, self.who)
        self.label_map = self.map_labels(self.stored(n_classes), n_classes)
        kept = params.classes(self.settings, n_classes, self.who)
        self.label_classes = n_classes if kept is None else len(kept)

    def trains(self) -> bool:
        """Whether the split is one to train on, and so to be taken in random order."""
        return "train" in self.split and bool(self.settings.get("randomize", True))

    def split_file(self) -> str:
        """The path of the list of names."""
        raise NotImplementedError

    def names(self) -> list[str]:
        """The names of the split's images."""
        return splits.read_images(self.split_file(), self.who, lambda name: os.path.exists(self.image_file(name)))

    def image_file(self, name: str) -> str:
        """The path of an image."""
        raise NotImplementedError

    def label_file(self, name: str) -> str:
        """The path of an image's label."""
        raise NotImplementedError

    def read_label(self, path: str) -> np.ndarray:
        """The label in a file: integers, height×width."""
        return files.read_label(path, self.upright)

    def setup(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        self.who = type(self).__name__
        requires = self.requires if self.own_mean else (*self.requires, "mean")
        accepts = (
            "split",
            "mean",
            *self.accepts,
            "randomize",
            "seed",
            "order",
            "mirror",
            "crop",
            "square",
            "scale",
            "colour",
            "batch",
            "tags",
            "classes",
            "upright",
            "prefetch",
        )
        self.settings = params.parse(self.param_str, self.who, requires, accepts)
        self.upright = bool(params.choice(self.settings, "upright", True, (True, False), self.who))
        self._told, self._telling = False, threading.Lock()
        self.split = str(self.settings.get("split") or "")
        mean = self.own_mean or ILSVRC_MEAN
        self.mean = params.numbers(self.settings, "mean", mean, "blue, green, red", self.who)
        self.prepare()
        self._loaders = self.loaders()
        self.tags = params.choice(self.settings, "tags", "", ("", *tags.KINDS), self.who)
        if self.tags and (not self.label_classes or self.settings.get("crop")):
            raise ValueError(
                f"{self.who}: tags are of one label and of whole images; there is "
                f"{'a crop' if self.settings.get('crop') else 'no such label'}. Correct param_str."
            )
        if len(top) != len(self._loaders):
            raise ValueError(f"{self.who} has {len(top)} top(s). Need to define {_in_words(list(self._loaders))}.")
        if bottom:
            raise ValueError(
                f"{self.who} has {len(bottom)} bottom(s), and a data layer takes none. Do not define a bottom."
            )
        self.random = self.trains()
        self.order = "sequential"
        if self.random:
            self.order = params.choice(self.settings, "order", order.DEFAULT, order.RANDOM, self.who)
        self.mirror = self.random and bool(params.choice(self.settings, "mirror", False, (False, True), self.who))
        crop = params.whole(self.settings, "crop", 0, 1, self.who, crops.MOST)
        self.crop = crop if self.random else 0
        self.square = params.whole(self.settings, "square", 0, 1, self.who, crops.MOST)
        self._take_augmentation()
        self.seed = params.whole(self.settings, "seed", random.SystemRandom().getrandbits(32), 0, self.who)
        self.prefetch = params.whole(self.settings, "prefetch", 2, 0, self.who, MOST_AHEAD)
        self.indices = self.names()
        self._start_at(0)

    def _take_augmentation(self) -> None:
        """Take out of `settings` how training images are changed, and how many come at once."""
        limits = params.numbers(self.settings, "scale", (1, 1), "the least and the largest factor", self.who)
        if not augment.SMALLEST <= limits[0] <= limits[1] <= augment.LARGEST:
            raise ValueError(
                f"{self.who}: scale is {tuple(limits.tolist())}, expected two factors, the smaller first, from "
                f"{augment.SMALLEST} to {augment.LARGEST:g}. Correct param_str."
            )
        if self.square and tuple(limits) != (1, 1):
            raise ValueError(f"{self.who}: scale changes sizes, and square wants one. Leave one of them out.")
        (strength,) = params.numbers(self.settings, "colour", (0,), "0 to 1", self.who)
        if not 0 <= strength <= 1:
            raise ValueError(f"{self.who}: colour is {strength:g}, expected a number from 0 to 1. Correct param_str.")
        batch = params.whole(self.settings, "batch", 1, 1, self.who, MOST_AHEAD)
        self.scale: Any = limits if self.random and tuple(limits) != (1, 1) else None
        self.colour = float(strength) if self.random else 0.0
        self.batch = batch if self.random else 1

    def reshape(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        for i, values in enumerate(self._feed.current()):
            top[i].reshape(*values.shape)

    def forward(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        for i, values in enumerate(self._feed.current()):
            top[i].data[...] = values
        self._feed.advance()
        self._position += 1

    def backward(self, top: Sequence[Any], propagate_down: Sequence[bool], bottom: Sequence[Any]) -> None:
        pass

    @property
    def idx(self) -> int:
        """Index, in `indices`, of the (first) image that the next forward delivers."""
        return self._feed.key[0].number

    def state(self) -> dict[str, Any]:
        """Where in the order the layer stands, as plain values: what `set_state` needs to go on from here."""
        return {
            "split": self.split,
            "images": len(self.indices),
            "order": self.order,
            "seed": self.seed,
            "position": self._position,
            "batch": self.batch,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on where `state()` was taken. Raises ValueError if that was on another split or in another order."""
        own = self.state()
        saved = {"batch": 1, **state}
        for key in ("split", "images", "order", "batch"):
            if saved.get(key) != own[key]:
                raise ValueError(
                    f"{self.who}: the saved position belongs to {key} {saved.get(key)!r}, this layer has "
                    f"{own[key]!r}. Restore the settings, or start the order afresh."
                )
        self.seed = state["seed"]
        self._start_at(state["position"])

    def load_image(self, name: str) -> np.ndarray:
        """The image, float32, 3×H×W, BGR minus the mean."""
        if self.upright and not self._told:
            self._tell_of_turned(name)
        return planes(files.read_image(self.image_file(name), self.upright)[:, :, ::-1], self.mean)

    def load_label(self, name: str) -> np.ndarray:
        """The label, uint8, 1×H×W; the leading 1 is the channel that the loss expects."""
        path = self.label_file(name)
        return self.label_map(self.read_label(path), path)[np.newaxis]

    @property
    def top_names(self) -> list[str]:
        """The tops in their order, by the layer's own names for them."""
        return list(self._loaders)

    @property
    def top_of_images(self) -> str | None:
        """The top that gives the images of the files, changed by nothing but the mean; None if there is none."""
        if self.random or self.square or self.tags or type(self).load_image is not SegDataLayer.load_image:
            return None
        return next((top for top, load in self._loaders.items() if load == self.load_image), None)

    def load_beside(self, name: str, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        """The tops of an image but for the image itself, which has this shape (channels, height, width): arrays,
        channels×height×width. Raises as the layer does for files that cannot be used."""
        image = self.top_of_images
        with self._naming(name):
            tops = {top: load(name) for top, load in self._loaders.items() if top != image}
            self._check_sizes(name, {str(image): np.broadcast_to(np.float32(0), shape), **tops})
        return tops

    def folder(self, key: str, *below: str) -> str:
        """The folder, or what is below it, that is set under `key`."""
        return os.path.join(str(self.settings[key]), *below)

    def map_labels(self, stored: dict[int, int], n_classes: int) -> labels.LabelMap:
        """What turns stored values into the classes that are asked for."""
        return labels.LabelMap(stored, n_classes, params.classes(self.settings, n_classes, self.who))

    def _start_at(self, position: int) -> None:
        """Of n solvers that train together, solver r takes the images r, r + n, r + 2n, … of the order."""
        self._position = position
        rank, count = (caffe.solver_rank(), caffe.solver_count()) if self.phase == caffe.TRAIN else (0, 1)
        first = rank + position * self.batch * count
        indices = order.indices(self.order, self.seed, len(self.indices), first, count)
        mirrored: Iterator[bool] = itertools.repeat(False)
        if self.mirror:
            mirrored = order.mirrored(self.seed, first, count)
        places: Iterator[tuple[float, float]] = itertools.repeat((0.0, 0.0))
        if self.crop:
            places = order.offsets(self.seed, first, count)
        changes: Iterator[tuple[float, ...]] = itertools.repeat(())
        if self.scale is not None or self.colour:
            changes = order.augmentations(self.seed, augment.DRAWN, first, count)
        keys = map(ComingImage, indices, mirrored, places, changes)
        self._feed = Feed(self._load, order.batches(keys, self.batch), self.prefetch)

    def _tell_of_turned(self, name: str) -> None:
        """Say once that an image is turned where the size of its label cannot tell if it was made so."""
        looks = files.look(self.image_file(name))
        if looks.size_tells:
            return
        with self._telling:
            if self._told:
                return
            self._told = True
            print(
                f"{self.who}: WARNING: image '{name}' is turned as its EXIF orientation {looks.orientation} says, "
                "perhaps others, too, and the size of its label cannot tell whether it was made on the upright "
                "picture. If not, set 'upright': False in param_str.",
                file=sys.stderr,
            )

    def _check_sizes(self, name: str, tops: dict[str, np.ndarray]) -> None:
        (_, image), *others = tops.items()
        for top, values in others:
            if values.shape[1:] != image.shape[1:]:
                (width, height), own = ((a.shape[2], a.shape[1]) for a in (image, values))
                raise ValueError(
                    f"the image is {width}×{height} pixels, its {top} {own[0]}×{own[1]}; expected one size. "
                    f"{self._why_sizes_differ(name, top, own)}"
                )

    def _why_sizes_differ(self, name: str, top: str, size: tuple[int, int]) -> str:
        """What to do about a top, of such a width and height, that has another size than the image."""
        if os.path.exists(self.image_file(name)):
            looks = files.look(self.image_file(name))
            turned = f"The image has the EXIF orientation {looks.orientation} and is"
            if self.upright and size == looks.size:
                return (
                    f"{turned} turned upright; the {top} was made on the picture as it is stored. Turn the {top}, or "
                    "set 'upright': False in param_str (--as-stored in the tools)."
                )
            if not self.upright and size == looks.upright_size:
                return (
                    f"{turned} taken as it is stored; the {top} was made on the upright picture. Leave out 'upright': "
                    "False in param_str (--as-stored in the tools)."
                )
        return f"Is it the {top} of another version of the image?"

    @contextlib.contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        """While this lasts, errors say which image of which split they are about."""
        try:
            yield
        except (ValueError, FileNotFoundError) as error:
            kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
            raise kind(f"{self.who}: image '{name}' of split '{self.split_file()}': {error}") from error

    def _load(self, keys: tuple[ComingImage, ...]) -> list[np.ndarray]:
        """The tops, each images×channels×height×width."""
        return [augment.stacked(values) for values in zip(*map(self._load_one, keys))]

    def _load_one(self, key: ComingImage) -> list[np.ndarray]:
        """The tops of one image, each channels×height×width."""
        name = self.indices[key.number]
        with self._naming(name):
            tops = {top: load(name) for top, load in self._loaders.items()}
            self._check_sizes(name, tops)
            if self.square:
                tops = {top: crops.on_square(values, self.square) for top, values in tops.items()}
        if self.scale is not None:
            by = augment.factor(self.scale, key.changes[0])
            tops = {top: augment.scaled(values, by) for top, values in tops.items()}
        for top in COLOURED if self.colour else ():
            if top in tops:
                tops[top] = augment.coloured(tops[top], self.colour, key.changes[1:])
        if self.tags:
            tops["label"] = tags.of(tops["label"], self.label_classes, self.tags)
        if self.crop:
            tops = {top: crops.cut(values, self.crop, key.place) for top, values in tops.items()}
        return [values[:, :, ::-1] if key.mirrored else values for values in tops.values()]


def planes(image: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """An image, height×width×channels, minus the mean of each channel: float32, channels×height×width."""
    data = np.empty((image.shape[2], *image.shape[:2]), np.float32)
    for channel, value in enumerate(mean):
        np.subtract(image[:, :, channel], value, out=data[channel], dtype=np.float64, casting="same_kind")
    return data


def _in_words(tops: list[str]) -> str:
    """Tops as the published layers count them: two tops: data and label."""
    if len(tops) == 1:
        return f"one top: {tops[0]}"
    return f"{('two', 'three', 'four')[len(tops) - 2]} tops: {', '.join(tops[:-1])} and {tops[-1]}"
