"""PriorTask: what architectures of a space reached in another task, as prior knowledge of a search."""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import json
import zlib
from collections.abc import Sequence
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import CorruptData, InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.results_file import read_results
from graphnas.graph.space import GraphSpace
from graphnas.surrogate.training_set import half_best, normal_scores

FORMAT = "graphnas.prior"
VERSION = 1


class PriorTask:
    """What architectures of a space reached in another task: another data set, or a cheaper proxy.

    Only the order of the values counts, so that tasks need not have the same scale. Nothing is assumed of how
    alike the tasks are: a search finds out from its own evaluations.

    Args:
        name: Name of the task.
        architectures: ``n`` architectures, at least two.
        values: (n,), or (n, m) of several objectives; finite, and to be maximised.

    Raises:
        InvalidArgument: The name is empty, there are fewer than two architectures, or the values are not
            finite numbers, one row for each.
    """

    def __init__(self, name: str, architectures: Sequence[Architecture], values: ArrayLike) -> None:
        if not isinstance(name, str) or not name:
            raise InvalidArgument(f"the name of a prior task must be a text that is not empty, got {name!r}")
        try:
            table = np.array(values, float)
        except (TypeError, ValueError) as error:
            raise InvalidArgument(f"the values of prior task {name!r} must be numbers: {error}") from error
        table = table[:, None] if table.ndim == 1 else table
        if len(architectures) < 2:
            raise InvalidArgument(
                f"prior task {name!r} needs at least 2 architectures, got {len(architectures)}"
            )
        if table.ndim != 2 or len(table) != len(architectures) or not table.shape[1]:
            raise InvalidArgument(
                f"prior task {name!r} has {len(architectures)} architectures and values of shape "
                f"{np.shape(values)}; there must be one value, or one row of values, for each"
            )
        if not np.isfinite(table).all():
            row, column = np.argwhere(~np.isfinite(table))[0]
            raise InvalidArgument(
                f"the values of prior task {name!r} must be finite, but that of architecture {row} is "
                f"{table[row, column]}"
            )
        table.setflags(write=False)
        self.name = name
        self.architectures: tuple[Architecture, ...] = tuple(architectures)
        self.values: NDArray[np.float64] = table

    @classmethod
    def from_file(
        cls,
        path: str | PathLike[str],
        space: GraphSpace,
        *,
        name: str | None = None,
        values: str | Sequence[str] = "value",
        minimize: bool = False,
        skip_invalid: bool = False,
    ) -> PriorTask:
        """The task in a CSV or JSON file; :func:`.read_results` describes the formats.

        Args:
            path: The file.
            space: The space of its architectures.
            name: Name of the task, by default that of the file without its ending.
            values: The column of the values, or one for each objective.
            minimize: Whether smaller values are better.
            skip_invalid: Whether rows that cannot be read are left out.

        Raises:
            DataNotFound: There is no such file.
            CorruptData: It cannot be read, or some of its rows cannot and are not to be left out.
            InvalidArgument: It lacks a column, or has fewer than two rows.
        """
        results = read_results(path, space, values=values, skip_invalid=skip_invalid)
        sign = -1.0 if minimize else 1.0
        return cls(
            results.name if name is None else name,
            [row.architecture for row in results.rows],
            [[sign * value for value in row.values] for row in results.rows],
        )

    def __len__(self) -> int:
        return len(self.architectures)

    def __repr__(self) -> str:
        return f"PriorTask({self.name!r}, {len(self)} architectures)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PriorTask) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def best_first(self) -> NDArray[np.int64]:
        """Positions of the architectures by their mean normal score over the objectives, best first."""
        scores = np.mean([normal_scores(column) for column in self.values.T], axis=0)
        return np.argsort(-scores, kind="stable")

    def check(self, space: GraphSpace) -> None:
        """Check that the architectures are in ``space``, or in the whole space that it is a part of.

        Raises:
            InvalidArchitecture: One of them is not; naming it.
        """
        for k, architecture in enumerate(self.architectures):
            try:
                space.whole.validate(architecture)
            except InvalidArchitecture as error:
                raise InvalidArchitecture(f"architecture {k} of prior task {self.name!r}: {error}") from error

    def thinned(self, count: int) -> PriorTask:
        """The task with at most ``count`` architectures: half of them the best, the others evenly by rank."""
        if len(self) <= count:
            return self
        rows = half_best(self.best_first, count)
        return PriorTask(self.name, [self.architectures[k] for k in rows], self.values[rows])

    # ---------------------------------------------------------------- as text

    @cached_property
    def digest(self) -> str:
        """A hash of the content, name included."""
        return hashlib.sha256(self._json().encode()).hexdigest()[:16]

    def to_text(self) -> str:
        """The task as one compressed line of ASCII, from which :meth:`from_text` makes it again."""
        return base64.b64encode(zlib.compress(self._json().encode(), 9)).decode()

    @classmethod
    def from_text(cls, text: str) -> PriorTask:
        """The inverse of :meth:`to_text`.

        Raises:
            CorruptData: The text is damaged or of another version.
        """
        try:
            content: Any = json.loads(zlib.decompress(base64.b64decode(text, validate=True)))
            if content["format"] != FORMAT or content["version"] != VERSION:
                raise CorruptData(f"not prior data of version {VERSION}: {content['format']!r}")
            architectures = [Architecture.from_dict(item) for item in content["architectures"]]
            return cls(content["name"], architectures, content["values"])
        except (binascii.Error, zlib.error, ValueError, KeyError, TypeError) as error:
            raise CorruptData(f"prior data are damaged: {error!r}") from error

    def _json(self) -> str:
        content = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "architectures": [architecture.to_dict() for architecture in self.architectures],
            "values": self.values.tolist(),
        }
        return json.dumps(content, separators=(",", ":"))


def best_of(tasks: Sequence[PriorTask], count: int) -> list[Architecture]:
    """At most ``count`` of the best architectures of the tasks, at least one: the best of each come first."""
    orders = [task.best_first.tolist() for task in tasks]
    ranked = (
        task.architectures[order[rank]]
        for rank in range(max(map(len, orders)))
        for task, order in zip(tasks, orders, strict=True)
        if rank < len(order)
    )
    return list(itertools.islice(dict.fromkeys(ranked), max(count, 1)))


def check_prior(tasks: Sequence[PriorTask], space: GraphSpace) -> tuple[PriorTask, ...]:
    """``tasks`` as a tuple, after checking that they are tasks of ``space`` with different names.

    Raises:
        InvalidArgument: One of them is no :class:`PriorTask`, two have one name, or their numbers of
            objectives differ.
        InvalidArchitecture: An architecture is not in the space.
    """
    tasks = tuple(tasks)
    for task in tasks:
        if not isinstance(task, PriorTask):
            raise InvalidArgument(f"prior data must be given as PriorTask, got {type(task).__name__}")
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        raise InvalidArgument(f"the names of prior tasks must differ, got {', '.join(map(repr, names))}")
    widths = {task.values.shape[1] for task in tasks}
    if len(widths) > 1:
        raise InvalidArgument(f"prior tasks must have the same number of objectives, got {sorted(widths)}")
    for task in tasks:
        task.check(space)
    return tasks
