"""A few layers and nets in ONNX, for `make fast`; all of them are in the other files."""

import pytest

from caffe.export import check
from tests.export import test_onnx_layers
from tests.export.nets import ROOT, filled, found_differences

TYPES = ("Pooling", "LRN", "Crop", "Deconvolution", "LSTM", "Reshape")


@pytest.mark.parametrize("layer_type", TYPES)
def test_a_layer_in_onnx_computes_what_the_engine_computes(layer_type):
    found = list(test_onnx_layers.compared(test_onnx_layers.FIRST[layer_type]))
    assert found
    assert all(each.relative <= check.LIMIT for each in found), found


@pytest.mark.parametrize("name", ["reference/lenet", "reference/squeezenet_v1.1"])
def test_a_net_in_onnx_computes_what_the_engine_computes(name):
    found = found_differences(filled(ROOT / "nets" / name / "deploy.prototxt"))
    assert len(found) > 1
    assert all(each.relative <= check.LIMIT for each in found), found
