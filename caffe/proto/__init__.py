"""Caffe's protobuf messages, as `caffe.proto.caffe_pb2`."""

from caffe.proto import caffe_pb2

__all__ = ["caffe_pb2"]
