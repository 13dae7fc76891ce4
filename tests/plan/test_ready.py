"""Passes that are computed by ready calls (caffe/plan/ready.py) are seen as passes of the layers."""

import gc
import weakref
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch

import caffe
from caffe.errors import LabelError, UsageError
from caffe.plan import ready
from caffe.plan.pool import Pool
from caffe.plan.recording import Recording
from tests.cases.case import layer
from tests.plan.nets import assert_alike, build, conv, fill, input, pool, relu, values

BODY = (
    input("data", 2, 3, 8, 8)
    + conv("conv1", "data", 4, 3, 1)
    + relu("conv1")
    + pool("pool1", "conv1")
    + layer("drop", "Dropout", ["pool1"], ["pool1"], "dropout_param { dropout_ratio: 0.5 }")
    + layer("sigmoid", "Sigmoid", ["pool1"], ["sigmoid"], "")
    + layer("ip", "InnerProduct", ["sigmoid"], ["ip"], "inner_product_param { num_output: 5 }")
)
SCORES = BODY + layer("prob", "Softmax", ["ip"], ["prob"], "")
LOSS = input("label", 2) + BODY + layer("loss", "SoftmaxWithLoss", ["ip", "label"], ["loss"], "")
FORCED = "force_backward: true\n"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """The first pass is recorded, the second is ready."""
    monkeypatch.setattr(ready, "WARM_UP", 0)


@pytest.fixture
def counted(monkeypatch) -> list[str]:
    """A word for each pass that ready calls compute."""
    calls: list[str] = []

    def counting(name: str, run: Callable) -> Callable:
        return lambda recording: calls.append(name) or run(recording)

    for name in ("run_forward", "run_backward"):
        monkeypatch.setattr(Recording, name, counting(name.removeprefix("run_"), getattr(Recording, name)))
    return calls


def net_of(text: str = SCORES, phase: int = caffe.TRAIN) -> caffe.Net:
    caffe.set_random_seed(3)
    net = build(FORCED * (phase == caffe.TRAIN) + text, phase)
    if "label" in net.blobs:
        net.blobs["label"].data[...] = [1, 4]
    return net


def step(net: caffe.Net) -> None:
    net.clear_param_diffs()
    net.forward()
    if "prob" in net.blobs:
        net.blobs["prob"].diff[...] = np.arange(10, dtype=np.float32).reshape(2, 5)
    net.backward()


def gradients(net: caffe.Net) -> dict[str, np.ndarray]:
    found = {name: blob.diff.copy() for name, blob in net.blobs.items()}
    return found | {f"{name}/{i}": b.diff.copy() for name, blobs in net.params.items() for i, b in enumerate(blobs)}


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    assert not [name for name in expected if not np.array_equal(found[name], expected[name])]


def both_ways(monkeypatch, act: Callable[[caffe.Net], None], text: str = SCORES, phase: int = caffe.TRAIN) -> None:
    """What is left after some steps and then `act` is the same with ready calls and without.

    In a net that does not learn a convolution takes its ReLU along: for the two oneDNN may choose another kernel than
    for the one (with AVX2 it does), which rounds otherwise; Softmax makes 1e-5 of a probability out of the last digit
    of a score of 20.
    """
    same = assert_same if phase == caffe.TRAIN else partial(assert_alike, tolerance=1e-5)
    results = []
    for most in (ready.MOST_OPERATIONS, -1):
        monkeypatch.setattr(ready, "MOST_OPERATIONS", most)
        net = net_of(text, phase)
        for _ in range(3):
            step(net) if phase == caffe.TRAIN else net.forward()
        act(net)
        results.append((values(net), gradients(net)))
    for found, expected in zip(*results, strict=True):
        same(found, expected)


@pytest.mark.parametrize("text", [SCORES, LOSS], ids=["scores", "loss"])
def test_the_third_pass_and_later_ones_are_ready(text, counted):
    net = net_of(text)
    for _ in range(3):
        step(net)
    assert counted == ["forward", "backward"] * 2
    net = net_of(SCORES, caffe.TEST)
    for _ in range(3):
        net.forward()
    assert counted[4:] == ["forward"] * 2


@pytest.mark.parametrize(("text", "keep_diffs"), [(SCORES, True), (LOSS, True), (LOSS, False)])
def test_steps_draw_and_learn_as_the_layers_do(text, keep_diffs, monkeypatch):
    def act(net: caffe.Net) -> None:
        net.keep_diffs = keep_diffs
        for _ in range(3):
            step(net)
        net.keep_diffs = True
        step(net)

    both_ways(monkeypatch, act, text)


