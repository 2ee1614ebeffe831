"""Sparse Gaussian process regression with inducing points, by the collapsed variational bound."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import optimize
from torch import Tensor

from graphnas.errors import InvalidArgument
from graphnas.surrogate.gp import NOISE_FLOOR, ExactGP, checked, parameter_priors

Matrix = NDArray[np.float64]

JITTER = 1e-6
"""Added to the diagonal of the inducing points' covariance, in units of its variance."""

_BLOCK = 8192
_RANGE = 5.0


class SparseGP:
    """Gaussian process regression with ``M`` inducing points (Titsias, AISTATS 2009, eq. 9-10).

    The kernel is that of :class:`.ExactGP`, with the same priors. The inducing points are random training
    points, as where D-VAE's sparse process starts; they stay there, and the bound is maximised over the
    kernel's parameters. D-VAE's own code (that of the Grammar VAE) optimises an energy of Bui et al. (2016)
    by 1,800 steps of Adam instead, which has not converged by then. With no more points than ``M`` every
    point is an inducing point and the process is exact, so it is computed as such.

    Args:
        inducing: Number of inducing points ``M``.
        ard: A length scale per dimension, as in D-VAE.
        seed: Of the choice of inducing points.
        fit_size: Points that the kernel's parameters are fitted on, drawn at random; the posterior uses all.
        max_iterations: Bound on L-BFGS-B.

    Raises:
        InvalidArgument: A count that is not positive.
    """

    def __init__(
        self,
        inducing: int = 500,
        *,
        ard: bool = True,
        seed: int = 0,
        fit_size: int = 3000,
        max_iterations: int = 40,
    ) -> None:
        for name, value in (
            ("inducing", inducing),
            ("fit_size", fit_size),
            ("max_iterations", max_iterations),
        ):
            if value < 1:
                raise InvalidArgument(f"{name} must be at least 1, got {value}")
        self.inducing, self.ard, self.seed = inducing, ard, seed
        self.fit_size, self.max_iterations = fit_size, max_iterations
        self._exact: ExactGP | None = None
        self._points: Matrix | None = None

    # ---------------------------------------------------------------- fitting

    def fit(self, points: ArrayLike, targets: ArrayLike) -> SparseGP:
        """Fit the kernel and the posterior.

        Args:
            points: (n, d).
            targets: (n,) of about zero mean and unit variance.

        Raises:
            InvalidArgument: Fewer than 2 points, or shapes that do not fit.
        """
        x, y = checked(points, targets)
        self._exact = None
        if len(y) <= self.inducing:
            self._exact = ExactGP(ard=self.ard).fit(x, y)
            self._points, self._targets = x, y
            return self
        order = np.random.default_rng([self.seed, 7]).permutation(len(y))
        self.inducing_points: Matrix = x[order[: self.inducing]].copy()
        subset = order[: max(self.fit_size, self.inducing)]
        self._fit_kernel(x[subset], y[subset])
        self._condition(x, y)
        return self

    def _fit_kernel(self, x: Matrix, y: Matrix) -> None:
        means, spreads = parameter_priors(x[:1000], self.ard)
        tensors = [torch.from_numpy(a) for a in (self.inducing_points, x, y)]
        prior_mean, prior_spread = torch.from_numpy(means), torch.from_numpy(spreads)

        def loss(theta: Matrix) -> tuple[float, Matrix]:
            parameters = torch.from_numpy(theta.copy()).requires_grad_(True)
            try:
                value = -collapsed_bound(parameters, *tensors)
            except torch.linalg.LinAlgError:  # L-BFGS-B steps back from there
                return 1e25, np.zeros_like(theta)
            value = value + 0.5 * ((parameters - prior_mean) / prior_spread).square().sum()
            (gradient,) = torch.autograd.grad(value, parameters)
            return float(value.detach()), gradient.numpy()

        result = optimize.minimize(
            loss,
            means,
            jac=True,
            method="L-BFGS-B",
            bounds=[(m - _RANGE, m + _RANGE) for m in means],
            options={"maxiter": self.max_iterations},
        )
        parameters = np.exp(result.x)
        self.lengths: Matrix = np.broadcast_to(parameters[:-2], x.shape[1:]).copy()
        self.variance, self.noise = float(parameters[-2]), float(parameters[-1])

    @torch.no_grad()
    def _condition(self, x: Matrix, y: Matrix) -> None:
        self._points, self._targets = x, y
        self._theta = torch.from_numpy(np.log([*self.lengths, self.variance, self.noise]))
        inducing = torch.from_numpy(self.inducing_points)
        self._factor, _, self._inner, projected = _factors(
            self._theta, inducing, torch.from_numpy(x), torch.from_numpy(y)
        )
        solved = torch.linalg.solve_triangular(self._inner.T, projected[:, None], upper=True)
        self._weights = torch.linalg.solve_triangular(self._factor.T, solved, upper=True)[:, 0]

    # ---------------------------------------------------------------- the posterior

    @torch.no_grad()
    def predict(self, points: ArrayLike) -> tuple[Matrix, Matrix]:
        """Posterior mean and standard deviation of the noise-free function, both (B,).

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        if self._points is None:
            raise InvalidArgument("SparseGP is not fitted: call fit(points, targets) first")
        if self._exact is not None:
            return self._exact.predict(points)
        x = torch.from_numpy(np.asarray(points, float))
        inducing = torch.from_numpy(self.inducing_points)
        means, deviations = [], []
        for start in range(0, len(x), _BLOCK):
            cross = kernel(self._theta, inducing, x[start : start + _BLOCK])
            outer = torch.linalg.solve_triangular(self._factor, cross, upper=False)
            inner = torch.linalg.solve_triangular(self._inner, outer, upper=False)
            variance = self.variance - outer.square().sum(0) + inner.square().sum(0)
            means.append(cross.T @ self._weights)
            deviations.append(variance.clamp(min=1e-9).sqrt())
        return torch.cat(means).numpy(), torch.cat(deviations).numpy()

    def believe(self, points: ArrayLike) -> SparseGP:
        """Add points whose value is taken to be what is predicted, as :meth:`.ExactGP.believe` does."""
        x = np.asarray(points, float)
        believed = self.predict(x)[0]
        if self._exact is not None:
            self._exact.believe(x)
        elif self._points is not None:
            self._condition(np.concatenate([self._points, x]), np.concatenate([self._targets, believed]))
        return self


def kernel(theta: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Covariances (len(a), len(b)); ``theta`` holds the logarithms of lengths, variance and noise."""
    lengths = theta[:-2].exp()
    left, right = a / lengths, b / lengths
    squared = left.square().sum(1)[:, None] + right.square().sum(1)[None, :] - 2 * left @ right.T
    return theta[-2].exp() * torch.exp(-0.5 * squared.clamp(min=0))


