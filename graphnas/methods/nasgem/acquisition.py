"""From values to targets and from predictions to scores: ranks, expected improvement."""

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


def expected_improvement(mean: Vector, deviation: Vector, best: float) -> Vector:
    """E[max(f - best, 0)] for f ~ N(mean, deviation^2) (Jones, Schonlau and Welch, 1998, eq. 15)."""
    z = (mean - best) / deviation
    return np.asarray(deviation * (z * norm.cdf(z) + norm.pdf(z)))


def probability_below(mean: Vector, deviation: Vector, threshold: float) -> Vector:
    """P(f <= threshold) for f ~ N(mean, deviation^2)."""
    return np.asarray(norm.cdf((threshold - mean) / deviation))
