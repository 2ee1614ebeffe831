"""Exact Gaussian process regression: evidence, choice of a subset, posterior, pending points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, optimize

from graphnas.errors import InvalidArgument
from graphnas.surrogate.kernels import Inputs, Kernel, Matrix, Vector, count_of, join, take

NOISE_FLOOR = 1e-4
"""Added to the diagonal beside the learned noise: targets have about unit variance, so this is jitter."""

NOISE_PRIOR = (-2.5, 1.5)
"""Mean and standard deviation of the normal prior of the logarithm of the noise variance."""

MAX_FIT = 200
"""Points that a kernel is fitted to; the posterior uses all of them."""

_NOT_FITTED = "the process is not fitted: call fit(inputs, targets) first"
_BOUNDS = (-9.0, 6.0)
_MAX_ITERATIONS = 60
_BLOCK = 1024
"""Points predicted at a time: few enough for the covariances to stay in a processor's cache."""


class GaussianProcess:
    """Gaussian process regression with zero mean, a :class:`.Kernel` and Gaussian noise.

    The parameters of the kernel and the noise maximise the marginal likelihood times their priors (Rasmussen
    and Williams, "Gaussian Processes for Machine Learning", 2006, eq. 5.8-5.9) from a fixed start, so a fit
    depends on its data only.

    Args:
        kernel: The kernel; a process has its own.
        max_fit: Points that the kernel is fitted to; the posterior uses all of them.

    Attributes:
        theta: The log-parameters of the kernel.
        noise: The variance of the noise.
    """

    theta: Vector
    noise: float

    def __init__(self, kernel: Kernel, max_fit: int = MAX_FIT) -> None:
        self.kernel, self.max_fit = kernel, max_fit
        self._inputs: Inputs | None = None

    def fit(self, inputs: Inputs, targets: ArrayLike) -> Self:
        """Fit the kernel and the posterior.

        Args:
            inputs: ``n`` points, at least 2.
            targets: (n,) of about zero mean and unit variance.

        Raises:
            InvalidArgument: Fewer than 2 points, or lengths that differ.
        """
        y = checked(inputs, targets)
        if len(y) > self.max_fit:
            chosen = evenly_by_rank(y, self.max_fit)
            self._learn(take(inputs, chosen), y[chosen])
        else:
            self._learn(inputs, y)
        return self.condition(inputs, y)

    def condition(self, inputs: Inputs, targets: ArrayLike) -> Self:
        """Replace the data, keeping the fitted kernel and noise."""
        y = np.asarray(targets, float)
        covariance = np.asarray(self.kernel.matrix(self.theta, inputs, inputs), float)
        covariance[np.diag_indices_from(covariance)] += self.noise + NOISE_FLOOR
        self._inputs, self._targets = inputs, y
        self._cholesky = linalg.cholesky(covariance, lower=True)
        self._alpha = linalg.cho_solve((self._cholesky, True), y)
        return self

    def believe(self, inputs: Inputs) -> Self:
        """Add points with their predicted means as their values, as the kriging believer does.

        This removes their uncertainty and keeps the mean everywhere, which sends the next worker elsewhere
        (Ginsbourger, Le Riche and Carraro, "Kriging is well-suited to parallelize optimization", 2010,
        algorithm 2).
        """
        believed = self.mean(inputs)
        known, targets = self._data
        return self.condition(join(known, inputs), np.concatenate([targets, believed]))

    def predict(self, inputs: Inputs, *, noisy: bool = False) -> tuple[Vector, Vector]:
        """Posterior mean and standard deviation, both (B,).

        Args:
            inputs: ``B`` points.
            noisy: The deviation of a value, noise included, rather than of the noise-free function.

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        known, _ = self._data
        mean, variance = np.empty((2, count_of(inputs)))
        prior = self.kernel.diagonal(self.theta, inputs)
        for part, cross in self._cross(inputs, known):
            mean[part] = cross @ self._alpha
            explained = linalg.solve_triangular(self._cholesky, cross.T, lower=True, check_finite=False)
            variance[part] = np.maximum(prior[part] - (explained**2).sum(0), 1e-9)
        return mean, np.sqrt(variance + self.noise if noisy else variance)

    def mean(self, inputs: Inputs) -> Vector:
        """The mean of :meth:`predict` alone, in a fraction of the time.

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        known, _ = self._data
        return np.concatenate([cross @ self._alpha for _, cross in self._cross(inputs, known)])

    def joint(self, inputs: Inputs) -> tuple[Vector, Matrix]:
        """Posterior mean (B,) and covariance (B, B) of all points together; see :meth:`predict`.

        Graph kernels must have been fitted to these points too: labels without a column are not compared.

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        known, _ = self._data
        # In single precision, rounding would be larger than the variance of an average over many points.
        inputs = [rows.astype(float) for rows in inputs]
        cross = np.concatenate([cross for _, cross in self._cross(inputs, known)])
        prior = np.asarray(self.kernel.matrix(self.theta, inputs, inputs), float)
        return self.posterior(cross, prior)

    def posterior(self, cross: Matrix, prior: Matrix) -> tuple[Vector, Matrix]:
        """Posterior mean (m,) and covariance (m, m) of what is normal together with the function.

        Values, sums and derivatives of the function are (Rasmussen and Williams, 2006, eq. 2.25-2.26 and
        section 9.4).

        Args:
            cross: (m, n) prior covariances with the function at the ``n`` points of the data.
            prior: (m, m) prior covariance.

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        if self._inputs is None:
            raise InvalidArgument(_NOT_FITTED)
        explained = linalg.solve_triangular(self._cholesky, cross.T, lower=True, check_finite=False)
        return cross @ self._alpha, prior - explained.T @ explained

    @property
    def _data(self) -> tuple[Inputs, Vector]:
        if self._inputs is None:
            raise InvalidArgument(_NOT_FITTED)
        return self._inputs, self._targets

    def _cross(self, inputs: Inputs, known: Inputs) -> Iterator[tuple[slice, Matrix]]:
        """Covariances with the points ``known``, a block of rows at a time."""
        for start in range(0, count_of(inputs), _BLOCK):
            part = slice(start, start + _BLOCK)
            yield part, self.kernel.matrix(self.theta, take(inputs, part), known).astype(float)

    def _learn(self, inputs: Inputs, targets: Vector) -> None:
        loss, means = negative_log_posterior(self.kernel, inputs, targets)
        options = {"maxiter": _MAX_ITERATIONS}
        bounds = [_BOUNDS] * len(means)
        result = optimize.minimize(loss, means, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        self.theta, self.noise = result.x[:-1], float(np.exp(result.x[-1]))


def negative_log_posterior(
    kernel: Kernel, inputs: Inputs, targets: Vector
) -> tuple[optimize.OptimizeResult, Vector]:
    """``-log p(y | theta) - log p(theta)`` as a function with its gradient, up to a constant; and its start.

    ``theta`` holds the kernel's log-parameters and, last, the logarithm of the noise variance; the start is
    the mean of the prior. The gradient is eq. 5.9 of Rasmussen and Williams (2006), to which the kernel adds
    its contraction.
    """
    means, spreads = kernel.start(inputs)
    means, spreads = np.append(means, NOISE_PRIOR[0]), np.append(spreads, NOISE_PRIOR[1])
    evaluate, identity = kernel.bind(inputs), np.eye(len(targets))

    def loss(theta: Vector) -> tuple[float, Vector]:
        noise = float(np.exp(theta[-1]))
        covariance, contraction = evaluate(theta[:-1])
        covariance.flat[:: len(targets) + 1] += noise + NOISE_FLOOR
        factor = linalg.cholesky(covariance, lower=True, check_finite=False)
        inverse = linalg.cho_solve((factor, True), identity, check_finite=False)
        alpha = inverse @ targets
        value = 0.5 * targets @ alpha + np.log(np.diag(factor)).sum()
        slope = np.outer(alpha, alpha) - inverse
        gradient = -0.5 * np.append(contraction(slope), noise * np.trace(slope))
        deviation = (theta - means) / spreads
        return float(value + 0.5 * deviation @ deviation), gradient + deviation / spreads

    return loss, means


def evenly_by_rank(targets: Vector, count: int) -> NDArray[np.int64]:
    """``count`` positions evenly over the ranks of ``targets``, so that they are distributed like all."""
    ranks = np.linspace(0, len(targets) - 1, count).astype(int)
    return np.asarray(np.argsort(targets, kind="stable")[ranks])


def checked(inputs: Inputs, targets: ArrayLike) -> Vector:
    """``targets`` as an array of doubles.

    Raises:
        InvalidArgument: Fewer than 2 points, or lengths that differ.
    """
    y = np.asarray(targets, float)
    if y.ndim != 1 or len(y) < 2 or len(y) != count_of(inputs):
        raise InvalidArgument(
            f"at least 2 points with one target each are needed, got {count_of(inputs)} points "
            f"and targets of shape {y.shape}"
        )
    return y
