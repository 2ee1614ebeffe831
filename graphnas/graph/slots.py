"""Architectures as rows of slot labels: the parameters of a space, as arrays of a whole batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArchitecture
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace


class Slots:
    """The ``S`` nodes and edges of a space that have a choice, and what each may be.

    Args:
        space: Any space; architectures are read in their completed form (:meth:`GraphSpace.completed`).

    Attributes:
        counts: ``(S,)`` number of choices.
        width: Largest number of choices ``K``.
        allowed: ``(S, K)`` bool, which choices exist.
    """

    def __init__(self, space: GraphSpace) -> None:
        self.space = space
        slots = space._layout.slots
        self.counts = np.array([len(labels) for _, _, _, labels in slots], np.int64)
        self.width = int(self.counts.max(initial=1))
        self.allowed = np.arange(self.width)[None, :] < self.counts[:, None]
        self._sources = np.array([i for _, i, _, _ in slots], np.int64)
        self._targets = np.array([j for _, _, j, _ in slots], np.int64)
        self._is_node = self._sources == self._targets
        self._labels = np.full((len(slots), self.width), -1, np.int64)
        for row, (_, _, _, labels) in zip(self._labels, slots, strict=True):
            row[: len(labels)] = labels
        # What no slot decides is the same in every completed architecture.
        self._blank = space._layout.assemble(self._labels[:, 0])

    def __len__(self) -> int:
        return len(self.counts)

    def completed(self, architectures: ArchitectureBatch | Sequence[Architecture]) -> ArchitectureBatch:
        """The completed forms as one batch of ``max_nodes`` nodes."""
        nodes = self.space.max_nodes
        if not isinstance(architectures, ArchitectureBatch):
            architectures = ArchitectureBatch.from_architectures(architectures, nodes)
        if bool((architectures.num_nodes == nodes).all()) and architectures.max_nodes == nodes:
            return architectures
        return ArchitectureBatch.from_architectures([self.space.completed(a) for a in architectures], nodes)

    def read(self, batch: ArchitectureBatch) -> NDArray[np.int64]:
        """Which choice each slot takes, ``(B, S)``, of a batch of completed architectures.

        Raises:
            InvalidArchitecture: A label that its slot may not have.
        """
        adjacency, operations, _ = batch.to_arrays()
        found = np.where(
            self._is_node, operations[:, self._sources], adjacency[:, self._sources, self._targets]
        )
        matches = found[:, :, None] == self._labels
        choices = np.asarray(matches.argmax(2))
        # What no slot decides must be as it always is, and every label one of its slot's.
        expected = self.write(choices).to_arrays()
        same = (expected[0] == adjacency).all((1, 2)) & (expected[1] == operations).all(1)
        if not same.all():
            wrong = batch.architecture(int(np.argmin(same)))
            self.space.validate(wrong)  # says what is wrong with it
            raise InvalidArchitecture(f"{self.space.name}: {wrong!r} is not completed")
        return choices

    def write(self, choices: NDArray[np.int64]) -> ArchitectureBatch:
        """The inverse of :meth:`read`; nothing is checked against the space's rule."""
        labels = self._labels[np.arange(len(self)), choices]
        count, node = len(choices), self._is_node
        adjacency = np.repeat(self._blank.adjacency[None], count, axis=0)
        operations = np.repeat(self._blank.operations[None], count, axis=0)
        adjacency[:, self._sources[~node], self._targets[~node]] = labels[:, ~node]
        operations[:, self._sources[node]] = labels[:, node]
        return ArchitectureBatch.from_arrays(adjacency, operations)

    def architectures(self, choices: NDArray[np.int64]) -> list[Architecture | None]:
        """The architecture of each row ``(B, S)``; None where the space's rule refuses it.

        Rows repeat in decoding, and checking is the slow part: each different row is checked once.
        """
        distinct, inverse = np.unique(choices, axis=0, return_inverse=True)
        built = self.write(distinct).to_architectures()
        found = [architecture if self.space.is_valid(architecture) else None for architecture in built]
        return [found[k] for k in inverse.reshape(-1).tolist()]
