"""benchmarks/streaming.py runs, on a small net."""

from pathlib import Path

import pytest

from benchmarks import streaming

NET = str(Path(__file__).resolve().parents[2] / "nets/demo-fcn8s/deploy.prototxt")


@pytest.mark.parametrize("options", [[], ["--whole"], ["--mapped"]])
def test_it_measures(options, monkeypatch):
    monkeypatch.setattr("caffe.tune_process", lambda: None)
    found = streaming.main(["40", "--width", "50", "--net", NET, *options])
    assert (found["height"], found["width"]) == (40, 50)
    assert found["seconds"] >= 0
