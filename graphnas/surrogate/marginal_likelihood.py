"""Weights of a sum of kernels and a noise level by maximum a posteriori marginal likelihood."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

NOISE_FLOOR = 1e-4
"""Added to the diagonal next to the fitted noise: targets have unit variance, so this is jitter."""

# Log-normal priors. They only decide where the data are silent: a kernel starts as a moderate part of the
# unit variance, and the noise at about a twelfth of it.
_WEIGHT_PRIOR = (-1.0, 2.0)
_NOISE_PRIOR = (-2.5, 1.5)
_BOUNDS = (-7.0, 3.0)


def fit_weights(
    kernels: Sequence[NDArray[np.float64]], targets: NDArray[np.float64], max_iterations: int = 40
) -> tuple[NDArray[np.float64], float]:
    """Weights ``w`` and noise variance ``s`` that maximise ``log p(y | sum_k w_k K_k + s I) + log prior``.

    Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, eq. 5.8-5.9, in log parameters.

    Args:
        kernels: ``M`` matrices of shape (n, n).
        targets: (n,) values, zero mean and unit variance.
        max_iterations: Bound on L-BFGS-B.

    Returns:
        Weights (M,) and noise variance.
    """
    stack = np.stack(kernels)
    count, size = len(stack), len(targets)
    identity = np.eye(size)
    means = np.array([_WEIGHT_PRIOR[0]] * count + [_NOISE_PRIOR[0]])
    spreads = np.array([_WEIGHT_PRIOR[1]] * count + [_NOISE_PRIOR[1]])

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scales = np.exp(theta)
        covariance = np.tensordot(scales[:-1], stack, 1) + (scales[-1] + NOISE_FLOOR) * identity
        factor = linalg.cholesky(covariance, lower=True, check_finite=False)
        inverse = linalg.cho_solve((factor, True), identity, check_finite=False)
        alpha = inverse @ targets
        value = 0.5 * targets @ alpha + np.log(np.diag(factor)).sum()
        slope = np.outer(alpha, alpha) - inverse
        gradient = np.empty(count + 1)
        gradient[:-1] = -0.5 * scales[:-1] * (stack.reshape(count, -1) @ slope.ravel())
        gradient[-1] = -0.5 * scales[-1] * np.trace(slope)
        deviation = (theta - means) / spreads
        return float(value + 0.5 * deviation @ deviation), gradient + deviation / spreads

    result = optimize.minimize(
        loss,
        means,
        jac=True,
        method="L-BFGS-B",
        bounds=[_BOUNDS] * (count + 1),
        options={"maxiter": max_iterations},
    )
    scales = np.exp(result.x)
    return scales[:-1], float(scales[-1])
