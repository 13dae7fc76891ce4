import numpy as np
import pytest
import torch

from caffe.ops import gaussian_filter
from caffe.ops.gaussian_filter import NORMALIZATIONS, ExactSum


def matrix_of(features: np.ndarray) -> np.ndarray:
    return np.array([[np.exp(-((one - other) ** 2).sum() / 2) for other in features] for one in features])


def normalized(matrix: np.ndarray, normalization: str) -> np.ndarray:
    total = matrix.sum(1)
    if normalization == "after":
        return matrix / total[:, None]
    if normalization == "symmetric":
        return matrix / np.sqrt(total[:, None] * total)
    return matrix


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize(("points", "d"), [(1, 1), (23, 2), (40, 5)])
def test_the_exact_sum_is_that_of_all_pairs(points, d, normalization):
    draw = np.random.default_rng(points)
    features, values = draw.normal(0, 2, (points, d)), draw.normal(size=(points, 3))
    found = ExactSum(torch.tensor(features), normalization).filter(torch.tensor(values))
    np.testing.assert_allclose(found, normalized(matrix_of(features), normalization) @ values, rtol=1e-12, atol=1e-12)


def test_the_exact_sum_is_the_same_in_parts(monkeypatch):
    features, values = torch.randn(50, 2, dtype=torch.float64), torch.randn(50, 2, dtype=torch.float64)
    whole = ExactSum(features).filter(values)
    monkeypatch.setattr(gaussian_filter, "_CHUNK", 170)
    torch.testing.assert_close(ExactSum(features).filter(values), whole, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_gradients_of_the_exact_sum_are_those_of_differences(normalization):
    kernel = ExactSum(torch.randn(12, 3, dtype=torch.float64), normalization)
    values = torch.randn(12, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(kernel.filter, values)


def test_an_unknown_normalization_is_told_with_those_that_there_are():
    with pytest.raises(ValueError, match="normalization is 'mean'; expected one of none, after, symmetric"):
        ExactSum(torch.zeros(3, 2), "mean")


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (torch.zeros(3), r"shape 3; expected floats \(points, dimensions\)"),
        (torch.zeros(0, 2), "shape 0×2"),
        (torch.zeros(3, 2, dtype=torch.int64), "torch.int64"),
        (torch.full((3, 2), torch.inf), "not all finite"),
    ],
)
def test_features_that_are_none_are_refused(features, message):
    with pytest.raises(ValueError, match=message):
        ExactSum(features)


def test_values_of_other_points_or_types_are_refused():
    kernel = ExactSum(torch.zeros(3, 2))
    with pytest.raises(ValueError, match=r"values have the shape \(4, 1\); expected \(3, channels\)"):
        kernel.filter(torch.zeros(4, 1))
    with pytest.raises(ValueError, match="values are torch.float64 on cpu; expected torch.float32 on cpu"):
        kernel.filter(torch.zeros(3, 1, dtype=torch.float64))
