"""HyperParameters: numbers and categories beside an architecture, encoded as rows of a matrix."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument

Value = str | int | float | bool | None
Rows = NDArray[np.float64]

MISSING = object()
"""Stands for a value that was not recorded; None may be a category."""


@dataclass(frozen=True)
class Number:
    """A numeric hyper-parameter, encoded as one column.

    Attributes:
        name: Its name.
        low: Smallest value.
        high: Largest value.
        log: Whether ratios matter rather than differences.
        step: Distance of neighbouring values; None where every value is possible.
        integer: Whether values are integers.

    Raises:
        InvalidArgument: The range is empty or not finite, or the logarithm of its lower end does not exist.
    """

    name: str
    low: float
    high: float
    log: bool = False
    step: float | None = None
    integer: bool = False

    width = 1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InvalidArgument(f"{self.name}: the range {self.low}..{self.high} is empty or not finite")
        if self.log and self.low <= 0:
            raise InvalidArgument(f"{self.name}: a logarithmic range starts above 0, got {self.low}")

    def encode(self, values: Sequence[object]) -> Rows:
        """``(n, 1)``, uniform on [0, 1] where values are uniform; 0.5 for a value that is missing."""
        given = np.array([v if isinstance(v, int | float) else np.nan for v in values], float)
        return np.where(np.isnan(given), 0.5, self._encoded(given))[:, None]

    def decode(self, row: Rows) -> Value:
        """The value of one encoded row, on the grid of ``step`` if there is one."""
        value = float(self._decoded(row[:1])[0])
        return round(value) if self.integer else value

    def rounded(self, rows: Rows) -> Rows:
        """The rows of the values that ``rows`` decode to."""
        return self._encoded(self._decoded(rows))

    def sample(self, rng: np.random.Generator, size: int) -> Rows:
        """Uniform rows ``(size, 1)``."""
        return rng.random((size, 1))

    def moved(self, rows: Rows, rng: np.random.Generator, scale: float) -> Rows:
        """``rows`` after a normal step of ``scale``, reflected at the ends."""
        moved = rows + scale * rng.standard_normal(rows.shape)
        return np.asarray(1 - np.abs(1 - np.abs(moved) % 2))

    def _encoded(self, values: Rows) -> Rows:
        start, end = self._ends
        scaled = np.log(np.maximum(values, self.low / 2)) if self.log else values
        return np.clip((scaled - start) / (end - start), 0.0, 1.0)

    def _decoded(self, rows: Rows) -> Rows:
        start, end = self._ends
        scaled = start + np.clip(rows, 0.0, 1.0) * (end - start)
        values = np.exp(scaled) if self.log else scaled
        if self._spacing:
            values = self.low + np.round((values - self.low) / self._spacing) * self._spacing
        return np.clip(values, self.low, self.high)

    @property
    def _spacing(self) -> float:
        return self.step or float(self.integer)

    @property
    def _ends(self) -> tuple[float, float]:
        """What 0 and 1 encode, on the logarithmic scale if there is one.

        Spaced values take the interval around them, so that the outermost are drawn as often as the others.
        """
        low, high = self.low - self._spacing / 2, self.high + self._spacing / 2
        return (math.log(max(low, self.low / 2)), math.log(high)) if self.log else (low, high)


@dataclass(frozen=True)
class Category:
    """A categorical hyper-parameter, encoded as one column for each choice.

    Attributes:
        name: Its name.
        choices: At least two.

    Raises:
        InvalidArgument: Fewer than two choices.
    """

    name: str
    choices: tuple[Value, ...]

    def __post_init__(self) -> None:
        if len(self.choices) < 2:
            raise InvalidArgument(f"{self.name}: at least two choices are needed, got {self.choices}")

    @property
    def width(self) -> int:
        """Number of choices."""
        return len(self.choices)

    def encode(self, values: Sequence[object]) -> Rows:
        """``(n, width)`` with a 1 at the choice; nothing for a value that is missing."""
        rows = np.zeros((len(values), self.width))
        for row, value in zip(rows, values, strict=True):
            matches = [k for k, c in enumerate(self.choices) if c == value and type(c) is type(value)]
            row[matches[:1]] = 1.0
        return rows

    def decode(self, row: Rows) -> Value:
        """The choice of the largest entry."""
        return self.choices[int(np.argmax(row))]

    def rounded(self, rows: Rows) -> Rows:
        """``rows``, which need no rounding."""
        return rows

    def sample(self, rng: np.random.Generator, size: int) -> Rows:
        """Uniform rows ``(size, width)``."""
        return np.eye(self.width)[rng.integers(self.width, size=size)]

    def moved(self, rows: Rows, rng: np.random.Generator, scale: float) -> Rows:
        """``rows``, a share of which (``scale``, at most one half) has another choice."""
        changed = rng.random(len(rows)) < min(scale, 0.5)
        return np.where(changed[:, None], self.sample(rng, len(rows)), rows)


class HyperParameters:
    """A block of hyper-parameters, encoded as rows of ``width`` columns in [0, 1].

    Args:
        dimensions: At least one; they are ordered by name.

    Raises:
        InvalidArgument: None, or two of one name.
    """

    def __init__(self, dimensions: Iterable[Number | Category]) -> None:
        self.dimensions = tuple(sorted(dimensions, key=lambda d: d.name))
        self.names = tuple(d.name for d in self.dimensions)
        if not self.names or len(set(self.names)) < len(self.names):
            raise InvalidArgument(f"hyper-parameters need different names, got {self.names}")
        ends = np.cumsum([0, *(d.width for d in self.dimensions)]).tolist()
        self._columns = [slice(a, b) for a, b in pairwise(ends)]
        self.width: int = ends[-1]
        self._scale = np.concatenate(
            [np.full(d.width, math.sqrt(12) if isinstance(d, Number) else 1.0) for d in self.dimensions]
        )

    def encode(self, settings: Sequence[Mapping[str, Value]]) -> Rows:
        """``(n, width)`` rows of ``n`` settings; a missing or unknown value is encoded as the middle."""
        if not settings:
            return np.zeros((0, self.width))
        columns = [[s.get(d.name, MISSING) for s in settings] for d in self.dimensions]
        return np.concatenate([d.encode(c) for d, c in zip(self.dimensions, columns, strict=True)], axis=1)

    def decode(self, row: Rows) -> dict[str, Value]:
        """The settings of one row."""
        return {d.name: d.decode(row[c]) for d, c in self._parts()}

    def rounded(self, rows: Rows) -> Rows:
        """The rows of the values that ``rows`` decode to."""
        return np.concatenate([d.rounded(rows[:, c]) for d, c in self._parts()], axis=1)

    def sample(self, rng: np.random.Generator, size: int) -> Rows:
        """Uniform rows ``(size, width)``."""
        return np.concatenate([d.sample(rng, size) for d in self.dimensions], axis=1)

    def moved(self, rows: Rows, rng: np.random.Generator, scale: float) -> Rows:
        """``rows`` after a random step of about ``scale``, in units of each range."""
        return np.concatenate([d.moved(rows[:, c], rng, scale) for d, c in self._parts()], axis=1)

    def features(self, rows: Rows) -> Rows:
        """``rows`` scaled for a kernel: uniform numbers have unit variance, choices are sqrt(2) apart."""
        return np.asarray(rows * self._scale)

    def _parts(self) -> Iterator[tuple[Number | Category, slice]]:
        return zip(self.dimensions, self._columns, strict=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HyperParameters) and self.dimensions == other.dimensions

    def __hash__(self) -> int:
        return hash(self.dimensions)

    def __repr__(self) -> str:
        return f"HyperParameters({self.dimensions!r})"
