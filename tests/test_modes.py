"""Whatever a program has switched on in torch around Caffe's code, nets compute and train as ever."""

from contextlib import ExitStack, contextmanager, nullcontext

import numpy as np
import pytest
import torch

import caffe
from caffe.errors import DataError
from tests.cases import run as runner
from tests.cases.compare import differences
from tests.plan.nets import build, diffs, fill, values
from tests.solver.conftest import make  # noqa: F401 - a fixture
from tests.test_layers import accepted, each, result


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


MODES = {
    "inference_mode": torch.inference_mode,
    "no_grad": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "default float64": lambda: default_dtype(torch.float64),
    "default bfloat16": lambda: default_dtype(torch.bfloat16),
    "default device": lambda: torch.device("meta"),  # whose tensors hold nothing, and say so
}
TOGETHER = (("inference_mode", "autocast", "default bfloat16"), ("no_grad", "default float64", "default device"))
NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 9 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 4 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "score" type: "InnerProduct" bottom: "conv" top: "score" inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""


@pytest.mark.parametrize("modes", TOGETHER, ids=[", ".join(each) for each in TOGETHER])
@each(accepted, seldom="modes are left in one place, whatever a layer's settings")
def test_every_layer_computes_as_without_them(case, modes):
    with runner.folder_of(case), ExitStack() as stack:
        for mode in modes:
            stack.enter_context(MODES[mode]())
        found = runner.run_case(case)
    assert not differences(found, result(case.id), case)


def labelled(net):
    fill(net)
    net.blobs["label"].data[...] = [0, 2]
    return net


def trained(net):
    """Everything in the net after a pass forward and backward."""
    net.forward()
    net.clear_param_diffs()
    net.backward()
    return values(net) | {f"diff {name}": found for name, found in diffs(net).items()}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_a_net_made_and_run_inside_it_is_used_outside_as_any_other(mode):
    with mode():
        net = labelled(build(NET, caffe.TRAIN))
        assert trained(net)["conv"].dtype == np.float32
    found, expected = trained(net), trained(labelled(build(NET, caffe.TRAIN)))
    for name, values_of_it in expected.items():
        np.testing.assert_allclose(found[name], values_of_it, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_a_solver_inside_it_learns_as_outside(mode, make):  # noqa: F811
    def weights(solver):
        return {name: blobs[0].data.copy() for name, blobs in solver.net.params.items()}

    outside = make("momentum: 0.9 clip_gradients: 1")
    outside.step(3)
    inside = make("momentum: 0.9 clip_gradients: 1")
    begun = weights(inside)
    with mode():
        inside.step(3)
    with mode():
        whole = make("momentum: 0.9 clip_gradients: 1")
        whole.step(1)
    whole.step(2)
    for solver in (inside, whole):
        assert solver.smoothed_loss == pytest.approx(outside.smoothed_loss, rel=1e-5)
        for name, expected in weights(outside).items():
            assert (begun[name] != expected).any()
            np.testing.assert_allclose(weights(solver)[name], expected, rtol=1e-5, atol=1e-7)


def test_the_mode_is_back_after_a_pass_and_after_an_error():
    net = labelled(build(NET, caffe.TRAIN))
    with torch.inference_mode(), torch.autocast("cpu"):
        for label in (1, 7):
            net.blobs["label"].data[...] = label
            with pytest.raises(DataError) if label == 7 else nullcontext():
                net.forward()
            assert torch.is_inference_mode_enabled()
            assert torch.is_autocast_enabled("cpu")
    assert not torch.is_inference_mode_enabled()
    assert not torch.is_autocast_enabled("cpu")


def test_tensors_of_inference_mode_become_a_blobs_own_values():
    net = labelled(build(NET, caffe.TRAIN))
    with torch.inference_mode():
        net.blobs["data"].tensor = torch.ones(2, 3, 9, 9)
        net.blobs["loss"].grad = torch.ones(())
        net.params["conv"][0].memory.add_grad(torch.ones(4, 3, 3, 3), own=True)
    net.forward()
    net.backward()
    assert (net.blobs["data"].data == 1).all()
    assert net.params["conv"][0].diff.any()


def test_a_layer_called_without_its_net_inside_inference_mode_has_its_gradient():
    def gradient(mode):
        net = build(NET, caffe.TRAIN)
        conv, bottom, top = net.layers[2], [net.blobs["data"]], [net.blobs["conv"]]
        with mode():
            conv.forward(bottom, top)
            top[0].diff[...] = 1
            conv.backward(top, [True], bottom)
        return conv.blobs[0].diff.copy()

    np.testing.assert_allclose(gradient(torch.inference_mode), gradient(torch.enable_grad), rtol=1e-5)
    assert gradient(torch.inference_mode).any()
