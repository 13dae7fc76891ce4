"""DeconvNet's rows: named and built as the authors' net, on whole images of one size."""

from dataclasses import replace

import numpy as np
import pytest

from fcn_caffe.net_spec import deconvnet, geometry
from fcn_caffe.net_spec.catalogue import ROWS, VARIANTS
from fcn_caffe.net_spec.deconvnet import DeconvNet
from fcn_caffe.variants.build import build

ROW = ROWS["voc-deconvnet"]
NAMES = (
    *("bn1_1", "relu1_1", "pool1", "pool1_mask", "bn5_3", "fc6", "bnfc6", "relu6", "fc7", "bnfc7", "fc6-deconv"),
    *("fc6-deconv-bn", "fc6-deconv-relu", "unpool5", "deconv5_1", "debn5_1", "derelu5_1", "deconv1_2", "seg-score-voc"),
)


def sized(row, size):
    return replace(row, data=replace(row.data, size=size))


def test_its_layers_have_the_authors_names():
    message = ROW.net("deploy")
    names = {layer.name for layer in message.layer} | {top for layer in message.layer for top in layer.top}
    assert set(NAMES) <= names


def test_widths_are_the_authors():
    shapes = geometry.shapes(sized(ROW, (224, 224)).net("deploy"))
    channels = {name: shape[1] for name, shape in shapes.items() if name.startswith("deconv") and shape}
    assert channels == {
        **{"deconv5_1": 512, "deconv5_2": 512, "deconv5_3": 512, "deconv4_1": 512, "deconv4_2": 512, "deconv4_3": 256},
        **{"deconv3_1": 256, "deconv3_2": 256, "deconv3_3": 128, "deconv2_1": 128, "deconv2_2": 64},
        **{"deconv1_1": 64, "deconv1_2": 64},
    }
    assert shapes["fc6"] == (1, 4096, 1, 1)
    assert [shapes[f"unpool{block}"][2] for block in range(5, 0, -1)] == [14, 28, 56, 112, 224]


@pytest.mark.parametrize("size", [(224, 224), (360, 480), (257, 301), (512, 512)])
def test_what_a_pooling_halves_the_mirror_image_brings_back(size):
    shapes = geometry.shapes(sized(ROW, size).net("deploy"))
    for block in range(1, 6):
        before = shapes["data"] if block == 1 else shapes[f"pool{block - 1}"]
        assert shapes[f"unpool{block}"][2:] == before[2:]
    assert shapes["score"] == (1, 21, *size)


@pytest.mark.parametrize("size", [(224, 224), (225, 230), (256, 240)])
def test_it_runs_and_every_value_returns_to_where_the_maximum_was(size, monkeypatch):
    monkeypatch.setattr(deconvnet, "WIDE", 8)
    net = build(sized(ROW, size).net("deploy"))
    drawn = np.random.default_rng(0)
    for name, blobs in net.params.items():
        if name.startswith("conv"):
            blobs[0].data[...] = drawn.normal(size=blobs[0].data.shape, scale=np.sqrt(2 / blobs[0].data[0].size))
    net.blobs["data"].data[...] = drawn.normal(size=(1, 3, *size))
    assert np.isfinite(net.forward()["score"]).all()
    values, masks = net.blobs["unpool5"].data[0], net.blobs["pool5_mask"].data[0]
    for up, mask in zip(values, masks, strict=True):
        assert set(np.flatnonzero(up)) <= set(mask.reshape(-1).astype(int))


@pytest.mark.parametrize("row", [row for row in VARIANTS if isinstance(row, DeconvNet)], ids=lambda row: row.name)
def test_images_come_whole_and_in_one_size(row):
    params = (row.data.train.params, row.data.val.params)
    assert [each.get("crop") for each in params] == [None, None]
    assert {each.get("square") for each in params} == {row.data.size[0] if row is ROW else None}
