"""The measures of depth, against their definitions written pixel by pixel."""

import math

import numpy as np
import pytest

from fcn_caffe.scoring.depth import DepthErrors, table

RNG = np.random.default_rng(5)


def by_hand(predicted, depth):
    pairs = [(p, y) for p, y in zip(predicted.flat, depth.flat, strict=True) if y > 0]
    count = len(pairs)
    ratios = [max(p / y, y / p) for p, y in pairs]
    return {
        "rel": sum(abs(p - y) / y for p, y in pairs) / count,
        "rms": math.sqrt(sum((p - y) ** 2 for p, y in pairs) / count),
        "log10": sum(abs(math.log10(p) - math.log10(y)) for p, y in pairs) / count,
        **{f"delta{k}": sum(ratio < 1.25**k for ratio in ratios) / count for k in (1, 2, 3)},
    }


@pytest.mark.parametrize(("spread", "holes"), [(0.1, 0.0), (0.5, 0.3), (2.0, 0.9)])
def test_they_are_those_of_all_pixels_of_all_images(spread, holes):
    images = []
    for size in ((1, 1, 7, 9), (1, 1, 12, 5)):
        depth = np.exp(RNG.normal(size=size))
        predicted = depth * np.exp(spread * RNG.normal(size=size))
        depth[RNG.random(size) < holes] = 0
        images.append((predicted, depth))
    errors = DepthErrors()
    for predicted, depth in images:
        errors.add(np.log(predicted), depth)
    joined = (np.concatenate([pair[index].ravel() for pair in images]) for index in (0, 1))
    assert errors.measures() == pytest.approx(by_hand(*joined))


def test_what_is_right_has_no_error():
    errors = DepthErrors()
    depth = np.array([[0.5, 2.0, 0.0]])
    errors.add(np.log(np.maximum(depth, 0.1)), depth)
    assert errors.measures() == pytest.approx(
        {"rel": 0, "rms": 0, "log10": 0, "delta1": 1, "delta2": 1, "delta3": 1}, abs=1e-12
    )


def test_images_without_depth_are_told():
    errors = DepthErrors()
    errors.add(np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="no pixel of known depth"):
        errors.measures()


def test_a_table_has_a_line_for_each():
    errors = DepthErrors()
    errors.add(np.zeros((2, 3)), np.ones((2, 3)))
    lines = table({"net": errors.measures(), "constant": errors.measures()}).splitlines()
    assert [line.split()[0] for line in lines] == ["rel", "net", "constant"]
