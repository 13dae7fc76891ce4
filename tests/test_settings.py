"""Every setting that can change what a layer does is met in a case, and so are those that a net has."""

import pytest

from caffe.errors import FormatError
from caffe.formats import prototxt
from caffe.formats.upgrade import upgrade_net
from caffe.layer_types.base import REGISTRY
from caffe.proto import caffe_pb2
from tests import layer_catalogue
from tests.cases import all_cases
from tests.test_catalogue import SETTINGS

NOT_IN_CAFFE_1_0 = {"round_mode"}
MESSAGES = ["NetParameter", "NetState", "NetStateRule", "LayerParameter", "ParamSpec", "LossParameter"]
MESSAGES += ["FillerParameter", "TransformationParameter", "InputParameter", "BlobShape"]
UPGRADED = {("NetParameter", name) for name in ("layers", "input", "input_shape", "input_dim")}


def nets():
    for case in all_cases():
        try:
            net = prototxt.parse(case.prototxt(), caffe_pb2.NetParameter())
        except FormatError:  # a case of a text that is refused
            continue
        upgrade_net(net, case.id)
        yield net


@pytest.fixture(scope="module")
def met():
    """(layer type, message, field) and (message, field) of everything that a case sets."""
    found = set()

    def walk(message):
        for field, value in message.ListFields():
            found.add((message.DESCRIPTOR.name, field.name))
            if field.message_type:
                for inner in value if hasattr(value, "extend") else [value]:
                    walk(inner)

    for net in nets():
        walk(net)
        for layer in net.layer:
            for field, value in layer.ListFields():
                if field.name.endswith("_param"):
                    found.update((layer.type, field.name, inner.name) for inner, _ in value.ListFields())
    return found


@pytest.mark.parametrize(("name", "message", "field"), SETTINGS)
def test_a_setting_of_a_layer_has_a_case(name, message, field, met):
    left_out = field in NOT_IN_CAFFE_1_0 or layer_catalogue.ignored(REGISTRY[name], message, field)
    assert left_out or (name, message, field) in met


@pytest.mark.parametrize("message", MESSAGES)
def test_a_setting_that_all_layers_share_has_a_case(message, met):
    fields = {(message, field.name) for field in caffe_pb2.DESCRIPTOR.message_types_by_name[message].fields}
    assert fields - UPGRADED <= met
