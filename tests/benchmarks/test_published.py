"""The small nets of the benchmark run forward and backward in what pycaffe and Python 3.9 have."""

import argparse
import os
from itertools import count

import numpy as np
import pytest

import caffe
from benchmarks import classifiers, published, run, small_nets, small_torch, workers
from benchmarks.environments import REFERENCE_NETS, WorkerFailed
from benchmarks.rows import BVLC, THIS
from tests.cases.compare import difference


def test_every_task_of_a_net_is_timed():
    found = published.measure(str(REFERENCE_NETS), names=("lenet",))
    assert list(found) == [
        "lenet, 1 image, forward",
        "lenet, 10 images, forward",
        "lenet, 1 image, forward and backward",
        "lenet, 10 images, forward and backward",
    ]
    assert all(seconds > 0 for seconds in found.values())


@pytest.mark.parametrize("name", small_nets.NETS)
def test_small_nets_by_hand_compute_what_the_engine_does(name):
    net = published.build(small_nets.text_of(str(REFERENCE_NETS), name), caffe.TRAIN)
    published.show(net, 2)
    net.forward()
    net.backward()
    found = small_torch.work(name, net, backward=False)()
    (output,) = net.outputs
    assert difference(found.numpy(), net.blobs[output].data, 1e-5) is None


@pytest.mark.parametrize("bare", [False, True])
def test_small_nets_are_timed_in_every_task(bare):
    found = small_nets.measure(str(REFERENCE_NETS), names=("lenet",), bare=bare, runs=1)
    assert len(found) == 4
    assert all(seconds > 0 for seconds in found.values())


def test_small_nets_take_turns_and_the_fewest_seconds_count(monkeypatch):
    seconds = count(1)
    monkeypatch.setattr(run, "_printed", lambda *_: {"lenet": float(next(seconds))})
    found = run.run_small(argparse.Namespace(threads=2))
    expected = {THIS.label: 1, BVLC.label: 2, run.BARE.label: 3}
    ratios = {f"this ÷ {BVLC.label}": "0.50", f"this ÷ {run.BARE.label}": "0.33"}
    assert found == {"lenet": expected | ratios}


@pytest.mark.parametrize("name", classifiers.WRITTEN)
def test_nets_that_classify_are_those_of_their_papers(name, tmp_path):
    file = tmp_path / "net.prototxt"
    file.write_text(classifiers.WRITTEN[name]())
    net = caffe.Net(str(file), caffe.TEST)
    weights = sum(blob.count for layer, blobs in net.params.items() for blob in blobs if "BatchNorm" not in layer)
    assert weights == {"mobilenet": 4_231_976, "resnet50": 25_557_032}[name]
    assert net.blobs[net.outputs[0]].count == 1000


@pytest.mark.skipif(
    not hasattr(os, "fork") or not os.path.exists("/proc/self/smaps_rollup"), reason="Linux's memory counts"
)
@pytest.mark.parametrize("own", [False, True])
def test_workers_say_what_they_took(own, monkeypatch):
    monkeypatch.setitem(workers.ENGINES, "nothing", lambda folder: lambda: np.zeros(1))
    found = workers.measure("", "nothing", own=own, workers=2, images=3)
    assert set(found) == {"memory", "processor", "rate"}
    assert found["memory"] > 0 < found["rate"]


def test_all_its_nets_are_there():
    assert all((REFERENCE_NETS / name / "deploy.prototxt").exists() for name in published.NETS)


@pytest.mark.parametrize("missing", [(), (BVLC,), (THIS, BVLC)], ids=["both", "one", "none"])
def test_medians_of_those_who_can_be_had(missing, monkeypatch):
    seconds = count(1)

    def printed(entry, *_):
        if entry in missing:
            raise WorkerFailed("cannot be had")
        return {"lenet": float(next(seconds))}

    monkeypatch.setattr(run, "_printed", printed)
    found = run.run_published(argparse.Namespace())
    failed = {entry.label: {"failed": "cannot be had"} for entry in missing}
    medians = {
        (): {"lenet": {THIS.label: 3, BVLC.label: 4, "ratio": "0.75"}},
        (BVLC,): {"lenet": {THIS.label: 2}},
        (THIS, BVLC): {},
    }
    assert found == failed | medians[missing]
