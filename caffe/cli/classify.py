"""Classify images: an image, a folder of images, or a .npy array of them; the probabilities go into a .npy file.

caffe classify photo.jpg probabilities.npy --model_def deploy.prototxt --pretrained_model net.caffemodel
"""

import argparse
import time
from pathlib import Path

import numpy as np

from caffe import io
from caffe.classifier import Classifier
from caffe.cli import preprocessing
from caffe.errors import DataError
from caffe.formats.atomic import open_atomic
from caffe.log import log
from caffe.shapes import shape_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input_file", help="input image, directory, or npy")
    parser.add_argument("output_file", help="output npy filename")
    preprocessing.add_flags(parser)
    parser.add_argument("--center_only", action="store_true", help="predict from the centre crop alone, not from ten")
    parser.add_argument("--images_dim", default="256,256", help="height,width to resize to (default: 256,256)")
    parser.add_argument("--ext", default="jpg", help="ending of the images in a directory (default: jpg)")


def run(arguments: argparse.Namespace) -> int:
    dims = preprocessing.integers("--images_dim", arguments.images_dim)
    settings = preprocessing.settings(arguments)
    classifier = Classifier(arguments.model_def, arguments.pretrained_model, image_dims=dims, **settings)
    images = _load(Path(arguments.input_file).expanduser(), arguments.ext)
    log.info("Classifying %d inputs.", len(images))
    start = time.perf_counter()
    predictions = classifier.predict(images, not arguments.center_only)
    log.info("Done in %.2f s.", time.perf_counter() - start)
    log.info("Saving results into %s", arguments.output_file)
    with open_atomic(arguments.output_file) as file:
        np.save(file, predictions)
    return 0


def _load(path: Path, extension: str) -> list[np.ndarray]:
    log.info("Loading %s: %s", "folder" if path.is_dir() else "file", path)
    if path.suffix == ".npy":
        array = preprocessing.load_array(str(path))
        if array.ndim not in (3, 4):
            raise DataError(
                f"'{path}' holds an array of shape {shape_text(array.shape)}, expected one image, height × width × "
                "channels, or several: images × height × width × channels."
                " Save it in one of these forms."
            )
        return [array] if array.ndim == 3 else list(array)
    if not path.is_dir():
        return [io.load_image(path)]
    files = sorted(path.glob(f"*.{extension}"))
    if not files:
        raise DataError(f"'{path}' holds no images that end in .{extension}. Name their ending with --ext.")
    return [io.load_image(file) for file in files]
