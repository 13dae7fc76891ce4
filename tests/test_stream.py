"""net.stream: what it gives, what it reads, and what it refuses."""

import logging

import numpy as np
import pytest
import torch

import caffe
from caffe.errors import ShapeError, UsageError
from tests.cases.case import input_layer, layer
from tests.plan.nets import build, conv, pool, relu

TEXT = (
    input_layer("data", (1, 3, 8, 8))
    + conv("conv1", "data", 4, 3, pad=1)
    + relu("conv1")
    + pool("pool1", "conv1")
    + layer(
        "up", "Deconvolution", ["pool1"], ["up"], "convolution_param { num_output: 2 kernel_size: 4 stride: 2 pad: 1 }"
    )
)
WHOLE = layer("mvn", "MVN", ["up"], ["mvn"]) + conv("last", "mvn", 2, 3, pad=1)


def image(height: int = 30, width: int = 12, kind: type = np.float32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, height, width)).astype(kind)


def scores(net: caffe.Net, values: np.ndarray) -> np.ndarray:
    net.blobs["data"].reshape(1, *values.shape)
    net.blobs["data"].data[...] = values
    (found,) = net.forward().values()
    return found[0].copy()


def joined(stream) -> np.ndarray:
    return np.concatenate([band for _, band in stream], axis=1)


class File:
    """A source of one's own, which notes what was read."""

    def __init__(self, values: np.ndarray):
        self.values, self.shape, self.read = values, values.shape, []

    def __getitem__(self, key):
        self.read.append((key[1].start, key[1].stop))
        return self.values[key]


@pytest.mark.parametrize("rows", [None, 1, 7, 1000])
@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_bands_of_any_height_are_the_scores(rows, kind):
    net, values = build(TEXT), image(kind=kind)
    stream = net.stream(values, rows=rows)
    bands = list(stream)
    assert [row for row, _ in bands] == list(range(0, 30, rows or stream.rows))
    found, expected = joined(bands), scores(net, values)
    assert found.shape == stream.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_the_source_is_read_once_from_above(monkeypatch):
    monkeypatch.setattr("caffe.net.stream.READ_AT_ONCE", 4 * 3 * 12 * 7)
    source = File(image())
    joined(build(TEXT).stream(source))
    assert source.read == [(0, 7), (7, 14), (14, 21), (21, 28), (28, 30)]


def test_the_blobs_of_the_net_stay():
    net = build(TEXT)
    net.forward()
    before = {name: blob.data.copy() for name, blob in net.blobs.items()}
    joined(net.stream(image()))
    assert all((blob.data == before[name]).all() for name, blob in net.blobs.items())


def test_a_layer_that_needs_the_whole_map_is_named(caplog):
    net, values = build(TEXT + WHOLE), image()
    with caplog.at_level(logging.INFO, logger="caffe"):
        found = joined(net.stream(values))
    assert "layer 'mvn' (MVN) needs its bottoms as a whole" in caplog.text
    expected = scores(net, values)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_a_map_in_between_by_its_name():
    net, values = build(TEXT), image()
    found = joined(net.stream(values, blob="pool1"))
    scores(net, values)
    assert np.allclose(found, net.blobs["pool1"].data[0], atol=1e-3)


@pytest.mark.parametrize(
    ("text", "phase", "source", "settings", "words"),
    [
        (TEXT, caffe.TRAIN, image(), {}, "stream in phase TRAIN, expected TEST"),
        (TEXT, caffe.TEST, image()[0], {}, "expected an image, C × H × W"),
        (TEXT, caffe.TEST, image()[:2], {}, "conv1.*2 channels|conv1.*channels"),
        (TEXT, caffe.TEST, image(), {"blob": "nothing"}, "no blob 'nothing'"),
        (TEXT, caffe.TEST, image(), {"rows": 0}, "bands of 0 rows"),
        (TEXT + conv("other", "pool1", 2, 1), caffe.TEST, image(), {}, "outputs other, up; one is streamed"),
        (
            TEXT + layer("sum", "Reduction", ["up"], ["sum"]),
            caffe.TEST,
            image(),
            {},
            "blob 'sum' is .*, expected a map",
        ),
    ],
)
def test_what_cannot_be_streamed_is_refused(text, phase, source, settings, words):
    with pytest.raises((UsageError, ShapeError), match=words):
        build(text, phase).stream(source, **settings)


def test_a_source_that_gives_other_rows_is_refused():
    source = File(image())
    source.shape = (3, 31, 12)
    with pytest.raises(ShapeError, match="of the source are 3×30×12.*expected 3×31×12"):
        joined(build(TEXT).stream(source))


