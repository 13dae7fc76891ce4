"""fcn_caffe.new, solve and score: the commands as functions, which raise what the commands tell."""

from pathlib import Path

import pytest

import fcn_caffe
from fcn_caffe.commands import score as score_command
from tests.tools.test_new_task import photos, random_squeezenet

__all__ = ["photos", "random_squeezenet"]
DATA = {"images": "mine/JPEGImages", "labels": "mine/SegmentationClass", "classes": "classes.txt"}


def test_a_task_is_made_trained_and_scored_by_functions(photos, random_squeezenet, monkeypatch, capsys):
    monkeypatch.setenv("SQUEEZENET_V1_1_CAFFEMODEL", str(random_squeezenet))
    fcn_caffe.new("pools", **DATA, backbone="squeezenet")
    fcn_caffe.solve("pools", chain=True, iterations=1, resume=False)
    found = fcn_caffe.score("pools")
    assert score_command.main(["pools", "--json", "out/scores.json"]) == 0
    assert found == fcn_caffe.functions.read_json(Path("out/scores.json"))
    assert found["classes"] == ["water", "rock", "bird"]
    assert 0 <= found["mean_iu"] <= 1
    result = fcn_caffe.Segmenter("pools")("mine/JPEGImages/image0.png")
    assert result.names == ("water", "rock", "bird")
    assert fcn_caffe.score("pools", json="kept.json") == found
    assert Path("kept.json").exists()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: fcn_caffe.solve("voc-fcn7s"), ValueError, "voc-fcn7s"),
        (lambda: fcn_caffe.solve("voc-fcn8s", steps=4), ValueError, "unrecognized arguments: --steps 4"),
        (lambda: fcn_caffe.score(), ValueError, "give a variant, or --net and --weights"),
        (lambda: fcn_caffe.new("x", **{**DATA, "images": "nowhere"}), FileNotFoundError, "there is no folder"),
        (lambda: fcn_caffe.strange, AttributeError, "has no attribute 'strange'"),
    ],
)
def test_errors_are_raised_with_their_words(photos, call, error, words):
    with pytest.raises(error, match=words):
        call()
