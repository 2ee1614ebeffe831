"""Exact Gaussian process regression on latent vectors, the surrogate of Bayesian optimisation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, optimize
from scipy.spatial.distance import pdist

from graphnas.errors import InvalidArgument

Matrix = NDArray[np.float64]

NOISE_FLOOR = 1e-4
"""Added to the diagonal next to the fitted noise: targets have about unit variance, so this is jitter."""

MAX_FIT = 300
"""Points used to fit the kernel's parameters; the posterior uses all of them."""

# Log-normal priors: mean and spread of the logarithm. That of a length scale is about the median distance of
# the points, so that it holds in latent spaces of any size. They decide only where the data are silent.
_LENGTH_SPREAD = 1.0
_VARIANCE_PRIOR = (0.0, 1.0)
_NOISE_PRIOR = (-2.5, 1.5)
_RANGE = 5.0
_BLOCK = 8192


class ExactGP:
    """Gaussian process with a squared exponential kernel and Gaussian noise.

    ``k(x, x') = s exp(-1/2 sum_d (x_d - x'_d)^2 / l_d^2)``. The parameters maximise the marginal likelihood
    (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, eq. 5.8-5.9) with weak priors,
    from a fixed start, so a fit depends on its data only.

    Args:
        ard: A length scale per dimension; otherwise one for all, which a hundred points in 50 dimensions
            determine far better.
    """

    def __init__(self, *, ard: bool = False) -> None:
        self.ard = ard
        self._points: Matrix | None = None

    # ---------------------------------------------------------------- fitting

    def fit(self, points: ArrayLike, targets: ArrayLike) -> ExactGP:
        """Fit the kernel and the posterior.

        Args:
            points: (n, d).
            targets: (n,) of about zero mean and unit variance.

        Raises:
            InvalidArgument: Fewer than 2 points, or shapes that do not fit.
        """
        x, y = checked(points, targets)
        if len(y) > MAX_FIT:
            # Evenly over the ranks, so that the subset has the shape of the whole.
            chosen = np.argsort(y, kind="stable")[np.linspace(0, len(y) - 1, MAX_FIT).astype(int)]
            self._fit_kernel(x[chosen], y[chosen])
        else:
            self._fit_kernel(x, y)
        return self.condition(x, y)

    def condition(self, points: ArrayLike, targets: ArrayLike) -> ExactGP:
        """Replace the data but keep the fitted kernel."""
        x, y = checked(points, targets, least=1)
        covariance = self.kernel(x, x)
        covariance[np.diag_indices_from(covariance)] += self.noise + NOISE_FLOOR
        self._points, self._targets = x, y
        self._cholesky = linalg.cholesky(covariance, lower=True)
        self._alpha = linalg.cho_solve((self._cholesky, True), y)
        return self

    def _fit_kernel(self, x: Matrix, y: Matrix) -> None:
        means, spreads = parameter_priors(x, self.ard)
        result = optimize.minimize(
            _loss,
            means,
            args=(x, y, means, spreads),
            jac=True,
            method="L-BFGS-B",
            bounds=[(m - _RANGE, m + _RANGE) for m in means],
            options={"maxiter": 40},
        )
        parameters = np.exp(result.x)
        self.lengths: Matrix = np.broadcast_to(parameters[:-2], x.shape[1:]).copy()
        self.variance, self.noise = float(parameters[-2]), float(parameters[-1])

    # ---------------------------------------------------------------- the posterior

    def kernel(self, a: Matrix, b: Matrix) -> Matrix:
        """Covariances (len(a), len(b)) of the noise-free function."""
        return np.asarray(self.variance * np.exp(-0.5 * _squared(a / self.lengths, b / self.lengths)))

    def predict(self, points: ArrayLike) -> tuple[Matrix, Matrix]:
        """Posterior mean and standard deviation of the noise-free function, both (B,).

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        if self._points is None:
            raise InvalidArgument("ExactGP is not fitted: call fit(points, targets) first")
        x = np.asarray(points, float)
        mean, deviation = np.empty(len(x)), np.empty(len(x))
        for start in range(0, len(x), _BLOCK):
            part = slice(start, start + _BLOCK)
            cross = self.kernel(x[part], self._points)
            mean[part] = cross @ self._alpha
            explained = linalg.solve_triangular(self._cholesky, cross.T, lower=True, check_finite=False)
            deviation[part] = np.sqrt(np.maximum(self.variance - (explained**2).sum(0), 1e-9))
        return mean, deviation

    def believe(self, points: ArrayLike) -> ExactGP:
        """Add points whose value is taken to be what is predicted, as the kriging believer does.

        It removes their uncertainty and keeps the mean everywhere (Ginsbourger et al., 2010, algorithm 2).
        """
        if self._points is None:
            raise InvalidArgument("ExactGP is not fitted: call fit(points, targets) first")
        x = np.asarray(points, float)
        believed = self.predict(x)[0]
        return self.condition(np.concatenate([self._points, x]), np.concatenate([self._targets, believed]))


def parameter_priors(points: Matrix, ard: bool) -> tuple[Matrix, Matrix]:
    """Means and spreads of the normal priors of the logarithms: length scales (or one), variance, noise."""
    typical = float(np.median(pdist(points)))
    start = np.log(typical) if typical > 0 else 0.0
    lengths = points.shape[1] if ard else 1
    means = np.array([start] * lengths + [_VARIANCE_PRIOR[0], _NOISE_PRIOR[0]])
    return means, np.array([_LENGTH_SPREAD] * lengths + [_VARIANCE_PRIOR[1], _NOISE_PRIOR[1]])


def checked(points: ArrayLike, targets: ArrayLike, least: int = 2) -> tuple[Matrix, Matrix]:
    """Both as arrays of doubles.

    Raises:
        InvalidArgument: Fewer than ``least`` points, or shapes that do not fit.
    """
    x, y = np.asarray(points, float), np.asarray(targets, float)
    if x.ndim != 2 or y.shape != x.shape[:1] or len(y) < least:
        raise InvalidArgument(
            f"at least {least} points (n, d) with one target each are needed, got {x.shape} and {y.shape}"
        )
    return x, y


def _squared(a: Matrix, b: Matrix) -> Matrix:
    """Squared distances of all rows; rounding may not make them negative."""
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2 * a @ b.T
    return np.asarray(np.maximum(squared, 0.0))


def _loss(theta: Matrix, x: Matrix, y: Matrix, means: Matrix, spreads: Matrix) -> tuple[float, Matrix]:
    """Negative log of marginal likelihood times prior, and its gradient, in log parameters."""
    count = len(theta) - 2
    lengths, variance, noise = np.exp(theta[:count]), np.exp(theta[-2]), np.exp(theta[-1])
    scaled = x / lengths
    kernel = variance * np.exp(-0.5 * _squared(scaled, scaled))
    covariance = kernel + (noise + NOISE_FLOOR) * np.eye(len(y))
    factor = linalg.cholesky(covariance, lower=True, check_finite=False)
    inverse = linalg.cho_solve((factor, True), np.eye(len(y)), check_finite=False)
    alpha = inverse @ y
    value = 0.5 * y @ alpha + np.log(np.diag(factor)).sum()
    slope = np.outer(alpha, alpha) - inverse
    weighted = slope * kernel
    # sum_ij W_ij (x_id - x_jd)^2 for every dimension d, without a matrix per dimension.
    per_dimension = 2 * (weighted.sum(1) @ scaled**2 - (scaled * (weighted @ scaled)).sum(0))
    gradient = np.empty_like(theta)
    gradient[:count] = -0.5 * (per_dimension if count > 1 else per_dimension.sum())
    gradient[-2] = -0.5 * weighted.sum()
    gradient[-1] = -0.5 * noise * np.trace(slope)
    away = (theta - means) / spreads
    return float(value + 0.5 * away @ away), gradient + away / spreads
