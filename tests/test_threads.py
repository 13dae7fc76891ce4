"""Several threads and one net: refused in words, or in turn through the lock; nets that share weights at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from PIL import Image

import caffe
from caffe.blob.storage import Storage
from caffe.errors import NetError, UsageError
from caffe.ops import checks
from fcn_caffe.inference.segment import segment
from tests.patience import PATIENCE
from tests.plan.nets import build
from tests.solver.conftest import make  # noqa: F401 - a fixture

DOUBLES = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 } } }
layer { name: "twice" type: "Power" bottom: "data" top: "twice" power_param { scale: 2 } }
"""
CONVOLVES = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 8 dim: 20 dim: 20 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 16 kernel_size: 3 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "more" type: "Convolution" bottom: "conv" top: "more"
  convolution_param { num_output: 16 kernel_size: 1 } }
layer { name: "score" type: "Pooling" bottom: "more" top: "score" pooling_param { pool: AVE global_pooling: true } }
"""


@pytest.fixture
def other():
    """other(call) → what call() returns or raises on another thread."""
    with ThreadPoolExecutor(1, thread_name_prefix="other") as pool:
        yield lambda call: pool.submit(call).result(PATIENCE)


def test_it_is_refused_to_use_a_net_that_another_thread_is_running(other, tmp_path):
    net = build(DOUBLES)
    net.save(str(tmp_path / "weights"))
    calls = {
        "forward": net.forward,
        "backward": net.backward,
        "forward_all": lambda: net.forward_all(data=np.zeros((3, 1))),
        "reshape": net.reshape,
        "run_forward": net.run_forward,
        "clear_param_diffs": net.clear_param_diffs,
        "copy_from": lambda: net.copy_from(str(tmp_path / "weights")),
        "share_with": lambda: net.share_with(build(DOUBLES)),
        "save": lambda: net.save(str(tmp_path / "weights")),
    }
    refusals = []

    def meanwhile(_index):
        for name, call in calls.items():
            with pytest.raises(
                UsageError, match=rf"{name} was called by thread 'other.*share_with.*net\.lock"
            ) as error:
                other(call)
            refusals.append(str(error.value))

    net.name = "doubles"
    net.before_forward(meanwhile)
    net.forward(data=np.full((1, 1), 3))
    assert len(refusals) == 2 * len(calls)
    assert "Net 'doubles'" in refusals[0]
    assert net.blobs["twice"].data == 6


def test_it_is_refused_to_step_a_solver_that_another_thread_is_stepping(other, make):  # noqa: F811
    solver = make()
    refusals = []

    def meanwhile():
        for call in (lambda: solver.step(1), solver.net.forward, solver.apply_update, solver.snapshot):
            with pytest.raises(UsageError, match="while another thread is using the net"):
                other(call)
            refusals.append(call)

    solver.add_callback(meanwhile, lambda: None)
    solver.step(2)
    assert solver.iter == 2
    assert len(refusals) == 8


def test_a_net_can_be_used_by_one_thread_after_another_and_after_an_error(other):
    net = build(DOUBLES)

    def fail(_index):
        raise NetError("on purpose")

    net.before_forward(fail)
    with pytest.raises(NetError):
        other(net.forward)
    net._hooks.before_forward.clear()
    assert net.forward(data=np.full((1, 1), 4))["twice"] == 8
    assert other(lambda: net.forward(data=np.full((1, 1), 5)))["twice"] == 10


def test_a_hook_may_use_the_net_that_runs():
    net = build(DOUBLES)
    net.after_forward(lambda index: net.reshape())
    with net.lock, net.lock:
        assert net.forward(data=np.full((1, 1), 4))["twice"] == 8


def test_a_net_whose_lock_another_thread_holds_is_not_run_without_it(other):
    net = build(DOUBLES)
    with net.lock, pytest.raises(UsageError, match=r"net\.lock"):
        other(net.forward)


def answers(net, lock, rounds):
    """How many of two threads' answers, out of 2 × rounds, were not their own.

    They write at the same time, as far as `lock` lets them, and nobody runs the net before both have written or one has
    the lock: A writes, B writes, A runs, B runs.
    """
    wrong = [0, 0]
    start, written = threading.Barrier(2), threading.Barrier(2)

    def serve(me):
        for number in range(rounds):
            mine = 2 * number + me
            start.wait(PATIENCE)
            with lock:
                net.blobs["data"].data[...] = mine
                if isinstance(lock, nullcontext):
                    written.wait(PATIENCE)
                for _attempt in range(1_000_000):
                    try:
                        net.run_forward()
                        break
                    except UsageError:  # the other one is running it at this very moment
                        continue
                wrong[me] += net.blobs["twice"].data.item() != 2 * mine

    threads = [threading.Thread(target=serve, args=(me,)) for me in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(wrong)


def test_through_the_lock_a_thousand_rounds_give_each_thread_its_own_answers():
    net = build(DOUBLES)
    assert answers(net, net.lock, 1000) == 0


def test_without_the_lock_the_same_order_gives_answers_to_others_inputs():
    assert answers(build(DOUBLES), nullcontext(), 50) >= 50


def in_turn(calls):
    """What the calls give, of which each is made by a thread of its own, all at the same time."""
    together = threading.Barrier(len(calls))

    def call(function):
        together.wait(PATIENCE)
        return function()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [job.result(PATIENCE) for job in [pool.submit(call, function) for function in calls]]


def test_those_who_serve_pictures_take_turns(tmp_path):
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 4 dim: 4 } } }'
        'layer { name: "score" type: "Power" bottom: "data" top: "score" }'
    )
    files = str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel")
    caffe.Net(files[0], caffe.TEST).save(files[1])
    classifier = caffe.Classifier(*files)
    shades = [number / 100 for number in range(24)]
    images = [np.full((4, 4, 3), shade, np.float32) for shade in shades]
    found = in_turn([lambda image=image: classifier.predict([image], oversample=False) for image in images])
    assert [float(each.mean()) for each in found] == pytest.approx(shades, abs=1e-6)

    net = caffe.Net(*files[:1], caffe.TEST)
    pictures = [Image.new("RGB", (3 + number, 5), (number, number, number)) for number in range(24)]
    scores = in_turn([lambda picture=each: segment(net, picture, (0, 0, 0)) for each in pictures])
    for number, each in enumerate(scores):
        assert each.shape == (3, 5, 3 + number)
        assert (each == number).all()


def test_nets_that_share_weights_compute_at_once_what_one_computes_alone():
    first = build(CONVOLVES)
    sizes = [(12 + 4 * (number % 3), 16 + number % 2) for number in range(8)]
    rng = np.random.default_rng(0)
    images = [rng.normal(size=(1, 8, *size)).astype(np.float32) for size in sizes]

    def serve(net, image):
        scores = []
        for _ in range(40):
            net.blobs["data"].reshape(*image.shape)
            net.blobs["data"].data[...] = image
            scores.append(net.forward()["score"].copy())
        return scores

    expected = [serve(first, image)[0] for image in images]
    nets = [build(CONVOLVES, seed=number) for number in range(len(images))]
    for net in nets:
        net.share_with(first)
    found = in_turn([lambda net=net, image=image: serve(net, image) for net, image in zip(nets, images, strict=True)])
    for scores, values in zip(found, expected, strict=True):
        for each in scores:
            np.testing.assert_allclose(each, values, rtol=1e-4, atol=1e-5)


def test_what_another_thread_makes_of_shared_weights_meanwhile_is_not_taken_for_ones_own():
    storage = Storage(4, stable=True)

    class Meddler:
        """Stands for a thread that comes in between, when settings are compared."""

        def __eq__(self, other):
            storage.derived((4,), lambda values, _: values - 1, "the other's")
            return True

        __hash__ = None

    def plus_one(values, _settings):
        return values + 1

    assert (storage.derived((4,), plus_one, Meddler()) == 1).all()
    assert (storage.derived((4,), plus_one, Meddler()) == 1).all()


def test_checks_are_deferred_by_the_thread_that_asks_for_it_alone(other):
    fine, deferred = torch.tensor(True), []
    with checks.deferring(deferred):
        assert not other(lambda: checks.defer(fine, lambda: None))
        assert checks.defer(fine, lambda: None)
    assert len(deferred) == 1
    assert not checks.defer(fine, lambda: None)
