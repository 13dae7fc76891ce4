"""OpenPose's first version: Maximum and Switch, against forms place by place."""

import numpy as np
import pytest

from caffe.errors import CaffeError
from caffe.testing import check_layer
from tests.forks.forms import RNG, distinct, layer, loops


def largest(x):
    def value(n, c, _, part):
        best, at = float(np.finfo(np.float32).tiny), (0, 0)
        for row, column in np.ndindex(*x.shape[2:]):
            if x[n, c, row, column] > best:
                best, at = x[n, c, row, column], (column, row)
        return (*at, best)[part]

    return loops((*x.shape[:2], 1, 3), value)


CASES = {
    "Maximum": (
        layer("Maximum"),
        [(2, 3, 4, 5)],
        {"values": [distinct(2, 3, 4, 5)], "expected": largest, "gradient": False},
    ),
    "Maximum of equals": (
        layer("Maximum"),
        [(1, 2, 3, 4)],
        {"values": [RNG.integers(0, 3, size=(1, 2, 3, 4))], "expected": largest, "gradient": False},
    ),
    "Maximum of what is below 0": (
        layer("Maximum"),
        [(2, 1, 2, 2)],
        {"values": [-1 - distinct(2, 1, 2, 2) ** 2], "expected": largest, "gradient": False},
    ),
    "Switch": (layer("Switch"), [(2, 3)] * 3, {"expected": lambda a, b, c: c}),
    "Switch of one": (layer("Switch"), [(2, 3, 4)], {"expected": lambda x: x}),
    "Switch of two shapes": (layer("Switch"), [(2, 6), (4, 3)], {"expected": lambda a, b: b.reshape(2, 6)}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_type_keeps_what_every_type_promises_and_computes_its_formula(name):
    text, shapes, settings = CASES[name]
    check_layer(text, shapes, **settings)


def test_bottoms_of_several_counts_are_refused():
    with pytest.raises(CaffeError, match="the same count"):
        check_layer(layer("Switch"), [(2, 3), (2, 4)])
