"""Losses that are Python layers, in whichever Caffe runs this: Python 3.9, pycaffe's own API."""

from __future__ import annotations

import os
import sys

import numpy as np

LAYERS = {
    "mil": ("MILLossLayer", "{}"),
    "ccnn": ("CCNNLossLayer", "{}"),
    "ccnn, sizes": ("CCNNLossLayer", "{'sizes': True, 'background': (0.2, 0.7)}"),
    "ccnn, true sizes": ("CCNNLossLayer", "{'within': 0.1}"),
}
NET = """
force_backward: true
layer { name: "scores" type: "Input" top: "scores" input_param { shape { dim: 1 dim: 4 dim: 5 dim: 6 } } }
layer { name: "tags" type: "Input" top: "tags" input_param { shape { dim: 1 dim: 4 dim: 1 dim: 1 } } }
layer { name: "same" type: "Power" bottom: "scores" top: "same" }
layer { name: "loss" type: "Python" bottom: "same" bottom: "tags" top: "loss" loss_weight: 2 propagate_down: true
  propagate_down: false python_param { module: "tag_layers" layer: "%s" param_str: "%s" } }
"""


def loss_and_gradient(name: str) -> dict:
    """Of drawn scores."""
    sys.path.insert(0, os.path.join(os.environ["CHECKOUT"], "data_layers"))
    import caffe

    with open("net.prototxt", "w") as file:
        file.write(NET % LAYERS[name])
    net, drawn = caffe.Net("net.prototxt", caffe.TRAIN), np.random.RandomState(1)
    net.blobs["scores"].data[...] = drawn.standard_normal((1, 4, 5, 6))
    net.blobs["tags"].data[...] = np.array([0.6, 0.3, 0, 0.1]).reshape(1, 4, 1, 1)
    net.forward()
    net.backward()
    return {"loss": np.array(net.blobs["loss"].data), "gradient": net.blobs["same"].diff.copy()}


EDGES = """
force_backward: true
layer { name: "scores" type: "Input" top: "scores" input_param { shape { dim: 2 dim: 1 dim: 5 dim: 6 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 dim: 1 dim: 5 dim: 6 } } }
layer { name: "same" type: "Power" bottom: "scores" top: "same" }
layer { name: "edges" type: "Python" bottom: "label" top: "edges"
  python_param { module: "edge_layers" layer: "EdgesLayer" } }
layer { name: "loss" type: "Python" bottom: "same" bottom: "edges" top: "loss" loss_weight: 2
  python_param { module: "edge_layers" layer: "BalancedSigmoidLossLayer" } }
"""


def edges(argument: object) -> dict:
    """Edges of drawn labels, and the balanced loss of drawn scores."""
    sys.path.insert(0, os.path.join(os.environ["CHECKOUT"], "data_layers"))
    import caffe

    with open("net.prototxt", "w") as file:
        file.write(EDGES)
    net, drawn = caffe.Net("net.prototxt", caffe.TRAIN), np.random.RandomState(1)
    net.blobs["scores"].data[...] = drawn.standard_normal((2, 1, 5, 6))
    net.blobs["label"].data[...] = drawn.choice([0, 1, 255], size=(2, 1, 5, 6))
    net.forward()
    net.backward()
    found = {name: np.array(net.blobs[name].data) for name in ("edges", "loss")}
    return {**found, "gradient": net.blobs["same"].diff.copy()}


DEPTH = """
force_backward: true
layer { name: "predicted" type: "Input" top: "predicted" input_param { shape { dim: 2 dim: 1 dim: 5 dim: 6 } } }
layer { name: "depth" type: "Input" top: "depth" input_param { shape { dim: 2 dim: 1 dim: 5 dim: 6 } } }
layer { name: "same" type: "Power" bottom: "predicted" top: "same" }
layer { name: "loss" type: "Python" bottom: "same" bottom: "depth" top: "loss" loss_weight: 2
  python_param { module: "depth_layers" layer: "ScaleInvariantLossLayer" param_str: "%s" } }
"""


def depth(param_str: str) -> dict:
    """The scale-invariant loss of drawn predictions, some pixels without depth."""
    sys.path.insert(0, os.path.join(os.environ["CHECKOUT"], "data_layers"))
    import caffe

    with open("net.prototxt", "w") as file:
        file.write(DEPTH % param_str)
    net, drawn = caffe.Net("net.prototxt", caffe.TRAIN), np.random.RandomState(1)
    net.blobs["predicted"].data[...] = drawn.standard_normal((2, 1, 5, 6))
    net.blobs["depth"].data[...] = np.maximum(drawn.standard_normal((2, 1, 5, 6)) + 0.7, 0)
    net.forward()
    net.backward()
    return {"loss": np.array(net.blobs["loss"].data), "gradient": net.blobs["same"].diff.copy()}
