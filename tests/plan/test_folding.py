"""Convolutions that take the layers after them into their weights (caffe/plan/folding.py) leave the same numbers."""

import numpy as np
import pytest

import caffe
from caffe.plan import packed, ready, recording
from caffe.plan.recorder import Call
from tests.cases.case import layer
from tests.plan.nets import assert_alike, build, conv, input, plainly, relu, values, without
from tests.plan.test_convolution_plan import needs_onednn

pytestmark = needs_onednn
IMAGE = input("data", 2, 16, 10, 9)
BIASED = "scale_param { bias_term: true }"


def normalized(name: str, top: str = "", settings: str = BIASED) -> str:
    """BatchNorm, in place unless it has a top of another name, and Scale."""
    top = top or name
    return layer(f"{name}/bn", "BatchNorm", [name], [top], "") + layer(f"{name}/scale", "Scale", [top], [top], settings)


def convolution(name: str, bottom: str, filters: int, kernel: int, more: str = "bias_term: false") -> str:
    settings = f"convolution_param {{ num_output: {filters} kernel_size: {kernel} pad: {kernel // 2} {more} }}"
    return layer(name, "Convolution", [bottom], [name], settings)


@pytest.fixture
def calls(monkeypatch) -> list[list[Call]]:
    """Those of each recorded pass."""
    found: list[list[Call]] = []

    def noting(calls, begins, results, make=recording.program):
        found.append(list(calls))
        return make(calls, begins, results)

    monkeypatch.setattr(recording, "program", noting)
    return found


def drawn(text: str) -> caffe.Net:
    """A net in TEST with drawn weights, statistics and data."""
    net = build(text, caffe.TEST)
    random = np.random.RandomState(0)
    for name, blobs in net.params.items():
        for index, blob in enumerate(blobs):
            is_statistic = net.layer_dict[name].type == "BatchNorm"
            blob.data[...] = (
                random.uniform(0.5, 2, blob.shape) if is_statistic and index else random.normal(size=blob.shape)
            )
    net.blobs["data"].data[...] = random.normal(size=net.blobs["data"].shape)
    return net


def run(net: caffe.Net, passes: int = ready.WARM_UP + 2) -> dict[str, np.ndarray]:
    for _ in range(passes):
        net.forward()
    return {name: found.copy() for name, found in values(net).items()}


def assert_computes(text: str) -> caffe.Net:
    """A net whose ready passes leave what its layers leave."""
    net = drawn(text)
    found = run(net)
    with plainly():
        expected = run(drawn(text), 1)
    assert_alike(found, expected, tolerance=1e-5)
    return net


NETS = {
    "BatchNorm and Scale": convolution("a", "data", 8, 3) + normalized("a"),
    "with a ReLU": convolution("a", "data", 8, 3) + normalized("a") + relu("a"),
    "a bias of its own": convolution("a", "data", 8, 3, "") + normalized("a"),
    "groups": convolution("a", "data", 32, 3, "group: 16") + normalized("a") + relu("a"),
    "a stride": convolution("a", "data", 8, 3, "stride: 2") + normalized("a"),
    "Scale alone": convolution("a", "data", 8, 1) + layer("s", "Scale", ["a"], ["a"], BIASED),
    "Bias alone": convolution("a", "data", 8, 1) + layer("s", "Bias", ["a"], ["a"], ""),
    "a number": convolution("a", "data", 8, 1) + layer("s", "Power", ["a"], ["a"], "power_param { scale: 3 shift: 2 }"),
}


@pytest.mark.parametrize("text", NETS.values(), ids=NETS)
def test_what_changes_each_channel_costs_nothing(text, calls):
    assert_computes(IMAGE + text)
    (pass_,) = calls
    assert len(pass_) == 2  # the image's layout, and the convolution


def test_without_reading_packed_weights_back_the_layers_stay(calls):
    text = IMAGE + NETS["with a ReLU"]
    with without(packed.READ_BACK):
        net = drawn(text)
        found = run(net)
    assert_alike(found, run(drawn(text)), tolerance=1e-5)
    assert len(calls[0]) > len(calls[1]) == 2


def test_a_blob_between_keeps_its_values(calls):
    net = assert_computes(IMAGE + convolution("a", "data", 8, 3) + normalized("a", "b"))
    assert not np.allclose(net.blobs["a"].data, net.blobs["b"].data)


@pytest.mark.parametrize("blob", ["a/bn 0", "a/bn 1", "a/bn 2", "a/scale 0", "a/scale 1", "a 0"])
def test_changed_parameters_are_obeyed(blob):
    text = IMAGE + convolution("a", "data", 8, 3) + normalized("a") + relu("a")
    net = drawn(text)
    name, index = blob.split()
    before = run(net)
    for factor in (2, 5):
        net.params[name][int(index)].data[...] *= factor
        found = run(net)
        other = drawn(text)
        other.params[name][int(index)].data[...] *= 2 if factor == 2 else 10
        with plainly():
            assert_alike(found, run(other, 1), tolerance=1e-5)
        assert not np.allclose(found["a"], before["a"])


def test_a_constant_channel_of_large_values_stays_exactly_zero():
    net = drawn(IMAGE + convolution("a", "data", 8, 1, "") + normalized("a", settings=""))
    weight, bias = net.params["a"]
    weight.data[...], bias.data[...] = 0, 3.3
    mean, variance, count = net.params["a/bn"]
    mean.data[...], variance.data[...], count.data[...] = 3.3, 0, 1
    assert not run(net)["a"].any()


def test_factors_that_are_not_finite_are_left_alone():
    net = drawn(IMAGE + convolution("a", "data", 8, 1) + normalized("a"))
    net.params["a/bn"][1].data[0] = -9
    found = run(net)["a"]
    assert np.isnan(found[:, 0]).all()
    assert np.isfinite(found[:, 1:]).all()


def test_what_learns_is_not_taken_in(calls):
    stored = layer("a/bn", "BatchNorm", ["a"], ["a"], "batch_norm_param { use_global_stats: true }")
    text = IMAGE + conv("a", "data", 8, 3, 1) + stored + layer("a/scale", "Scale", ["a"], ["a"], BIASED)

    def diff_of_scale(passes: int) -> np.ndarray:
        net = build("force_backward: true\n" + text, caffe.TRAIN)
        for index in (1, 2):
            net.params["a/bn"][index].data[...] = 1
        for _ in range(passes):
            net.clear_param_diffs()
            net.forward()
            net.blobs["a"].diff[...] = 1
            net.backward()
        return net.params["a/scale"][0].diff.copy()

    found = diff_of_scale(ready.WARM_UP + 2)
    assert calls
    with plainly():
        expected = diff_of_scale(1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert expected.any()


def test_what_takes_only_parameters_is_computed_once(calls):
    assert_computes(IMAGE + convolution("a", "data", 8, 3) + normalized("a", "b") + convolution("c", "b", 4, 3))
    assert not [call for call in calls[0] if not call.slots()]
