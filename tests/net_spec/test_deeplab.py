"""DeepLab's nets: the paper's sizes, holes instead of steps, and its Interp in layers of BVLC Caffe."""

import numpy as np
import pytest
from google.protobuf import text_format

import caffe
from caffe.proto import caffe_pb2
from fcn_caffe.net_spec import geometry
from fcn_caffe.net_spec.catalogue import ROWS, VARIANTS
from fcn_caffe.net_spec.deeplab import STRIDE, DeepLab
from fcn_caffe.net_spec.nets import DEPLOY

DEEPLABS = [row for row in VARIANTS if isinstance(row, DeepLab)]
every = pytest.mark.parametrize("row", DEEPLABS, ids=lambda row: row.name)


@pytest.mark.parametrize(
    ("name", "millions"),
    [("voc-deeplab", 65.1), ("voc-deeplab-4x4", 65.1), ("voc-deeplab-7x7", 134.3), ("voc-largefov", 20.5)],
)
def test_parameters_are_as_many_as_the_paper_counts(name, millions):
    """ICLR 2015, table 2."""
    counts = geometry.parameters(ROWS[name].net(DEPLOY))
    counted = sum(count for layer, count in counts.items() if layer != "upscore")
    assert counted / 1e6 == pytest.approx(millions, abs=0.06)


@every
def test_each_score_is_trained_by_the_label_at_its_own_pixel(row):
    data, label = (1, 3, row.crop, row.crop), (1, 1, row.crop, row.crop)
    net = row.net(row.data.train.file)
    sizes = geometry.shapes(net, {"data": data, "label": label})
    (loss,) = (layer for layer in net.layer if layer.type == "SoftmaxWithLoss")
    scores, labels = (sizes[bottom] for bottom in loss.bottom)
    assert scores[2:] == labels[2:] == ((row.crop - 1) // STRIDE + 1,) * 2
    (crop,) = (layer for layer in row.net(DEPLOY).layer if layer.name == "score")
    assert list(crop.crop_param.offset) == [0]


@every
def test_scores_cover_every_image_of_every_size(row):
    message = row.net(DEPLOY)
    for side in (*range(1, 34), 375, 500):
        sizes = geometry.shapes(message, {"data": (1, 3, side, 34 - side % 34)})
        assert sizes["score"][2:] == (side, 34 - side % 34)


@pytest.mark.parametrize("size", [(9, 17), (41, 33), (3, 3)])
def test_the_upsampling_is_interp_by_eight(size, tmp_path):
    values = np.random.default_rng(0).normal(size=(1, 7, *size))
    (layer,) = (layer for layer in ROWS["voc7-largefov"].net(DEPLOY).layer if layer.type == "Deconvolution")
    mine = _run(text_format.MessageToString(layer), {layer.bottom[0]: values}, layer.top[0], tmp_path)
    interp = 'name: "i" type: "Interp" bottom: "x" top: "y" interp_param { zoom_factor: 8 }'
    theirs = _run(interp, {"x": values}, "y", tmp_path)
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(9, 17), (321, 321), (1, 25)])
def test_the_small_label_is_interp_shrunk_by_eight(size, tmp_path):
    values = np.random.default_rng(0).choice([0, 3, 6, 255], size=(1, 1, *size))
    row = ROWS["voc7-largefov"]
    (layer,) = (layer for layer in row.net(row.data.train.file).layer if layer.name == "label_small")
    mine = _run(text_format.MessageToString(layer), {"label": values}, "label_small", tmp_path)
    assert (mine == values[:, :, ::8, ::8]).all()


@pytest.mark.parametrize(("name", "conv5"), [("voc-largefov", 2), ("voc-deeplab-7x7", 2), ("voc-msc-largefov", 2)])
def test_what_lies_before_pool4_is_vgg16_and_conv5_has_holes(name, conv5):
    ours = {layer.name: layer for layer in ROWS[name].net(DEPLOY).layer}
    for layer in ROWS["voc-fcn32s"].net(DEPLOY).layer:
        if layer.type != "Convolution" or layer.name.startswith(("fc", "score")):
            continue
        mine, theirs = ours[layer.name].convolution_param, layer.convolution_param
        assert (mine.num_output, *mine.kernel_size) == (theirs.num_output, *theirs.kernel_size)
        assert list(mine.dilation) == ([conv5] if layer.name.startswith("conv5") else [])


def test_msc_learns_its_branches_and_scores_alone():
    for layer in ROWS["voc-msc-largefov"].net("train").layer:
        if layer.type == "Convolution":
            learns = layer.name.startswith(("ms_", "score"))
            assert [param.lr_mult for param in layer.param] == ([10, 20] if learns else [0, 0])


def test_layers_that_are_drawn_at_random_learn_faster_than_the_others():
    rates = {
        layer.name: layer.param[0].lr_mult
        for layer in ROWS["camvid-largefov"].net("train").layer
        if layer.type == "Convolution"
    }
    assert rates["conv1_2"] == 0
    assert rates["conv2_1"] == rates["conv5_3"] == 1
    assert rates["fc6"] == rates["fc7"] == rates["score_fr_11cls"] == 10


def _run(layer, inputs, top, folder):
    """What a layer makes of its inputs."""
    shapes = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ '
        + " ".join(f"dim: {size}" for size in values.shape)
        + " } } }\n"
        for name, values in inputs.items()
    )
    path = folder / "net.prototxt"
    path.write_text(f"{shapes}layer {{ {layer} }}")
    net = caffe.Net(str(path), caffe.TEST)
    for name, values in inputs.items():
        net.blobs[name].data[...] = values
    net.forward()
    return net.blobs[top].data.copy()


def test_the_files_are_ones_of_caffe(tmp_path):
    """Nothing but what BVLC Caffe's schema has."""
    known = {layer.type for row in DEEPLABS for phase in row.phases for layer in row.net(phase).layer}
    assert known <= {
        "Concat", "Convolution", "Crop", "Deconvolution", "Dropout", "Input", "Pooling", "Python", "ReLU",
        "SoftmaxWithLoss",
    }  # fmt: skip
    assert isinstance(ROWS["voc-largefov"].solver(), caffe_pb2.SolverParameter)
