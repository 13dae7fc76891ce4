"""The nets that name these layers take what they deliver: each runs forward and backward on a miniature data set.

The nets are as they are written, but for fewer channels where images are far from scores. All weights are zero, so that
each loss must be the number of its pixels that are not void times the logarithm of the number of its classes; that of
depth is the scale-invariant one of a metre everywhere.
"""

import ast
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

import caffe
from caffe.proto import caffe_pb2
from tests.data_layers import miniatures

ROOT = Path(__file__).resolve().parents[2]
DATA_SETS = {
    "nyud_layers": ("nyud_dir",),
    "siftflow_layers": ("siftflow_dir",),
    "pascalcontext_layers": ("voc_dir", "context_dir"),
}
WRITE = {
    "nyud_layers": miniatures.nyud,
    "siftflow_layers": miniatures.siftflow,
    "pascalcontext_layers": miniatures.pascalcontext,
}
NETS = [
    path
    for path in sorted(ROOT.glob("nets/*/*.prototxt"))
    if path.stem in ("train", "trainval") and any(f'"{module}"' in path.read_text() for module in DATA_SETS)
]


def test_there_are_nets() -> None:
    assert len(NETS) >= 11


@pytest.mark.parametrize("path", NETS, ids=[f"{path.parent.name}/{path.stem}" for path in NETS])
def test_forward_and_backward(path: Path, tmp_path: Path) -> None:
    message = text_format.Parse(path.read_text(), caffe_pb2.NetParameter())
    (data,) = (layer for layer in message.layer if layer.type == "Python" and not layer.bottom)
    module = data.python_param.module
    folders = {key: str(tmp_path / key) for key in DATA_SETS[module]}
    WRITE[module](*folders.values())
    settings = {**ast.literal_eval(data.python_param.param_str), **folders}
    data.python_param.param_str = repr(settings)
    for layer in message.layer:
        if layer.type == "Convolution" and not layer.name.startswith("score"):
            layer.convolution_param.num_output = 2
    (tmp_path / "net.prototxt").write_text(text_format.MessageToString(message))

    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TRAIN)
    net.forward()
    losses = [layer for layer in message.layer if layer.top[0].startswith("loss")]
    assert len(losses) == (2 if module == "siftflow_layers" else 1)
    for loss in losses:
        score, label = (net.blobs[name] for name in loss.bottom)
        assert label.data.shape == (1, 1, *score.data.shape[2:])
        if loss.type == "Python":
            off = -np.log(label.data[label.data > 0].astype(np.float64))
            expected = (off**2).mean() - 0.5 * off.mean() ** 2
        else:
            expected = (label.data != 255).sum() * np.log(score.data.shape[1])
        np.testing.assert_allclose(net.blobs[loss.top[0]].data, expected, rtol=1e-5)
    net.backward()
    for loss in losses:
        assert net.blobs[loss.bottom[0]].diff.any()