def _factors(theta: Tensor, z: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """``L``, ``A = L^-1 K_zx / sigma``, the factor of ``I + A A'``, and its inverse times ``A y / sigma``."""
    noise = theta[-1].exp() + NOISE_FLOOR
    eye = torch.eye(len(z), dtype=z.dtype)
    factor = torch.linalg.cholesky(kernel(theta, z, z) + JITTER * theta[-2].exp() * eye)
    scaled = torch.linalg.solve_triangular(factor, kernel(theta, z, x), upper=False) / noise.sqrt()
    inner = torch.linalg.cholesky(eye + scaled @ scaled.T)
    projected = torch.linalg.solve_triangular(inner, (scaled @ y)[:, None], upper=False)[:, 0]
    return factor, scaled, inner, projected / noise.sqrt()


def collapsed_bound(theta: Tensor, z: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Lower bound on ``log p(y)`` (Titsias, 2009, eq. 9).

    Args:
        theta: (d + 2,) or (3,) logarithms of the length scales (or the one), variance and noise variance.
        z: (M, d) inducing points.
        x: (n, d) points.
        y: (n,) targets.
    """
    noise = theta[-1].exp() + NOISE_FLOOR
    _, scaled, inner, projected = _factors(theta, z, x, y)
    count = len(y)
    evidence = -0.5 * count * (math.log(2 * math.pi) + noise.log()) - inner.diagonal().log().sum()
    evidence = evidence - 0.5 * y.square().sum() / noise + 0.5 * projected.square().sum()
    lost = count * theta[-2].exp() / noise - scaled.square().sum()
    return evidence - 0.5 * lost
