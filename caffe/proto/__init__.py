"""Caffe's protobuf messages, as `caffe.proto.caffe_pb2`: BVLC Caffe's, with what its forks add."""

from typing import Any

from caffe.proto import caffe_pb2

__all__ = ["bvlc_fields", "bvlc_values", "caffe_pb2"]


def bvlc_fields(message: Any) -> list[Any]:
    """The fields of a message (its descriptor) that BVLC Caffe has."""
    return [field for field in message.fields if f"{message.name}.{field.name}" not in caffe_pb2.FORKS]


def bvlc_values(enum: Any) -> list[Any]:
    """The values of an enum within a message (its descriptor) that BVLC Caffe has."""
    owner = f"{enum.containing_type.name}." if enum.containing_type else ""
    return [value for value in enum.values if f"{owner}{enum.name}.{value.name}" not in caffe_pb2.FORKS]
