"""What docs/public-nets.md lists as refused is refused, by its name and that of its layer."""

import re

import pytest

from caffe import forks, layer_types
from caffe.errors import CaffeError
from caffe.formats import prototxt
from caffe.net import dialects
from caffe.proto import caffe_pb2
from docs.generate.__main__ import ROOT
from tests.forks.forms import layer, net_of
from tests.forks.test_python_modules import python

layer_types.load()
forks.load()
PAGE = (ROOT / "docs/public-nets.md").read_text(encoding="utf-8")
LIST = PAGE[PAGE.index("## What is refused") :]
TYPES = [
    "ICNetSubgraph",
    "FrcnnProposal",
    "RegionLoss",
    "Yolov3",
    "CTCGreedyDecoder",
    "WarpCTCLoss",
    "WarpCTC",
    "InnerDistance",
    "ChannelScale",
    "GeneralContrastiveLoss",
    "MaskResize",
    "NdConvolution",
    "NdPooling",
    "SigmoidCrossEntropyBalanceLoss",
    "SeLu",
    "SeLuDropout",
    "Grid",
    "Warp",
    "DetectionLoss",
    "DetectionGroupLoss",
    "ProposalTarget",
    "BboxAccuracy",
    "ImageGtData",
    "DetectionData",
    "EvalData",
    "FrcnnOutput",
]
FIELDS = [
    ("no_permute", "DetectionOutput", "detection_output_param { num_classes: 2 no_permute: true }"),
    ("biases", "DetectionOutput", "detection_output_param { num_classes: 2 biases: 0.5 }"),
    ("tf", "PriorBox", "prior_box_param { min_size: 9 tf: true }"),
    ("yx_order", "PriorBox", "prior_box_param { min_size: 9 yx_order: true }"),
    ("denser_prior_boxes", "PriorBox", "prior_box_param { min_size: 9 denser_prior_boxes: true }"),
    *[
        (side, "Deconvolution", f"convolution_param {{ num_output: 1 kernel_size: 2 {side}: 1 }}")
        for side in ("pad_l", "pad_r", "pad_t", "pad_b")
    ],
    ("blob_filler", "Parameter", 'parameter_param { shape { dim: 1 } blob_filler { type: "xavier" } }'),
    ("relu", "Convolution", "convolution_param { num_output: 1 kernel_size: 2 relu: true }"),
    ("filler", "BatchNorm", "batch_norm_param { filler { value: 1 } }"),
    ("random_resize_param", "Data", "transform_param { random_resize_param { min_size: 2 } }"),
    ("shuffle", "Data", "data_param { shuffle: true }"),
]
SOLVERS = {
    "warmup_iter": "warmup_iter: 9",
    "stagelr": "stagelr: 0.1",
    "larc": "larc: true",
    "rampup_lr": "rampup_lr: 1",
    "min_lr": "min_lr: 0.1",
    "plateau_winsize": "plateau_winsize: 9",
}


def listed(name):
    return re.search(rf"\b{name}\b", LIST) is not None


@pytest.mark.parametrize("name", TYPES)
def test_a_type_of_the_list_is_refused_with_its_fork(name):
    assert listed(name)
    net = prototxt.parse(f'layer {{ name: "layer" type: "{name}" }}', caffe_pb2.NetParameter())
    with pytest.raises(CaffeError, match=rf"layer 'layer': Unknown layer type: {name} \(of .*; not implemented here\)"):
        dialects.check(net)


@pytest.mark.parametrize(("field", "type_", "text"), FIELDS)
def test_a_field_of_the_list_is_refused_with_its_value(field, type_, text):
    assert listed(field)
    net = prototxt.parse(f'layer {{ name: "layer" type: "{type_}" {text} }}', caffe_pb2.NetParameter())
    with pytest.raises(CaffeError, match=rf"layer 'layer' \({type_}\): \w+\.{field} is .*not implemented here"):
        dialects.check(net)


@pytest.mark.parametrize("field", SOLVERS)
def test_a_solvers_field_of_the_list_is_refused_with_its_value(field):
    assert listed(field)
    with pytest.raises(CaffeError, match=rf"solver: {field} is .*not implemented here"):
        dialects.check_solver(prototxt.parse(SOLVERS[field], caffe_pb2.SolverParameter()))


@pytest.mark.parametrize("tops", [5, 6])
def test_fast_r_cnns_data_are_refused_with_what_to_do(tops):
    assert listed("5 or 6 tops")
    with pytest.raises(CaffeError, match=f"layer 'layer' .Python.: {tops} tops; .* write a Python layer"):
        net_of(python("roi_data_layer.layer", "RoIDataLayer", "'num_classes': 3"), [], tops)


@pytest.mark.parametrize("field", ["denseblock_param", "rotate_pooling_param", "orn_param"])
def test_a_field_that_nobody_knows_is_told_with_its_line(field):
    assert listed(field)
    with pytest.raises(CaffeError, match=rf":2:1: LayerParameter has no field '{field}'.* \(layer 'a'\)"):
        prototxt.parse(f'layer {{ name: "a" type: "ReLU"\n{field} {{ x: 1 }} }}', caffe_pb2.NetParameter())


@pytest.mark.parametrize("value", ["cls3x", "$NAME"])
def test_a_template_is_told_with_its_line(value):
    assert listed(re.escape(value).replace(r"\$", "")) or value in LIST
    text = layer("Convolution", f"convolution_param {{\nnum_output: {value} }}")
    with pytest.raises(CaffeError, match=r"<text>:2:\d+: "):
        prototxt.parse(text, caffe_pb2.NetParameter())
