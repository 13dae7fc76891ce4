import numpy as np
import pytest
import torch

from caffe.ops.gaussian_filter import ExactSum
from caffe.ops.mean_field import mean_field, mixes_of, softmax
from caffe.ops.permutohedral import Lattice

POINTS, CLASSES = 30, 4


def drawn(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def two(kind: type, points: int = POINTS) -> list:
    return [kind(drawn(points, 2, seed=7), "after"), kind(drawn(points, 5, seed=8), "symmetric")]


def by_hand(unary: np.ndarray, matrices: list, penalties: list, iterations: int) -> np.ndarray:
    """Krähenbühl and Koltun's algorithm 1, point by point."""
    q = np.exp(unary) / np.exp(unary).sum(1, keepdims=True)
    for _ in range(iterations):
        energy = -unary.copy()
        for matrix, penalty in zip(matrices, penalties, strict=True):
            for i in range(len(unary)):
                message = sum(matrix[i, j] * q[j] for j in range(len(unary)))
                energy[i] += penalty @ message
        q = np.exp(-energy) / np.exp(-energy).sum(1, keepdims=True)
    return q


@pytest.mark.parametrize("iterations", [0, 1, 5])
@pytest.mark.parametrize("kind", [ExactSum, Lattice])
def test_it_is_the_papers_algorithm(kind, iterations):
    unary, filters = drawn(POINTS, CLASSES), two(kind)
    penalties = [np.random.default_rng(seed).uniform(0, 2, (CLASSES, CLASSES)) for seed in (0, 1)]
    matrices = [kernel.filter(torch.eye(POINTS, dtype=torch.float64)).numpy() for kernel in filters]
    mixes = [-torch.tensor(penalty) for penalty in penalties]
    q = softmax(mean_field(unary, filters, mixes, iterations))
    np.testing.assert_allclose(q, by_hand(unary.numpy(), matrices, penalties, iterations), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("weight", [0.0, 1.0, 3.5])
def test_potts_as_a_matrix_as_weights_of_classes_and_as_a_number_is_the_same(weight):
    unary, filters = drawn(POINTS, CLASSES), two(Lattice)[:1]
    potts = 1 - torch.eye(CLASSES, dtype=torch.float64)
    number = softmax(mean_field(unary, filters, [weight], 6))
    vector = softmax(mean_field(unary, filters, [torch.full((CLASSES,), weight, dtype=torch.float64)], 6))
    matrix = softmax(mean_field(unary, filters, mixes_of(potts, [weight]), 6))
    torch.testing.assert_close(number, vector)
    torch.testing.assert_close(number, matrix)


def test_potts_does_not_know_one_class_from_another():
    unary, filters, order = drawn(POINTS, CLASSES), two(Lattice), torch.tensor([2, 0, 3, 1])
    q = softmax(mean_field(unary, filters, [3.0, 5.0], 4))
    torch.testing.assert_close(softmax(mean_field(unary[:, order], filters, [3.0, 5.0], 4)), q[:, order])


def test_scores_and_log_probabilities_give_the_same():
    unary, filters = drawn(POINTS, CLASSES), two(Lattice)
    q = softmax(mean_field(unary, filters, [3.0, 5.0], 4))
    torch.testing.assert_close(softmax(mean_field(unary.log_softmax(1), filters, [3.0, 5.0], 4)), q)


def test_compatibilities_of_matrices_multiply_the_filters_weights():
    compatibility, spatial = drawn(CLASSES, CLASSES), drawn(CLASSES, CLASSES, seed=2)
    per_class = drawn(CLASSES, seed=3)
    matrix, vector, number = mixes_of(compatibility, [spatial, per_class, 2.0])
    torch.testing.assert_close(matrix, -compatibility @ spatial)
    torch.testing.assert_close(vector, -compatibility @ torch.diag(per_class))
    torch.testing.assert_close(number, -2 * compatibility)


@pytest.mark.parametrize("classes", [2, 17])
@pytest.mark.parametrize("kind", [ExactSum, Lattice])
def test_gradients_of_scores_weights_and_compatibility_are_those_of_differences(kind, classes):
    filters = two(kind, points=6)
    unary, start = drawn(6, classes).requires_grad_(), drawn(6, classes, seed=2).requires_grad_()
    spatial, bilateral = (
        drawn(classes, seed=3).requires_grad_(),
        torch.tensor(1.5, dtype=torch.float64, requires_grad=True),
    )
    compatibility = (drawn(classes, classes, seed=4) * 0.3).requires_grad_()

    def infer(unary, start, compatibility, spatial, bilateral):
        return mean_field(unary, filters, mixes_of(compatibility, [spatial, bilateral]), 3, start)

    # Of many classes along random directions, of few element by element.
    assert torch.autograd.gradcheck(infer, (unary, start, compatibility, spatial, bilateral), fast_mode=classes > 5)


def test_gradients_of_a_learned_matrix_of_each_filter_are_those_of_differences():
    filters, unary = two(Lattice, points=9), drawn(9, 3).requires_grad_()
    parameters = [drawn(3, 3, seed=seed).requires_grad_() for seed in (5, 6, 7)]

    def infer(unary, spatial, bilateral, compatibility):
        return mean_field(unary, filters, mixes_of(compatibility, [spatial, bilateral]), 2)

    assert torch.autograd.gradcheck(infer, (unary, *parameters))


def test_what_is_given_is_not_written():
    unary = drawn(POINTS, CLASSES)
    before = unary.clone()
    with torch.no_grad():
        mean_field(unary, two(Lattice), [3.0, 5.0], 3)
    assert torch.equal(unary, before)


@pytest.mark.parametrize("classes", [1, 2, 15, 16, 40])
def test_softmax_is_torchs_for_any_number_of_classes_and_large_scores(classes):
    scores = drawn(20, classes) * 1000
    torch.testing.assert_close(softmax(scores), scores.softmax(1))
    with torch.no_grad():
        torch.testing.assert_close(softmax(scores), scores.softmax(1))


@pytest.mark.parametrize(
    ("unary", "mixes", "iterations", "start", "message"),
    [
        (drawn(5), [1.0], 1, None, r"unary has the shape \(5,\); expected \(points, classes\)"),
        (drawn(5, 3), [1.0, 2.0], 1, None, "1 filters have 2 mixes; expected one for each"),
        (drawn(5, 3), [1.0], -1, None, "iterations is -1; expected 0 or more"),
        (drawn(5, 3), [drawn(4)], 1, None, r"a mix has the shape \(4,\); expected a number, \(3,\) or \(3, 3\)"),
        (drawn(5, 3), [1.0], 1, drawn(5, 2), r"start has the shape \(5, 2\); expected that of unary, \(5, 3\)"),
        (drawn(6, 3), [1.0], 1, None, r"values have the shape \(6, 3\); expected \(5, channels\)"),
    ],
)
def test_what_does_not_fit_is_told(unary, mixes, iterations, start, message):
    with pytest.raises(ValueError, match=message):
        mean_field(unary, [Lattice(drawn(5, 2))], mixes, iterations, start)
