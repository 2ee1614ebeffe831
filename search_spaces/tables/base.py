"""Table: what every table of results offers, whatever file it was read from, which is read only once."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from graphnas.graph.architecture import Architecture

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch

METRICS = ("validation_accuracy", "test_accuracy")
"""What the tables of image classifiers hold."""

R = TypeVar("R")


def read_once(read: Callable[[Path], R], path: Path) -> R:
    """``read(path)``, once per version of the file: what it returns must be read-only, since it is shared."""
    status = path.stat()
    result: R = _read(read, path.resolve(), status.st_mtime_ns, status.st_size)
    return result


@functools.lru_cache(maxsize=4)
def _read(read: Callable[[Path], Any], path: Path, _mtime: int, _size: int) -> Any:
    return read(path)


class Table(ABC):
    """Results of every architecture of a space, one row each.

    Attributes:
        datasets: Names of the data sets or tasks, lower case.
        budgets: Numbers of training epochs that were recorded.
        metrics: What was recorded, the objective of a search first; all are larger where they are better.
        path: The file or directory that it was read from.
    """

    datasets: tuple[str, ...]
    budgets: tuple[int, ...]
    metrics: tuple[str, ...] = METRICS
    path: Path

    def budgets_of(self, dataset: str) -> tuple[int, ...]:
        """Those of :attr:`budgets` that were recorded for ``dataset``."""
        return self.budgets

    def unit(self, dataset: str, metric: str) -> str:
        """The unit of the figures, by default percent; short enough for the head of a column."""
        return "%"

    @abstractmethod
    def __len__(self) -> int:
        """Number of rows."""

    @abstractmethod
    def architectures(self) -> list[Architecture]:
        """The architecture of each row, in order."""

    def architecture(self, row: int) -> Architecture:
        """The architecture of ``row``."""
        return self.architectures()[row]

    @abstractmethod
    def rows(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> NDArray[np.int64]:
        """The row of each architecture, -1 where a table of part of a space does not have it.

        Raises:
            InvalidArchitecture: An architecture is not in the space.
        """

    @abstractmethod
    def figures(
        self, dataset: str, budget: int, metric: str, rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """What ``metric`` was at ``rows`` (by default at all), in its :meth:`unit`; NaN where not recorded.

        Args:
            dataset: One of :attr:`datasets`.
            budget: One of :meth:`budgets_of` it.
            metric: One of :attr:`metrics`.
            rows: ``(R,)`` row numbers.
        """

    @abstractmethod
    def seconds(self, dataset: str, budget: int, metric: str, row: int) -> float | None:
        """Recorded seconds of the training run behind ``metric``, None where they are not known."""

    @abstractmethod
    def complexity(self, dataset: str, row: int) -> tuple[int | None, int | None]:
        """Trainable parameters and multiply-accumulates of the network for ``dataset``; None if not known."""

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of the devices whose latency is known; none, unless a table overrides it."""
        return ()

    def latency(self, device: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Measured latency in milliseconds on one of :attr:`devices`, ``(R,)``."""
        raise KeyError(device)

    def energy(self, device: str, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Measured energy in millijoules on one of :attr:`devices`, ``(R,)``; None if it has none."""
        raise KeyError(device)
