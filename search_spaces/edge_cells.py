"""EdgeCells: what spaces of cells of 4 nodes with an operation on each of the 6 edges share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch

NUM_NODES = 4
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""The edges in the order of the benchmarks' official strings: by target, then by source."""

SOURCES, TARGETS = (np.array(ends) for ends in zip(*EDGES, strict=True))


def named_edges(architecture: Architecture, operations: Sequence[str]) -> list[tuple[int, int, str]]:
    """Source, target and the operation's name of each edge that has one."""
    return [(source, target, operations[label]) for source, target, label in architecture.labelled_edges()]


class EdgeCells(GraphSpace):
    """Cells of 4 nodes; ``edge_ops`` are the operations and any labelling of the 6 edges is a cell.

    Parameters are ``<name>/op_0_1`` to ``<name>/op_2_3``; their choices are the names of the operations. The
    benchmarks of such spaces trained every cell, those that compute the same function too.
    """

    max_nodes = NUM_NODES
    one_result_per_key = False

    def check(self, architecture: Architecture) -> None:
        """Every cell has 4 nodes; any labelling of their edges is allowed."""
        if architecture.num_nodes != NUM_NODES:
            raise InvalidArchitecture(
                f"{self.name}: a cell has {NUM_NODES} nodes, got {architecture.num_nodes}"
            )

    def check_batch(self, batch: ArchitectureBatch) -> NDArray[np.bool_]:
        """The rule of :meth:`check`."""
        return batch.to_arrays()[2] == NUM_NODES

    def _places(self) -> list[tuple[str, int, int]]:
        return [(f"{self.name}/op_{i}_{j}", i, j) for i, j in EDGES]

    def size(self) -> int:
        """The number of operations to the power of 6."""
        return len(self.edge_ops) ** len(EDGES)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """A cell with each operation drawn uniformly."""
        return from_labels(rng.integers(len(self.edge_ops), size=len(EDGES)))

    def _sample_arrays(
        self, rng: np.random.Generator, size: int
    ) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
        labels = rng.integers(len(self.edge_ops), size=(size, len(EDGES)))
        adjacency = np.zeros((size, NUM_NODES, NUM_NODES), np.int8)
        adjacency[:, SOURCES, TARGETS] = labels
        return adjacency, np.zeros((size, NUM_NODES), np.int16)

    def enumerate(self) -> Iterator[Architecture]:
        """Every cell once, in the order of :meth:`ordinals`."""
        return map(from_labels, itertools.product(range(len(self.edge_ops)), repeat=len(EDGES)))

    def at(self, ordinal: int) -> Architecture:
        """The cell at position ``ordinal`` of :meth:`enumerate`.

        Raises:
            InvalidArgument: ``ordinal`` is not in 0 to ``size() - 1``.
        """
        if not 0 <= ordinal < self.size():
            raise InvalidArgument(f"ordinal must be in 0..{self.size() - 1}, got {ordinal}")
        return from_labels(ordinal // self._place_values() % len(self.edge_ops))

    def ordinals(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> NDArray[np.int64]:
        """The position of each cell in :meth:`enumerate` (not a benchmark's own index).

        Raises:
            InvalidArchitecture: An architecture is not in the space.
        """
        if isinstance(architectures, Sequence):
            for architecture in architectures:
                self.validate(architecture)
            stacked = np.array([a.adjacency for a in architectures], np.int64).reshape(
                -1, NUM_NODES, NUM_NODES
            )
        else:
            stacked = architectures.to_arrays()[0].astype(np.int64)
            wrong_size = stacked.shape[1:] != (NUM_NODES, NUM_NODES)
            if wrong_size or stacked.max(initial=0) >= len(self.edge_ops):
                raise InvalidArchitecture(f"{self.name}: the batch holds architectures that are not cells")
        ordinals: NDArray[np.int64] = stacked[:, SOURCES, TARGETS] @ self._place_values()
        return ordinals

    def _place_values(self) -> NDArray[np.int64]:
        return len(self.edge_ops) ** np.arange(len(EDGES) - 1, -1, -1)


def labels_of(architecture: Architecture) -> list[int]:
    """The 6 edge labels in string order."""
    labels: list[int] = architecture.adjacency[SOURCES, TARGETS].tolist()
    return labels


def from_labels(labels: Sequence[int] | NDArray[np.int64]) -> Architecture:
    """The cell with these 6 edge labels in string order, not checked."""
    adjacency = np.zeros((NUM_NODES, NUM_NODES), np.int8)
    adjacency[SOURCES, TARGETS] = labels
    return Architecture.from_trusted(adjacency, np.zeros(NUM_NODES, np.int16))
