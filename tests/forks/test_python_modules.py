"""Python layers that published nets name serve where no module of their names is found."""

import sys

import numpy as np
import pytest

import caffe
from caffe.errors import CaffeError
from caffe.layer_types.helpers import python_modules
from tests.forks.forms import distinct, net_of


@pytest.fixture(autouse=True)
def nothing_near(monkeypatch):
    """A command that ran in this process has left the folders beside its files."""
    monkeypatch.setattr(python_modules, "_near", [])


def python(module, cls, text):
    return f'layer {{ type: "Python" python_param {{ module: "{module}" layer: "{cls}" param_str: "{text}" }} }}'


def rois(values, text="'feat_stride': 16", tops=1):
    net = net_of(python("rpn.proposal_layer", "ProposalLayer", text), values, tops)
    return net.forward()


@pytest.fixture
def values():
    rng = np.random.default_rng(4)
    scores, deltas = rng.uniform(size=(1, 18, 6, 7)), rng.normal(size=(1, 36, 6, 7)) / 4
    return [scores, deltas, np.array([[96, 112, 1.5]])]


def test_py_faster_rcnns_proposals_are_those_of_the_layer_type(values):
    settings = "ratio: [0.5, 1, 2] scale: [8, 16, 32]"
    wanted = net_of(f'layer {{ type: "Proposal" proposal_param {{ {settings} }} }}', values, 2).forward()
    found = rois(values, tops=2)
    assert len(found["y"]) > 1
    assert np.allclose(found["y"], wanted["y"])
    assert np.allclose(found["y1"].ravel(), wanted["y1"])


@pytest.mark.parametrize("text", ["{'feat_stride': 16, 'scales': [8, 16, 32]}", "feat_stride: 16",
                                  "'feat_stride': 16 \\n'scales': !!python/tuple [8, 16, 32]"])  # fmt: skip
def test_settings_may_be_written_as_a_dict_or_as_yaml(values, text):
    assert np.array_equal(rois(values, text)["y"], rois(values)["y"])


def test_anchors_may_have_ratios_of_their_own_as_pvanets_have(values):
    settings = "ratio: [0.5, 1, 2] scale: [2, 4, 9]"
    wanted = net_of(f'layer {{ type: "Proposal" proposal_param {{ {settings} }} }}', values).forward()["y"]
    found = rois(values, "{'feat_stride': 16, 'ratios': [0.5, 1, 2], 'scales': [2, 4, 9]}")["y"]
    assert np.allclose(found, wanted)
    few = [values[0][:, :8], values[1][:, :16], values[2]]
    assert len(rois(few, "{'feat_stride': 16, 'ratios': [1, 3], 'scales': [8, 16]}")["y"]) > 1


@pytest.mark.parametrize("text", ["", "'feat_stride': __import__('os')", "[1, 2"])
def test_settings_of_another_form_are_refused_and_not_run(values, text):
    with pytest.raises(CaffeError, match="param_str"):
        rois(values, text)


def test_enets_dropout_multiplies_in_test():
    x = distinct(2, 3, 2, 2)
    text = python("spatial_dropout", "SpatialDropoutLayer", "{'phase': 'TEST', 'p': '0.2'}")
    assert np.allclose(net_of(text, [x]).forward()["y"], x / 0.8)


def test_enets_dropout_drops_whole_channels_in_train_and_their_gradients():
    x = distinct(20, 10, 2, 2)
    text = python("spatial_dropout", "SpatialDropoutLayer", "{'phase': 'TRAIN', 'p': '0.25'}")
    net = net_of(text, [x], force_backward=True)
    share = net.forward()["y"] / x
    assert np.allclose(share, share[:, :, :1, :1])
    assert np.allclose(share[share != 0], 4 / 3, rtol=1e-5)
    assert 0.1 < (share == 0).mean() < 0.4
    net.blobs["y"].diff[...] = 1
    net.backward()
    assert np.allclose(net.blobs["x0"].diff, share, rtol=1e-5)


