"""Checks of loss layers' bottoms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def check_one_shape(layer: str, bottom: Sequence[Any], predicted: str, truth: str) -> None:
    """Raises ValueError unless the first two bottoms have one shape; `predicted` and `truth` name them in the error."""
    shapes = [bottom[index].data.shape for index in (0, 1)]  # BVLC Caffe's pycaffe cannot iterate over them
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"{layer}: {predicted} are {shapes[0]} and {truth} {shapes[1]}, expected one shape. Crop the {predicted} "
            f"to the {truth}."
        )
