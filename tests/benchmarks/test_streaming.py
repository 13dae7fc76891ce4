"""benchmarks/streaming.py runs, on a small net."""

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

import caffe
from benchmarks import result_page, run, streaming
from benchmarks.environments import WorkerFailed

NET = str(Path(__file__).resolve().parents[2] / "nets/demo-fcn8s/deploy.prototxt")


@pytest.mark.parametrize("options", [[], ["--whole"], ["--mapped"], ["--tiles"]])
def test_it_measures(options, monkeypatch):
    monkeypatch.setattr("caffe.tune_process", lambda: None)
    monkeypatch.setattr(streaming, "TILE", 30)
    monkeypatch.setattr(streaming, "OVERLAP", 4)
    found = streaming.main(["40", "--width", "50", "--net", NET, *options])
    assert (found["height"], found["width"]) == (40, 50)
    assert found["seconds"] >= 0
    if "--tiles" in options:
        assert 0 <= found["other_labels"] < 1
        assert found["computed_per_pixel"] == round((26 + 30 + 10) * (26 + 22) / (40 * 50), 2)


@pytest.mark.parametrize("size", [1, 400, 401, 799, 1234])
def test_tiles_keep_every_pixel_once_and_see_no_more_than_their_size(size):
    found = list(streaming.tiles(size))
    assert [first for first, *_ in found] == [0, *(last for _, _, last, _ in found[:-1])]
    assert found[-1][2] == size
    for first, before, last, after in found:
        assert 0 <= first - before < last + after <= size
        assert last + after - first + before <= streaming.TILE


def test_labels_in_bands_are_those_of_the_whole():
    net = streaming_net()
    values = streaming.image(100, 90, mapped=False)
    bands, whole = (
        streaming.run(net, values, how) for how in (streaming.labels_by_stream, streaming.labels_of_the_whole)
    )
    assert len(np.unique(whole)) > 1
    assert (bands == whole).all()


def streaming_net() -> caffe.Net:
    net = caffe.Net(NET, caffe.TEST)
    streaming.draw(net)
    streaming.settle(net)
    return net


class Machine:
    """Runs nothing: seconds go down from run to run, and tiles of the larger image fail."""

    seconds = 100.0

    def python(self, *command: str, threads: int) -> str:
        _, _, side, *way = command
        if way == ["--tiles"] and side == "20":
            raise WorkerFailed("no memory")
        self.seconds -= 1
        more = {"other_labels": 0.0123, "computed_per_pixel": 1.5} if way == ["--tiles"] else {}
        return json.dumps({"seconds": self.seconds, "cpu_seconds": 2.0, "peak": 3 * 10**9, **more})


def test_the_row_has_the_best_of_three_runs_of_bands_and_of_the_whole(monkeypatch):
    monkeypatch.setitem(run.ENVIRONMENTS, "here", Machine())
    monkeypatch.setattr(run, "STREAMED", (10, 20, 60))
    monkeypatch.setattr(run, "MOST_WHOLE", 20)
    results = run.run_streaming(Namespace(threads=2))
    means = {key: result.get("mean") for key, result in results.items()}
    assert means == {
        **{"10×10, in bands": 95, "10×10, whole": 94, "10×10, tiles": 93},
        **{"20×20, in bands": 88, "20×20, whole": 87, "20×20, tiles": None, "60×60, in bands": 86},
    }
    table = result_page.table(results)
    assert "| 20×20, tiles | failed no memory |" in table
    assert "other labels 1.23%, pixels computed 1.5 for one" in table
