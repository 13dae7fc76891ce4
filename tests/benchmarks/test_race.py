"""Races: contestants by turns, compared before they are timed; and a worker's process."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caffe
from benchmarks import race as races
from benchmarks import worker
from benchmarks.engines import Job
from benchmarks.environments import WorkerFailed
from benchmarks.race import Entry, Pace, difference, race

SCORE = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
PACE = Pace(turns=2, runs=2, warmup=1)


class Fake(Entry):
    """A contestant that computes SCORE plus an error, in as many seconds as its label says."""

    def work(self, job: Job) -> dict[str, Any]:
        order.append(self.label)
        if self.engine == "broken":
            raise WorkerFailed("out of memory")
        memory = {"peak_memory": 10 + len(order), "imports_memory": 5, "device_memory": 0}
        seconds = [100.0, *([float(self.label)] * (len(job.sizes) - 1))]
        return {"seconds": seconds, "outputs": {"score": SCORE + float(self.engine)}, **memory}


order: list[str] = []


@pytest.fixture(autouse=True)
def _reference(monkeypatch: pytest.MonkeyPatch) -> None:
    order.clear()
    monkeypatch.setattr(races, "_reference", lambda job: {"score": SCORE})


def test_contestants_take_turns_and_warm_ups_do_not_count() -> None:
    found = race([Fake("1", "0"), Fake("2", "0")], Job("", []), (8, 8), PACE)
    assert order == ["1", "2", "1", "2", "1", "2"]
    assert found["1"]["seconds"] == [1.0] * 4
    assert found["2"]["median"] == 2.0
    assert found["1"]["peak_memory"] == 15


def test_who_computes_something_else_is_not_timed() -> None:
    found = race([Fake("1", "0"), Fake("2", "0.5")], Job("", []), (8, 8), PACE)
    assert found["1"]["difference"] == 0
    assert found["2"] == {"failed": "its results differ from PyTorch's by 0.045 of the largest, allowed are 0.0001"}


def test_bf16_may_differ_more() -> None:
    assert "median" in race([Fake("2", "0.5")], Job("", [], precision="bf16"), (8, 8), PACE)["2"]


def test_who_fails_is_reported_and_the_race_goes_on() -> None:
    found = race([Fake("1", "broken"), Fake("2", "0")], Job("", []), (8, 8), PACE)
    assert found["1"] == {"failed": "out of memory"}
    assert found["2"]["median"] == 2.0


def test_difference_of_another_shape_or_not_a_number_is_infinite() -> None:
    assert difference(SCORE[:, :2], SCORE) == float("inf")
    assert difference(np.full_like(SCORE, np.nan), SCORE) == float("inf")


def test_a_worker_runs_every_size_and_saves_what_it_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the engine works in the job's folder
    (tmp_path / "deploy.prototxt").write_text(
        'layer { name: "input" type: "Input" top: "data" input_param { shape { dim: [1, 3, 4, 4] } } } '
        'layer { name: "c" type: "Convolution" bottom: "data" top: "score" '
        'convolution_param { num_output: 2 kernel_size: 1 weight_filler { type: "msra" } } }'
    )
    caffe.Net("deploy.prototxt", caffe.TEST).save("weights.caffemodel")
    (tmp_path / "job.json").write_text(json.dumps({"folder": ".", "sizes": [[5, 6], [7, 8]], "save": True}))
    worker.main("pycaffe", "job.json", "result.json")
    found = json.loads((tmp_path / "result.json").read_text())
    assert len(found["seconds"]) == 2
    assert found["peak_memory"] >= found["imports_memory"] > 1e7
    with np.load("result.npz") as arrays:
        assert arrays["score"].shape == (1, 2, 7, 8)
