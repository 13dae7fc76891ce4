"""Weights as Caffe saves them: a NetParameter in protobuf's binary form, a blob list in each layer.

Three generations hold the blobs in three places, and are read alike:

    V2 (since 2015)   layer  = 100 { name = 1  type = 2  blobs = 7 }
    V1 (2014)         layers = 2   { name = 4  type = 5  blobs = 6 }
    V0 (2013)         layers = 2   { layer = 1 { name = 1  type = 2  blobs = 50 } }

Reading splits the file in two: a skeleton message of these fields, in which a blob is replaced by its number, and the
blobs themselves as views of the mapped file. The skeleton goes through the usual upgrade. Other settings are not even
parsed, so that weights of Caffe's forks load too. Written are V2 files, byte for byte as Caffe orders them.

A file that is cut exactly between two layers is a whole, shorter file to any reader: the format stores no length.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from google.protobuf.message import DecodeError

from caffe.errors import FormatError, UsageError
from caffe.formats import blobproto, wire
from caffe.formats.atomic import open_atomic
from caffe.formats.identify import Kind, identify, wrong_kind
from caffe.formats.mapped import PathLike, map_file
from caffe.formats.parsing import parsed
from caffe.formats.upgrade import upgrade_net
from caffe.proto import caffe_pb2

# What the skeleton keeps of a message: field number → the field itself, a blob, or the kept fields of an inner message.
Kept = dict[int, "str | Kept"]
_COPY, _BLOB = "copy", "blob"
_LAYER, _BLOBS = 100, 7
_V0: Kept = {1: _COPY, 2: _COPY, 50: _BLOB}
_V1: Kept = {1: _V0, 4: _COPY, 5: _COPY, 6: _BLOB}
_V2: Kept = {1: _COPY, 2: _COPY, _BLOBS: _BLOB}
_NET: Kept = {1: _COPY, 2: _V1, _LAYER: _V2}


@dataclass
class LayerWeights:
    """The stored blobs of one layer: float32 arrays of any shape, a `diff` beside each `blob` or None.

    The arrays may be read-only and unaligned views of the file: copy them into parameters. A blob that the file leaves
    out, because it is shared with another layer (HDF5 only), is None.
    """

    name: str
    type: str
    blobs: list[np.ndarray | None]
    diffs: list[np.ndarray | None] = field(default_factory=list)


def read(path: PathLike) -> list[LayerWeights]:
    """The weights in a .caffemodel, layer by layer, without copying them. Raises FormatError."""
    source = os.fspath(path)
    blobs: list[memoryview] = []
    net = parse(_skeleton(content_of(path), _NET, blobs, source), source)
    upgrade_net(net, source)
    if not net.layer:
        raise FormatError(f"{source}: holds no layers, expected the weights of some. Copy or download the file again.")
    layers = []
    for layer in net.layer:
        where = f"{source}: layer '{layer.name}'"
        arrays = [blobproto.decode(blobs[blob.num], where) for blob in layer.blobs]
        layers.append(
            LayerWeights(layer.name, layer.type, [each.data for each in arrays], [each.diff for each in arrays])
        )
    return layers


def read_net(path: PathLike) -> caffe_pb2.NetParameter:
    """The whole message, upgraded, its blobs as Python numbers: for small files. Raises FormatError."""
    net = read_message(path)
    upgrade_net(net, os.fspath(path))
    return net


def read_message(path: PathLike) -> caffe_pb2.NetParameter:
    """The whole message as it is stored, of whichever generation. Raises FormatError."""
    return parse(bytes(content_of(path)), os.fspath(path))


def write(
    path: PathLike,
    net: caffe_pb2.NetParameter,
    blobs: Sequence[Sequence[tuple[np.ndarray, np.ndarray | None]]],
) -> None:
    """Write a net and, for each of its layers, a list of (data, diff or None); atomically, without copying arrays.

    Raises FormatError for what protobuf cannot hold (2 GB) and when the disk is full.
    """
    if len(blobs) != len(net.layer) or any(layer.blobs for layer in net.layer):
        raise UsageError(
            f"{path}: {len(blobs)} lists of blobs for {len(net.layer)} layers without blobs."
            " Give a list for each of these layers."
        )
    head = caffe_pb2.NetParameter()
    head.CopyFrom(net)
    head.ClearField("layer")
    pieces: list[wire.Piece] = [head.SerializeToString()]
    for layer, arrays in zip(net.layer, blobs, strict=True):
        pieces += wire.enclose(_LAYER, _layer_pieces(layer, arrays))
    wire.check_size(pieces, path)
    with open_atomic(path) as file:
        file.writelines(pieces)


def content_of(path: PathLike) -> memoryview:
    """The bytes of a .caffemodel. Raises FormatError for a file of another kind."""
    content = map_file(path)
    found = identify(content)
    if found is not Kind.WEIGHTS:
        raise wrong_kind(path, found, "binary weights (a .caffemodel)")
    return content


def _skeleton(message: memoryview, kept: Kept, blobs: list[memoryview], source: str) -> bytes:
    """The kept fields of a message. Each blob goes to `blobs`; a BlobProto whose num is its index takes its place."""
    skeleton = bytearray()
    for each in wire.fields(message, source):
        rule = kept.get(each.number) if each.wire != wire.GROUP else None
        if rule == _COPY:
            skeleton += each.raw
        elif rule is not None and each.wire != wire.LEN:
            raise FormatError(f"{source}: field {each.number} is a number, expected a message. The file is damaged.")
        elif rule == _BLOB:
            index = caffe_pb2.BlobProto(num=len(blobs)).SerializeToString()
            skeleton += b"".join(wire.enclose(each.number, [index]))
            blobs.append(each.value)
        elif isinstance(rule, dict):
            inner = _skeleton(each.value, rule, blobs, source)
            skeleton += b"".join(wire.enclose(each.number, [inner]))
    return bytes(skeleton)


def _layer_pieces(
    layer: caffe_pb2.LayerParameter, arrays: Sequence[tuple[np.ndarray, np.ndarray | None]]
) -> list[wire.Piece]:
    settings = layer.SerializeToString()
    before = sum(len(each.raw) for each in wire.fields(memoryview(settings), layer.name) if each.number < _BLOBS)
    pieces: list[wire.Piece] = [settings[:before]]
    for data, diff in arrays:
        pieces += wire.enclose(_BLOBS, blobproto.encode(data, diff))
    return [*pieces, settings[before:]]


def parse(message: bytes, source: str) -> caffe_pb2.NetParameter:
    """The message in these bytes; `source` names them. Raises FormatError."""
    try:
        return parsed(caffe_pb2.NetParameter, message, source)
    except DecodeError as error:
        raise FormatError(
            f"{source}: Failed to parse NetParameter file: {error}. Copy or download it again."
        ) from error
