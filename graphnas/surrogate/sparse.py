"""Sparse Gaussian process regression with inducing points, by the collapsed variational bound."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import optimize
from scipy.spatial.distance import pdist
from torch import Tensor

from graphnas.errors import InvalidArgument
from graphnas.surrogate.kernels import Inputs, Kernel, SquaredExponential
from graphnas.surrogate.regression import NOISE_FLOOR, NOISE_PRIOR, GaussianProcess, checked

Matrix = NDArray[np.float64]

JITTER = 1e-6
"""Added to the diagonal of the inducing points' covariance, in units of its variance."""

_BLOCK = 8192
_RANGE = 5.0


class SparseGP:
    """Gaussian process regression with ``M`` inducing points (Titsias, AISTATS 2009, eq. 9-10).

    The kernel is a squared exponential. The inducing points are random training points, where D-VAE's sparse
    process starts too; they stay there, and the bound is maximised over the kernel's parameters. D-VAE's own
    code (that of the Grammar VAE) instead takes 1,800 steps of Adam on an energy of Bui et al. (2016), which
    has not converged by then. With no more points than ``M`` every point is an inducing point and the process
    is exact, so it is a :class:`.GaussianProcess`.

    Args:
        inducing: Number of inducing points ``M``.
        ard: A length scale per dimension, as in D-VAE.
        seed: Seed of the choice of inducing points.
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
        self._exact: GaussianProcess | None = None
        self._fitted = False

    # ---------------------------------------------------------------- fitting

    def fit(self, inputs: Inputs, targets: ArrayLike) -> SparseGP:
        """Fit the kernel and the posterior.

        Args:
            inputs: ``n`` points as a single array (n, d).
            targets: (n,) of about zero mean and unit variance.

        Raises:
            InvalidArgument: Fewer than 2 points, or shapes that do not fit.
        """
        y = checked(inputs, targets)
        (x,) = (np.asarray(rows, float) for rows in inputs)
        self._exact = None
        if len(y) <= self.inducing:
            kernel = Kernel(SquaredExponential(ard=self.ard, standardized=False))
            self._exact = GaussianProcess(kernel).fit([x], y)
            self.noise, self._fitted = self._exact.noise, True
            return self
        order = np.random.default_rng([self.seed, 7]).permutation(len(y))
        self.inducing_points: Matrix = x[order[: self.inducing]].copy()
        subset = order[: max(self.fit_size, self.inducing)]
        self._fit_kernel(x[subset], y[subset])
        return self.condition([x], y)

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
    def condition(self, inputs: Inputs, targets: ArrayLike) -> SparseGP:
        """Replace the data, keeping the fitted kernel and the inducing points."""
        (x,), y = inputs, np.asarray(targets, float)
        if self._exact is not None:
            self._exact.condition(inputs, y)
            return self
        self._theta = torch.from_numpy(np.log([*self.lengths, self.variance, self.noise]))
        inducing = torch.from_numpy(self.inducing_points)
        self._factor, _, self._inner, self._projected = _factors(
            self._theta, inducing, torch.from_numpy(x), torch.from_numpy(y)
        )
        self._weigh()
        self._fitted = True
        return self

    def _weigh(self) -> None:
        """The weights of the inducing points' covariances in the mean."""
        solved = torch.linalg.solve_triangular(self._inner.T, self._projected[:, None], upper=True)
        self._weights = torch.linalg.solve_triangular(self._factor.T, solved, upper=True)[:, 0]

    # ---------------------------------------------------------------- the posterior

    @torch.no_grad()
    def predict(self, inputs: Inputs, *, noisy: bool = False) -> tuple[Matrix, Matrix]:
        """Posterior mean and standard deviation, both (B,); as :meth:`.GaussianProcess.predict`.

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        if not self._fitted:
            raise InvalidArgument("the process is not fitted: call fit(inputs, targets) first")
        if self._exact is not None:
            return self._exact.predict(inputs, noisy=noisy)
        x = torch.from_numpy(np.asarray(inputs[0], float))
        inducing = torch.from_numpy(self.inducing_points)
        means, deviations = [], []
        for start in range(0, len(x), _BLOCK):
            cross = kernel(self._theta, inducing, x[start : start + _BLOCK])
            outer = torch.linalg.solve_triangular(self._factor, cross, upper=False)
            inner = torch.linalg.solve_triangular(self._inner, outer, upper=False)
            variance = self.variance - outer.square().sum(0) + inner.square().sum(0)
            means.append(cross.T @ self._weights)
            deviations.append((variance.clamp(min=1e-9) + noisy * self.noise).sqrt())
        return torch.cat(means).numpy(), torch.cat(deviations).numpy()

    @torch.no_grad()
    def believe(self, inputs: Inputs) -> SparseGP:
        """Add points with their predicted means as their values; see :meth:`.GaussianProcess.believe`.

        It costs ``M^3``, however many points the process already has.
        """
        if self._exact is not None:
            self._exact.believe(inputs)
            return self
        believed = torch.from_numpy(self.predict(inputs)[0])
        # The data enter only by I + AA' and A y / sigma, sums to which each point adds its own term.
        x = torch.from_numpy(np.asarray(inputs[0], float))
        cross = kernel(self._theta, torch.from_numpy(self.inducing_points), x)
        deviation = (self._theta[-1].exp() + NOISE_FLOOR).sqrt()
        scaled = torch.linalg.solve_triangular(self._factor, cross, upper=False) / deviation
        moment = self._inner @ self._projected + scaled @ believed / deviation
        self._inner = torch.linalg.cholesky(self._inner @ self._inner.T + scaled @ scaled.T)
        self._projected = torch.linalg.solve_triangular(self._inner, moment[:, None], upper=False)[:, 0]
        self._weigh()
        return self


def parameter_priors(points: Matrix, ard: bool) -> tuple[Matrix, Matrix]:
    """Means and spreads of the normal priors of the logarithms: length scales (or one), variance, noise.

    The length scales are expected at about the median distance of the points (n, d), so that the prior holds
    in latent spaces of any size.
    """
    typical = float(np.median(pdist(points)))
    start = np.log(typical) if typical > 0 else 0.0
    lengths = points.shape[1] if ard else 1
    variance_mean, variance_spread = SquaredExponential.weight_prior
    means = np.array([start] * lengths + [variance_mean, NOISE_PRIOR[0]])
    return means, np.array([1.0] * lengths + [variance_spread, NOISE_PRIOR[1]])


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
