"""Segmenter: a trained net as one object that takes images and gives labels, for programs and notebooks."""

from __future__ import annotations

import argparse
import io
import os
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
from PIL import Image, ImageOps

import caffe
from fcn_caffe import program
from fcn_caffe.data_layers.segdata.files import read_image, rgb
from fcn_caffe.device_options import use_device
from fcn_caffe.inference.find import Found, find
from fcn_caffe.inference.segment import deploy_net, segment
from fcn_caffe.net_spec.input_data import MEAN
from fcn_caffe.pictures import drawing, outputs
from fcn_caffe.pictures.legend import Legend

AnImage = Union[str, Path, Image.Image, np.ndarray]


class Segmentation:
    """The result of segmenting an image.

    image: the image, upright, H×W×3 uint8, RGB. scores: of every class at every pixel, classes×H×W float32, as the net
    gives them (higher is likelier; no probabilities). labels: the likeliest class, H×W integers.
    """

    def __init__(self, image: np.ndarray, scores: np.ndarray, legend: Legend):
        self.image, self.scores, self.legend = image, scores, legend
        self.labels: np.ndarray = scores.argmax(0)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, by number; "class 7" if they have none."""
        return tuple(map(self.legend.name, range(len(self.scores))))

    @property
    def colours(self) -> np.ndarray:
        """The colours of the classes, classes×3 uint8, red, green and blue."""
        return self.legend.colours[: len(self.scores)]

    def share(self) -> dict[str, float]:
        """The share of the image's pixels that each class has, 0 to 1, the largest first; classes it does not show are
        left out."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.scores))
        order = [cls for cls in np.argsort(-counts, kind="stable") if counts[cls]]
        return {self.legend.name(int(cls)): float(counts[cls] / self.labels.size) for cls in order}

    def overlay(self, strength: float = 0.6) -> Image.Image:
        """The image with its classes coloured, but for the background. strength: of the colours, 0 to 1."""
        background = self.legend.background
        picture = Image.fromarray(self.image)
        return drawing.overlay(picture, self.labels, self.legend.colours, strength, background)

    def save(self, path: Union[str, Path]) -> None:
        """Write the labels as a PNG of class numbers with the classes' colours as its palette.

        Raises ValueError for another ending, and for a file that is there and was not written by this project.
        """
        target = Path(path)
        if target.suffix.lower() != ".png":
            raise ValueError(f"'{target}' does not end in .png, expected a PNG for class numbers. Rename it.")
        outputs.check([target], [], "Name another file.")
        drawing.save_labels(self.labels, target, self.legend.colours)

    def _repr_png_(self) -> bytes:
        """How notebooks show it: the overlay."""
        content = io.BytesIO()
        self.overlay().save(content, "PNG")
        return content.getvalue()

    def __repr__(self) -> str:
        height, width = self.labels.shape
        shown = ", ".join(f"{name} {share:.1%}" for name, share in self.share().items())
        return f"<Segmentation {height}×{width}: {shown}>"


class Segmenter:
    """A trained net that segments images: `Segmenter("snapshot/street-fcn8s")(image).overlay()`; without a name, the
    net that comes with the package.

    Several threads may call one: they take turns. Each call computes at the image's own size.
    """

    def __init__(
        self,
        name: Union[str, Path, None] = None,
        weights: Union[str, Path, None] = None,
        *,
        score: str = "score",
        device: Optional[str] = None,
        precision: Optional[str] = None,
        max_side: Optional[int] = None,
    ):
        """Load a net.

        name: a snapshot folder, the name of a task or variant, or a deploy prototxt (then `weights` are its weights);
        None: the package's own net, of which fcn_caffe/bundled/README.md tells.
        weights: others than the newest. score: the blob of scores, of a net of several heads.
        device: "cpu", "gpu" or "gpu:1"; precision: "fp32", "tf32" or "bf16": both are the whole process's, and stay as
        they are unless given. max_side: larger images are scaled down to this many pixels along their longer side, and
        their scores up again.
        Raises ValueError for a net that does not take one image or has no such scores, and for a wrong argument,
        FileNotFoundError for files that are not there, RuntimeError for a damaged net or a GPU that is not there.
        """
        if max_side is not None and max_side < 1:
            raise ValueError(f"max_side is {max_side}, expected at least 1 pixel. Correct it.")
        if precision is not None:
            caffe.set_precision(precision)
        if device is not None:
            use_device(argparse.Namespace(gpu=_gpu(device), precision=None))
        named, given = (None if each is None else os.fspath(each) for each in (name, weights))
        self._found = _found(named, given, score)
        with program.quietly(caffe):
            self._net = deploy_net(self._found.net_file, self._found.weights, score)
        self._score, self.max_side = score, max_side
        self.n_classes: int = self._net.blobs[score].shape[1]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, by number; () if they have none."""
        return self._found.classes.names

    @property
    def legend(self) -> Legend:
        """Names and colours of the classes."""
        return self._found.classes

    @property
    def upright(self) -> bool:
        """Whether photos are turned as their EXIF orientation says."""
        return self._found.upright

    @property
    def net(self) -> Any:
        """The net itself, a caffe.Net; hold its `lock` while you use it."""
        return self._net

    def __call__(self, image: AnImage) -> Segmentation:
        """Segment an image.

        image: a file's path, a PIL image, or an array, H×W×3 uint8, RGB (H×W: gray). Photos are turned upright as their
        EXIF says, if the net was trained so.
        Raises ValueError for what is no image, FileNotFoundError for a path without a file.
        """
        pixels = _pixels(image, self._found.upright)
        scores = self._scores(Image.fromarray(pixels))
        return Segmentation(pixels, scores, self._found.classes)

    def _scores(self, image: Image.Image) -> np.ndarray:
        scores = segment(self._net, image, self._found.mean, self._score, self.max_side)
        if scores.shape[1:] != (image.height, image.width):
            raise ValueError(
                f"blob {self._score} is {scores.shape[1]}×{scores.shape[2]}, expected the image's {image.height}×"
                f"{image.width}. Name the blob of scores at full size: Segmenter(…, score=…)."
            )
        return scores


def _found(name: Optional[str], weights: Optional[str], score: str) -> Found:
    if name is None or not name.endswith(".prototxt"):
        return find(name, score, weights)
    if weights is None:
        raise ValueError(f"Segmenter('{name}'): a prototxt alone, expected its weights, too. Give weights=….")
    return Found(name, weights, Legend(), MEAN)


def _gpu(device: str) -> Optional[int]:
    """The number of the GPU, None for the CPU."""
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "gpu") or (number and (kind == "cpu" or not number.isdigit())):
        raise ValueError(f"device is '{device}', expected 'cpu', 'gpu', or a certain one such as 'gpu:1'. Correct it.")
    return int(number or 0) if kind == "gpu" else None


def _pixels(image: AnImage, upright: bool) -> np.ndarray:
    """The image as H×W×3 uint8."""
    if isinstance(image, (str, Path)):
        return read_image(os.fspath(image), upright)
    if isinstance(image, Image.Image):
        turned = ImageOps.exif_transpose(image) if upright and image.format != "TIFF" else image
        return rgb(turned or image, "the image")
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(
            f"the image is an array of {pixels.dtype}, {'×'.join(map(str, pixels.shape))}, expected uint8, H×W×3, RGB. "
            "Convert it."
        )
    return np.ascontiguousarray(pixels)
