"""Everything this package raises on purpose.

    CaffeError(RuntimeError)      the base: `except RuntimeError` around pycaffe calls keeps working
    ├── FormatError               a file that cannot be read or written: prototxt, caffemodel, HDF5, solverstate, mean
    ├── NetError                  a net or solver that cannot be built or run
    │   ├── ShapeError            blobs whose shapes do not fit a layer
    │   └── NotFiniteError        a training whose loss or weights are NaN or infinite
    ├── WeightsError              weights or solver history that do not fit this net
    ├── DataError                 images, labels, lists and databases
    │   └── LabelError            labels of a batch that a layer cannot take
    └── UsageError                a wrong call, option or flag

A message has one form: who, what was found, what was expected, what to do. Where Caffe has words that scripts match,
the message has them. For programs, an error's parts are its attributes, too: `layer`, `found`, `expected` and `remedy`.
"""

import re
from typing import Any

_SENTENCE_ENDS = re.compile(r"(?<=[.?…])\s+(?=[A-Z`'(<{-])")
_EXPECTED = re.compile(r"[,;:] expected:? |\. Expected ")


class CaffeError(RuntimeError):
    """Base of all errors of this package; its parts are attributes, None where the error has no such part.

    layer: the name of the layer that it is about; an error that a layer of a net raises always has it.
    found, expected: the values themselves, such as shapes or names, where they were given; otherwise the words of the
    message that state them. remedy: a sentence of the message.
    """

    def __init__(
        self,
        *message: object,
        layer: str | None = None,
        found: Any = None,
        expected: Any = None,
        remedy: str | None = None,
    ):
        super().__init__(*message)
        said, wanted, cure = _parts(str(message[0]) if message else "")
        self.layer = layer
        self.found = said if found is None else found
        self.expected = wanted if expected is None else expected
        self.remedy = cure if remedy is None else remedy


def _parts(message: str) -> tuple[str | None, str | None, str | None]:
    """What a message `who: found, expected. Remedy.` states as found, expected and remedy; None for a missing part."""
    sentences = _SENTENCE_ENDS.split(message)
    remedy = sentences.pop() if len(sentences) > 1 and not sentences[-1].startswith("Expected ") else None
    found, *expected = _EXPECTED.split(" ".join(sentences), maxsplit=1)
    if who := re.match(r"layer '[^']*'(?: \([^)]*\))?: |[^:]*?: ", found):
        found = found[who.end() :]
    return found.rstrip(".") or None, expected[0].rstrip(".") if expected else None, remedy


class FormatError(CaffeError):
    """A file that cannot be read or written: wrong kind, damaged, truncated, or not what its name promises."""


class NetError(CaffeError):
    """A net or solver that cannot be built or run as described."""


class ShapeError(NetError):
    """Blobs whose shapes do not fit a layer."""


class NotFiniteError(NetError):
    """A training whose loss or weights are NaN or infinite."""


class WeightsError(CaffeError):
    """Weights, or a solver's history, that do not fit this net."""


class DataError(CaffeError):
    """Images, labels, lists or databases that do not hold what a layer or tool needs."""


class LabelError(DataError):
    """Labels of a batch that a layer cannot take: `items` are their places along the first axis of the blob `blob`.

    found: the wrong values, ascending.
    """

    def __init__(self, message: str, blob: str, items: list[int], **parts: Any):
        super().__init__(message, **parts)
        self.blob = blob
        self.items = items


class UsageError(CaffeError):
    """A wrong call, option or flag."""
