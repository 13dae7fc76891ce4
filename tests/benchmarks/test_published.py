"""The small nets of the benchmark run forward and backward in what pycaffe and Python 3.9 have."""

import argparse
from itertools import count

import pytest

from benchmarks import published, run
from benchmarks.environments import REFERENCE_NETS, WorkerFailed
from benchmarks.rows import BVLC, THIS


def test_every_task_of_a_net_is_timed():
    found = published.measure(str(REFERENCE_NETS), names=("lenet",))
    assert list(found) == [
        "lenet, 1 image, forward",
        "lenet, 10 images, forward",
        "lenet, 1 image, forward and backward",
        "lenet, 10 images, forward and backward",
    ]
    assert all(seconds > 0 for seconds in found.values())


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