def test_a_module_of_the_users_own_goes_first(tmp_path, monkeypatch):
    (tmp_path / "spatial_dropout.py").write_text(
        "import caffe\n"
        "class SpatialDropoutLayer(caffe.Layer):\n"
        "    def setup(self, bottom, top): pass\n"
        "    def reshape(self, bottom, top): top[0].reshape(1)\n"
        "    def forward(self, bottom, top): top[0].data[...] = 7\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    text = python("spatial_dropout", "SpatialDropoutLayer", "{}")
    try:
        assert net_of(text, [distinct(2, 3)], phase=caffe.TEST).forward()["y"].tolist() == [7]
    finally:
        del sys.modules["spatial_dropout"]


SCORES, MOVES, IMAGE, BOXES = (1, 18, 4, 4), (1, 36, 4, 4), (1, 3), (2, 5)
PROPOSE = ("rpn.proposal_layer", "ProposalLayer")
ANCHORS = ("rpn.anchor_target_layer", "AnchorTargetLayer")
TARGETS = ("rpn.proposal_target_layer", "ProposalTargetLayer")


@pytest.mark.parametrize(
    ("layer", "text", "shapes", "tops", "words"),
    [
        (PROPOSE, "'feat_stride': 16", [SCORES, MOVES], 1, "2 bottom and 1 top blobs; expected as bottoms scores, "),
        (PROPOSE, "'feat_stride': 16", [SCORES, MOVES, IMAGE], 3, "the last 1 may be left out"),
        (PROPOSE, "'feat_stride': 0", [SCORES, MOVES, IMAGE], 1, "expected 'feat_stride': 16"),
        (PROPOSE, "'feat_stride': 'x'", [SCORES, MOVES, IMAGE], 1, "expected 'feat_stride': 16"),
        (PROPOSE, "'feat_stride': 16, 'scales': 8", [SCORES, MOVES, IMAGE], 1, "expected 'scales'"),
        (PROPOSE, "'feat_stride': 16, 'ratios': [0]", [SCORES, MOVES, IMAGE], 1, "expected 'ratios'"),
        (PROPOSE, "'feat_stride': 16", [SCORES, (1, 36, 4, 5), IMAGE], 1, "1×36×4×5, 1×3; expected"),
        (PROPOSE, "'feat_stride': 16", [SCORES, MOVES, (1, 2)], 1, "height, width and scale of the image"),
        (ANCHORS, "'feat_stride': 16", [SCORES, BOXES, IMAGE], 3, "3 bottom and 3 top blobs"),
        (ANCHORS, "'feat_stride': -1", [SCORES, BOXES, IMAGE], 4, "expected 'feat_stride': 16"),
        (ANCHORS, "'feat_stride': 16", [SCORES, (2, 4), IMAGE], 4, "expected .1, 2 A, H, W., .G, 5."),
        (TARGETS, "'num_classes': 3", [BOXES], 5, "1 bottom and 5 top blobs"),
        (TARGETS, "'num_classes': 3", [BOXES, BOXES], 2, "2 bottom and 2 top blobs"),
        (TARGETS, "'num_classes': 0", [BOXES, BOXES], 5, "expected 'num_classes': 21"),
        (TARGETS, "'num_classes': 3", [(2, 4), BOXES], 5, "expected .R, 5. and .G, 5."),
        (("roi_data_layer.layer", "RoIDataLayer"), "'num_classes': 3", [], 6, "6 tops; expected data, im_info and"),
        (("roi_data_layer.layer", "RoIDataLayer"), "{}", [], 3, "expected 'num_classes': 21"),
        (("spatial_dropout", "SpatialDropoutLayer"), "{'p': 'x'}", [(2, 3)], 1, "expected 'p' between 0 and 1"),
        (("spatial_dropout", "SpatialDropoutLayer"), "{'p': 0.1}", [(2, 3), (2, 3)], 1, "2 bottom and 1 top blobs"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_built_in_module_is_told_with_the_layers_name(layer, text, shapes, tops, words):
    with pytest.raises(CaffeError, match=words) as error:
        net_of(python(*layer, text), [np.zeros(shape) for shape in shapes], tops).forward()
    assert str(error.value).startswith("layer 'layer' (Python): ")
    assert str(error.value).count("layer 'layer'") == 1
