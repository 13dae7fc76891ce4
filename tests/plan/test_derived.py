"""What a layer makes of its weights is kept, but never longer than the weights."""

import numpy as np
import pytest
import torch

import caffe
from caffe.blob import Blob
from caffe.plan import winograd
from caffe.proto import caffe_pb2
from caffe.solver import solver_from_message
from tests.cases.case import layer
from tests.plan.nets import always_by_winograd, build, conv, input, plainly


class Doubled:
    """Makes twice the values, and counts how often."""

    def __init__(self):
        self.count = 0

    def __call__(self, values: torch.Tensor, factor: int = 2) -> torch.Tensor:
        self.count += 1
        return values * factor


@pytest.fixture
def blob():
    blob = Blob((2, 2), stable=True)
    blob.tensor = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    return blob


@pytest.fixture
def doubled():
    return Doubled()


def test_it_is_made_once(blob, doubled):
    for _ in range(3):
        assert blob.memory.derived(doubled).tolist() == [[2, 4], [6, 8]]
        assert blob.tensor.sum() == 10
    assert doubled.count == 1


def test_it_is_made_anew_with_other_settings(blob, doubled):
    assert blob.memory.derived(doubled, 3)[0, 0] == 3
    assert blob.memory.derived(doubled, 4)[0, 0] == 4
    assert blob.memory.derived(torch.Tensor.to, torch.float64)[0, 0] == 1


CHANGES = {
    "a view": lambda blob: blob.data.fill(5),
    "a part of a view": lambda blob: blob.data[1].fill(5),
    "a torch function in place": lambda blob: blob.tensor.mul_(3),
    "several torch functions": lambda blob: torch._foreach_mul_([blob.tensor], 3),
    "a part of a tensor": lambda blob: blob.tensor[1].zero_(),
    "new values": lambda blob: setattr(blob, "tensor", torch.full((2, 2), 7.0)),
    "other memory": lambda blob: blob.share_data(Blob((2, 2))),
    "another shape": lambda blob: blob.reshape(3, 1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_it_is_made_anew_after(change, blob, doubled):
    blob.memory.derived(doubled)
    change(blob)
    assert torch.equal(blob.memory.derived(doubled), blob.tensor * 2)
    assert doubled.count == 2


def test_a_view_that_is_held_may_change_at_any_time(blob, doubled):
    held = blob.data
    for value in range(3):
        held[1, 1] = value
        assert blob.memory.derived(doubled)[1, 1] == 2 * value
    held[1, 1] = 9
    del held
    assert blob.memory.derived(doubled)[1, 1] == 18
    made = doubled.count
    blob.memory.derived(doubled)
    assert doubled.count == made


def test_shared_weights_change_for_both(blob, doubled):
    other = Blob((2, 2), stable=True)
    other.share_data(blob)
    assert other.memory.derived(doubled)[0, 0] == 2
    blob.data[0, 0] = 6
    assert other.memory.derived(doubled)[0, 0] == 12


def bilinear(name: str, bottom: str, channels: int) -> str:
    body = f"convolution_param {{ num_output: {channels} kernel_size: 4 stride: 2 bias_term: false }}"
    return layer(name, "Deconvolution", [bottom], [name], "param { lr_mult: 0 } " + body)


WEIGHED = "\n".join(
    [
        input("data", 1, 3, 8, 8),
        conv("conv", "data", 4, 3, 1),
        bilinear("up", "conv", 4),
        conv("fc", "up", 4, 8),
        layer("score", "InnerProduct", ["fc"], ["score"], "inner_product_param { num_output: 2 }"),
        layer("loss", "Reduction", ["score"], ["loss"], "loss_weight: 1"),
    ]
)


def weighed(seed: int = 0) -> caffe.Net:
    """A net that keeps something for each of its weights."""
    net = build(WEIGHED, seed=seed)
    weights = net.params["up"][0].data
    weights[...] = 0
    weights[range(4), range(4)] = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16
    return net


def by_view(net, tmp_path):
    for blobs in net.params.values():
        blobs[0].data[0] += 1


def by_held_views(net, tmp_path):
    held = [blob.data for blobs in net.params.values() for blob in blobs]
    net.forward()
    for array in held:
        array[0] += 1


def by_loading(net, tmp_path):
    path = str(tmp_path / "weights.caffemodel")
    weighed(seed=3).save(path)
    net.copy_from(path)


def by_sharing(net, tmp_path):
    net.share_with(weighed(seed=3))


def by_a_change_of_the_other(net, tmp_path):
    other = weighed(seed=3)
    net.share_with(other)
    net.forward()
    by_view(other, tmp_path)


def by_learning(net, tmp_path):
    param = caffe_pb2.SolverParameter(base_lr=0.01, lr_policy="fixed", momentum=0.9, max_iter=9)
    param.net_param.CopyFrom(net.to_message())
    param.snapshot_prefix = str(tmp_path / "train")
    solver = solver_from_message(param)
    solver.net.share_with(net)
    net.share_with(solver.net)
    solver.net.blobs["data"].data[...] = 1
    solver.step(2)


WAYS = [by_view, by_held_views, by_loading, by_sharing, by_a_change_of_the_other, by_learning]


@pytest.fixture
def eager(monkeypatch):
    """Layers of any size are convolved by Winograd's way."""
    always_by_winograd(monkeypatch)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("change", WAYS)
def test_a_net_computes_with_its_newest_weights(change, precision, eager, tmp_path):
    net = weighed()
    caffe.set_precision(precision)
    old = net.forward()["loss"].copy()
    for _ in range(2):
        change(net, tmp_path)
        new = net.forward()["loss"].copy()
    with plainly():
        plain = weighed()
        for name, blobs in plain.params.items():
            for mine, theirs in zip(blobs, net.params[name], strict=True):
                mine.data[...] = theirs.data
        expected = plain.forward()["loss"].copy()
    tolerance = 1e-4 if precision == "fp32" else 0.02
    assert abs(new - old) > 5 * tolerance * abs(old)
    assert new == pytest.approx(expected, rel=tolerance, abs=tolerance)


def test_weights_that_do_not_change_are_prepared_once(eager, monkeypatch):
    counted = Doubled()
    transform = winograd.transformed
    monkeypatch.setattr(winograd, "transformed", lambda weight: (counted(weight), transform(weight))[1])
    net = build(input("data", 1, 3, 8, 8) + conv("conv", "data", 4, 3, 1))
    for _ in range(3):
        net.forward()
    assert counted.count == 1
    net.params["conv"][0].data[0] += 1
    net.forward()
    net.forward()
    assert counted.count == 2


def test_what_was_made_of_weights_is_given_back_when_they_learn(eager):
    text = input("data", 1, 3, 8, 8) + conv("conv", "data", 4, 3, 1)
    tester, learner = build(text), build("force_backward: true\n" + text, caffe.TRAIN)
    learner.share_with(tester)
    tester.forward()
    storage = tester.params["conv"][0].memory.data
    assert storage._derived is not None
    learner.forward()
    assert storage._derived is None
