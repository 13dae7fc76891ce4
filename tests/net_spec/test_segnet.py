"""SegNet's row: an encoder that is VGG16's, and a decoder that undoes its poolings, whatever their sizes."""

from dataclasses import replace

import numpy as np
import pytest

from fcn_caffe.net_spec import geometry
from fcn_caffe.net_spec.catalogue import ROWS
from fcn_caffe.variants.build import build

ROW = ROWS["camvid-segnet"]


@pytest.mark.parametrize("size", [(360, 480), (32, 64), (37, 51), (65, 33)])
def test_what_a_pooling_halves_the_decoder_brings_back(size):
    shapes = geometry.shapes(replace(ROW, data=replace(ROW.data, size=size)).net("deploy"))
    for block in range(1, 6):
        before = shapes["data"] if block == 1 else shapes[f"pool{block - 1}"]
        assert shapes[f"upsample{block}"][2:] == before[2:]
        assert shapes[f"upsample{block}"][1] == shapes[f"pool{block}"][1]
    assert shapes["score"] == (1, 11, *size)


def test_the_encoder_is_vgg16s():
    theirs = geometry.parameters(ROWS["ilsvrc/vgg16"].net("conv"))
    mine = geometry.parameters(ROW.net("deploy"))
    assert {name: count for name, count in theirs.items() if name.startswith("conv")} == {
        name: count for name, count in mine.items() if name.startswith("conv") and "_D" not in name
    }


@pytest.mark.parametrize("size", [(32, 48), (37, 51), (33, 65)])
def test_it_runs_and_every_value_returns_to_where_the_maximum_was(size):
    net = build(replace(ROW, data=replace(ROW.data, size=size)).net("deploy"))
    net.blobs["data"].data[...] = np.random.default_rng(0).normal(size=(1, 3, *size))
    scores = net.forward()["score"]
    assert scores.shape == (1, 11, *size)
    assert np.isfinite(scores).all()
    for block in (1, 3, 5):
        values, masks = net.blobs[f"upsample{block}"].data[0], net.blobs[f"pool{block}_mask"].data[0]
        for up, mask in zip(values, masks, strict=True):
            assert set(np.flatnonzero(up)) <= set(mask.reshape(-1).astype(int))


def test_conv1_of_the_encoder_does_not_learn_and_the_decoder_does():
    rates = {layer.name: layer.param[0].lr_mult for layer in ROW.net("train").layer if layer.type == "Convolution"}
    assert rates["conv1_1"] == rates["conv1_2"] == 0
    assert rates["conv2_1"] == rates["conv1_2_D"] == rates["conv1_1_D_11cls"] == rates["conv5_3_D"] == 1
