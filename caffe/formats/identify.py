"""The kind of a file, recognised by its bytes and never by its name, so that errors name it.

Caffe's binary messages carry no magic number, but their fields differ in number and wire type. Fields that only forks
have are ignored: no field may contradict a kind, and it must know most of them.

    NetParameter (weights)   1 name: LEN · 2 layers: LEN · 3 input: LEN · 8 input_shape: LEN · 100 layer: LEN
    SolverState              1 iter: VARINT · 2 learned_net: LEN · 3 history: LEN · 4 current_step: VARINT
    BlobProto (mean file)    1–4 num, channels, height, width: VARINT · 5 data: LEN or I32 · 7 shape: LEN
                             C3D 1.0: 1–5 VARINT · 6, 7 data, diff: LEN or I32
"""

import re
from collections.abc import Iterator
from enum import Enum

from caffe.errors import FormatError
from caffe.formats import wire
from caffe.formats.mapped import PathLike


class Kind(Enum):
    """A kind of file; the value completes the sentence "this is …"."""

    WEIGHTS = "weights (a .caffemodel or .caffemodel.h5)"
    STATE = "a solver's state (a .solverstate or .solverstate.h5)"
    BLOB = "a single blob, such as a mean file (a .binaryproto)"
    HDF5 = "an HDF5 file"
    OTHER_HDF5 = "an HDF5 file of another program"
    TEXT = "text, such as a prototxt"
    EMPTY = "an empty file"
    LFS = "a git-lfs pointer, not the file itself: run `git lfs pull`"
    HTML = "a web page: the download failed, fetch the file itself"
    ZIP = "a zip archive, such as PyTorch's .pt and .pth: convert the weights to Caffe's format first"
    GZIP = "a gzip archive: unpack it first"
    PICKLE = "a Python pickle, such as old PyTorch weights: convert the weights to Caffe's format first"
    UNKNOWN = "nothing that Caffe writes: damaged, truncated at the start, or of another program"


_MAGIC = {
    b"\x89HDF\r\n\x1a\n": Kind.HDF5,
    b"version https://git-lfs": Kind.LFS,
    b"PK\x03\x04": Kind.ZIP,
    b"\x1f\x8b": Kind.GZIP,
    b"\x80\x02": Kind.PICKLE,
    b"\x80\x04": Kind.PICKLE,
}

_V, _L, _F = wire.VARINT, wire.LEN, wire.I32
_MESSAGES = {
    Kind.WEIGHTS: {1: {_L}, 2: {_L}, 3: {_L}, 4: {_V, _L}, 5: {_V}, 6: {_L}, 7: {_V}, 8: {_L}, 100: {_L}},
    Kind.STATE: {1: {_V}, 2: {_L}, 3: {_L}, 4: {_V}},
    Kind.BLOB: {
        **{number: {_V} for number in (1, 2, 3, 4)},
        **{5: {_L, _F, _V}, 6: {_L, _F}, 7: {_L, _F}, 8: {_L, wire.I64}},
        **{10: {_V}, 11: {_V}, 12: {_L}, 13: {_L}},
    },
}
_MOST_FIELDS = 100


def identify(content: memoryview) -> Kind:
    """The kind of file that these bytes are; reads a few bytes of them."""
    head = bytes(content[:1024])
    if not head:
        return Kind.EMPTY
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if re.match(rb"\s*<(!doctype|html|\?xml)", head, re.IGNORECASE):
        return Kind.HTML
    if not re.search(rb"[\x00-\x08\x0e-\x1f]", head):
        return Kind.TEXT
    tags = set(_first_tags(content))
    known = {
        kind: sum(number in expected for number, _ in tags)
        for kind, expected in _MESSAGES.items()
        if all(wire_type in expected.get(number, (wire_type,)) for number, wire_type in tags)
    }
    likeliest = max(known, key=lambda kind: known[kind], default=Kind.UNKNOWN)
    return likeliest if known.get(likeliest) else Kind.UNKNOWN


def _first_tags(content: memoryview) -> Iterator[tuple[int, int]]:
    """Number and wire type of the first fields, the last of which may be cut off."""
    position = 0
    try:
        for _ in range(_MOST_FIELDS):
            if position >= len(content):
                return
            tag, position = wire.read_varint(content, position, "")
            if tag & 7 == wire.GROUP:
                position = wire.group_end(content, position, tag >> 3, "")
                continue  # no kind has any
            yield tag >> 3, tag & 7
            if tag & 7 in wire.WIDTH:
                position += wire.WIDTH[tag & 7]
                continue
            length, position = wire.read_varint(content, position, "")
            if tag & 7 == wire.LEN:
                position += length
            elif tag & 7 != wire.VARINT:
                return
    except FormatError:
        return


def wrong_kind(path: PathLike, found: Kind, expected: str) -> FormatError:
    """The error for a file of another kind than expected."""
    return FormatError(f"{path}: expected {expected}, found {found.value}.")
