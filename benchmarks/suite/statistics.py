"""Statistics over tasks and seeds: normalised regret, bootstrap intervals, ranks, critical differences.

Regrets of one method are a matrix for each task; what is said of a method is a mean over tasks of means over
seeds, so that a task counts once however many seeds it has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import friedmanchisquare, rankdata, studentized_range

from graphnas.errors import InvalidArgument

Vector = NDArray[np.float64]
ByTask = Mapping[str, Vector]
"""One figure or curve for each seed, ``(seeds,)`` or ``(seeds, queries)``, by task."""

RESAMPLES = 2000
LEVEL = 0.95


def normalised_regret(found: ArrayLike, best: float, typical: float) -> Vector:
    """How far values are from the best of a table, in units of what the search has to gain: 0 to 1.

    ``(best - found) / (best - typical)``, where ``typical`` is the median of the table: 0 is the best, 1 what
    every second architecture reaches. The median, unlike the worst or the mean, is not moved by the few
    networks far below all others that some tables have, which would make every regret of such a table small.
    For the same reason what is worse than typical counts as 1. Only differences enter, so that values may be
    negative; what is minimised is to be negated.

    Args:
        found: Values, larger is better; of any shape.
        best: The best value of the table.
        typical: Its median.

    Raises:
        InvalidArgument: ``best`` is not above ``typical``, or a found value is above ``best`` or no number.
    """
    values = np.asarray(found, float)
    if not best > typical or not math.isfinite(best - typical):
        raise InvalidArgument(f"the best value, {best}, must be a number above the typical one, {typical}")
    tolerance = 1e-9 * max(1.0, abs(best))
    if not (values <= best + tolerance).all():
        wrong = values[~(values <= best + tolerance)].flat[0]
        raise InvalidArgument(f"found {wrong}, not a number up to the best of the table, {best}")
    return np.clip((best - values) / (best - typical), 0.0, 1.0)


def mean_over_tasks(regrets: ByTask) -> Vector:
    """The mean over tasks of the means over seeds: a number, or a curve of curves."""
    return np.asarray(np.mean([np.mean(row, axis=0) for row in regrets.values()], axis=0))


def bootstrap_interval(
    regrets: ByTask, rng: np.random.Generator, resamples: int = RESAMPLES, level: float = LEVEL
) -> tuple[Vector, Vector]:
    """Percentile interval of :func:`mean_over_tasks`; tasks are drawn again and, within each, seeds.

    A task that is drawn twice has its seeds drawn twice: this is the bootstrap of a hierarchy.

    Args:
        regrets: Figures by task, ``(seeds,)``, or curves, ``(seeds, queries)``.
        rng: Source of all draws.
        resamples: Number of resamples.
        level: Share of the resamples within the interval.

    Returns:
        Its two ends, numbers or curves.
    """
    rows = [np.asarray(row, float) for row in regrets.values()]
    tasks = rng.integers(len(rows), size=(resamples, len(rows)))
    means = np.empty((*tasks.shape, *rows[0].shape[1:]))
    for number, row in enumerate(rows):
        drawn = tasks == number
        seeds = rng.integers(len(row), size=(int(drawn.sum()), len(row)))
        means[drawn] = np.mean([row[column] for column in seeds.T], axis=0)
    low, high = np.quantile(means.mean(1), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def paired_differences(
    ours: Mapping[str, Mapping[int, float]], theirs: Mapping[str, Mapping[int, float]]
) -> dict[str, Vector]:
    """``ours`` less ``theirs`` by task, for each seed that both have; tasks without one are left out."""
    differences = {}
    for task in ours:
        seeds = sorted(ours[task].keys() & theirs.get(task, {}).keys())
        if seeds:
            differences[task] = np.array([ours[task][seed] - theirs[task][seed] for seed in seeds])
    return differences


@dataclass(frozen=True)
class Ranking:
    """Methods compared over tasks.

    Attributes:
        ranks: Mean rank of each method, 1 is best; ties share their mean rank.
        tasks: Number of tasks.
        p_value: Of Friedman's test that all methods are alike; None for fewer than three methods or two
            tasks.
        critical_difference: Two methods whose mean ranks differ by less are not told apart (Nemenyi's test at
            5 %); None likewise.
    """

    ranks: dict[str, float]
    tasks: int
    p_value: float | None
    critical_difference: float | None

    def groups(self) -> list[tuple[str, ...]]:
        """The largest groups of methods that are not told apart, each from the best to the worst of it."""
        if self.critical_difference is None:
            return []
        ordered = sorted(self.ranks, key=lambda name: self.ranks[name])
        found: list[tuple[str, ...]] = []
        for first, name in enumerate(ordered):
            limit = self.ranks[name] + self.critical_difference
            group = tuple(other for other in ordered[first:] if self.ranks[other] < limit)
            if len(group) > 1 and not (found and set(group) <= set(found[-1])):
                found.append(group)
        return found


def ranking(regrets: Mapping[str, Mapping[str, float]]) -> Ranking:
    """Mean ranks, Friedman's test and Nemenyi's critical difference (Demšar, JMLR 2006, section 3.2.2).

    Args:
        regrets: One figure by method and task, smaller is better; only tasks that all methods have count.

    Raises:
        InvalidArgument: There is no method, or no task that all methods have.
    """
    shared = [set(by_task) for by_task in regrets.values()]
    tasks = sorted(set.intersection(*shared)) if shared else []
    if not tasks:
        raise InvalidArgument(f"methods must have a task in common to be ranked, got {sorted(regrets)}")
    table = np.array([[by_task[task] for by_task in regrets.values()] for task in tasks])
    # Curves that differ in the last bits only are equal.
    ranks = rankdata(np.round(table, 12), axis=1)
    mean = dict(zip(regrets, ranks.mean(0).tolist(), strict=True))
    if len(regrets) < 3 or len(tasks) < 2:
        return Ranking(mean, len(tasks), None, None)
    # Where all methods are tied on all tasks the statistic is 0 / 0.
    tied = bool((ranks == ranks[:, :1]).all())
    p_value = 1.0 if tied else float(friedmanchisquare(*np.round(table, 12).T).pvalue)
    return Ranking(mean, len(tasks), p_value, critical_difference(len(regrets), len(tasks)))


def critical_difference(methods: int, tasks: int, alpha: float = 0.05) -> float:
    """Nemenyi's critical difference of mean ranks: ``q sqrt(k (k + 1) / (6 N))``."""
    quantile = float(studentized_range.ppf(1 - alpha, methods, np.inf)) / math.sqrt(2)
    return quantile * math.sqrt(methods * (methods + 1) / (6 * tasks))


def from_steps(at: Sequence[int], best: Sequence[float], queries: int) -> Vector:
    """The curve ``(queries,)`` of a best value that is known where it rises; see :func:`to_steps`.

    Args:
        at: Queries, counted from 1, at which it rose; the first is 1.
        best: What it then was.
        queries: Length of the curve.
    """
    return np.repeat(np.asarray(best, float), np.diff([*(k - 1 for k in at), max(queries, at[-1])]))[:queries]


def to_steps(curve: Vector) -> tuple[list[int], list[float]]:
    """Where a rising curve begins and rises, counted from 1, and its values there."""
    at = np.flatnonzero(np.diff(curve, prepend=-np.inf) > 0)
    return (at + 1).tolist(), np.asarray(curve, float)[at].tolist()
