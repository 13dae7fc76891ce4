"""docs/layers.md is up to date and complete."""

import re

import pytest

import caffe
from caffe.layer_types.base import REGISTRY
from caffe.proto import bvlc_fields, caffe_pb2
from tests import layer_catalogue
from tests.test_layers import BVLC_TYPES

TYPES = caffe.layer_type_list()
TEXT = layer_catalogue.PAGE.read_text(encoding="utf-8")


def fields_of(cls) -> list[tuple[str, str]]:
    """(field, message) for every field of the messages that a type reads."""
    messages = caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name
    return [
        (field.name, message)
        for message in layer_catalogue.settings_of(cls)
        for field in bvlc_fields(messages[message].message_type)
    ]


def test_it_is_up_to_date(capsys):
    assert layer_catalogue.main(["--check"]) == 0, capsys.readouterr().out[:4000]


def test_an_outdated_page_gives_a_diff_and_the_command_to_run(monkeypatch, tmp_path, capsys):
    stale = tmp_path / "layers.md"
    stale.write_text(TEXT.replace("### Softmax\n", "### Softmin\n"), encoding="utf-8")
    monkeypatch.setattr(layer_catalogue, "PAGE", stale)
    monkeypatch.setattr(layer_catalogue, "ROOT", tmp_path)
    assert layer_catalogue.main(["--check"]) == 1
    printed = capsys.readouterr()
    assert "-### Softmin\n+### Softmax\n" in printed.out
    assert printed.err.endswith(f"run `{layer_catalogue.COMMAND}`\n")
    assert "Softmin" in stale.read_text(encoding="utf-8")


def test_the_registered_types_are_the_61_of_bvlc_caffe():
    assert sorted(BVLC_TYPES.split()) == TYPES
    assert len(TYPES) == 61


@pytest.mark.parametrize("name", TYPES)
def test_a_type_has_a_section_with_an_example(name):
    _, _, section = TEXT.partition(f"\n### {name}\n")
    section, _, _ = section.partition("\n### ")
    assert f'type: "{name}"' in section
    assert f"here `{REGISTRY[name].__module__.replace('.', '/')}.py`" in section


@pytest.mark.parametrize("name", TYPES)
def test_a_docstring_says_what_a_user_has_to_know(name):
    cls, said = REGISTRY[name], layer_catalogue.documented(REGISTRY[name])
    assert said["description"].endswith(".")
    assert re.fullmatch(r"(src|include)/caffe/layers/\w+\.[ch]pp.*", said["source"])
    assert ("parameters" in said) == bool({field for field, _ in fields_of(cls)} - set(cls.ignored))
    assert ("bottom" in said) == (cls.bottoms != 0)
    assert ("top" in said) == (cls.tops != 0)
    if cls.bottoms != 0 and cls.tops != 0 and name != "Python":
        assert "=" in said["formula"]


SETTINGS = [
    pytest.param(name, message, field, id=f"{name}: {message}.{field}")
    for name in TYPES
    for field, message in fields_of(REGISTRY[name])
]


@pytest.mark.parametrize("name", TYPES)
def test_what_is_declared_ignored_exists(name):
    cls = REGISTRY[name]
    known = {key for field, message in fields_of(cls) for key in (field, f"{message}.{field}")}
    assert set(cls.ignored) <= known
