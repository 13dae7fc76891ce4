"""Training that keeps no diffs of blobs, with short maps where there is a border: the same gradients of parameters."""

import numpy as np
import pytest
import torch

import caffe
from caffe.blob import short_map
from caffe.errors import UsageError
from tests.cases.case import layer
from tests.plan.nets import assert_alike, build, conv, fill
from tests.plan.test_elision import SIZES, resize, shortened, vgg

LOSS = layer("loss", "Reduction", ["score"], ["loss"], "loss_weight: 1 reduction_param { operation: SUMSQ }")


def skip(text: str) -> str:
    """`text` with a score of pool2 as a second reader of that blob."""
    return text + conv("skip", "pool2", 2, 1) + layer("loss2", "Reduction", ["skip"], ["loss2"], "loss_weight: 0.5")


def gradients(net: caffe.Net) -> dict[str, np.ndarray]:
    net.clear_param_diffs()
    net.forward()
    net.backward()
    return {f"{name}/{i}": blob.diff.copy() for name, blobs in net.params.items() for i, blob in enumerate(blobs)}


def pair(text: str) -> tuple[caffe.Net, caffe.Net]:
    """A net that keeps no diffs, and the same net as Caffe has it."""
    lean, kept = build(text, caffe.TRAIN), build(text, caffe.TRAIN)
    lean.keep_diffs = False
    return lean, kept


@pytest.mark.parametrize("change", [lambda text: text, skip], ids=["chain", "skip"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pad", [20, 30, 61])
def test_gradients(pad, size, change):
    lean, kept = pair(change(vgg(pad, size=size) + LOSS))
    found, expected = gradients(lean), gradients(kept)
    assert shortened(lean)
    assert not shortened(kept)
    assert expected["conv1/0"].any()
    assert_alike(found, expected, 2e-5)


def test_sizes_that_change():
    lean, kept = pair(vgg() + LOSS)
    for size in SIZES:
        for net in (lean, kept):
            resize(net, *size)
        assert_alike(gradients(lean), gradients(kept), 2e-5)


def test_gradients_add_up():
    lean, kept = pair(vgg() + LOSS)
    for net in (lean, kept):
        gradients(net)
        fill(net, 5)
        net.forward()
        net.backward()
    for name in kept.params:
        for found, expected in zip(lean.params[name], kept.params[name], strict=True):
            assert_alike({name: found.diff}, {name: expected.diff}, 2e-5)


def test_a_blob_seen_between_forward_and_backward():
    lean, kept = pair(vgg() + LOSS)
    for net in (lean, kept):
        net.clear_param_diffs()
        net.forward(end="conv2")
        assert net.blobs["pool1"].data.any()
        net.forward(
            start="relu_conv2"
            if "relu_conv2" in net.layer_dict
            else net._layer_names[net._layer_names.index("conv2") + 1]
        )
        assert net.blobs["conv1"].data.any()
        net.backward()
    assert_alike({"conv1": lean.params["conv1"][0].diff}, {"conv1": kept.params["conv1"][0].diff}, 2e-5)


def test_a_layer_that_does_not_learn():
    frozen = vgg().replace('name: "conv1"', 'name: "conv1" param { lr_mult: 0 } param { lr_mult: 0 }')
    lean, kept = pair(frozen + LOSS)
    assert_alike(gradients(lean), gradients(kept), 2e-5)


@pytest.mark.parametrize("text", [vgg(), vgg(pad=1)], ids=["border", "no border"])
def test_diffs_are_refused(text):
    lean, _ = pair(text + LOSS)
    gradients(lean)
    for name in ("conv1", "pool1", "pool2", "fc", "score"):
        with pytest.raises(UsageError, match="keep_diffs"):
            _ = lean.blobs[name].diff
    assert lean.blobs["loss"].diff == 1
    lean.keep_diffs = True
    gradients(lean)
    assert lean.blobs["conv1"].diff.any()


def test_a_blob_that_something_reads_which_does_not_run_backward():
    text = vgg() + layer("unused", "Silence", ["conv2"], []) + layer("seen", "ArgMax", ["score"], ["seen"]) + LOSS
    lean, kept = pair(text)
    for _ in range(2):
        assert_alike(gradients(lean), gradients(kept), 2e-5)


def test_debug_info_needs_the_diffs():
    lean, _ = pair(vgg() + LOSS)
    lean.set_debug_info(True)
    gradients(lean)
    assert lean.blobs["conv1"].diff.any()


def test_an_image_whose_gradient_is_wanted():
    lean, kept = pair("force_backward: true\n" + vgg() + LOSS)
    assert_alike(gradients(lean), gradients(kept), 2e-5)
    assert_alike({"data": lean.blobs["data"].diff}, {"data": kept.blobs["data"].diff}, 2e-5)


def test_a_leaky_unit_in_place():
    leaky = vgg().replace('type: "ReLU"', 'type: "ReLU" relu_param { negative_slope: 0.1 }')
    lean, kept = pair(leaky + LOSS)
    assert_alike(gradients(lean), gradients(kept), 2e-5)


def test_python_layers_write_into_diffs(tmp_path, monkeypatch):
    (tmp_path / "doubling.py").write_text(
        "import caffe\n"
        "class Doubling(caffe.Layer):\n"
        "    def setup(self, bottom, top): pass\n"
        "    def reshape(self, bottom, top): top[0].reshape(*bottom[0].data.shape)\n"
        "    def forward(self, bottom, top): top[0].data[...] = 2 * bottom[0].data\n"
        "    def backward(self, top, propagate_down, bottom): bottom[0].diff[...] = 2 * top[0].diff\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    between = layer(
        "between", "Python", ["conv1b"], ["between"], 'python_param { module: "doubling" layer: "Doubling" }'
    )
    lean, kept = pair(vgg(between=between, after_conv1="between") + LOSS)
    for _ in range(2):
        assert_alike(gradients(lean), gradients(kept), 2e-5)


def test_gather_is_the_adjoint_of_lengthen():
    rng = torch.Generator().manual_seed(1)
    wanted = (short_map.Short((2, 5), (4, 3)), short_map.Short((1, 3), (0, 6)))
    for now in (None, (short_map.Short((2, 7), (2, 1)), short_map.Short((1, 3), (0, 2)))):
        x = torch.randn(2, 9, 8, generator=rng, dtype=torch.float64)
        y = short_map.lengthen(x, wanted, now)
        grad = torch.randn(y.shape, generator=rng, dtype=torch.float64)
        assert torch.isclose((y * grad).sum(), (x * short_map.gather(grad, wanted, now)).sum())
