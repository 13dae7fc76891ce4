"""Layer: pycaffe's class, and the base class of layers that a user writes in Python (include/caffe/layer.hpp)."""

import math

import numpy as np

from caffe.blob import Blob, BlobVec
from caffe.copying import NotCopied
from caffe.errors import ShapeError
from caffe.formats.binaryproto import blobproto_to_array
from caffe.formats.blobproto import check_shape, shape_of
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text


class Layer(NotCopied):
    """A layer as pycaffe shows it; derive from it for a `type: "Python"` layer.

    Write setup(bottom, top), reshape(bottom, top), forward(bottom, top) and backward(top, propagate_down, bottom);
    `bottom` and `top` are lists of Blobs, `self.blobs` holds the parameters, `self.param_str` the text of the prototxt,
    `self.phase` caffe.TRAIN or caffe.TEST. Every other attribute is yours.
    """

    instead = (
        "Pickle or copy the values of its parameters, [blob.data.copy() for blob in layer.blobs], or write those of "
        "the whole net: net.save(file)."
    )

    def __init__(self, layer_param: caffe_pb2.LayerParameter):
        self._type: str = layer_param.type
        self.param_str: str = layer_param.python_param.param_str
        self.unknown_fields: str = layer_param.unknown_fields
        """The text of the fields that no schema has, where `allow_unknown` keeps them."""
        self.phase: int = layer_param.phase
        self.blobs = BlobVec()
        for proto in layer_param.blobs:
            values = _given(proto, f"layer '{layer_param.name}' ({layer_param.type})")
            self.blobs.add_blob(*values.shape)
            self.blobs[-1].data[...] = values

    @property
    def type(self) -> str:
        """The `type` of the prototxt."""
        return self._type

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Read the settings and make the parameters; called once."""

    def reshape(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Give the tops their shapes; called before every forward."""
        raise NotImplementedError(f"{type(self).__name__} has no reshape(bottom, top); write it")

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Compute the data of the tops from the data of the bottoms."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(bottom, top); write it")

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        """Compute the diffs of the bottoms for which propagate_down is true, and add to the diffs of the parameters."""
        raise NotImplementedError(
            f"{type(self).__name__} has no backward(top, propagate_down, bottom); write it, "
            "or set propagate_down: false"
        )


def _given(proto: caffe_pb2.BlobProto, owner: str) -> np.ndarray:
    """The values of a parameter that the prototxt itself contains, an array of its shape."""
    shape = check_shape(shape_of(proto), f"{owner}: blobs")
    count = len(proto.data) or len(proto.double_data)
    if count != math.prod(shape):
        raise ShapeError(
            f"{owner}: a blob of shape {shape_text(shape)} has {count:,} values of data. Correct or remove `blobs`.",
            found=count,
            expected=shape,
            remedy="Correct or remove `blobs`.",
        )
    return blobproto_to_array(proto)
