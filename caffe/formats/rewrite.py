"""Weights of any generation as a file in today's form, for `upgrade_net_proto_binary`.

Caffe's forks use numbers of fields that BVLC Caffe has for something else, so a message of theirs may not even parse.
Layers of today's form are therefore not parsed: their bytes are copied, and what the upgrade changes (inputs, the
params of BatchNorm) is put in its place. Layers of 2014 are translated, and their blobs and settings copied, byte for
byte, under their new numbers; those of 2013 are translated whole. Fields that BVLC Caffe does not have are named there,
and left out.
"""

import os
from dataclasses import dataclass

from google.protobuf.message import DecodeError, EncodeError

from caffe.errors import FormatError
from caffe.formats import caffemodel, wire
from caffe.formats.mapped import PathLike
from caffe.formats.parsing import parsed
from caffe.formats.upgrade import needs_upgrade, old_transform_fields, upgrade_net
from caffe.log import log
from caffe.proto import bvlc_fields, bvlc_values, caffe_pb2

_OLD_LAYER, _LAYER, _INPUTS = 2, 100, (3, 4, 8)
_NAME, _TYPE, _PARAM, _BLOBS = 1, 2, 6, 7
_V0_LAYER, _V1_NAME, _V1_TYPE = 1, 4, 5
_NET_FIELDS = {field.number for field in bvlc_fields(caffe_pb2.NetParameter.DESCRIPTOR)}
_LAYER_FIELDS = caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_number
_V1_FIELDS = {field.number: field for field in bvlc_fields(caffe_pb2.V1LayerParameter.DESCRIPTOR)}
_V1_TYPES = {value.number for value in bvlc_values(_V1_FIELDS[_V1_TYPE].enum_type)}
_TODAY = {
    number: caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name[field.name].number
    for number, field in _V1_FIELDS.items()
    if field.name == "blobs" or field.name.endswith("_param")
}
"""The numbers of blobs and settings: in a layer of 2014, and in one of today."""
_Carried = list[tuple[int, list[wire.Piece]]]
_DATA_SETTINGS = [
    tuple(caffe_pb2.V1LayerParameter.DESCRIPTOR.fields_by_name[name].number for name in (own, "transform_param"))
    for own in ("data_param", "image_data_param", "window_data_param")
]


def upgraded(path: PathLike) -> tuple[list[wire.Piece], bool, bool]:
    """The pieces of the file in today's form; whether they differ from the file; whether nothing of it was lost.

    Raises FormatError for a file that holds no net, or one that cannot be upgraded.
    """
    source = os.fspath(path)
    return _upgraded(caffemodel.content_of(path), source)


def _upgraded(content: memoryview, source: str) -> tuple[list[wire.Piece], bool, bool]:
    if any(each.number == _OLD_LAYER and each.wire == wire.LEN for each in wire.fields(content, source)):
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
        if each.number in _INPUTS and each.wire != wire.GROUP:
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
    """The parts of the net that the upgrade needs: its inputs, and the names, types and params of its layers."""
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
    fields = list(wire.fields(content, source))
    layers = [each.value for each in fields if _is_old_layer(each)]
    of_2013 = any(each.number == _V0_LAYER for layer in layers for each in wire.fields(layer, source))
    split = [_split(layer, of_2013, source) for layer in layers]
    net = caffemodel.parse(_readable(fields, split), source)
    lossless = upgrade_net(net, source) and not any(each.foreign for each in split)
    new = list(net.layer)
    net.ClearField("layer")
    added = len(new) if of_2013 else len(new) - len(split)
    carried: list[_Carried] = [[] for _ in range(added)]
    carried += [each.carried for each in split[: len(new) - added]]
    foreign = [each for each in fields if each.number not in _NET_FIELDS]
    try:
        pieces: list[wire.Piece] = [net.SerializeToString(), *(each.raw for each in foreign if each.number < _LAYER)]
        for layer, kept in zip(new, carried, strict=True):
            pieces += wire.enclose(_LAYER, _joined(layer, kept, source))
    except EncodeError as error:
        raise FormatError(
            f"{source}: cannot be written again: {error}. It is damaged, or of a fork of Caffe."
        ) from error
    return [*pieces, *(each.raw for each in foreign if each.number > _LAYER)], True, lossless


