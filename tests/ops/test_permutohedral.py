import pytest
import torch

from caffe.ops.gaussian_filter import NORMALIZATIONS, ExactSum
from caffe.ops.permutohedral import Lattice


def points(count: int, d: int, spread: float = 1.5) -> torch.Tensor:
    return torch.randn(count, d, dtype=torch.float64, generator=torch.Generator().manual_seed(count + d)) * spread


def drawn(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("normalization", ["after", "symmetric"])
@pytest.mark.parametrize(("count", "d"), [(900, 1), (2000, 2), (2000, 3), (3000, 5)])
def test_it_is_nearly_the_exact_sum(count, d, normalization):
    features = points(count, d, 1)
    # Smooth over the features, so that a sum is more than the noise of its few terms.
    values = torch.stack([torch.sin(features.sum(1)), torch.cos(2 * features[:, 0])], 1)
    found = Lattice(features, normalization).filter(values)
    exact = ExactSum(features, normalization).filter(values)
    assert (found - exact).abs().mean() < 0.1 * (values - exact).abs().mean()


@pytest.mark.parametrize(("d", "ratio"), [(2, 0.88), (5, 0.66)])
def test_its_scale_without_normalization_is_less_than_the_sum_s(d, ratio):
    features, ones = points(2000, d, 1), torch.ones(2000, 1, dtype=torch.float64)
    found = Lattice(features).filter(ones) / ExactSum(features).filter(ones)
    assert found.median() == pytest.approx(ratio, abs=0.05)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize(("count", "d"), [(1, 2), (7, 1), (50, 2), (301, 5), (64, 7)])
def test_its_adjoint_is_its_transpose(count, d, normalization):
    lattice = Lattice(points(count, d), normalization)
    values, others = drawn(count, 3), drawn(count, 3, seed=2)
    forward, backward = (others * lattice.filter(values)).sum(), (lattice.adjoint(others) * values).sum()
    torch.testing.assert_close(forward, backward, rtol=1e-11, atol=1e-11)


def test_the_blur_in_the_same_order_is_no_adjoint():
    lattice = Lattice(points(301, 5))
    matrix = lattice.filter(torch.eye(301, dtype=torch.float64))
    transposed = lattice.adjoint(torch.eye(301, dtype=torch.float64))
    torch.testing.assert_close(matrix.t(), transposed, rtol=1e-12, atol=1e-12)
    assert (matrix - matrix.t()).abs().max() > 1e-4


@pytest.mark.parametrize(("count", "d"), [(1, 3), (90, 2), (333, 5)])
def test_a_constant_stays_the_same_when_normalized_after(count, d):
    constant = torch.full((count, 2), 3.5, dtype=torch.float64)
    torch.testing.assert_close(Lattice(points(count, d), "after").filter(constant), constant)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_gradients_are_those_of_differences(normalization):
    values = drawn(14, 2).requires_grad_()
    lattice = Lattice(points(14, 3), normalization)
    assert torch.autograd.gradcheck(lattice.filter, values)
    assert torch.autograd.gradgradcheck(lattice.filter, values)


def test_what_stands_between_the_steps_has_a_gradient():
    lattice = Lattice(points(15, 2), "after")
    mix = drawn(3, 3, seed=5).requires_grad_()
    values = drawn(15, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda v, m: lattice.spread(lattice.gather(v) @ m.t()), (values, mix))
    torch.testing.assert_close(lattice.spread(lattice.gather(values) @ mix.t()), lattice.filter(values) @ mix.t())


def test_the_order_of_the_points_does_not_matter():
    features, values, order = points(200, 4), drawn(200, 2), torch.randperm(200)
    ordered = Lattice(features, "symmetric").filter(values)
    torch.testing.assert_close(Lattice(features[order], "symmetric").filter(values[order]), ordered[order])


def test_points_far_from_each_other_do_not_touch():
    features = torch.tensor([[0.0, 0.0], [50.0, 0.0], [0.0, -70.0]])
    values = torch.tensor([[1.0], [2.0], [-4.0]])
    torch.testing.assert_close(Lattice(features, "after").filter(values), values)


def test_equal_points_share_their_values():
    features = torch.tensor([[0.3, 2.0]] * 4 + [[40.0, 2.0]])
    filtered = Lattice(features, "after").filter(torch.tensor([[1.0], [2.0], [3.0], [6.0], [9.0]]))
    torch.testing.assert_close(filtered, torch.tensor([[3.0], [3.0], [3.0], [3.0], [9.0]]))


def test_a_lattice_of_more_cells_than_32_bits_is_the_same():
    features, values = points(60, 5), drawn(60, 2)
    near = Lattice(features, "after").filter(values)
    far = torch.cat([features, torch.full((1, 5), 4000.0, dtype=torch.float64)])
    found = Lattice(far, "after").filter(torch.cat([values, values[:1]]))
    torch.testing.assert_close(found[:-1], near)


def test_more_cells_than_can_be_numbered_are_told():
    features = torch.tensor([[0.0] * 5, [1e5] * 5])
    with pytest.raises(ValueError, match="cells of the lattice, more than can be numbered; expected larger standard"):
        Lattice(features)


def test_single_precision_is_double_precision_rounded():
    features, values = points(500, 5), drawn(500, 4)
    double = Lattice(features, "symmetric").filter(values)
    single = Lattice(features.float(), "symmetric").filter(values.float())
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-4)


def test_values_of_another_number_of_points_are_refused():
    lattice = Lattice(points(5, 2))
    with pytest.raises(ValueError, match=r"values have the shape \(4, 1\); expected \(5, channels\)"):
        lattice.filter(drawn(4, 1))
    with pytest.raises(ValueError, match=rf"expected \({lattice.vertices}, channels\)"):
        lattice.spread(drawn(lattice.vertices + 1, 1))
