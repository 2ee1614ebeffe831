"""TrainingSet: what a surrogate learns from the observations of a search, and how values become targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Observation
from graphnas.surrogate.imputation import imputed_values

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]

_ROWS = 256
"""Rows compared with all others at a time, so that the comparisons take little memory."""


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What a surrogate learns from: measured evaluations, and estimates for pruned and failed ones.

    Attributes:
        architectures: ``n`` evaluated architectures.
        scores: (n,) one number each, larger is better.
        violations: (n, c) finite constraint values, satisfied where at most 0, NaN where unknown; c may be 0.
        values: (n, m) the objectives that the scores were computed from, each to be maximised.
        measured: (n,) whether the values were measured to the end.
        failed: (n,) whether the evaluation failed.
    """

    architectures: Sequence[Architecture]
    scores: Vector
    violations: NDArray[np.float64]
    values: NDArray[np.float64]
    measured: Mask
    failed: Mask

    @classmethod
    def from_observations(cls, observations: Sequence[Observation], rng: np.random.Generator) -> TrainingSet:
        """Observations as one score each; several objectives are scalarised with weights of ``rng``.

        Args:
            observations: At least one; for pruned and failed ones see :func:`.imputed_values`. Of an
                evaluation that was measured to the end, a missing constraint counts as satisfied and NaN as
                infinitely violated. An infinite value counts as twice the largest finite one.
            rng: Generator for :func:`scalarize`.
        """
        values = imputed_values(observations)
        measured = np.array([o.values is not None for o in observations])
        width = max(len(o.constraints) for o in observations)
        violations = np.where(measured[:, None], np.zeros(width), np.nan)
        for row, observation in zip(violations, observations, strict=True):
            row[: len(observation.constraints)] = observation.constraints
        violations[measured[:, None] & np.isnan(violations)] = np.inf
        largest = np.where(np.isfinite(violations), np.abs(violations), 0.0).max(0, initial=0.0)
        bound = 2 * np.where(largest > 0, largest, 1.0)
        violations = np.clip(violations, -bound, bound)
        failed = ~measured & ~np.array([o.pruned for o in observations])
        architectures = [o.architecture for o in observations]
        return cls(architectures, scalarize(values, rng), violations, values, measured, failed)

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def known_violations(self) -> NDArray[np.float64]:
        """(n, c) the violations, unknown ones replaced by the mean of their constraint."""
        unknown = np.isnan(self.violations)
        means = np.where(unknown, 0.0, self.violations).sum(0) / np.maximum((~unknown).sum(0), 1)
        return np.where(unknown, means, self.violations)

    @property
    def violating(self) -> Mask:
        """(n,) whether a constraint is known to be violated."""
        return np.asarray((self.violations > 0).any(1))

    @property
    def feasible(self) -> Mask:
        """(n,) whether the values were measured and every constraint is satisfied."""
        return np.asarray(self.measured & ~self.violating)

    @property
    def ranked_scores(self) -> Vector:
        """(n,) the scores, with those of violating architectures below all others, by violation.

        Deb's rules ("An efficient constraint handling method for genetic algorithms", 2000): a feasible
        solution is better than an infeasible one, and of two infeasible ones the one that violates less.
        """
        allowed, scores = ~self.violating, self.scores
        if allowed.all():
            return scores
        violations = np.nansum(np.maximum(self.violations, 0.0), axis=1)
        worst = float(scores[allowed].min() if allowed.any() else scores.min())
        step = (np.ptp(scores) or 1.0) / len(scores)
        below = worst - step * rankdata(np.where(allowed, 0.0, violations))
        return np.where(allowed, scores, below)

    def best(self, count: int) -> NDArray[np.int64]:
        """Positions of the ``count`` best by :attr:`ranked_scores`, best first, the older of equals first."""
        return np.argsort(-self.ranked_scores, kind="stable")[:count]

    def subset(self, count: int) -> NDArray[np.int64]:
        """At most ``count`` positions, rising: half of them the best, the others the most recent of the rest.

        The recent ones are where the search was looking: without those that disappointed, a model would
        send it there again. Of several objectives the best are those that the fewest others dominate,
        whatever the weights that :attr:`scores` were computed with; evaluations that violate a constraint
        come last.
        """
        size = len(self)
        if size <= count:
            return np.arange(size)
        order = self.best(size)
        if self.values.shape[1] > 1:
            place = np.argsort(order)
            order = np.lexsort((place, times_dominated(self.values), self.violating))
        top = count // 2
        return np.sort(np.concatenate([order[:top], np.sort(order[top:])[top - count :]]))


def half_best(order: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """At most ``count`` of the positions in ``order``, rising: half the first ones, the others evenly."""
    size = len(order)
    if size <= count:
        return np.sort(order)
    top = count // 2
    return np.sort(np.concatenate([order[:top], order[np.linspace(top, size - 1, count - top).astype(int)]]))


def times_dominated(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) how many rows of ``values`` (n, m) are at least as good in each objective and better in one."""
    counts = np.empty(len(values), np.int64)
    for start in range(0, len(values), _ROWS):
        part = slice(start, start + _ROWS)
        worse = np.zeros((len(values[part]), len(values)), bool)
        dominated = np.ones_like(worse)
        for column in values.T:
            worse |= column[part, None] < column
            dominated &= column[part, None] <= column
        counts[part] = (dominated & worse).sum(1)
    return counts


def normal_scores(values: Vector) -> Vector:
    """Values replaced by the normal quantiles of their ranks, zero mean and about unit variance.

    Accuracies are skewed: a few broken networks far below a crowd of good ones. Ranks keep the order, which
    is all a search needs, and make the Gaussian assumption harmless. Ties share their mean rank.
    """
    return np.asarray(norm.ppf((rankdata(values) - 0.5) / len(values)), float)


def violation_scores(violations: Vector) -> tuple[Vector, float]:
    """Violations (n,) by their ranks, NaN where unknown, and the score up to which they are satisfied.

    As :func:`normal_scores`, with the limit half way between the largest satisfied and the smallest violated
    one: a few values far off, infinite ones among them, leave the scale around the limit as it is. As long as
    all are satisfied, ranks would not tell how far the limit is; then values keep their distances.
    """
    known = ~np.isnan(violations)
    values, scores = violations[known], np.full(len(violations), np.nan)
    satisfied = values <= 0
    if satisfied.all():
        mean, scale = float(values.mean()), max(float(values.std()), 1e-12)
        scores[known] = (values - mean) / scale
        return scores, -mean / scale
    *ranked, limit = normal_scores(np.append(values, 0.0)).tolist()
    scores[known] = ranked
    if satisfied.any():
        limit = (scores[known][satisfied].max() + scores[known][~satisfied].min()) / 2
    return scores, float(limit)


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
