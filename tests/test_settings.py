"""Every setting of a layer changes what it does, or is declared ignored; each is met in a case, and so are a net's."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

import caffe
from caffe.errors import CaffeError, FormatError
from caffe.formats import prototxt
from caffe.formats.upgrade import upgrade_net
from caffe.layer_types.base import REGISTRY
from caffe.proto import bvlc_fields, caffe_pb2
from docs.generate import layers
from tests.cases import all_cases
from tests.cases import run as runner
from tests.test_catalogue import SETTINGS

WAITS_FOR_ARRAYS = "MemoryDataLayer needs to be initialized"
"""The refusal of a case whose net is right, but has no numbers yet."""
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
    left_out = field in NOT_IN_CAFFE_1_0 or layers.ignored(REGISTRY[name], message, field)
    assert left_out or (name, message, field) in met


@pytest.mark.parametrize("message", MESSAGES)
def test_a_setting_that_all_layers_share_has_a_case(message, met):
    fields = {(message, field.name) for field in bvlc_fields(caffe_pb2.DESCRIPTOR.message_types_by_name[message])}
    assert fields - UPGRADED <= met


SEEN_ELSEWHERE = {
    ("Data", "data_param", "prefetch"): "tests/test_data_layers.py: how far the thread is ahead shows in no number",
    ("WindowData", "window_data_param", "cache_images"): "tests/test_data_layers.py: it spares reading files again",
}


@pytest.fixture(scope="module")
def accepted():
    """Layer type → the cases with such a layer that are built, as upgraded nets; those about the type come first."""
    found = defaultdict(list)
    built = [case for case in all_cases() if case.refused is None or case.refused.startswith(WAITS_FOR_ARRAYS)]
    for case in built:
        net = prototxt.parse(case.prototxt(), caffe_pb2.NetParameter())
        upgrade_net(net, case.id)
        net.ClearField("force_backward")  # Case.prototxt writes it
        for name in {layer.type for layer in net.layer}:
            found[name].append((case, net))
    return {name: sorted(cases, key=lambda each, name=name: each[0].type != name) for name, cases in found.items()}


def outcome(case, net, filled):
    """Name → array of all that a case's net shows, its refusal too; `filled`: with what fillers gave its parameters."""
    caffe.set_random_seed(1)
    params = {layer.name: ["filled"] for layer in net.layer} if filled else case.params
    case = replace(case, text=str(net), params=params)
    found = {}
    with runner.folder_of(case):
        try:
            made = runner.build(case)
            found.update({f"shape/{name}": np.array(blob.data.shape) for name, blob in made.blobs.items()})
            found.update(runner.forward(made, case))
            if case.backward:
                found.update(runner.backward(made, case))
        except (CaffeError, RuntimeError, ValueError) as error:
            found["refused"] = np.array(str(error))
    return found


def same(one, other):
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f") for name in one
    )


def otherwise(net, name, message, field):
    """The net with a setting of its layers of a type left out, if it was set; then with other values of it."""
    descriptor = caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name[message].message_type.fields_by_name[field]
    layers = [index for index, layer in enumerate(net.layer) if layer.type == name]
    if sets(net, name, message, field):
        changed = caffe_pb2.NetParameter.FromString(net.SerializeToString())
        for index in layers:
            getattr(changed.layer[index], message).ClearField(field)
        yield changed
    if descriptor.message_type or hasattr(getattr(getattr(net.layer[layers[0]], message), field), "extend"):
        return
    if descriptor.enum_type:
        values = [value.number for value in descriptor.enum_type.values]
    else:
        values = {"bool": [True, False], "str": ["x"]}.get(type(descriptor.default_value).__name__, [1, 2, 3])
    for value in values:
        changed = caffe_pb2.NetParameter.FromString(net.SerializeToString())
        for index in layers:
            setattr(getattr(changed.layer[index], message), field, value)
        yield changed


def sets(net, name, message, field):
    return any(
        layer.type == name and field in {each.name for each, _ in getattr(layer, message).ListFields()}
        for layer in net.layer
    )


def shows(setting, cases):
    """Whether some case shows other numbers, shapes or words with a setting left out or changed."""
    for case, net in sorted(cases, key=lambda each: not sets(each[1], *setting)):
        for filled in (False, True):
            usual = outcome(case, net, filled)
            if any(not same(usual, outcome(case, changed, filled)) for changed in otherwise(net, *setting)):
                return True
    return False


@pytest.mark.thorough(reason="hundreds of nets")
@pytest.mark.parametrize(("name", "message", "field"), SETTINGS)
def test_a_setting_changes_what_a_layer_does_or_is_declared_ignored(name, message, field, accepted):
    setting = name, message, field
    declared = layers.ignored(REGISTRY[name], message, field)
    cases = accepted[name][:3] if declared or setting in SEEN_ELSEWHERE else accepted[name]
    assert shows(setting, cases) == (not declared and setting not in SEEN_ELSEWHERE)
