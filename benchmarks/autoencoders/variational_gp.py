"""The stochastic variational Gaussian process of GPyTorch, trained in minibatches as D-VAE trains its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist
from torch import Tensor

from graphnas.errors import InvalidArgument
from graphnas.optional import require

Matrix = NDArray[np.float64]
BLOCK = 8192
NOISE = np.exp(-2.5)
"""Initial variance of the noise."""


class VariationalGP:
    """Sparse Gaussian process regression by stochastic variational inference (Hensman et al., UAI 2013).

    ARD squared exponential kernel, ``M`` inducing points that start at random training points and move, and
    Adam on the evidence lower bound of minibatches of 1,000 for 100 passes: the sizes of D-VAE's code, whose
    own process minimises the energy of Bui et al. (2016) instead. The learning rate is higher than its 5e-4,
    with which GPyTorch's process, which starts at the prior, does not converge.

    Args:
        inducing: Number of inducing points ``M``.
        seed: Seed of the inducing points and of the minibatches.
        passes: Passes over the data.
        batch_size: Size of a minibatch.
        learning_rate: Adam's learning rate.

    Raises:
        InvalidArgument: A count or a rate that is not positive.
        MissingExtra: GPyTorch is not installed.
    """

    def __init__(
        self,
        inducing: int = 500,
        *,
        seed: int = 0,
        passes: int = 100,
        batch_size: int = 1000,
        learning_rate: float = 0.01,
    ) -> None:
        for name, value in (("inducing", inducing), ("passes", passes), ("batch_size", batch_size)):
            if value < 1:
                raise InvalidArgument(f"{name} must be at least 1, got {value}")
        if not learning_rate > 0:
            raise InvalidArgument(f"learning_rate must be positive, got {learning_rate}")
        self._gpytorch = require("gpytorch", "dev")
        self.inducing, self.seed, self.passes = inducing, seed, passes
        self.batch_size, self.learning_rate = batch_size, learning_rate
        self._model: Any = None

    def fit(self, inputs: Sequence[Matrix], targets: ArrayLike) -> VariationalGP:
        """Train on ``n`` points, a single array (n, d), and targets (n,) of about zero mean, unit variance.

        Raises:
            InvalidArgument: Fewer than 2 points, or shapes that do not fit.
        """
        gpytorch = self._gpytorch
        x, y = np.asarray(inputs[0], float), np.asarray(targets, float)
        if x.ndim != 2 or y.shape != x.shape[:1] or len(y) < 2:
            raise InvalidArgument(f"at least 2 points (n, d) with targets (n,), got {x.shape} and {y.shape}")
        rng = np.random.default_rng([self.seed, 8])
        typical = float(np.median(pdist(x[rng.permutation(len(x))[:1000]]))) or 1.0
        first = x[rng.permutation(len(x))[: self.inducing]]
        self._model = _model(gpytorch, torch.from_numpy(first), typical)
        likelihood = gpytorch.likelihoods.GaussianLikelihood().double()
        likelihood.noise = NOISE
        bound = gpytorch.mlls.VariationalELBO(likelihood, self._model, num_data=len(x))
        parameters = [*self._model.parameters(), *likelihood.parameters()]
        optimizer = torch.optim.Adam(parameters, lr=self.learning_rate)
        points, outputs = torch.from_numpy(x), torch.from_numpy(y)
        for _ in range(self.passes):
            order = torch.from_numpy(rng.permutation(len(x)))
            for start in range(0, len(x), self.batch_size):
                index = order[start : start + self.batch_size]
                optimizer.zero_grad(set_to_none=True)
                loss = -bound(self._model(points[index]), outputs[index])
                loss.backward()
                optimizer.step()
        self._model.eval()
        return self

    @torch.no_grad()
    def predict(self, inputs: Sequence[Matrix]) -> tuple[Matrix, Matrix]:
        """Posterior mean and standard deviation of the noise-free function, both (B,).

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        if self._model is None:
            raise InvalidArgument("VariationalGP is not fitted: call fit(inputs, targets) first")
        x = torch.from_numpy(np.asarray(inputs[0], float))
        parts = [self._model(x[start : start + BLOCK]) for start in range(0, len(x), BLOCK)]
        mean = torch.cat([part.mean for part in parts])
        deviation = torch.cat([part.variance.clamp(min=1e-9).sqrt() for part in parts])
        return mean.numpy(), deviation.numpy()


def _model(gpytorch: Any, inducing: Tensor, length: float) -> Any:
    """The process in double precision, with every length scale at ``length`` initially."""

    class Process(gpytorch.models.ApproximateGP):  # type: ignore[misc]  # an optional import has no types
        def __init__(self) -> None:
            distribution = gpytorch.variational.CholeskyVariationalDistribution(len(inducing))
            strategy = gpytorch.variational.VariationalStrategy(
                self, inducing.clone(), distribution, learn_inducing_locations=True
            )
            # It starts at the prior; initialising it on first use would draw from the global generator.
            strategy.variational_params_initialized.fill_(1)
            super().__init__(strategy)
            self.mean_module = gpytorch.means.ZeroMean()
            kernel = gpytorch.kernels.RBFKernel(ard_num_dims=inducing.shape[1])
            self.covar_module = gpytorch.kernels.ScaleKernel(kernel)

        def forward(self, x: Tensor) -> Any:
            return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))

    process = Process().double()
    process.covar_module.base_kernel.lengthscale = torch.full((1, inducing.shape[1]), length)
    process.covar_module.outputscale = 1.0
    return process
