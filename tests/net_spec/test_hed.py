"""HED's rows: five side outputs on the pixels of the image, and their fusion."""

import numpy as np
import pytest

from fcn_caffe.net_spec import geometry
from fcn_caffe.net_spec.catalogue import ROWS, VARIANTS
from fcn_caffe.net_spec.hed import Hed
from fcn_caffe.variants.build import build

HEDS = [row for row in VARIANTS if isinstance(row, Hed)]
every = pytest.mark.parametrize("row", HEDS, ids=lambda row: row.name)


@every
def test_sides_lie_where_the_authors_net_has_them(row):
    crops = {layer.name: layer.crop_param.offset[0] for layer in row.net("deploy").layer if layer.type == "Crop"}
    assert crops == {"side1_c": 34, "side2_c": 35, "side3_c": 36, "side4_c": 38, "side5_c": 42}


@pytest.mark.parametrize("size", [(360, 480), (37, 51), (1, 1)])
def test_sides_cover_images_of_every_size(size):
    shapes = geometry.shapes(ROWS["camvid-hed"].net("deploy"), {"data": (1, 3, *size)})
    assert shapes["concat_sides"] == (1, 5, *size)
    assert shapes["score"] == (1, 2, *size)


@every
def test_each_side_and_the_fusion_has_a_loss_of_its_own(row):
    losses = [layer for layer in row.net("train").layer if layer.python_param.layer == "BalancedSigmoidLossLayer"]
    assert [layer.name for layer in losses] == ["loss1", "loss2", "loss3", "loss4", "loss5", "loss"]
    assert {tuple(layer.loss_weight) for layer in losses} == {(1,)}
    assert {layer.bottom[1] for layer in losses} == {"edges"}


@every
def test_edges_are_made_of_labels_or_read(row):
    types = [layer.python_param.layer for layer in row.net("train").layer if layer.type == "Python"]
    assert ("EdgesLayer" in types) == row.of_labels
    assert row.of_labels == (row.name != "bsds-hed")
    assert "edges" in {top for layer in row.net("val").layer for top in layer.top}


def test_the_published_row_learns_at_the_authors_rates():
    """lr_mult of the weights and biases in s9xie/hed's train_val.prototxt."""
    rates = {layer.name: [param.lr_mult for param in layer.param] for layer in ROWS["bsds-hed"].net("train").layer}
    assert rates["conv1_1"] == rates["conv4_3"] == [1, 2]
    assert rates["conv5_2"] == [100, 200]
    assert rates["side3"] == pytest.approx([0.01, 0.02])
    assert rates["fuse"] == pytest.approx([0.001, 0.002])
    assert rates["upside3"] == [0]


def test_an_edge_is_predicted_where_the_fusion_is_above_zero():
    net = build(ROWS["camvid-hed"].net("deploy"))
    net.blobs["data"].reshape(1, 3, 20, 24)
    drawn = np.random.default_rng(0)
    for name, blobs in net.params.items():
        if name.startswith(("conv", "side")):
            blobs[0].data[...] = drawn.normal(size=blobs[0].data.shape, scale=np.sqrt(2 / blobs[0].data[0].size))
    net.blobs["data"].data[...] = drawn.normal(size=(1, 3, 20, 24))
    score = net.forward()["score"]
    fuse = net.blobs["fuse"].data[0, 0]
    assert fuse.std() > 0
    assert (score[0].argmax(0) == (fuse > 0)).all()
    np.testing.assert_allclose(fuse, net.blobs["concat_sides"].data[0].mean(0), rtol=1e-4, atol=1e-5)