def test_without_kept_diffs_a_diff_is_refused_as_ever():
    net = net_of(LOSS)
    net.keep_diffs = False
    for _ in range(3):
        step(net)
    with pytest.raises(UsageError, match="keep_diffs"):
        net.blobs["pool1"].diff  # noqa: B018 - reading it is refused
    assert net.blobs["loss"].diff == 1
    assert net.params["conv1"][0].diff.any()


@pytest.mark.parametrize(
    "act",
    [
        lambda net: net.backward(start="ip", end="drop"),
        lambda net: (net.backward(end="sigmoid"), net.backward(start="drop")),
        lambda net: (net.backward(end="sigmoid"), net.backward()),
        lambda net: (net.forward(), net.backward(), net.backward()),
        lambda net: (net.forward(), net.backward(start="drop"), net.backward()),
        lambda net: (net.forward(start="sigmoid"), net.backward()),
        lambda net: (net.forward(), net.forward(end="drop"), net.backward()),
        lambda net: (net.forward(), net.layer_dict["drop"].backward(*blobs_of(net, "drop"))),
        lambda net: (net.forward(), net.forward(), net.backward()),
    ],
    ids=["some", "in parts", "some and all", "twice", "some, then all", "above alone", "below alone", "one", "last"],
)
def test_some_layers_run_alone_as_if_all_had_run_by_themselves(act, monkeypatch):
    both_ways(monkeypatch, act)


def blobs_of(net: caffe.Net, name: str) -> tuple[list, list[bool], list]:
    node = next(node for node in net.nodes if node.layer.name == name)
    return node.top, node.layer.propagate_down, node.bottom


def write(side: str, name: str, value: float) -> Callable[[caffe.Net], None]:
    def act(net: caffe.Net) -> None:
        net.forward()
        getattr(net.blobs[name], side)[:1] = value
        net.backward()

    return act


@pytest.mark.parametrize("name", ["data", "conv1", "pool1", "sigmoid", "prob"])
@pytest.mark.parametrize("side", ["data", "diff"])
def test_what_is_written_between_forward_and_backward_counts(side, name, monkeypatch):
    both_ways(monkeypatch, write(side, name, 0.5))


def test_weights_that_numpy_changes_count_in_the_next_pass(monkeypatch):
    def act(net: caffe.Net) -> None:
        held = net.params["conv1"][0].data
        for factor in (2, 0.5):
            held *= factor
            net.params["ip"][1].data[...] += factor
            net.forward()

    both_ways(monkeypatch, act)
    both_ways(monkeypatch, act, phase=caffe.TEST)


def test_shared_weights_count_from_the_pass_on_after_they_are_shared(monkeypatch):
    def act(net: caffe.Net) -> None:
        other = net_of(SCORES, caffe.TEST)
        other.params["ip"][0].data[...] = 0.25
        net.share_with(other)
        net.forward()
        other.params["ip"][0].data[...] = -0.5
        net.forward()

    both_ways(monkeypatch, act, phase=caffe.TEST)


def test_two_layers_with_one_weight_add_up_their_gradients(monkeypatch):
    def ip(name: str, bottom: str) -> str:
        shared = 'param { name: "w" } param { name: "b" } inner_product_param { num_output: 4 }'
        return layer(name, "InnerProduct", [bottom], [name], shared)

    text = input("data", 2, 4) + ip("first", "data") + ip("prob", "first").replace('"prob"', '"prob2"')
    text += layer("prob", "Power", ["prob2"], ["prob"], "")

    def act(net: caffe.Net) -> None:
        net.forward()
        net.blobs["prob"].diff[...] = 1
        net.backward()

    results = []
    for most in (ready.MOST_OPERATIONS, -1):
        monkeypatch.setattr(ready, "MOST_OPERATIONS", most)
        net = net_of(text)
        for _ in range(3):
            act(net)
        results.append(gradients(net))
    assert_same(*results)


def test_a_net_is_reshaped_between_passes(monkeypatch):
    def act(net: caffe.Net) -> None:
        for count in (3, 3, 4, 3, 4, 4):
            net.blobs["data"].reshape(count, 3, 8, 8)
            fill(net, count)
            net.forward()

    both_ways(monkeypatch, act, phase=caffe.TEST)


def test_views_of_blobs_that_are_alive_show_the_newest_values(counted):
    net = net_of(SCORES, caffe.TEST)
    net.forward()
    views = {name: blob.data for name, blob in net.blobs.items()}
    net.blobs["data"].data[...] *= 2
    net.forward()
    assert counted == ["forward"]
    for name, view in views.items():
        assert np.array_equal(view, net.blobs[name].data)
        assert view is net.blobs[name].data


