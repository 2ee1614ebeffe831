"""From values to targets and from predictions to scores: ranks, expected improvement."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx
from scipy.stats import norm, rankdata

Vector = NDArray[np.float64]


def normal_scores(values: Vector) -> Vector:
    """Values replaced by the normal quantiles of their ranks, zero mean and about unit variance.

    Accuracies are skewed: a few broken networks far below a crowd of good ones. Ranks keep the order, which
    is all a search needs, and make the Gaussian assumption harmless. Ties share their mean rank.
    """
    return np.asarray(norm.ppf((rankdata(values) - 0.5) / len(values)), float)


def expected_improvement(mean: Vector, deviation: Vector, best: float) -> Vector:
    """E[max(f - best, 0)] for f ~ N(mean, deviation^2) (Jones, Schonlau and Welch, 1998, eq. 15)."""
    z = (mean - best) / deviation
    return np.asarray(deviation * (z * norm.cdf(z) + norm.pdf(z)))


def log_expected_improvement(mean: Vector, deviation: Vector, best: float) -> Vector:
    """Logarithm of :func:`expected_improvement`, finite and rising in ``mean`` far below ``best`` too.

    Ament et al., "Unexpected Improvements to Expected Improvement for Bayesian Optimization", NeurIPS 2023,
    eq. 8-9: far from the best value the improvement underflows to 0 and ranks nothing, its logarithm does.
    """
    z = np.asarray((mean - best) / deviation, float)
    near = z > -1.0
    result = np.empty_like(z)
    result[near] = np.log(norm.pdf(z[near]) + z[near] * norm.cdf(z[near]))
    far = z[~near]
    # phi(z) + z Phi(z) = phi(z) (1 - |z| sqrt(pi / 2) erfcx(|z| / sqrt(2))).
    with np.errstate(divide="ignore"):
        rest = np.log1p(far * math.sqrt(math.pi / 2) * erfcx(-far / math.sqrt(2)))
    # Beyond 1e5 the bracket is 1 / z^2 to the last digit and its subtraction cancels.
    rest = np.where(far > -1e5, rest, -2 * np.log(-far))
    result[~near] = norm.logpdf(far) + rest
    return np.asarray(np.log(deviation) + result)


def probability_below(mean: Vector, deviation: Vector, threshold: float) -> Vector:
    """P(f <= threshold) for f ~ N(mean, deviation^2)."""
    return np.asarray(norm.cdf((threshold - mean) / deviation))
