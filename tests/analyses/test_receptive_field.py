"""analyses/receptive_field.py: the box that is computed holds all of the gradient that is measured."""

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image

import caffe
from analyses import receptive_field
from caffe.proto import caffe_pb2
from fcn_caffe.net_spec import geometry
from fcn_caffe.variants.build import build
from tests.tools.conftest import ROOT

BLOBS = ["pool1", "conv3_1", "pool3"]


@pytest.fixture(scope="module")
def net():
    """The demo's classifier with random weights, on noise."""
    message = caffe_pb2.NetParameter()
    text_format.Parse((ROOT / "nets/demo-classifier/conv.prototxt").read_text(), message)
    message.force_backward = True
    message.layer[0].input_param.shape[0].dim[:] = [1, 3, 90, 120]
    caffe.set_random_seed(1)
    made = build(message)
    made.blobs["data"].data[...] = np.random.default_rng(0).normal(0, 50, (1, 3, 90, 120))
    made.forward()
    return message, made


@pytest.mark.parametrize("blob", BLOBS)
@pytest.mark.parametrize("at", [(60, 45), (2, 3), (119, 89)])
def test_nothing_outside_of_the_box_has_a_gradient_and_the_pixel_lies_in_it(net, blob, at):
    found = receptive_field.seen(*net, blob, at)
    left, top, right, bottom = found.box
    inside = np.zeros(found.gradient.shape, bool)
    inside[max(top, 0) : bottom, max(left, 0) : right] = True
    assert found.gradient[~inside].sum() == 0
    assert found.gradient.sum() == pytest.approx(1)
    assert left <= at[0] <= right
    assert top <= at[1] <= bottom
    assert right - left == geometry.receptive_field(net[0], blob).size
    assert 0 < found.held <= 2 * (right - left)


def test_the_square_holds_as_much_as_it_says():
    gradient = np.zeros((21, 21))
    gradient[10, 10], gradient[10, 16], gradient[0, 0] = 0.5, 0.46, 0.04
    assert receptive_field._held(gradient, (10.5, 10.5)) == 12


def test_a_picture_of_a_photo(empty, capsys):
    message = Path("nets/demo-classifier/conv.prototxt")
    caffe.set_random_seed(1)
    caffe.Net(str(message), caffe.TEST).save("net.caffemodel")
    pixels = np.random.default_rng(0).integers(0, 256, (80, 100, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.png")
    line = ["photo.png", "--net", str(message), "--weights", "net.caffemodel", "--blobs", *BLOBS, "--out", "seen.png"]
    assert receptive_field.main(line) == 0
    assert "pool3" in capsys.readouterr().out
    assert min(Image.open("seen.png").size) > 240
    assert receptive_field.main([*line[:-3], "nowhere"]) == 1
    assert "nowhere" in capsys.readouterr().err
