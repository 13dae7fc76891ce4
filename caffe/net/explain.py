"""Details that a net adds to the errors of a running layer: the images of the batch, and the layer for which memory is
short.
"""

from collections.abc import Sequence

from caffe import limits
from caffe.errors import CaffeError, DataError, LabelError
from caffe.net.graph import Node

SHOWN = 8


def explained(error: Exception, nodes: Sequence[Node], running: int) -> Exception:
    """The error with these details, or the error itself. running: the number of the layer that raised it."""
    layer = nodes[running].layer
    if isinstance(error, CaffeError):
        error.layer = error.layer or layer.name
    if isinstance(error, LabelError) and (names := _images(error, nodes[:running])):
        parts = {"layer": error.layer, "found": error.found, "expected": error.expected, "remedy": error.remedy}
        return DataError(f"{error} They are in the batch's {names}.", **parts)
    if isinstance(error, CaffeError) or not limits.is_memory(error):
        return error
    return limits.short_of_memory(error, str(layer), layer.name)


def _images(error: LabelError, nodes: Sequence[Node]) -> str:
    """The names of the images with wrong labels, from the layer that the labels come from."""
    for node in nodes:
        tops, items = node.layer.layer_param.top, getattr(node.layer, "items", ())
        if len(tops) < 2 or not items or len(items) <= max(error.items, default=len(items)):
            continue
        if error.blob == tops[1] or error.blob.startswith(f"{tops[1]}_{node.layer.name}_1_split_"):
            shown = [items[item] for item in error.items[:SHOWN]]
            return "images " + ", ".join(shown) + (", …" if len(error.items) > SHOWN else "")
    return ""
