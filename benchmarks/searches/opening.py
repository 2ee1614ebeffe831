"""Tasks with their tables open: the space, the value of an architecture, and the values of the table."""

from __future__ import annotations

import contextlib
import functools
import itertools
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from benchmarks.searches.other_tasks import OTHER_TASKS
from benchmarks.searches.runs import excess_of
from benchmarks.searches.tasks import DEVICE, TASKS, Task
from graphnas import Architecture, ArchitectureBatch, GraphSpace
from graphnas.errors import InvalidArchitecture
from graphnas.evaluate import TabularEvaluator
from search_spaces import get_space

DIGITS = 4
"""Decimals of a value in a record: finer than one of the at most 10,000 images of a test set."""


class Nearest:
    """Finds the architecture of a space that differs in the fewest parameters from what was suggested.

    Args:
        space: The space.
        architectures: Those to find, if not all that the space enumerates.
    """

    def __init__(self, space: GraphSpace, architectures: Iterable[Architecture] | None = None) -> None:
        self.architectures = list(space.enumerate() if architectures is None else architectures)
        self.choices = space.parameters()
        rows = [self._row(space.to_parameters(architecture)) for architecture in self.architectures]
        # A row per parameter: adding up over the first axis is several times faster than over the last.
        self.columns = np.ascontiguousarray(np.array(rows, np.int8).T)

    def _row(self, values: dict[str, Any]) -> list[int]:
        return [options.index(values[name]) for name, options in self.choices.items()]

    def to(self, values: dict[str, Any]) -> Architecture:
        """The first of the architectures that differ least from ``values``."""
        differences = (self.columns != np.array(self._row(values), np.int8)[:, None]).sum(0, dtype=np.int8)
        return self.architectures[int(differences.argmin())]

    def __call__(self, trial: optuna.Trial, space: GraphSpace) -> Architecture:
        """Suggest all parameters of ``trial``, and return the nearest architecture."""
        return self.to({name: trial.suggest_categorical(name, list(c)) for name, c in self.choices.items()})


class FunctionMeans:
    """The values of a table in which the cells of one function (equal keys) were trained apart.

    They are trainings of the same network: their mean is its value. Values are in percent, or a hundred times
    the table's figure.

    Args:
        table: The table.
    """

    def __init__(self, table: TabularEvaluator) -> None:
        self.space = table.space
        scale = 1.0 if table.unit == "%" else 100.0
        by_key: dict[str, list[float]] = defaultdict(list)
        cells: dict[str, Architecture] = {}
        for cell, value in zip(*table.all(), strict=True):
            key = self.space.key(cell)
            cells.setdefault(key, cell)
            by_key[key].append(scale * float(value))
        self.cells = list(cells.values())
        self.by_key = {key: round(float(np.mean(values)), DIGITS) for key, values in by_key.items()}
        self.best = max(self.by_key.values())

    def __call__(self, cell: Architecture) -> tuple[float, float]:
        """The value of the cell's function; nothing is reported beside it."""
        value = self.by_key[self.space.key(cell)]
        return value, value


@dataclass(frozen=True)
class Opened:
    """A task with its tables.

    Attributes:
        task: The task.
        space: The space that is searched.
        measure: Returns the value, and the reported figure or second objective, to :data:`DIGITS` digits.
        values: The values of all architectures of the table that are allowed.
        validation: Returns the validation accuracy after all epochs, where a published task searches by one
            of fewer; None elsewhere.
    """

    task: Task
    space: GraphSpace
    measure: Callable[[Architecture], tuple[float, float]]
    values: NDArray[np.float64]
    validation: Callable[[Architecture], float] | None = None

    @property
    def optimum(self) -> float:
        """The best value in the table."""
        return float(self.values.max())

    @property
    def leaves_the_table(self) -> bool:
        """Whether proposals made parameter by parameter are often not in the table."""
        return self.task.space == "nasbench101" or self.space.whole is not self.space

    @functools.cached_property
    def nearest(self) -> Nearest:
        """For samplers that cannot be restricted; made on first use, which takes seconds."""
        if self.task.space == "nasbenchgraph":  # where an architecture is written in several ways
            return Nearest(self.space, written(self.space))
        return Nearest(self.space)

    @property
    def options(self) -> dict[str, Any]:
        """What a sampler is given besides the seed: how it reads the constraint, where there is one."""
        return {} if self.task.limit is None else {"constraints_func": excess_of}

    def every(self) -> tuple[np.ndarray, np.ndarray]:
        """Both objectives of all architectures of the table."""
        first, second = zip(*(self.measure(one) for one in self.space.enumerate()), strict=True)
        return np.array(first), np.array(second)


def written(space: GraphSpace) -> list[Architecture]:
    """What all combinations of the parameters of a space spell, without those that it does not hold."""
    names, spelled = list(space.parameters()), []
    for values in itertools.product(*space.parameters().values()):
        with contextlib.suppress(InvalidArchitecture):
            spelled.append(space.whole.from_parameters(dict(zip(names, values, strict=True))))
    held = space.valid_batch(ArchitectureBatch.from_architectures(spelled))
    return [architecture for architecture, good in zip(spelled, held, strict=True) if good]


@functools.cache
def opened(name: str) -> Opened:
    """The task called ``name``; its tables are read once per process.

    Raises:
        DataNotFound: The table is not in the data directory.
    """
    task = TASKS[name] if name in TASKS else OTHER_TASKS[name]
    space = get_space(task.space)
    device = DEVICE if len(task.objectives) > 1 or task.limit is not None else None
    with tempfile.TemporaryDirectory() as empty:  # where there is no other table, the package's is read
        folder = empty if task.packaged else None
        table = TabularEvaluator(space, task.dataset, task.epochs, task.metric, folder, device=device)
    if task.space == "transnasbench101":
        means = FunctionMeans(table)
        return Opened(task, space, means, np.array(list(means.by_key.values())))
    final = TabularEvaluator(space, task.dataset)
    same = final.budget == table.budget and not task.packaged
    if not table.knows_all:
        space = space.restricted_to(table)

    def measure(architecture: Architecture) -> tuple[float, float]:
        evaluation = table.evaluate(architecture)
        value = round(evaluation.value, DIGITS)
        if device is not None:
            return value, round(evaluation.metrics["latency"], DIGITS)
        tested = evaluation if same else final.evaluate(architecture)
        return value, round(tested.metrics.get("test_accuracy", evaluation.value), DIGITS)

    figures = table.table.figures(table.dataset, table.budget, table.metric)
    values = np.round(figures[~np.isnan(figures)], DIGITS)
    if task.limit is not None:
        measured = map(measure, space.enumerate())
        values = np.array([value for value, latency in measured if latency <= task.limit])
    if not task.published or final.budget == table.budget:
        return Opened(task, space, measure, values)
    return Opened(task, space, measure, values, lambda one: round(final.evaluate(one).value, DIGITS))
