"""ImprovementModel: how promising each candidate is, given the evaluated and the pending architectures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from graphnas.surrogate.acquisition import (
    log_expected_improvement,
    log_feasibility,
    log_hypervolume_improvement,
)
from graphnas.surrogate.kernels import Inputs, Vector, count_of, take
from graphnas.surrogate.regression import evenly_by_rank
from graphnas.surrogate.training_set import TrainingSet, normal_scores, violation_scores

NOISE = ("alternate", "included", "excluded")
TWO_OBJECTIVES = ("hypervolume", "scalarized")

MAX_POINTS = 1000
"""Evaluations that a process is conditioned on."""

UNLIKELY = -1e6
"""Added for each constraint that is more likely violated than not: such candidates come after all others."""

Score = Callable[[Inputs], Vector]
Kind = int | Literal["constraint"] | None
"""What a column of targets is: an objective by its number, None for a scalarised one, or a constraint."""


class Process(Protocol):
    """What an :class:`ImprovementModel` asks of a Gaussian process; see :class:`.GaussianProcess`."""

    def fit(self, inputs: Inputs, targets: ArrayLike) -> Self:
        """Fit the kernel and the posterior."""

    def condition(self, inputs: Inputs, targets: ArrayLike) -> Self:
        """Replace the data, keeping the fitted kernel."""

    def believe(self, inputs: Inputs) -> Self:
        """Add points, with their predicted means as their values."""

    def predict(self, inputs: Inputs, *, noisy: bool = False) -> tuple[Vector, Vector]:
        """Posterior mean and standard deviation."""


class ImprovementModel:
    """Constrained log expected improvement, with a process for every objective and constraint.

    Targets are the normal scores of the values' ranks, in which pruned and failed evaluations count with an
    estimate (:func:`.imputed_values`); only measured values are improved on. Of two objectives each has a
    process, and the expected improvement is that of the hypervolume; more are scalarised. The improvement is
    multiplied by the probability that all constraints are satisfied, and candidates that more likely violate
    one than not come after all others: each of them is likely a trial without a result. As long as nothing
    feasible is known, that probability is all that counts. Constraints are learned from the ranks of their
    values too (:func:`.violation_scores`), and are taken to be noise-free functions: parameters and latency
    have little noise, and what there is would blur the limit. A pending architecture counts as evaluated,
    with its predicted mean as its value.

    Args:
        process: Makes a process for one column of targets.
        objective_process: Makes that of an objective, given its number, or None for the scalarised score; by
            default it is like any other.
        noise: Whether the improvement is that of a value, noise included (``"included"``), of the noise-free
            function (``"excluded"``), or of either in turn (``"alternate"``). Noise is what the features do
            not explain. As architectures are evaluated once, it is part of what can be gained, but the more
            of it there is, the more the mean alone decides and the less a search explores;
            ``benchmarks/REPORT.md`` has the comparison.
        two_objectives: ``"hypervolume"``, or ``"scalarized"`` for one process on the scalarised score.
        refit_growth: Share by which the data must grow before kernels are fitted again; until then those that
            were fitted to the earlier data are conditioned on all of them. 0 fits them every time.
        max_points: Evaluations that a process is conditioned on, see :meth:`.TrainingSet.subset`, so that the
            time and the memory of a proposal stay bounded in a long search.
    """

    def __init__(
        self,
        process: Callable[[], Process],
        *,
        objective_process: Callable[[int | None], Process] | None = None,
        noise: str = "excluded",
        two_objectives: str = "hypervolume",
        refit_growth: float = 0.0,
        max_points: int = MAX_POINTS,
    ) -> None:
        self._make, self._make_objective = process, objective_process or (lambda objective: process())
        self._noise, self._two_objectives, self._growth = noise, two_objectives, refit_growth
        self._max_points = max_points
        self._fitted: dict[tuple[Kind, bytes], Process] = {}

    def fit(self, data: TrainingSet, inputs: Inputs, pending: Inputs | None = None) -> Score:
        """Fit to all evaluations; the result scores ``B`` candidates, (B,), larger is better.

        Args:
            data: ``n`` evaluated architectures.
            inputs: Their ``n`` points.
            pending: The points of the architectures being evaluated.
        """
        waiting = 0 if pending is None else count_of(pending)
        fitted = last_fit(len(data), self._growth)
        # Where it was not measured twice, there is nothing to learn of a constraint.
        constraints = np.flatnonzero((~np.isnan(data.violations[:fitted])).sum(0) >= 2)
        columns, limits = self._columns(data, len(data), constraints)
        processes = self._processes(data, inputs, fitted, constraints)
        kept = data.subset(self._max_points)
        for process, column in zip(processes, columns, strict=True):
            rows = kept[~np.isnan(column[kept])]
            process.condition(take(inputs, rows), column[rows])
            if waiting and pending is not None:
                process.believe(pending)
        objectives = len(columns) - len(limits)
        known, feasible = np.stack(columns[:objectives], axis=1), data.feasible
        total = len(data) + waiting
        noisy = self._noise == "included" or (self._noise == "alternate" and total % 2 == 1)

        def score(candidates: Inputs) -> Vector:
            result = np.zeros(count_of(candidates))
            if feasible.any():
                predicted = [process.predict(candidates, noisy=noisy) for process in processes[:objectives]]
                result += log_improvement(predicted, known, feasible)
            for process, limit in zip(processes[objectives:], limits, strict=True):
                mean, deviation = process.predict(candidates)
                result += np.where(mean > limit, UNLIKELY, 0.0) + log_feasibility(mean, deviation, limit)
            return result

        return score

    def _columns(
        self, data: TrainingSet, count: int, constraints: NDArray[np.int64]
    ) -> tuple[list[Vector], list[float]]:
        """What processes learn from the first ``count`` architectures, with mean 0 and unit variance.

        Returns:
            Columns, NaN where there is nothing to learn: one for each of two objectives, or one for the
            scores, then one for each of ``constraints``; and the limits up to which these are satisfied.
        """
        if self._two_objectives == "hypervolume" and data.values.shape[1] == 2:
            columns = [normal_scores(column) for column in data.values[:count].T]
        else:
            columns = [normal_scores(data.scores[:count])]
        limits = []
        for column in data.violations[:count, constraints].T:
            scores, limit = violation_scores(column)
            columns.append(scores)
            limits.append(limit)
        return columns, limits

    def _processes(
        self, data: TrainingSet, inputs: Inputs, count: int, constraints: NDArray[np.int64]
    ) -> list[Process]:
        """A fitted process per column; those of the last proposal if they were fitted to the same data.

        Their kernels depend on the finished evaluations only, and fitting them takes most of the time.
        """
        columns, limits = self._columns(data, count, constraints)
        known = take(inputs, slice(0, count))
        points = b"".join(np.ascontiguousarray(rows).tobytes() for rows in known if not sparse.issparse(rows))
        # Objectives by their number, a single one by None if it is scalarised, and constraints.
        objectives = len(columns) - len(limits)
        separate = objectives == data.values.shape[1]
        kinds: list[Kind] = [k if separate else None for k in range(objectives)] + ["constraint"] * len(
            limits
        )
        keys = [(kind, points + column.tobytes()) for kind, column in zip(kinds, columns, strict=True)]
        by_key = dict(zip(keys, columns, strict=True))
        self._fitted = {
            key: self._fitted.get(key) or self._fit(key[0], known, column) for key, column in by_key.items()
        }
        return [self._fitted[key] for key in keys]

    def _fit(self, kind: Kind, inputs: Inputs, column: Vector) -> Process:
        rows = np.flatnonzero(~np.isnan(column))
        if len(rows) > self._max_points:
            # A fit also conditions, which takes the square of their number in memory and its cube in time.
            rows = np.sort(rows[evenly_by_rank(column[rows], self._max_points)])
        process = self._make() if kind == "constraint" else self._make_objective(kind)
        return process.fit(take(inputs, rows), column[rows])


def last_fit(count: int, growth: float) -> int:
    """The size of the data at the last fit: at 2, and whenever they have grown by the share ``growth``."""
    size = 2
    while (following := max(size + 1, math.floor(size * (1 + growth)))) <= count:
        size = following
    return size


def log_improvement(
    predicted: Sequence[tuple[Vector, Vector]], known: NDArray[np.float64], feasible: NDArray[np.bool_]
) -> Vector:
    """Log expected improvement (B,) on the feasible rows of ``known`` (n, 1 or 2), at least one.

    Args:
        predicted: Mean and deviation (B,) of each objective.
        known: The targets of the evaluated architectures.
        feasible: (n,) which of them satisfy every constraint.
    """
    if len(predicted) == 1:
        return log_expected_improvement(*predicted[0], float(known[feasible].max()))
    first, second = predicted
    return log_hypervolume_improvement(first, second, known[feasible], known.min(0))
