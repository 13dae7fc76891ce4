"""Mean files: one BlobProto in a file of its own (.binaryproto); and blobs as messages, as pycaffe's `caffe.io` has."""

import os

import numpy as np

from caffe.errors import FormatError
from caffe.formats import blobproto
from caffe.formats.atomic import open_atomic
from caffe.formats.identify import Kind, identify, wrong_kind
from caffe.formats.mapped import PathLike, map_file
from caffe.proto import caffe_pb2
from caffe.shapes import shape_text


def read(path: PathLike) -> np.ndarray:
    """The array in a .binaryproto, float32, in the stored shape: (1, channels, height, width) for a mean file."""
    content = map_file(path)
    found = identify(content)
    if found is not Kind.BLOB:
        raise wrong_kind(path, found, Kind.BLOB.value)
    array = np.array(blobproto.decode(content, os.fspath(path)).data)
    if not array.size:
        raise FormatError(f"{path}: holds no values, shape {shape_text(array.shape)}. Copy or download the file again.")
    return array


def write(path: PathLike, array: np.ndarray) -> None:
    """Write an array as a .binaryproto, atomically. Raises FormatError."""
    with open_atomic(path) as file:
        file.writelines(blobproto.encode(array))


def blobproto_to_array(blob: caffe_pb2.BlobProto, return_diff: bool = False) -> np.ndarray:
    """The data, or the diff, of a BlobProto message as a float64 array of its shape (float64 as in pycaffe)."""
    values = blob.diff or blob.double_diff if return_diff else blob.data or blob.double_data
    return np.array(values, np.float64).reshape(blobproto.shape_of(blob))


def array_to_blobproto(arr: np.ndarray, diff: np.ndarray | None = None) -> caffe_pb2.BlobProto:
    """A BlobProto message of an array, and of its diff if there is one."""
    blob = caffe_pb2.BlobProto(data=arr.astype(np.float32).ravel(), shape=caffe_pb2.BlobShape(dim=arr.shape))
    if diff is not None:
        blob.diff.extend(diff.astype(np.float32).ravel())
    return blob
