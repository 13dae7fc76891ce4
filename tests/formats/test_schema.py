"""The schema: BVLC Caffe's, unchanged, and what forks add to it, all of it optional."""

from pathlib import Path

import numpy as np
import pytest

from caffe.proto import bvlc_fields, bvlc_values, caffe_pb2

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "schema.txt"
"""Every field of BVLC Caffe's messages, as python3-caffe 1.0.0+git20180821 describes them."""
LABELS = {1: "optional", 2: "required", 3: "repeated"}


def label(field):
    if hasattr(field, "is_repeated"):
        return "repeated" if field.is_repeated else "required" if field.is_required else "optional"
    return LABELS[field.label]


def kind(field):
    inner = field.message_type or field.enum_type
    return inner.full_name if inner else str(field.type)


def default(field):
    if label(field) != "optional" or field.message_type or not field.has_default_value:
        return ""
    value = field.default_value
    return repr(float(np.float32(value)) if field.type == field.TYPE_FLOAT else value)


def lines(descriptor, fields, values):
    """Name, number, label, type and default of every field, and the values of every enum."""
    for name, message in sorted(descriptor.message_types_by_name.items()):
        if name in getattr(caffe_pb2, "FORKS", ()):
            continue
        for field in sorted(fields(message), key=lambda each: each.number):
            words = (f"{name}.{field.name}", str(field.number), label(field), kind(field), default(field))
            yield " ".join(words).rstrip()
        for enum in message.enum_types:
            if found := values(enum):
                yield f"{name}.{enum.name}: " + ", ".join(f"{each.name}={each.number}" for each in found)
    for name, enum in sorted(descriptor.enum_types_by_name.items()):
        yield f"{name}: " + ", ".join(f"{each.name}={each.number}" for each in values(enum))


def test_the_fields_of_bvlc_caffe_are_unchanged():
    found = list(lines(caffe_pb2.DESCRIPTOR, bvlc_fields, bvlc_values))
    assert found == RECORDED.read_text(encoding="utf-8").splitlines()


def forks_fields():
    for message in caffe_pb2.DESCRIPTOR.message_types_by_name.values():
        for field in message.fields:
            if message.name in caffe_pb2.FORKS or f"{message.name}.{field.name}" in caffe_pb2.FORKS:
                yield pytest.param(field, id=f"{message.name}.{field.name}")


@pytest.mark.parametrize("field", list(forks_fields()))
def test_a_field_of_a_fork_is_optional(field):
    assert label(field) != "required"


FILES = {"AnnotatedDatum", "LabelMap"}
"""Messages of SSD's that databases and files hold."""


def test_a_message_of_a_fork_belongs_to_another_or_is_a_file():
    messages = caffe_pb2.DESCRIPTOR.message_types_by_name
    used = {
        field.message_type.name
        for message in messages.values()
        for field in message.fields
        if field.message_type is not None
    }
    assert {name for name in messages if name in caffe_pb2.FORKS} - FILES <= used


@pytest.mark.parametrize(
    ("field", "number"),
    [
        ("permute_param", 202),
        ("norm_param", 206),
        ("roi_pooling_param", 8266711),
        ("multi_stage_meanfield_param", 1000),
    ],
)
def test_a_field_that_no_other_fork_contends_has_its_forks_number(field, number):
    assert caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name[field].number == number
