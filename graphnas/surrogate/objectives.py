"""Several objectives and constraints as one number per observation, for methods that learn from one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from graphnas.graph.evaluation import Observation

Vector = NDArray[np.float64]


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


def feasible_first(scores: Vector, observations: Sequence[Observation]) -> Vector:
    """``scores`` with those of infeasible observations put below all feasible ones, by total violation.

    Deb's rules ("An efficient constraint handling method for genetic algorithms", 2000): a feasible solution
    is better than an infeasible one, and of two infeasible ones the one that violates less.

    Args:
        scores: ``(n,)``, larger is better.
        observations: The ``n`` observations.
    """
    feasible = np.array([o.feasible for o in observations], bool)
    if feasible.all():
        return scores
    violations = np.array([sum(max(c, 0.0) for c in o.constraints) for o in observations])
    worst = scores[feasible].min() if feasible.any() else float(scores.min())
    step = (np.ptp(scores) or 1.0) / len(scores)
    ordered = np.where(feasible, scores, worst - step * rankdata(np.where(feasible, 0.0, violations)))
    return np.asarray(ordered, float)
