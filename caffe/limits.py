"""Limits of a layer's settings and sizes: Caffe's int, and the available memory.

Settings are checked before anything is computed from them, so that no kernel gets a number that it cannot handle.
"""

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from caffe.errors import CaffeError, NetError, ShapeError
from caffe.formats.blobproto import MAX_COUNT
from caffe.shapes import shape_text

_WHOLE = {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32}
_WHOLE |= {FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64}
_REAL = {FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE}
_OUT_OF_MEMORY = ("allocate memory", "out of memory", "bad_alloc", "Invalid buffer size", "Storage size calculation")


def check_settings(message: Any, owner: str, place: str = "") -> None:
    """Raises NetError for a whole number that Caffe's int cannot hold, a NaN, or a filler's infinite number.

    message: a LayerParameter or a message within it; `place` is where it stands, `owner` names the layer in errors.
    """
    is_filler = message.DESCRIPTOR.name == "FillerParameter"
    for field, value in message.ListFields():
        if field.name == "blobs":
            continue
        values = [value] if not hasattr(value, "extend") else value
        for each in values:
            if field.message_type is not None:
                check_settings(each, owner, f"{place}{field.name}.")
            elif field.cpp_type in _WHOLE and abs(each) > MAX_COUNT:
                raise NetError(
                    f"{owner}: {place}{field.name} is {each:,}, expected at most {MAX_COUNT:,}, which is what an int "
                    "holds. Correct it."
                )
            elif field.cpp_type in _REAL and (math.isnan(each) or (is_filler and math.isinf(each))):
                raise NetError(f"{owner}: {place}{field.name} is {each}, expected a number. Correct it.")


_here = threading.local()


@contextmanager
def by_rows() -> Iterator[None]:
    """While this lasts, the calling thread counts no maps: what has their shapes is never there as a whole."""
    before, _here.by_rows = getattr(_here, "by_rows", False), True
    try:
        yield
    finally:
        _here.by_rows = before


def check_count(shape: Sequence[int], what: str, owner: str, fields: str) -> None:
    """Raises ShapeError for more values than a blob holds; `what` has this shape, by the settings named in `fields`."""
    if math.prod(shape) > MAX_COUNT and not getattr(_here, "by_rows", False):
        raise ShapeError(
            f"{owner}: {what} would be {shape_text(shape)}, {math.prod(shape):,} values, expected at most "
            f"{MAX_COUNT:,} (blob size exceeds INT_MAX). Lower {fields}."
        )


@contextmanager
def named(owner: str, layer: str) -> Iterator[None]:
    """Errors of this package inside the block name the layer, and so does what torch says when memory is short.

    owner: how messages call it; layer: its name alone.
    """
    try:
        yield
    except CaffeError as error:
        if owner not in str(error):
            error.args = (f"{owner}: {error}", *error.args[1:])
        error.layer = error.layer or layer
        raise
    except (MemoryError, RuntimeError) as error:
        if not is_memory(error):
            raise
        raise short_of_memory(error, owner, layer) from error


def is_memory(error: Exception) -> bool:
    """Whether memory is short, in Python's words or torch's."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY)


def short_of_memory(error: Exception, owner: str, layer: str) -> NetError:
    """The error of a layer for which there is not the memory."""
    said = str(error).partition("\n")[0] or "no memory"
    return NetError(
        f"{owner}: its blobs and what it computes with take more memory than there is ({said}). Lower the sizes in its "
        "settings, or give it smaller bottoms.",
        layer=layer,
        remedy="Lower the sizes in its settings, or give it smaller bottoms.",
    )
