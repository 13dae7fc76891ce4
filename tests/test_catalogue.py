"""docs/layers.md is complete."""

import re

import pytest

import caffe
from caffe import limits
from caffe.layer_types.base import REGISTRY
from caffe.proto import bvlc_fields, caffe_pb2
from docs.generate import layers
from docs.generate.__main__ import ROOT
from tests.test_layers import BVLC_TYPES

TYPES = caffe.layer_type_list()
TEXT = (ROOT / layers.PAGE).read_text(encoding="utf-8")


def fields_of(cls) -> list[tuple[str, str]]:
    """(field, message) for every field of the messages that a type reads."""
    messages = caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name
    return [
        (field.name, message)
        for message in layers.settings_of(cls)
        for field in bvlc_fields(messages[message].message_type)
    ]


def test_the_registered_types_are_the_61_of_bvlc_caffe():
    assert sorted(BVLC_TYPES.split()) == TYPES
    assert len(TYPES) == 61


def test_the_page_begins_with_an_index_of_all_types_by_bvlcs_eight_families():
    index, _, _ = TEXT.partition("\n## ")
    families = re.findall(r"^- (\w+) layers: (.*)$", index, re.M)
    assert [name.lower() for name, _ in families] == list(layers.FAMILIES)
    linked = re.findall(r"\[(\w+)\]\(#(\w+)\)", index)
    assert sorted(name for name, _ in linked) == TYPES
    assert all(anchor == name.lower() for name, anchor in linked)


EXAMPLES = layers.examples()


@pytest.mark.parametrize("name", TYPES)
def test_an_example_is_a_layer_that_a_net_can_have(name):
    (layer,) = EXAMPLES[name].layer
    cls = REGISTRY[name]
    assert {field.name for field, _ in layer.ListFields()} <= {
        *("name", "type", "bottom", "top", "param", "include", "propagate_down", "transform_param", "loss_param"),
        *layers.settings_of(cls),
    }
    for count, wanted in ((len(layer.bottom), cls.bottoms), (len(layer.top), cls.tops)):
        low, high = (wanted, wanted) if isinstance(wanted, int) else wanted
        assert low <= count <= (count if high is None else high)
    limits.check_settings(layer, name)
    for message in layers.settings_of(cls):
        for field, _ in getattr(layer, message).ListFields():
            assert layers.ignored(cls, message, field.name) is None, f"{message}.{field.name} changes nothing"


@pytest.mark.parametrize("name", TYPES)
def test_a_type_has_a_section_with_an_example(name):
    _, _, section = TEXT.partition(f"\n### {name}\n")
    section, _, _ = section.partition("\n### ")
    assert f'type: "{name}"' in section
    assert f"here `{REGISTRY[name].__module__.replace('.', '/')}.py`" in section


@pytest.mark.parametrize("name", TYPES)
def test_a_docstring_says_what_a_user_has_to_know(name):
    cls, said = REGISTRY[name], layers.documented(REGISTRY[name])
    assert said["description"].endswith(".")
    assert re.fullmatch(r"(src|include)/caffe/layers/\w+\.[ch]pp.*", said["source"])
    assert ("parameters" in said) == bool({field for field, _ in fields_of(cls)} - set(cls.ignored))
    assert ("bottom" in said) == (cls.bottoms != 0)
    assert ("top" in said) == (cls.tops != 0)
    if cls.bottoms != 0 and cls.tops != 0 and name != "Python":
        assert "=" in said["formula"]


BVLC_MESSAGES = {field.name for field in bvlc_fields(caffe_pb2.LayerParameter.DESCRIPTOR)}
SETTINGS = [
    pytest.param(name, message, field, id=f"{name}: {message}.{field}")
    for name in TYPES
    for field, message in fields_of(REGISTRY[name])
    if message in BVLC_MESSAGES  # what forks add is tested in tests/forks
]


@pytest.mark.parametrize("name", TYPES)
def test_what_is_declared_ignored_exists(name):
    cls = REGISTRY[name]
    known = {key for field, message in fields_of(cls) for key in (field, f"{message}.{field}")}
    assert set(cls.ignored) <= known
