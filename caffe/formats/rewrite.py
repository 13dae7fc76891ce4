"""Weights of any generation as a file in today's form, for `upgrade_net_proto_binary`.

Caffe's forks use numbers of fields that BVLC Caffe has for something else, so a message of theirs may not even parse.
Layers of today's form are therefore not parsed: their bytes are copied, and what the upgrade changes (inputs, the
params of BatchNorm) is put in its place. Layers of 2013 and 2014 have to be translated; what is a fork's is named and
left out.
"""

import os

from google.protobuf.message import DecodeError, EncodeError

from caffe.errors import FormatError
from caffe.formats import caffemodel, wire
from caffe.formats.mapped import PathLike
from caffe.formats.upgrade import needs_upgrade, upgrade_net
from caffe.log import log
from caffe.proto import caffe_pb2

_OLD_LAYER, _LAYER, _INPUTS = 2, 100, (3, 4, 8)
_NAME, _TYPE, _PARAM = 1, 2, 6
_V1_NAME, _V1_TYPE = 4, 5


def upgraded(path: PathLike) -> tuple[list[wire.Piece], bool, bool]:
    """The pieces of the file in today's form; whether they differ from the file; whether nothing of it was lost.

    Raises FormatError for a file that holds no net, or one that cannot be upgraded.
    """
    source = os.fspath(path)
    return _upgraded(caffemodel.content_of(path), source)


def _upgraded(content: memoryview, source: str) -> tuple[list[wire.Piece], bool, bool]:
    if any(each.number == _OLD_LAYER for each in wire.fields(content, source)):
        return _translated(content, source)
    layers = [each for each in wire.fields(content, source) if each.number == _LAYER and each.wire == wire.LEN]
    outline = _outline(content, layers, source)
    if not needs_upgrade(outline):
        return [content], False, True
    before = [_params(layer) for layer in outline.layer]
    lossless = upgrade_net(outline, source)
    added, kept = outline.layer[: len(outline.layer) - len(layers)], outline.layer[len(outline.layer) - len(layers) :]
    pieces: list[wire.Piece] = []
    new = [piece for layer in added for piece in wire.enclose(_LAYER, [layer.SerializeToString()])]
    number = 0
    for each in wire.fields(content, source):
        if each.number in _INPUTS:
            continue
        if each.number >= _LAYER:
            pieces += new
            new = []
        if each.number == _LAYER and each.wire == wire.LEN:
            same = _params(kept[number]) == before[number]
            pieces += [each.raw] if same else wire.enclose(_LAYER, _with_params(each.value, kept[number], source))
            number += 1
        else:
            pieces.append(each.raw)
    return [*pieces, *new], True, lossless


def _outline(content: memoryview, layers: list[wire.Field], source: str) -> caffe_pb2.NetParameter:
    """The net with what the upgrade looks at: its inputs, and of its layers name, type and params."""
    outline = b"".join(each.raw for each in wire.fields(content, source) if each.number in _INPUTS)
    for layer in layers:
        fields = wire.fields(layer.value, source)
        settings = [each.raw for each in fields if each.number in (_NAME, _TYPE, _PARAM)]
        outline += b"".join(wire.enclose(_LAYER, list(settings)))
    return caffemodel.parse(outline, source)


def _params(layer: caffe_pb2.LayerParameter) -> bytes:
    params: bytes = caffe_pb2.LayerParameter(param=layer.param).SerializeToString()
    return params


def _with_params(layer: memoryview, changed: caffe_pb2.LayerParameter, source: str) -> list[wire.Piece]:
    """A layer's fields, with other params."""
    kept = [each for each in wire.fields(layer, source) if each.number != _PARAM]
    before: list[wire.Piece] = [each.raw for each in kept if each.number < _PARAM]
    return [*before, _params(changed), *(each.raw for each in kept if each.number > _PARAM)]


def _translated(content: memoryview, source: str) -> tuple[list[wire.Piece], bool, bool]:
    """Of a file with layers of 2013 or 2014."""
    readable = bytearray()
    lossless = True
    for each in wire.fields(content, source):
        if each.number == _OLD_LAYER and each.wire == wire.LEN:
            kept, foreign = _without_foreign_fields(each.value, source)
            readable += b"".join(wire.enclose(_OLD_LAYER, [kept]))
            lossless &= not foreign
        else:
            readable += each.raw
    net = caffemodel.parse(bytes(readable), source)
    lossless &= upgrade_net(net, source)
    try:
        return [net.SerializeToString()], True, lossless
    except EncodeError as error:
        raise FormatError(
            f"{source}: cannot be written again: {error}. It is damaged, or of a fork of Caffe."
        ) from error


def _without_foreign_fields(layer: memoryview, source: str) -> tuple[bytes, list[int]]:
    """A layer's fields that BVLC Caffe knows, and the numbers of the others, which the log names."""
    known = caffe_pb2.V1LayerParameter.DESCRIPTOR.fields_by_number
    fields = list(wire.fields(layer, source))
    name = next((bytes(each.value).decode(errors="replace") for each in fields if each.number == _V1_NAME), "")
    kept, foreign = bytearray(), []
    for each in fields:
        if each.number == _V1_TYPE and each.wire == wire.VARINT:
            number, _ = wire.read_varint(each.value, 0, source)
            if number not in known[_V1_TYPE].enum_type.values_by_number:
                raise FormatError(
                    f"{source}: layer '{name}' is of the type {number}, which BVLC Caffe 1.0 does not have: the file "
                    "is of a fork of Caffe. Upgrade it with that fork."
                )
        if each.number in known and _parses(each):
            kept += each.raw
        else:
            foreign.append(each.number)
    if foreign:
        numbers = ", ".join(map(str, sorted(set(foreign))))
        log.error("%s: layer '%s': left out what only a fork of Caffe knows, field %s", source, name, numbers)
    return bytes(kept), foreign


def _parses(field: wire.Field) -> bool:
    try:
        return bool(caffe_pb2.V1LayerParameter.FromString(bytes(field.raw)).IsInitialized())
    except DecodeError:
        return False
