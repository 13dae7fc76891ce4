"""What is bound to a process's memory is neither pickled nor copied, at any time, and the error says what to do."""

import copy
import pickle

import pytest

import caffe
from caffe.errors import UsageError

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 6 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }
"""
SOLVED = """
layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
layer { name: "score" type: "InnerProduct" bottom: "data" top: "score" inner_product_param { num_output: 2 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""


class Doubling(caffe.Layer):
    """A user's layer."""

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = 2 * bottom[0].data


def net(folder, kind=caffe.Net):
    (folder / "net.prototxt").write_text(NET)
    if kind is caffe.Net:
        return caffe.Net(str(folder / "net.prototxt"), caffe.TEST)
    caffe.Net(str(folder / "net.prototxt"), caffe.TEST).save(str(folder / "net.caffemodel"))
    return kind(str(folder / "net.prototxt"), str(folder / "net.caffemodel"))


def solver(folder, kind):
    (folder / "train.prototxt").write_text(SOLVED)
    (folder / "solver.prototxt").write_text(
        f'net: "{folder}/train.prototxt" base_lr: 0.1 lr_policy: "fixed" type: "{kind}" snapshot_prefix: "{folder}/s"'
    )
    return caffe.get_solver(str(folder / "solver.prototxt"))


def python_layer(folder):
    (folder / "net.prototxt").write_text(
        NET + 'layer { name: "twice" type: "Python" bottom: "conv" top: "twice" '
        f'python_param {{ module: "{__name__}" layer: "Doubling" }} }}'
    )
    return caffe.Net(str(folder / "net.prototxt"), caffe.TEST).layer_dict["twice"]


KINDS = {
    "net": (net, "share_with"),
    "classifier": (lambda folder: net(folder, caffe.Classifier), "share_with"),
    "detector": (lambda folder: net(folder, caffe.Detector), "share_with"),
    "blob": (lambda folder: net(folder).blobs["conv"], "blob.data.copy"),
    "parameter": (lambda folder: net(folder).params["conv"][0], "blob.data.copy"),
    "parameters": (lambda folder: net(folder).params, "blob.data.copy"),
    "layer": (lambda folder: net(folder).layers[1], "net.save"),
    "Python layer": (python_layer, "net.save"),
    **{
        kind: (lambda folder, kind=kind: solver(folder, kind), "solver.restore")
        for kind in ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
    },
}
WAYS = {"pickle": pickle.dumps, "old pickle": lambda it: pickle.dumps(it, 0), "deepcopy": copy.deepcopy}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("make", "remedy"), KINDS.values(), ids=KINDS)
def test_it_is_refused_with_what_to_do(make, remedy, way, tmp_path):
    with pytest.raises(UsageError, match=f"instances is not enabled.*{remedy}"):
        way(make(tmp_path))


@pytest.mark.parametrize("way", [*WAYS.values(), copy.copy], ids=[*WAYS, "copy"])
def test_a_net_that_has_run_is_refused_alike(way, tmp_path):
    made = net(tmp_path)
    made.forward()
    for thing in (made, made.blobs["conv"], made.layers[1]):
        with pytest.raises(UsageError, match="is not enabled"):
            way(thing)


def test_values_are_pickled_and_copied_as_ever(tmp_path):
    values = net(tmp_path).params["conv"][0].data
    assert (pickle.loads(pickle.dumps(values)) == values).all()  # noqa: S301
    assert (copy.deepcopy(values) == values).all()
