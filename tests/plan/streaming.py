"""What the tests of streaming share: bands of a few rows, and what comes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

import caffe
from caffe.net.bands import Bands
from caffe.plan.streaming.stages import Stage


def in_bands_of(patch: pytest.MonkeyPatch, rows: int) -> None:
    """Stages compute at most so many rows at once."""
    patch.setattr(Stage, "_chunk", lambda stage, layer_rows: rows)


def computed(net: caffe.Net, wanted: Sequence[str], rows: int = 2) -> dict[str, np.ndarray]:
    """Blobs that are computed in bands from what the net's inputs hold, which are read so many rows at a time."""

    def reader(name: str):
        values = net.blobs[name].tensor
        return lambda first: values[:, :, first : first + rows].clone() if values.dim() == 4 else values.clone()

    shapes = {name: net.blobs[name].shape for name in net.inputs}
    bands = Bands(net.name, net.graph, shapes, wanted, {name: reader(name) for name in net.inputs})
    found: dict[str, list[torch.Tensor]] = {}
    for value in bands.values.values():
        value.add_taker(lambda: 0)
    for name, value in bands.values.items():
        value.compute_to(value.height)
        found[name] = [value.take(0, value.height)]
    return {name: parts[0].numpy().copy() for name, parts in found.items()}


def assert_equal_to_rounding(found: np.ndarray, expected: np.ndarray) -> None:
    """1e-5 of the largest value."""
    assert found.shape == expected.shape
    fine = np.isfinite(expected)
    assert (np.isfinite(found) == fine).all()
    if fine.any():
        scale = np.abs(expected[fine]).max()
        assert np.abs(found[fine] - expected[fine]).max() <= 1e-5 * scale
