"""Shift-and-stitch against the dense nets, on trunks with random weights."""

from pathlib import Path

import numpy as np
import pytest

from analyses import shift_and_stitch
from analyses.dense import dense, trunk
from caffe.log import init_log
from fcn_caffe.net_spec.catalogue import ROWS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def quiet():
    init_log(2)
    yield
    init_log()


@pytest.mark.parametrize(
    ("name", "until", "stride"),
    [("demo-classifier", "conv3_1", 4), ("ilsvrc/caffenet", "norm1", 8)],
    ids=["2×2 poolings", "strided convolution, 3×3 pooling, LRN"],
)
def test_the_three_ways_agree(name, until, stride):
    plain, *dense_ones = shift_and_stitch.ways(ROWS[name].net("conv"), until, outputs=2)
    stitched = dense_ones[0].output
    assert stitched.shape[1:] == (2 * stride, 2 * stride)
    assert np.abs(stitched).max() > 1
    assert (stitched[:, ::stride, ::stride] == plain.output).all()
    for way in dense_ones[1:]:
        np.testing.assert_allclose(way.output, stitched, atol=1e-5 * np.abs(stitched).max())


def test_dilation_costs_least():
    plain, stitched, rarefied, dilated = (
        way.multiplications for way in shift_and_stitch.ways(ROWS["demo-classifier"].net("conv"), "conv3_1", outputs=2)
    )
    assert stitched == 16 * plain
    assert plain < dilated < stitched
    assert dilated < rarefied


def test_filters_are_as_far_apart_as_the_strides_before_them_say():
    made = dense(trunk(ROWS["demo-classifier"].net("conv"), "conv4_2"), 100)
    dilations = {layer.name: layer.convolution_param.dilation[0] for layer in made.layer if layer.type == "Convolution"}
    assert dilations == {"conv1_1": 1, "conv2_1": 2, "conv3_1": 4, "conv3_2": 4, "conv4_1": 8, "conv4_2": 8}
    windows = {layer.name: layer.convolution_param.dilation[0] for layer in made.layer if layer.type == "Im2col"}
    assert windows == {"pool2_windows": 2, "pool3_windows": 4}


@pytest.mark.parametrize(
    ("net", "until", "words"),
    [
        ("demo-classifier", "conv9", "the net has no layer 'conv9'; there are data, conv1_1"),
        ("ilsvrc/googlenet", "inception_3a/output", "Concat.*expected a chain"),
    ],
)
def test_what_is_no_chain_is_refused(net, until, words):
    with pytest.raises(ValueError, match=words):
        trunk(ROWS[net].net("conv"), until)


def test_the_command(capsys):
    net = str(ROOT / "nets/demo-classifier/conv.prototxt")
    assert shift_and_stitch.main(["--net", net, "--until", "pool1", "--outputs", "1"]) == 0
    assert "dilation" in capsys.readouterr().out
    assert shift_and_stitch.main(["--net", net, "--until", "nothing"]) == 1
