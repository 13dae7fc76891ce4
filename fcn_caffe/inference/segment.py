"""The scores of a net for one image."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from PIL import Image

from fcn_caffe.net_spec.datasets import MEAN
from fcn_caffe.variants.loading import keep_no_blobs, load


def deploy_net(net_file: str, weights: str, score: str) -> Any:
    """A net that takes one image and has scores. Raises ValueError for any other."""
    net = keep_no_blobs(load(net_file, weights))
    channels = [net.blobs[name].shape[1] if len(net.blobs[name].shape) == 4 else 0 for name in net.inputs]
    if channels != [3]:
        found = ", ".join(f"{name} {'×'.join(map(str, net.blobs[name].shape))}" for name in net.inputs) or "no input"
        raise ValueError(
            f"'{net_file}' takes {found}, expected one image of three channels. Nets with depth or several inputs "
            "need a script of their own; nets with data layers are for fcn score."
        )
    if score not in net.blobs:
        raise ValueError(f"'{net_file}' has no blob {score}; there are {', '.join(net.blobs)}. Name one with --score.")
    return net


def segment(net: Any, image: Image.Image, mean: tuple[float, ...] = MEAN, score: str = "score") -> np.ndarray:
    """The scores of every class at every pixel, classes×height×width, of an RGB image. Several threads take turns."""
    pixels = np.asarray(image.convert("RGB"), np.float32)[:, :, ::-1] - np.asarray(mean, np.float32)
    with getattr(net, "lock", contextlib.nullcontext()):  # BVLC Caffe's nets have none
        data = net.blobs[net.inputs[0]]
        data.reshape(1, 3, *pixels.shape[:2])
        data.data[...] = pixels.transpose(2, 0, 1)
        net.forward(blobs=[score])
        return net.blobs[score].data[0].copy()
