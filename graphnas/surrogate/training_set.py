"""TrainingSet: what a surrogate learns from the observations of a search, and how values become targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Observation

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What a surrogate learns from.

    Attributes:
        architectures: ``n`` evaluated architectures.
        scores: (n,) one number each, larger is better.
        violations: (n, c) finite constraint values, satisfied where at most 0; c may be 0.
        values: (n, m) the objectives that the scores were computed from, each to be maximised.
    """

    architectures: Sequence[Architecture]
    scores: Vector
    violations: NDArray[np.float64]
    values: NDArray[np.float64]

    @classmethod
    def from_observations(cls, observations: Sequence[Observation], rng: np.random.Generator) -> TrainingSet:
        """Finished observations as one score each; several objectives are scalarised with weights of ``rng``.

        Args:
            observations: At least one, none of them failed. A missing constraint counts as satisfied, NaN as
                infinitely violated, and an infinite value as twice the largest finite one of its constraint.
            rng: Generator for :func:`scalarize`.
        """
        values = np.array([o.values for o in observations], float)
        width = max(len(o.constraints) for o in observations)
        violations = np.zeros((len(observations), width))
        for row, observation in zip(violations, observations, strict=True):
            row[: len(observation.constraints)] = observation.constraints
        violations[np.isnan(violations)] = np.inf
        largest = np.where(np.isfinite(violations), np.abs(violations), 0.0).max(0, initial=0.0)
        bound = 2 * np.where(largest > 0, largest, 1.0)
        violations = np.clip(violations, -bound, bound)
        return cls([o.architecture for o in observations], scalarize(values, rng), violations, values)

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """(n,) whether every constraint is satisfied."""
        return np.asarray((self.violations <= 0).all(1))

    @property
    def ranked_scores(self) -> Vector:
        """(n,) the scores, with those of infeasible architectures below all feasible ones, by violation.

        Deb's rules ("An efficient constraint handling method for genetic algorithms", 2000): a feasible
        solution is better than an infeasible one, and of two infeasible ones the one that violates less.
        """
        feasible, scores = self.feasible, self.scores
        if feasible.all():
            return scores
        violations = np.maximum(self.violations, 0.0).sum(1)
        worst = float(scores[feasible].min() if feasible.any() else scores.min())
        step = (np.ptp(scores) or 1.0) / len(scores)
        below = worst - step * rankdata(np.where(feasible, 0.0, violations))
        return np.where(feasible, scores, below)

    def best(self, count: int) -> NDArray[np.int64]:
        """Positions of the ``count`` best by :attr:`ranked_scores`, best first, the older of equals first."""
        return np.argsort(-self.ranked_scores, kind="stable")[:count]


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
