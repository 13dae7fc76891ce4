"""Recorded passes compute what passes launched layer by layer compute: on a pretended GPU, and on a real one if any."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import pytest

import caffe
from caffe.blob import storage
from caffe.errors import DataError
from caffe.formats.prototxt import parse
from caffe.layer_types.base import REGISTRY, TorchLayer
from caffe.layer_types.neuron.activation import TanH
from caffe.plan import replay
from caffe.proto import caffe_pb2
from caffe.solver import Solver, solver_from_message
from caffe.solver.update_rules import MEMORIES
from tests.cases import run as runner
from tests.cases.case import Case, layer
from tests.gpu.pretended import pretended_gpu
from tests.gpu.real import on_each_gpu, real_gpu
from tests.plan.nets import assert_alike, build, conv, diffs, fill, input, plainly, pool, relu, values
from tests.test_layers import accepted, each

GPU = Callable[..., AbstractContextManager[Any]]
TURNS = replay.WARM_UP + 2
NEVER_RECORDED = {"BatchReindex", "Embed", "Filter", "LSTM", "RNN"}
"""Of the layers made of torch functions."""

SIZES = ((1, 3, 20, 24), (2, 3, 20, 24), (1, 3, 17, 30))
CLASSES = 3
LEARNING = ("conv1", "conv2", "score2")


def assert_same(found: list[dict[str, np.ndarray]], expected: list[dict[str, np.ndarray]], gpu: GPU) -> None:
    """A real GPU adds up in whatever order its threads come."""
    for now, then in zip(found, expected, strict=True):
        if gpu is real_gpu:
            assert_alike(now, then, tolerance=1e-4)
            continue
        assert now.keys() == then.keys()
        assert not [name for name in then if not np.array_equal(now[name], then[name], equal_nan=True)]


def everything(net: caffe.Net) -> dict[str, np.ndarray]:
    params = {f"{name}/{i}": param.data.copy() for name, blobs in net.params.items() for i, param in enumerate(blobs)}
    return {**{f"data of {name}": each for name, each in {**values(net), **params}.items()}, **diffs(net)}


def passes(case: Case, gpu: GPU, *, graphs: bool) -> tuple[Any, list[dict[str, np.ndarray]]]:
    """What a net holds after each of some passes, every one over other values."""
    found = []
    caffe.set_random_seed(1)
    with gpu(graphs=graphs) as driver, runner.folder_of(case):
        net = runner.build(case)
        for turn in range(TURNS):
            for name in set(net.inputs) - set(case.kinds):
                net.blobs[name].data[...] = case.input(name, net.blobs[name].shape) * (1 - 0.1 * turn)
            if case.backward:
                runner.set_top_diffs(net, case)
                net.clear_param_diffs()
                net.run_forward_backward()
            else:
                net.run_forward()
            found.append(everything(net))
    return driver, found


@on_each_gpu
@each(lambda case: accepted(case) and case.shapes, seldom="ten passes each; what is recorded differs by type")
def test_recorded_as_launched(case, gpu):
    driver, found = passes(case, gpu, graphs=True)
    assert_same(found, passes(case, gpu, graphs=False)[1], gpu)
    if case.backward and case.type in REGISTRY and issubclass(REGISTRY[case.type], TorchLayer):
        replays = [] if case.type in NEVER_RECORDED else [TURNS - replay.WARM_UP]
        assert [graph.replays for graph in driver.graphs] == replays


FCN = (
    input("data", *SIZES[0])
    + input("label", 1, 1, 20, 24)
    + conv("conv1", "data", 4, 3, pad=100)
    + relu("conv1")
    + pool("pool1", "conv1")
    + conv("conv2", "pool1", 5, 3, pad=1)
    + relu("conv2")
    + layer("drop2", "Dropout", ["conv2"], ["conv2"], "dropout_param { dropout_ratio: 0.3 }")
    + conv("score2", "conv2", CLASSES, 1)
    + layer(
        "upscore",
        "Deconvolution",
        ["score2"],
        ["upscore"],
        f"param {{ lr_mult: 0 }} convolution_param {{ num_output: {CLASSES} kernel_size: 4 stride: 2 bias_term: false "
        "weight_filler { type: 'bilinear' } }",
    )
    + layer("score", "Crop", ["upscore", "data"], ["score"], "crop_param { axis: 2 offset: 50 }")
    + layer("loss", "SoftmaxWithLoss", ["score", "label"], ["loss"], "loss_param { ignore_label: 255 }")
)


def trainer(**settings: object) -> Solver:
    param = caffe_pb2.SolverParameter(type="SGD", base_lr=0.05, lr_policy="step", gamma=0.5, stepsize=4)
    param.snapshot_prefix, param.momentum, param.weight_decay = "unused", 0.9, 0.01
    for name, value in settings.items():
        setattr(param, name, value)
    parse(FCN, param.net_param)
    solver = solver_from_message(param)
    solver.allow_zero_init = True
    rng = np.random.default_rng(0)
    for name in LEARNING:
        solver.net.params[name][0].data[...] = 0.2 * rng.normal(size=solver.net.params[name][0].shape)
    return solver


def show(net: caffe.Net, turn: int) -> None:
    """An image of one of a few sizes, and its label; as a data layer would, without asking for what was there."""
    rng = np.random.default_rng(turn)
    count, channels, *size = SIZES[turn % len(SIZES)]
    for name, array in (
        ("data", rng.normal(size=(count, channels, *size))),
        ("label", np.where(rng.random((count, 1, *size)) < 0.1, 255, rng.integers(0, CLASSES, (count, 1, *size)))),
    ):
        net.blobs[name].reshape(*array.shape)
        net.blobs[name].data[...] = array


def trained(gpu: GPU, *, keep_diffs: bool = True, precision: str = "fp32", turns: int = 15, **settings: object):
    """Weights and loss after every update."""
    caffe.set_random_seed(3)
    found = []
    with gpu() as driver:
        caffe.set_precision(precision)
        solver = trainer(**settings)
        solver.net.keep_diffs = keep_diffs
        for turn in range(turns):
            show(solver.net, turn)
            solver.step(1)
            learned = ((f"{name}/{i}", each) for name in LEARNING for i, each in enumerate(solver.net.params[name]))
            found.append({name: each.data.copy() for name, each in learned})
            found[-1]["loss"] = np.array(solver.smoothed_loss)
        caffe.set_precision("fp32")
    return driver, found


@on_each_gpu
@pytest.mark.parametrize("type", MEMORIES)
def test_training_there_as_here(type, gpu):
    settings = {"type": type, "turns": 4, "momentum": 0.0 if type in ("AdaGrad", "RMSProp") else 0.9}
    _, here = trained(nullcontext, **settings)
    _, there = trained(gpu, **settings)
    for now, then in zip(there, here, strict=True):
        assert_alike(now, then, tolerance=1e-5)


@on_each_gpu
@pytest.mark.parametrize(
    "settings",
    [
        {},
        *(
            pytest.param(each, marks=pytest.mark.slow(reason="seconds each; the first is not slow"))
            for each in ({"iter_size": 2}, {"keep_diffs": False}, {"precision": "bf16"}, {"type": "Adam"})
        ),
    ],
    ids=str,
)
def test_training_on_images_of_several_sizes(settings, gpu):
    driver, found = trained(partial(gpu, graphs=True), **settings)
    assert_same(found, trained(gpu, **settings)[1], gpu)
    assert not np.array_equal(found[0]["conv1/0"], found[-1]["conv1/0"])
    assert len(driver.graphs) == len(SIZES)


@on_each_gpu
def test_large_gradients_stay_where_recorded_passes_expect_them(gpu, monkeypatch):
    monkeypatch.setattr(storage, "LARGE", 1)
    driver, found = trained(partial(gpu, graphs=True))
    assert_same(found, trained(gpu)[1], gpu)
    assert len(driver.graphs) == len(SIZES)


def test_nothing_waits_for_the_gpu_but_the_checks_of_the_labels_and_of_the_loss():
    with pretended_gpu(graphs=True) as driver:
        solver = trainer()
        solver.net.keep_diffs = False
        for _ in range(TURNS):
            solver.step(1)
        driver.waits.clear()
        solver.step(1)
    assert driver.waits == ["aten._local_scalar_dense.default"] * 2


@on_each_gpu
def test_inference_sees_the_weights_that_the_user_changes(gpu):
    found = {}
    for graphs in (True, False):
        found[graphs] = []
        with gpu(graphs=graphs) as driver:
            net = build(
                input("data", 1, 3, 12, 12) + conv("conv1", "data", 4, 3) + relu("conv1") + pool("pool1", "conv1")
            )
            for turn in range(4 * TURNS):
                fill(net, turn)
                if turn % TURNS == 0:
                    net.params["conv1"][0].data[...] *= -1.1
                net.forward()
                found[graphs].append(values(net))
        assert len(driver.graphs) == (4 if graphs else 0)
    assert_same(found[True], found[False], gpu)


@on_each_gpu
def test_a_label_out_of_range_is_refused_after_the_pass_and_before_the_update(gpu):
    with gpu(graphs=True) as driver:
        solver = trainer()
        for _ in range(TURNS):
            show(solver.net, 0)
            solver.step(1)
        before = solver.net.params["conv1"][0].data.copy()
        solver.net.blobs["label"].data[0, 0, 2, 3] = 7
        with pytest.raises(DataError, match=r"layer 'loss' \(SoftmaxWithLoss\): 1 of 480 labels .* have the values 7"):
            solver.step(1)
        assert np.array_equal(solver.net.params["conv1"][0].data, before)
        show(solver.net, 0)
        solver.step(1)
        assert np.isfinite(solver.smoothed_loss)
        assert driver.graphs[0].replays == TURNS - replay.WARM_UP + 2


def test_what_cannot_be_recorded_is_launched(monkeypatch, caplog):
    monkeypatch.setattr(TanH, "compute", lambda self, x: x.tanh() * float(x.abs().sum() > 0))
    with pretended_gpu(graphs=True) as driver, caplog.at_level(logging.WARNING, logger="caffe"):
        net = build(input("data", 1, 3, 12, 12) + layer("tanh", "TanH", ["data"], ["tanh"]))
        for turn in range(TURNS):
            fill(net, turn)
            net.forward()
            np.testing.assert_allclose(net.blobs["tanh"].data, np.tanh(net.blobs["data"].data), rtol=1e-5)
    assert not driver.graphs
    assert sum("cannot be recorded" in line for line in caplog.messages) == 1


def test_hooks_see_every_layer_and_parts_of_a_net_run_on_their_own():
    with pretended_gpu(graphs=True) as driver:
        net = build(input("data", 1, 3, 12, 12) + conv("conv1", "data", 4, 3) + relu("conv1"))
        for _ in range(TURNS):
            net.forward()
        seen: list[int] = []
        net.after_forward(seen.append)
        net.forward()
        net.run_forward(1, 2)
    assert seen == [0, 1, 2, 1, 2]
    assert driver.graphs[0].replays == TURNS - replay.WARM_UP


def test_only_so_many_sizes_are_recorded():
    with pretended_gpu(graphs=True) as driver:
        net = build(input("data", 1, 3, 12, 12) + conv("conv1", "data", 4, 3))
        for width in range(10, 12 + replay.MAX_RECORDINGS):
            net.blobs["data"].reshape(1, 3, 12, width)
            for turn in range(TURNS):
                fill(net, turn)
                net.forward()
    assert len(driver.graphs) == replay.MAX_RECORDINGS


@pytest.mark.parametrize("asked", [False, True])
def test_nothing_is_recorded_unless_asked_for_nor_without_the_plan(asked):
    with pretended_gpu(graphs=asked) as driver, plainly():
        net = build(input("data", 1, 3, 12, 12) + conv("conv1", "data", 4, 3))
        for _ in range(TURNS):
            net.forward()
    assert not driver.graphs
