"""Axis numbers, counted from either end (Blob::CanonicalAxisIndex)."""

from caffe.errors import ShapeError
from caffe.layer_types.base import NativeLayer, Shape
from caffe.shapes import shape_text


def canonical(axis: int, shape: Shape, layer: NativeLayer) -> int:
    """The axis as a number from 0; -1 is the last. Raises ShapeError when the shape has no such axis."""
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(
            f"{layer}: axis {axis} out of range for {len(shape)}-D Blob with shape string "
            f"{shape_text(shape)}. Axes {-len(shape)} to {len(shape) - 1} exist: correct `axis`."
        )
    return axis % len(shape)


def refuse_in_place(layer: NativeLayer) -> None:
    """For the types whose top cannot be their bottom."""
    if layer.in_place:
        raise ShapeError(
            f"{layer}: its top is its bottom, but {layer.type} Layer does not allow in-place computation. "
            "Rename the top."
        )