def _is_old_layer(field: wire.Field) -> bool:
    return field.number == _OLD_LAYER and field.wire == wire.LEN


@dataclass
class _OldLayer:
    """A layer of 2013 or 2014, in three parts: what the upgrade translates, what is copied, and what is lost."""

    translated: bytes
    carried: _Carried
    """Blobs and settings: their numbers in a layer of today, and the whole fields."""
    foreign: list[int]
    """Numbers of fields that BVLC Caffe does not know: a layer of today has no place for them."""


def _split(layer: memoryview, of_2013: bool, source: str) -> _OldLayer:
    """A layer in its parts; foreign fields are named in the log. Of 2013, all that BVLC Caffe knows is translated."""
    fields = list(wire.fields(layer, source))
    name = next((bytes(each.value).decode(errors="replace") for each in fields if each.number == _V1_NAME), "")
    _check_type(fields, name, source)
    of_transforms = _old_transforms(fields)
    split = _OldLayer(b"", [], [])
    for each in fields:
        today = None if of_2013 or each.number in of_transforms or each.wire != wire.LEN else _TODAY.get(each.number)
        if today != _BLOBS and not (each.number in _V1_FIELDS and _parses(each)):
            split.foreign.append(each.number)
        elif today is None:
            split.translated += each.raw
        else:
            split.carried.append((today, wire.enclose(today, [each.value])))
    if split.foreign:
        numbers = ", ".join(map(str, sorted(set(split.foreign))))
        log.error("%s: layer '%s': left out what only a fork of Caffe knows, field %s", source, name, numbers)
    return split


def _check_type(fields: list[wire.Field], name: str, source: str) -> None:
    for each in fields:
        if each.number == _V1_TYPE and each.wire == wire.VARINT:
            number, _ = wire.read_varint(each.value, 0, source)
            if number not in _V1_TYPES:
                raise FormatError(
                    f"{source}: layer '{name}' is of the type {number}, which BVLC Caffe 1.0 does not have: the file "
                    "is of a fork of Caffe, and forks mean different types by one number. Load its weights into its "
                    "net, which a prototxt describes, and save them from there: net.save."
                )


def _old_transforms(fields: list[wire.Field]) -> tuple[int, ...]:
    """The settings that the upgrade translates: those of a data layer whose transformations stand in its message."""
    for places in _DATA_SETTINGS:
        kept = [each for each in fields if each.number in (_V1_TYPE, *places) and _parses(each)]
        layer = parsed(caffe_pb2.V1LayerParameter, b"".join(each.raw for each in kept), "a layer")
        if old_transform_fields(layer):
            return places
    return ()


def _readable(fields: list[wire.Field], layers: list[_OldLayer]) -> bytes:
    """The parts of a net and its layers that are translated, as a message."""
    readable = bytearray()
    following = iter(layers)
    for each in fields:
        if _is_old_layer(each):
            readable += b"".join(wire.enclose(_OLD_LAYER, [next(following).translated]))
        elif each.number in _NET_FIELDS:
            readable += each.raw
    return bytes(readable)


def _joined(layer: caffe_pb2.LayerParameter, carried: _Carried, source: str) -> list[wire.Piece]:
    """The fields of a translated layer and those that go on as they are, in the order of their numbers."""
    for number, _ in carried:
        layer.ClearField(_LAYER_FIELDS[number].name)
    translated = wire.fields(memoryview(layer.SerializeToString()), source)
    both: _Carried = [(each.number, [each.raw]) for each in translated]
    return [piece for _, pieces in sorted(both + carried, key=lambda entry: entry[0]) for piece in pieces]


def _parses(field: wire.Field) -> bool:
    try:
        return bool(parsed(caffe_pb2.V1LayerParameter, bytes(field.raw), "a layer").IsInitialized())
    except (DecodeError, FormatError):
        return False
