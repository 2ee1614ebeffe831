"""The tasks of the suite, which of them settings may be chosen on, and how their values are normalised.

The parts were fixed before any setting was chosen on the suite, and no setting of any method is chosen by a
look at a validation task: a user's task is not one that we tuned on either.
"""

from __future__ import annotations

import functools

import numpy as np

from benchmarks.searches.figures import hypervolume
from benchmarks.searches.opening import opened
from benchmarks.searches.other_tasks import OTHER_TASKS
from benchmarks.searches.tasks import MEAN_OF_SEEDS, REFERENCE, TASKS, Task

BUDGETS = (20, 30, 50, 100, 150)
QUERIES = BUDGETS[-1]

TUNING, VALIDATION = "tuning", "validation"
REASONS = {
    TUNING: "NAS-Bench-201, NAS-Bench-101 and ENAS-6 are the tables that the defaults were chosen with so "
    "far, so that they can no longer judge them.",
    VALIDATION: "TransNAS-Bench-101 and NAS-Bench-Graph had no part in any choice: other tasks of vision "
    "(regression and dense prediction too), and networks of another kind on other data.",
}
ALL = {name: task for name, task in (TASKS | OTHER_TASKS).items() if name != MEAN_OF_SEEDS}
PARTS = {
    TUNING: (*(name for name in ALL if name in TASKS), "enas6"),
    VALIDATION: tuple(name for name in OTHER_TASKS if name != "enas6"),
}
"""The names of the tasks of each part."""

ONE, LIMITED, TWO = "one objective", "a limit of the latency", "two objectives"


def kind_of(task: Task) -> str:
    """:data:`ONE`, :data:`LIMITED` or :data:`TWO`: tasks of different kinds are not averaged."""
    if len(task.objectives) > 1:
        return TWO
    return ONE if task.limit is None else LIMITED


@functools.cache
def scale_of(name: str) -> tuple[float, float]:
    """The best and the typical figure of a task, between which regrets are normalised.

    The typical one is the median of the table; of a table in which the cells of one function count as one, of
    the functions; within the limit, if there is one. With two objectives the figure is the hypervolume as a
    share of that of the true Pareto front, and the typical one is that of the median architecture alone.
    """
    task = opened(name)
    if kind_of(task.task) != TWO:
        return task.optimum, float(np.median(task.values))
    first, second = task.every()
    alone = np.maximum(first - REFERENCE[0], 0) * np.maximum(REFERENCE[1] - second, 0)
    return 1.0, float(np.median(alone) / whole_of(name))


@functools.cache
def whole_of(name: str) -> float:
    """The hypervolume of the true Pareto front of a task with two objectives."""
    return hypervolume(*opened(name).every(), REFERENCE)
