"""Weights as safetensors: each array called as in the state_dict of the net's module."""

import numpy as np

from caffe.formats import parameter_names, safetensors
from caffe.net import Net
from caffe.version import VERSION


def named(net: Net) -> dict[str, np.ndarray]:
    """The net's parameters by name, copied; those that layers share once, with the layer that owns them."""
    found = {}
    for node in net.nodes:
        layer, count = node.layer, len(node.params)
        for param in node.params:
            if param.owner is param:
                word = parameter_names.word(layer.type, param.index, count)
                found[f"{parameter_names.module_name(layer.name)}.{word}"] = param.blob.tensor.detach().cpu().numpy()
    return found


def write(net: Net, path: str) -> int:
    """Write the file; how many arrays it has."""
    arrays = named(net)
    safetensors.write(path, arrays, {"format": "pt", "fcn_caffe_version": VERSION, "net": net.name})
    return len(arrays)
