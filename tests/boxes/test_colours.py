"""Mixtures of Gaussians over colours."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from fcn_caffe.boxes.colours import LEAST, Mixture

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("deviation", [3.0, 10.0, 40.0])
def test_one_gaussian_is_the_normal_distribution_of_the_pixels(deviation):
    pixels = RNG.normal(100, deviation, (2000, 3)) * [1, 0.5, 0.2]
    mixture = Mixture(pixels, components=1)
    off = pixels - pixels.mean(0)
    expected = multivariate_normal(pixels.mean(0), off.T @ off / len(pixels) + LEAST * np.eye(3))
    np.testing.assert_allclose(mixture.log_density(pixels[:50]), expected.logpdf(pixels[:50]), rtol=1e-4)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_colours_of_several_kinds_are_all_likelier_than_others(count):
    centres = np.linspace([10, 240, 30], [240, 20, 200], count)
    pixels = np.concatenate([RNG.normal(centre, 4, (300, 3)) for centre in centres])
    mixture = Mixture(pixels)
    known = mixture.log_density(centres)
    assert (known > mixture.log_density(np.array([[128.0, 0, 0]])) + 5).all()


def test_its_density_sums_to_one():
    mixture = Mixture(np.concatenate([RNG.normal(40, 6, (200, 3)), RNG.normal(80, 9, (300, 3))]), components=2)
    axis = np.arange(0.0, 130.0, 3.0)
    grid = np.stack(np.meshgrid(axis, axis, axis), -1)
    assert np.exp(mixture.log_density(grid)).sum() * 27 == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("pixels", [np.full((5, 3), 7.0), np.full((100, 3), 7.0), np.array([[1.0, 2, 3]])])
def test_few_or_equal_pixels_are_no_trouble(pixels):
    mixture = Mixture(pixels)
    assert np.isfinite(mixture.log_density(np.array([[0.0, 0, 0], [7, 7, 7], [255, 255, 255]]))).all()


def test_no_pixels_are_refused():
    with pytest.raises(ValueError, match="no colours"):
        Mixture(np.zeros((0, 3)))