def test_a_source_takes_the_place_of_any_blob():
    net, values = build(TEXT), image()
    scores(net, values)
    conv1 = net.blobs["conv1"].data[0].copy()
    found = joined(net.stream(conv1, into="conv1"))
    assert np.abs(found - net.blobs["up"].data[0]).max() <= 1e-5 * np.abs(found).max()


def test_a_layer_in_place_of_the_input_is_computed():
    values = image() - 128
    text = input_layer("data", (1, 3, 8, 8)) + relu("data") + conv("conv1", "data", 4, 3, pad=1)
    net = build(text)
    found = joined(net.stream(values))
    assert np.abs(found - scores(net, values)).max() <= 1e-5 * np.abs(found).max()


TWO_TOPS = (
    layer("both", "DummyData", [], ["data", "other"], "dummy_data_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } }")
    + conv("conv1", "data", 3, 1)
    + layer("sum", "Eltwise", ["conv1", "other"], ["sum"])
)


def test_scores_of_other_tops_of_a_data_layer_are_refused():
    net = build(TWO_TOPS)
    assert joined(net.stream(image(), blob="conv1", into="data")).shape == (3, 30, 12)
    with pytest.raises(UsageError, match="sum is computed from other tops of layer 'both'"):
        net.stream(image(), into="data")
    with pytest.raises(UsageError, match="Name the blob with into="):
        net.stream(image())
    with pytest.raises(UsageError, match="no blob 'nothing'"):
        net.stream(image(), into="nothing")


DATA = input_layer("data", (1, 3, 20, 18))
MADE = {
    "a number a channel": (
        "dim: 1 dim: 3",
        layer("out", "Scale", ["data", "other"], ["out"], "scale_param { axis: 0 }"),
    ),
    "one number": ("dim: 1", layer("out", "Scale", ["data", "other"], ["out"], "scale_param { axis: 0 }")),
    "more channels": ("dim: 1 dim: 2 dim: 20 dim: 18", layer("out", "Concat", ["data", "other"], ["out"])),
    "a size to crop to": ("dim: 1 dim: 2 dim: 7 dim: 9", layer("out", "Crop", ["data", "other"], ["out"])),
}


@pytest.mark.parametrize("keeps", [True, False], ids=["blobs kept", "blobs given up"])
@pytest.mark.parametrize("kind", ["Input", "DummyData", "Parameter"])
@pytest.mark.parametrize("use", MADE)
def test_what_does_not_come_from_the_source_is_taken_whole(use, kind, keeps):
    shape, reader = MADE[use]
    settings = {
        "Input": f"input_param {{ shape {{ {shape} }} }}",
        "Parameter": f"parameter_param {{ shape {{ {shape} }} }}",
        "DummyData": f'dummy_data_param {{ shape {{ {shape} }} data_filler {{ type: "constant" value: 2 }} }}',
    }
    net = build(DATA + layer("other", kind, [], ["other"], settings[kind]) + reader)
    net.keep_blobs = keeps
    values = image(20, 18)
    net.blobs["data"].data[...] = values
    expected = net.forward()["out"][0].copy()
    found = joined(net.stream(values, into="data", rows=3))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-6 * np.abs(expected).max() > 0


def test_a_blob_that_does_not_come_from_the_source_is_refused():
    net = build(DATA + conv("first", "data", 2, 3) + pool("second", "first"))
    with pytest.raises(UsageError, match="blob 'first' is not computed from second.*Name a later blob"):
        net.stream(image(), into="second", blob="first")


@pytest.mark.parametrize("rows", [0, -1, 1.5, float("nan"), "3", True])
def test_a_height_of_bands_is_a_whole_number(rows):
    with pytest.raises(UsageError, match="expected a whole number, at least 1"):
        build(TEXT).stream(image(), rows=rows)
    assert joined(build(TEXT).stream(image(), rows=np.int64(3))).any()


class Shaped:
    def __init__(self, *shape):
        self.shape = shape


@pytest.mark.parametrize("source", [None, "x.npy", [[1]], 3, Shaped(3, None, 33), Shaped(3, 2.5, 8)])
def test_a_source_without_the_shape_of_an_image_is_refused(source):
    with pytest.raises(UsageError, match="net 'net'|net ''.*expected an array C × H × W"):
        build(TEXT).stream(source)


@pytest.mark.parametrize(
    "values",
    [
        image().astype(str),
        image().astype(complex),
        np.full((3, 30, 12), None),
        np.ma.masked_less(image(), 5),
        torch.ones(3, 30, 12, requires_grad=True),
    ],
    ids=["text", "complex numbers", "objects", "a mask", "a tensor that learns"],
)
def test_rows_that_are_no_numbers_are_refused(values):
    with pytest.raises(
        UsageError, match="rows 0 to 29 of the source are .*[,;] expected.* numbers.*Correct the source"
    ):
        joined(build(TEXT).stream(values))
