"""How `caffe classify` and `caffe detect` prepare images: the flags and what they mean for a Transformer."""

import argparse
from typing import Any

import numpy as np

from caffe.cli import brew
from caffe.errors import DataError, UsageError


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model_def", required=True, help="the net's deploy prototxt")
    parser.add_argument("--pretrained_model", required=True, help="the weights")
    parser.add_argument("--gpu", action="store_true", help="compute on the GPU")
    parser.add_argument("--mean_file", default="", help="the mean, a .npy of channels × height × width (default: none)")
    parser.add_argument("--input_scale", type=float, help="multiply the net's input by this, last of all")
    parser.add_argument(
        "--raw_scale", type=float, default=255.0, help="multiply the image by this first (default: 255)"
    )
    parser.add_argument("--channel_swap", default="2,1,0", help="order of the channels (default: 2,1,0, RGB → BGR)")


def settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The keyword arguments that Classifier and Detector share; also selects the device."""
    brew.use_device("0" if arguments.gpu else "")
    brew.find_python_layers(arguments.model_def)
    return {
        "mean": load_array(arguments.mean_file) if arguments.mean_file else None,
        "input_scale": arguments.input_scale,
        "raw_scale": arguments.raw_scale,
        "channel_swap": integers("--channel_swap", arguments.channel_swap) if arguments.channel_swap else None,
    }


def integers(flag: str, text: str) -> list[int]:
    """The whole numbers of a flag such as 256,256."""
    if not all(part.strip().isdigit() for part in text.split(",")):
        raise UsageError(f"{flag} {text}: whole numbers, separated by commas, were expected. Correct them.")
    return [int(part) for part in text.split(",")]


def load_array(path: str) -> np.ndarray:
    """The array in a .npy file. Raises DataError."""
    try:
        return np.load(path, allow_pickle=False)
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}. Name a .npy file.") from error
    except (EOFError, ValueError) as error:
        raise DataError(
            f"'{path}' cannot be read as a .npy array of numbers, expected what numpy.save writes. A mean in a "
            ".binaryproto becomes one by numpy.save(file, caffe.io.blobproto_to_array(blob)[0])."
        ) from error
