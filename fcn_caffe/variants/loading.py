"""Loads trained nets, with weights for every layer that has parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

import caffe
from fcn_caffe import engine
from fcn_caffe.data_layers.segdata import shown


def load(net_file: str, weights: str) -> Any:
    """A net in phase TEST with its weights. Raises ValueError that names the layers that get none from the file.

    A deconvolution that the prototxt itself gives values (a bilinear filler) needs none.
    """
    engine.check_types(net_file)
    net = caffe.Net(net_file, caffe.TEST)
    if not net.params:
        raise ValueError(f"'{net_file}' has no layer with weights, expected a net. Name its prototxt.")
    own = {name: [blob.data.copy() for blob in blobs] for name, blobs in net.params.items()}
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = np.nan
    net.copy_from(weights)
    types = dict(zip(net._layer_names, (layer.type for layer in net.layers)))
    without = [name for name, blobs in net.params.items() if any(_untouched(blob.data) for blob in blobs)]
    bad = [name for name in without if not (types[name] == "Deconvolution" and own[name][0].any())]
    if bad:
        raise ValueError(
            f"'{weights}' has no weights for {len(bad)} of the {len(net.params)} layers of '{net_file}' that need some "
            f"({shown.first(bad, 8)}), so that what they compute means nothing. Give the weights that this "
            "very net was trained to; layers find theirs by name."
        )
    for name in without:
        for blob, values in zip(net.params[name], own[name]):
            blob.data[...] = values
    return net


def keep_no_blobs(net: Any) -> Any:
    """The net, which from now on keeps no more blobs than its outputs and those that `forward(blobs=[…])` names."""
    if hasattr(net, "keep_blobs"):  # BVLC Caffe's nets keep them all
        net.keep_blobs = False
    return net


def _untouched(values: np.ndarray) -> bool:
    return bool(values.size) and bool(np.isnan(values).all())
