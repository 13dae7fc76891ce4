"""Mixtures of Gaussians over colours: the likelihood of a colour in an object, and around it."""

from __future__ import annotations

import numpy as np

COMPONENTS, STEPS, SAMPLE = 5, 8, 3000
"""Gaussians of a mixture, steps of expectation-maximization, and pixels that it looks at."""
LEAST = 12.0
"""Variance that is added along each axis, because a few pixels underestimate the variance of colours."""


class Mixture:
    """A mixture of Gaussians, fitted to colours (pixels×3)."""

    def __init__(self, colours: np.ndarray, components: int = COMPONENTS):
        pixels = colours[:: max(1, len(colours) // SAMPLE)].astype(np.float64)
        if not len(pixels):
            raise ValueError("no colours to fit a mixture to, expected some pixels. Give a larger box.")
        count = max(1, min(components, len(pixels) // 8))
        axis = pixels - pixels.mean(0)
        order = np.argsort(axis @ np.linalg.eigh(axis.T @ axis + np.eye(3))[1][:, -1], kind="stable")
        shares = np.zeros((len(pixels), count))
        shares[order, np.arange(len(pixels)) * count // len(pixels)] = 1
        for _ in range(STEPS):
            self._fit(pixels, shares)
            logs = self._logs(pixels)
            shares = np.exp(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True))
        self._fit(pixels, shares)

    def _fit(self, pixels: np.ndarray, shares: np.ndarray) -> None:
        totals = shares.sum(0) + 1e-6
        self.weights, self.means = totals / totals.sum(), (shares.T @ pixels) / totals[:, None]
        self.whitening = []
        for share, total, mean in zip(shares.T, totals, self.means):
            off = pixels - mean
            covariance = (off.T * share) @ off / total + LEAST * np.eye(3)
            self.whitening.append(np.linalg.inv(np.linalg.cholesky(covariance)))

    def _logs(self, pixels: np.ndarray) -> np.ndarray:
        columns = []
        for weight, mean, whitening in zip(self.weights, self.means, self.whitening):
            distance = (((pixels - mean) @ whitening.T) ** 2).sum(1)
            columns.append(np.log(weight) + np.log(np.diag(whitening)).sum() - 0.5 * distance)
        return np.stack(columns, 1) - 1.5 * np.log(2 * np.pi)

    def log_density(self, colours: np.ndarray) -> np.ndarray:
        """The logarithm of the density at colours, …×3."""
        logs = self._logs(colours.reshape(-1, 3).astype(np.float64))
        return np.logaddexp.reduce(logs, axis=1).reshape(colours.shape[:-1])
