"""A few layers and nets in ONNX, for `make fast`; all of them are in the other files."""

import pytest

from caffe.export import check, model
from tests.cases.case import input_layer, layer
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


def test_a_net_that_takes_even_maps_alone_keeps_its_size_free(tmp_path):
    body = "pooling_param { kernel_size: 2 stride: 2 }"
    text = [input_layer("data", (1, 3, 32, 64)), layer("pool", "Pooling", ["data"], ["pool", "mask"], body)]
    text.append(layer("up", "Upsample", ["pool", "mask"], ["up"], "upsample_param { scale: 2 }"))
    text.append(layer("sum", "Eltwise", ["up", "data"], ["sum"]))
    (tmp_path / "net.prototxt").write_text("\n".join(text))
    net = filled(tmp_path / "net.prototxt")
    assert model.exported(net).free == {"batch", "size"}
    found = found_differences(net)
    assert len({each.shapes["data"] for each in found}) == 3
    assert all(each.relative <= check.LIMIT for each in found), found