def test_hooks_and_debug_info_see_every_layer(counted):
    net = net_of()
    step(net)
    net.set_debug_info(True)
    step(net)
    net.set_debug_info(False)
    seen: list[int] = []
    net.after_forward(seen.append)
    step(net)
    assert counted == []
    assert seen == list(range(len(net.layers)))


def test_wrong_labels_are_refused_in_a_ready_pass_and_right_ones_go_on(counted):
    net = net_of(LOSS)
    for _ in range(2):
        step(net)
    net.blobs["label"].data[...] = [1, 5]
    with pytest.raises(LabelError, match="1 of 2 labels"):
        net.forward()
    net.blobs["label"].data[...] = [1, 2]
    step(net)
    net.forward()
    assert counted.count("forward") >= 2


def test_a_new_seed_draws_other_numbers_and_the_same_seed_the_same(counted):
    net = net_of()
    drawn = []
    for seed in (1, 1, 2):
        caffe.set_random_seed(seed)
        for _ in range(3):
            step(net)
        drawn.append(net.blobs["pool1"].data.copy())
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[1], drawn[2])


def test_a_method_that_a_program_puts_in_place_of_a_layers_is_called(counted):
    net, passes = net_of(), []
    step(net)
    sigmoid = net.layer_dict["sigmoid"]
    forward = sigmoid.forward
    sigmoid.forward = lambda bottom, top: passes.append(0) or forward(bottom, top)
    for _ in range(3):
        net.forward()
    assert (len(passes), len(counted)) == (3, 0)


def test_a_layer_that_looks_at_values_keeps_a_net_from_being_ready(counted):
    text = input("data", 2, 3) + input("index", 2) + layer("re", "BatchReindex", ["data", "index"], ["re"], "")
    net = build(text)
    net.blobs["index"].data[...] = [1, 0]
    for _ in range(3):
        net.forward()
    assert counted == []


def test_a_gradient_that_nobody_needs_is_not_recorded_for_ever(counted):
    net = net_of()
    step(net)
    for _ in range(3 * ready.TRIES):
        net.blobs["data"].reshape(*net.blobs["data"].shape)
        net.forward()
    step(net)
    assert counted.count("backward") == 1


def test_recordings_of_few_shapes_are_kept():
    net = net_of(SCORES, caffe.TEST)
    for count in range(1, ready.MOST_RECORDINGS + 4):
        net.blobs["data"].reshape(count, 3, 8, 8)
        net.forward()
    assert len(net._run._ready._recordings) == ready.MOST_RECORDINGS


def test_torchs_modes_around_a_pass_change_nothing(monkeypatch):
    def act(net: caffe.Net) -> None:
        with torch.inference_mode():
            net.forward()
        with torch.enable_grad(), torch.autocast("cpu"):
            net.forward()

    both_ways(monkeypatch, act, phase=caffe.TEST)


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
def test_recordings_of_a_net_that_is_deleted_go_at_once(phase):
    net = net_of(SCORES, phase)
    for _ in range(3):
        step(net) if phase == caffe.TRAIN else net.forward()
    (recording,) = net._run._ready._recordings.values()
    held = [weakref.ref(each) for each in (net._run._ready, recording)]
    del recording
    gc.disable()
    try:
        del net
        assert [each() for each in held] == [None, None]
    finally:
        gc.enable()


def test_only_the_last_pass_is_kept_for_backward():
    net = net_of()
    for count in (2, 3, 2, 3):
        net.blobs["data"].reshape(count, 3, 8, 8)
        net.forward()
        net.backward()
        net.forward()
        net.backward()
    held = [recording.held for recording in net._run._ready._recordings.values()]
    assert sorted(held) == [False, True]


def test_what_the_passes_before_had_of_the_pool_goes_back_to_the_system(monkeypatch):
    begun: list[int] = []
    monkeypatch.setattr(Pool, "begin_pass", lambda pool: begun.append(1))
    net = net_of(SCORES, caffe.TEST)
    for passes in range(1, 5):
        net.forward()
        assert len(begun) == passes
    monkeypatch.setattr(ready, "MOST_OPERATIONS", -1)
    net.forward()
    assert len(begun) == 5


@pytest.mark.parametrize("method", ["forward", "backward"])
def test_a_method_of_a_layer_that_a_program_replaces_is_called(method):
    net = net_of()
    for _ in range(3):
        step(net)
    layer, calls = net.layer_dict["sigmoid"], []
    own = getattr(layer, method)
    setattr(layer, method, lambda *given: calls.append(method) or own(*given))
    step(net)
    assert calls == [method]
