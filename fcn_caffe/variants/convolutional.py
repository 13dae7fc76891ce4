"""The fully convolutional form of a classification net, with the weights of its other form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import caffe
from fcn_caffe import surgery
from fcn_caffe.variants.build import published


def of_catalogue(name: str, weights: str) -> Any:
    """The fully convolutional form of a classifier of the catalogue, with the weights of its other form."""
    _check_files(weights)
    conv_net = published(name, "conv")
    surgery.convolutionalize(conv_net, published(name, "deploy", weights))
    return conv_net


def of_files(net_file: str, weights: str, conv_net_file: str, suffix: str = "") -> Any:
    """The net `conv_net_file` with the weights of the net `net_file`."""
    _check_files(net_file, weights, conv_net_file)
    net = caffe.Net(net_file, caffe.TEST, weights=weights)
    conv_net = caffe.Net(conv_net_file, caffe.TEST)
    for path, found in ((net_file, net), (conv_net_file, conv_net)):
        if not found.params:
            raise ValueError(f"'{path}' has no layer with weights, expected a net. Name its prototxt.")
    surgery.convolutionalize(conv_net, net, suffix=suffix)
    return conv_net


def _check_files(*paths: str) -> None:
    for path in paths:
        if not Path(path).is_file():
            raise FileNotFoundError(f"there is no file '{path}'. Correct the path, or put it there.")
