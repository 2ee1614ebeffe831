"""From values to targets and from predictions to scores: scalarisation, ranks, expected improvement."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

Vector = NDArray[np.float64]


def normal_scores(values: Vector) -> Vector:
    """Values replaced by the normal quantiles of their ranks, zero mean and about unit variance.

    Accuracies are skewed: a few broken networks far below a crowd of good ones. Ranks keep the order, which
    is all a search needs, and make the Gaussian assumption harmless. Ties share their mean rank.
    """
    return np.asarray(norm.ppf((rankdata(values) - 0.5) / len(values)), float)


def scalarize(values: NDArray[np.float64], rng: np.random.Generator) -> Vector:
    """One number per row of ``values`` (n, m), larger is better.

    One objective is returned as it is. Several are turned into ranks in [0, 1] and combined by the augmented
    Chebyshev function with weights drawn uniformly from the simplex (Knowles, "ParEGO", 2006, eq. 2), so
    that successive proposals spread over the Pareto front.
    """
    if values.shape[1] == 1:
        return values[:, 0]
    weights = rng.dirichlet(np.ones(values.shape[1]))
    ranks = (rankdata(values, axis=0) - 0.5) / len(values)
    loss = (1 - ranks) * weights
    return np.asarray(-(loss.max(1) + 0.05 * loss.sum(1)))


def expected_improvement(mean: Vector, deviation: Vector, best: float) -> Vector:
    """E[max(f - best, 0)] for f ~ N(mean, deviation^2) (Jones, Schonlau and Welch, 1998, eq. 15)."""
    z = (mean - best) / deviation
    return np.asarray(deviation * (z * norm.cdf(z) + norm.pdf(z)))


def probability_below(mean: Vector, deviation: Vector, threshold: float) -> Vector:
    """P(f <= threshold) for f ~ N(mean, deviation^2)."""
    return np.asarray(norm.cdf((threshold - mean) / deviation))
