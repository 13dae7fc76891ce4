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

A message has one shape: who, what was found, what was expected, what to do. Where Caffe has words that scripts match,
those words stand in the message.
"""


class CaffeError(RuntimeError):
    """Base of all errors of this package."""


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
    """Labels of a batch that a layer cannot take: `items` are their places along the first axis of the blob `blob`."""

    def __init__(self, message: str, blob: str, items: list[int]):
        super().__init__(message)
        self.blob = blob
        self.items = items


class UsageError(CaffeError):
    """A wrong call, option or flag."""
