"""A Gaussian process's kernel with a relevance of its own for every feature, and how it is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from graphnas.surrogate.marginal_likelihood import NOISE_FLOOR

Matrix = NDArray[np.floating[Any]]

# Priors of the logarithms: mean and standard deviation. Features start equally relevant, at a length scale of
# about the distance of two architectures; one standard deviation is a factor of 2.7 either way, which lets
# the few that matter stand out but keeps a hundred architectures from picking out a single one by chance.
_RELEVANCE_PRIOR = (0.0, 1.0)
_LEVEL_PRIOR = (0.0, 1.0)
_SCALE_PRIOR = (0.0, 2.0)
_WEIGHT_PRIOR = (-1.0, 2.0)
_NOISE_PRIOR = (-2.5, 1.5)
_BOUNDS = (-9.0, 6.0)


@dataclass(frozen=True)
class RelevanceKernel:
    """``sum_k w_k K_k + c * matern(sum_f r_f (x_f - x'_f)^2)``, with a Matern function of smoothness 5/2.

    Attributes:
        weights: (M,) weights ``w`` of given kernels.
        scale: Variance ``c``.
        relevances: (F,) ``r``, the inverse squared length scales (automatic relevance determination:
            Rasmussen and Williams, 2006, eq. 5.2).
        noise: Variance of the noise.
    """

    weights: NDArray[np.float64]
    scale: float
    relevances: NDArray[np.float64]
    noise: float

    def __call__(self, a: Matrix, b: Matrix, kernels: Sequence[Matrix]) -> Matrix:
        """Covariance (len(a), len(b)) of two sets of features, given the other kernels between them.

        It has the precision of the features.
        """
        root = np.sqrt(self.relevances).astype(a.dtype)
        covariance, _ = matern(squared_distances(a * root, b * root))
        covariance *= self.scale
        for weight, kernel in zip(self.weights, kernels, strict=True):
            covariance += weight * kernel
        return covariance

    @property
    def variance(self) -> float:
        """Prior variance of a single point, where every given kernel has 1 on its diagonal."""
        return float(self.weights.sum() + self.scale)


def squared_distances(a: Matrix, b: Matrix) -> Matrix:
    """Squared Euclidean distances (len(a), len(b))."""
    squared = a @ b.T
    squared *= -2
    squared += (a**2).sum(1)[:, None]
    squared += (b**2).sum(1)[None, :]
    return np.maximum(squared, 0, out=squared)


def matern(squared: Matrix, *, slope: bool = False) -> tuple[Matrix, Matrix | None]:
    """``(1 + s + s^2 / 3) exp(-s)`` with ``s = sqrt(5 d)`` at squared distances ``d``; its slope too.

    Rasmussen and Williams (2006), eq. 4.17.
    """
    s = np.sqrt(5 * squared)
    decay = np.exp(-s)
    s += 1
    rise = -5 / 6 * s * decay if slope else None
    s += (5 / 3) * squared
    decay *= s
    return decay, rise


def fit_relevances(
    features: Matrix, kernels: Sequence[Matrix], targets: NDArray[np.float64], max_iterations: int = 60
) -> RelevanceKernel:
    """The kernel that maximises ``log p(y) + log prior`` (Rasmussen and Williams, 2006, eq. 5.8-5.9).

    The relevances are ``exp(l + d_f) / F`` with a common level ``l`` and a deviation ``d_f`` each.

    Args:
        features: (n, F), of about unit variance.
        kernels: ``M`` matrices (n, n) with unit diagonals.
        targets: (n,) values, zero mean and unit variance.
        max_iterations: Bound on L-BFGS-B.
    """
    features = features.astype(float)
    size, width = features.shape
    count = len(kernels)
    stack = np.stack(kernels).reshape(count, -1) if count else np.zeros((0, size * size))
    identity = np.eye(size)
    squares = features**2
    priors = [_RELEVANCE_PRIOR] * width + [_LEVEL_PRIOR] + [_WEIGHT_PRIOR] * count
    means, spreads = np.array([*priors, _SCALE_PRIOR, _NOISE_PRIOR]).T

    def unpack(theta: NDArray[np.float64]) -> RelevanceKernel:
        relevances = np.exp(theta[:width] + theta[width]) / width
        return RelevanceKernel(
            np.exp(theta[width + 1 : -2]), float(np.exp(theta[-2])), relevances, float(np.exp(theta[-1]))
        )

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        kernel = unpack(theta)
        scaled = features * np.sqrt(kernel.relevances)
        similar, rise = matern(squared_distances(scaled, scaled), slope=True)
        assert rise is not None
        covariance = (kernel.weights @ stack).reshape(size, size) + kernel.scale * similar
        covariance.flat[:: size + 1] += kernel.noise + NOISE_FLOOR
        factor = linalg.cholesky(covariance, lower=True, check_finite=False)
        inverse = linalg.cho_solve((factor, True), identity, check_finite=False)
        alpha = inverse @ targets
        value = 0.5 * targets @ alpha + np.log(np.diag(factor)).sum()
        slope = np.outer(alpha, alpha) - inverse
        # d K_ij / d r_f = c * rise_ij * (x_if - x_jf)^2, summed over i and j without a matrix per feature.
        pulled = kernel.scale * slope * rise
        by_feature = 2 * (pulled.sum(1) @ squares - ((pulled @ features) * features).sum(0))
        gradient = np.empty(len(theta))
        gradient[:width] = -0.5 * kernel.relevances * by_feature
        gradient[width] = gradient[:width].sum()
        gradient[width + 1 : -2] = -0.5 * kernel.weights * (stack @ slope.ravel())
        gradient[-2] = -0.5 * kernel.scale * (slope * similar).sum()
        gradient[-1] = -0.5 * kernel.noise * np.trace(slope)
        deviation = (theta - means) / spreads
        return float(value + 0.5 * deviation @ deviation), gradient + deviation / spreads

    result = optimize.minimize(
        loss,
        means,
        jac=True,
        method="L-BFGS-B",
        bounds=[_BOUNDS] * len(means),
        options={"maxiter": max_iterations},
    )
    return unpack(result.x)
