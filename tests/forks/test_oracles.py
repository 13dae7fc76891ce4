"""Layers of forks compute what OpenCV's DNN computed, whose numbers are recorded (record.py)."""

from pathlib import Path

import numpy as np
import pytest

from tests.forks.forms import net_of
from tests.forks.oracle_cases import CASES

RECORDED = np.load(Path(__file__).parents[1] / "recorded/forks.npz")


def arrays(name, kind):
    return [RECORDED[key] for key in sorted(RECORDED.files) if key.startswith(f"{name}/{kind}")]


def in_order(rows):
    """Boxes: proposals as they are; detections by image, label and score, where OpenCV has them by score alone."""
    rows = rows.reshape(-1, rows.shape[-1])
    rows = rows[(rows[:, 1:] != -1).any(axis=1)]  # without those that say of an image that it has none
    return rows if rows.shape[1] == 5 else rows[np.lexsort((-rows[:, 2], rows[:, 1], rows[:, 0]))]


@pytest.mark.parametrize("name", CASES)
def test_a_layer_computes_what_opencv_computes(name):
    case = CASES[name]
    assert str(RECORDED[f"{name}/text"]) == case.text, "the case has changed: python -m tests.forks.record"
    net = net_of(case.text, arrays(name, "bottom"))
    for blob, value in zip(net.params.get("layer", []), arrays(name, "param"), strict=True):
        blob.data[...] = value.reshape(blob.data.shape)
    net.forward()
    found, wanted = net.blobs["y"].data, RECORDED[f"{name}/top"]
    if case.rows:
        found, wanted = in_order(found), in_order(wanted)
        assert len(wanted) > 3
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=case.tolerance * max(np.abs(wanted).max(), 1))


def test_every_case_is_recorded_and_nothing_else():
    assert {key.rsplit("/", 1)[0] for key in RECORDED.files} == set(CASES)
