"""Nets to export: those of this project with drawn weights, and what compares both sides."""

from pathlib import Path

import numpy as np

import caffe
from caffe.export import check, model
from caffe.formats import prototxt

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = sorted(path.name for path in (ROOT / "nets/reference").iterdir() if (path / "deploy.prototxt").is_file())
VARIANTS = sorted(path.parent.name for path in (ROOT / "nets").glob("*-*/deploy.prototxt"))


def filled(file, seed=0, most=None):
    """A net of phase TEST whose parameters keep values at the size that they come in with.

    most: how many channels a convolution may have; None for as many as the file says.
    """
    message = prototxt.read_net(str(file))
    for layer in message.layer if most else ():
        if layer.type in ("Convolution", "Deconvolution"):
            param = layer.convolution_param
            param.num_output, param.group = min(param.num_output, most), min(param.group, most)
    message.state.phase = caffe.TEST
    net = caffe.Net.from_message(message)
    rng = np.random.default_rng(seed)
    for name, blobs in net.params.items():
        kind = net.layer_dict[name].type
        for index, blob in enumerate(blobs):
            shape = blob.data.shape
            if kind == "BatchNorm":
                blob.data[...] = rng.uniform(0.5, 2, shape)
            elif not (kind == "Deconvolution" and blob.data.any()):
                fan_in = np.prod(shape[1:]) if index == 0 and len(shape) > 1 else 100
                blob.data[...] = rng.standard_normal(shape) * np.sqrt(2 / fan_in)
    return net


def found_differences(net, **settings):
    """What check.differences finds for the net's ONNX file."""
    found = model.exported(net, **settings)
    content = model.to_message(found).SerializeToString()
    return list(check.differences(content, net, found, lambda: net))
