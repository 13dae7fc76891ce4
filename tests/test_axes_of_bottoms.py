"""Bottoms with other numbers of axes than a layer was made for: computed, or refused with the layer's name."""

from __future__ import annotations

import re

import pytest
from google.protobuf import text_format

import caffe
from caffe.errors import CaffeError
from caffe.net import Net
from caffe.proto import caffe_pb2
from tests import cases

SHAPES = ((), (0,), (2,), (1, 2, 3), (0, 3, 2, 2), (1,) * 12)
TYPES: dict[str, list[str]] = {}
for _family in cases.families().values():
    for _case in _family:
        if _case.type and _case.files is None and _case.shapes:
            TYPES.setdefault(_case.type, []).append(_case.text)


def problem(net: caffe_pb2.NetParameter) -> str:
    """What is wrong with how a net is built and run; "" for a result, or an error with the name of the layer."""
    try:
        built = Net.from_message(net)
        built.forward()
        built.forward()
    except CaffeError as error:
        return "" if re.search(r"layer '|for layer ", str(error)) else str(error)
    except Exception as error:  # noqa: BLE001 - no other may come up, whatever it is
        return repr(error)
    return ""


@pytest.mark.parametrize("layer_type", sorted(TYPES))
def test_any_number_of_axes_is_computed_or_refused_by_name(layer_type):
    problems = set()
    for text in dict.fromkeys(TYPES[layer_type][:: max(1, len(TYPES[layer_type]) // 4)]):
        try:
            whole = text_format.Parse(text, caffe_pb2.NetParameter())
        except text_format.ParseError:
            continue  # the case is that it cannot be parsed
        inputs = [layer.name for layer in whole.layer if layer.type == "Input"]
        for name in inputs:
            for shape in SHAPES:
                net = caffe_pb2.NetParameter()
                net.CopyFrom(whole)
                net.state.phase = caffe.TRAIN
                layer = next(layer for layer in net.layer if layer.name == name)
                del layer.input_param.shape[0].dim[:]
                layer.input_param.shape[0].dim.extend(shape)
                if found := problem(net):
                    problems.add(f"{name} {shape}: {found}")
    assert not problems
