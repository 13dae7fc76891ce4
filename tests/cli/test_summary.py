"""caffe summary: shapes, parameters, multiplications, and a receptive field that gradients agree with."""

from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe.net import summary
from tests.cases.case import input_layer, layer

ROOT = Path(__file__).resolve().parents[2]
CONV, POOL = "convolution_param { num_output: 2", "pooling_param { pool: AVE"
NET = "\n".join(
    [
        "force_backward: true",
        input_layer("data", (1, 3, 41, 35)),
        layer("conv", "Convolution", ["data"], ["conv"], f"{CONV} kernel_h: 3 kernel_w: 5 pad: 2 stride: 2 }}"),
        layer("relu", "Sigmoid", ["conv"], ["conv"]),
        layer("pool", "Pooling", ["conv"], ["pool"], f"{POOL} kernel_size: 3 stride: 2 }}"),
        layer("wide", "Convolution", ["pool"], ["wide"], f"{CONV} kernel_size: 3 dilation: 2 pad: 2 }}"),
        layer("sum", "Eltwise", ["pool", "wide"], ["sum"]),
        layer("up", "Deconvolution", ["sum"], ["up"], f"{CONV} kernel_size: 4 stride: 2 }}"),
        layer("crop", "Crop", ["up", "pool"], ["crop"], "crop_param { offset: 1 offset: 2 }"),
        layer("fc", "InnerProduct", ["crop"], ["fc"], "inner_product_param { num_output: 7 }"),
    ]
)


@pytest.fixture
def net(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET)
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    rng = np.random.default_rng(0)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = rng.uniform(0.5, 1, blob.data.shape)
    return net


def seen_of(net, blob, row, column):
    """The rows and columns of the input on which a position of a blob depends."""
    net.blobs["data"].data[...] = np.random.default_rng(1).normal(size=net.blobs["data"].shape) * 0.01
    net.forward()
    last = next(name for name, tops in reversed(net.top_names.items()) if blob in tops)
    net.blobs[blob].diff[...] = 0
    net.blobs[blob].diff[0, :, row, column] = 1
    net.backward(start=last)
    gradient = np.abs(net.blobs["data"].diff[0]).sum(0)
    return [np.flatnonzero(gradient.any(axis=axis)) for axis in (1, 0)]


@pytest.mark.parametrize(
    ("name", "blob", "exact"), [("conv", "conv", True), ("pool", "pool", True), ("wide", "wide", False)]
)
def test_a_position_depends_on_the_pixels_of_its_receptive_field(net, name, blob, exact):
    (row,) = (row for row in summary.rows(net) if row.name == name)
    place = (4, 4)
    for pixels, sees, position in zip(seen_of(net, blob, *place), row.sees, place, strict=True):
        centre = sees.stride * position + sees.offset
        first, last = centre - (sees.field - 1) / 2, centre + (sees.field - 1) / 2
        assert (pixels[0], pixels[-1]) == (first, last)
        assert not exact or len(pixels) == sees.field


def test_upsampling_and_cropping_see_no_more_than_they_say_and_have_their_middle_there(net):
    for name, first in (("up", 8), ("crop", 7)):
        (row,) = (row for row in summary.rows(net) if row.name == name)
        assert [each.stride for each in row.sees] == [2, 2]
        boxes = [seen_of(net, name, *place) for place in ((first, first), (first + 1, first + 1))]
        for axis, sees in enumerate(row.sees):
            middles = []
            for position, box in zip((first, first + 1), boxes, strict=True):
                centre = sees.stride * position + sees.offset
                assert box[axis][0] >= centre - (sees.field + sees.stride) / 2
                assert box[axis][-1] <= centre + (sees.field + sees.stride) / 2
                middles.append((box[axis][0] + box[axis][-1]) / 2 - float(centre))
            assert sum(middles) == pytest.approx(0)


def test_parameters_and_multiplications_are_counted(net):
    found = {row.name: row for row in summary.rows(net)}
    assert found["conv"].parameters == 2 * 3 * 3 * 5 + 2
    height, width = net.blobs["conv"].shape[2:]
    assert found["conv"].multiplications == 2 * 3 * 3 * 5 * height * width
    assert found["fc"].parameters == 7 * net.blobs["crop"].count + 7
    assert found["fc"].sees is None
    assert "Split" not in {row.type for row in found.values()}


def test_the_command_shows_that_an_fcns_scores_lie_upon_its_input(run):
    status, out, _ = run(f"summary {ROOT}/nets/voc-fcn8s/deploy.prototxt --input-size 500x375")
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line[:1].isalnum()}
    assert status == 0
    assert lines["fc7"][-3:] == ["404", "32", "12.5"]
    assert lines["score"] == ["Crop", "1×21×500×375", "-", "-", "460", "1", "0"]
    assert "134,489,759 parameters (538.0 MB)" in out


def test_vgg16_has_its_published_numbers(run):
    _, out, _ = run(f"summary {ROOT}/nets/reference/vgg16/deploy.prototxt")
    assert "138,357,544 parameters" in out
    (line,) = (line for line in out.splitlines() if line.startswith("pool5 "))
    assert line.split()[-3:] == ["212", "32", "15.5"]


@pytest.mark.parametrize("size", ["tall", "0x4", "1x2x3"])
def test_a_wrong_size_is_told(run, size, caplog):
    status, _, _ = run(f"summary {ROOT}/nets/voc-fcn8s/deploy.prototxt --input-size {size}")
    assert status == 1
    assert "expected height and width, such as 500x375" in caplog.text
