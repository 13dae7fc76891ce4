"""Stages of `make gpu` that run on the CPU with a small net."""

import json
from pathlib import Path

import pytest

import caffe
from benchmarks import streaming
from benchmarks.on_gpu import streamed

NET = Path(__file__).resolve().parents[2] / "nets/demo-fcn8s/deploy.prototxt"


@pytest.mark.parametrize(("allowed", "status"), [(1e-5, 0), (0.0, 1)])
def test_large_images_in_bands_are_timed_and_compared_with_the_whole(tmp_path, monkeypatch, allowed, status):
    (tmp_path / "work").mkdir()
    (tmp_path / "work/deploy.prototxt").write_text(NET.read_text())
    net = caffe.Net(str(NET), caffe.TEST)
    streaming.draw(net)
    net.save(str(tmp_path / "work/weights.caffemodel"))
    monkeypatch.setattr(streamed, "TOLERANCES", {"fp32": allowed})
    monkeypatch.setattr(streamed, "SIDES", {"cpu": (40,)})
    monkeypatch.setattr(streamed, "difference", lambda net, compare=streamed.difference: compare(net) or 1e-9)
    assert streamed.main("cpu", str(tmp_path)) == status
    found = json.loads((tmp_path / "streamed.json").read_text())
    assert found["40×40, fp32"]["seconds"] > 0
    assert found["difference from the whole, fp32"]["found"] <= 1e-5
