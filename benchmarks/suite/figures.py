"""Figures of the suite from the searches of its record: curves, means with intervals, ranks, differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.suite.statistics import (
    Ranking,
    bootstrap_interval,
    from_steps,
    mean_over_tasks,
    normalised_regret,
    paired_differences,
    ranking,
)
from benchmarks.suite.tasks import ALL, BUDGETS, kind_of

SEED = 0
"""Of the bootstrap, so that a record always gives the same section."""

Interval = tuple[float, float, float]
"""A mean, and the ends of its interval."""


def shown(interval: Interval | None, sign: str = "") -> str:
    """A mean and its interval as the tables print them; nothing where there is none.

    Args:
        interval: What is printed.
        sign: ``"+"`` for differences, whose sign is always printed.
    """
    if interval is None:
        return ""
    mean, low, high = interval
    return f"{mean:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


@dataclass
class Search:
    """One seeded search as the record holds it.

    Attributes:
        method: ``task: method``.
        seed: Its seed.
        queries: Number of different architectures that it was allowed.
        at: Queries, counted from 1, at which its best figure rose; the first is 1.
        best: What it then was: a value of the table (0 beyond the limit) or a share of the hypervolume.
        trials: Number of trials; more than queries if a sampler repeats itself or leaves the space.
        seconds: Processor seconds without the evaluations: what the sampler and Optuna take.
    """

    method: str
    seed: int
    queries: int
    at: list[int]
    best: list[float]
    trials: int
    seconds: float

    @property
    def place(self) -> tuple[str, str]:
        """Task and method."""
        return place_of(self.method)


def name_of(task: str, method: str) -> str:
    """What a search of a task by a method is called in the record."""
    return f"{task}: {method}"


def place_of(name: str) -> tuple[str, str]:
    """Task and method of what :func:`name_of` has named."""
    task, method = name.split(": ")
    return task, method


class Compared:
    """The searches of tasks of one kind, and the methods that were run on all of these tasks.

    Args:
        searches: Of any tasks.
        scale: The best and the typical figure by task.
        kind: The kind of tasks.
        order: Methods in the order of tables.
    """

    def __init__(
        self,
        searches: Sequence[Search],
        scale: Mapping[str, Sequence[float]],
        kind: str,
        order: Sequence[str],
    ) -> None:
        own = [one for one in searches if kind_of(ALL[one.place[0]]) == kind]
        present = {one.place[0] for one in own}
        self.tasks = [task for task in ALL if task in present]
        self.queries = min((one.queries for one in own), default=0)
        self.budgets = [b for b in BUDGETS if b <= self.queries] or [self.queries][: len(own)]
        self._searches: dict[str, dict[str, list[Search]]] = {}
        self._curves: dict[str, dict[str, dict[int, NDArray[np.float64]]]] = {}
        for one in own:
            task, method = one.place
            curve = normalised_regret(from_steps(one.at, one.best, self.queries), *scale[task])
            self._curves.setdefault(method, {}).setdefault(task, {})[one.seed] = curve
            self._searches.setdefault(method, {}).setdefault(task, []).append(one)
        known = [method for method in order if method in self._curves]
        self.methods = [method for method in known if self._curves[method].keys() == present]
        self.missing = {method: len(self._curves[method]) for method in known if method not in self.methods}
        """Methods that were run on some of the tasks only, and on how many; they are not compared."""

    def at(self, method: str, budget: int) -> dict[str, dict[int, float]]:
        """Normalised regret by task and seed after so many queries."""
        return {
            task: {seed: float(curve[budget - 1]) for seed, curve in self._curves[method][task].items()}
            for task in self.tasks
        }

    def by_task(self, method: str, budget: int) -> dict[str, NDArray[np.float64]]:
        """Normalised regret of each seed by task."""
        return {task: np.array(list(seeds.values())) for task, seeds in self.at(method, budget).items()}

    def mean(self, method: str, budget: int) -> Interval:
        """Mean normalised regret over tasks and seeds, with its interval."""
        return _interval(self.by_task(method, budget))

    def difference(self, method: str, other: str, budget: int) -> Interval | None:
        """``method`` less ``other``, over seeds that both have; None if they share none."""
        differences = paired_differences(self.at(method, budget), self.at(other, budget))
        return _interval(differences) if differences else None

    def ranking(self, budget: int) -> Ranking:
        """Mean ranks by the mean regret of each task."""
        return ranking(
            {
                method: {task: float(row.mean()) for task, row in self.by_task(method, budget).items()}
                for method in self.methods
            }
        )

    def curve(self, method: str) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Mean normalised regret by queries ``(queries,)`` and the two ends of its interval."""
        curves = {task: np.array(list(seeds.values())) for task, seeds in self._curves[method].items()}
        return mean_over_tasks(curves), *bootstrap_interval(curves, np.random.default_rng(SEED))

    def seconds_per_trial(self, method: str) -> float:
        """Mean over tasks of the mean over seeds."""
        return float(
            mean_over_tasks(
                {
                    task: np.array([one.seconds / one.trials for one in searches])
                    for task, searches in self._searches[method].items()
                }
            )
        )

    def seeds(self, method: str) -> str:
        """The number of seeds on a task, or the fewest and the most."""
        counts = sorted({len(seeds) for seeds in self._curves[method].values()})
        return " to ".join(map(str, dict.fromkeys([counts[0], counts[-1]])))


def searches_of(record: Mapping[str, Any]) -> list[Search]:
    """The searches of a record."""
    return [Search(**run) for run in record["runs"]]


def _interval(regrets: Mapping[str, NDArray[np.float64]]) -> Interval:
    low, high = bootstrap_interval(regrets, np.random.default_rng(SEED))
    return float(mean_over_tasks(regrets)), float(low), float(high)
