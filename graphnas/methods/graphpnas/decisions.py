"""Decisions: what a generator chooses at each node of a space's graphs, as tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace


class Decisions:
    """The choices of a space in the order in which a generator makes them: row i holds those at node i.

    Tables of edges are indexed ``[target, source]``, like the rows that are generated.

    Args:
        space: The search space. If it has a ``terminal`` operation, any node but the first may have it, which
            ends the graph.

    Attributes:
        num_nodes: N, the largest number of nodes.
        terminal: The operation that ends a graph, or None.
        operations: ``(N, C)`` bool, the operations that node i may have.
        edge_free: ``(N, N)`` bool, whether the presence of an edge is a choice.
        edge_forced: ``(N, N)`` bool, whether the edge must be present.
        labels: ``(N, N, L)`` bool, the labels 1 to L that an edge may have.
        label_free: ``(N, N)`` bool, whether a present edge has a choice of labels.
        rows: The nodes at which anything is decided.
    """

    def __init__(self, space: GraphSpace) -> None:
        self.space = space
        n = self.num_nodes = space.max_nodes
        self.operations = space.layout.allowed_nodes.copy()
        self.terminal = space.terminal
        if self.terminal is not None:
            self.operations[1:, self.terminal] = True
            self.operations[-1] = False
            self.operations[-1, self.terminal] = True
        allowed = space.layout.allowed_edges.transpose(1, 0, 2)
        earlier = np.tri(n, k=-1, dtype=bool)
        self.labels: NDArray[np.bool_] = allowed[..., 1:] & earlier[..., None]
        present = self.labels.any(2)
        self.edge_free: NDArray[np.bool_] = present & allowed[..., 0]
        self.edge_forced: NDArray[np.bool_] = present & ~allowed[..., 0]
        self.label_free: NDArray[np.bool_] = self.labels.sum(2) > 1
        chosen = (self.operations.sum(1) > 1) | (self.edge_free | self.label_free).any(1)
        self.rows: NDArray[np.int64] = np.flatnonzero(chosen)

    @property
    def num_operations(self) -> int:
        """Number of operations C."""
        return int(self.operations.shape[1])

    @property
    def num_labels(self) -> int:
        """Number of edge labels L, without "no edge"."""
        return int(self.labels.shape[2])

    def arrays(
        self, batch: ArchitectureBatch
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The graphs as rows ``(B, N, N)`` of the labels of the edges into each node, operations and sizes.

        If the space has no terminal operation, smaller graphs are completed first.

        Raises:
            InvalidArchitecture: A graph that the choices of the space do not allow.
            InvalidArgument: The batch is empty.
        """
        n = self.num_nodes
        if not len(batch):
            raise InvalidArgument("a batch needs at least one architecture")
        if self.terminal is None:
            batch = self.space.completed_batch(batch)
        adjacency, operations, sizes = batch.to_arrays()
        if sizes.max() > n:
            self._refuse(batch, sizes > n)
        width = min(n, adjacency.shape[1])
        rows = np.zeros((len(sizes), n, n), np.int64)
        rows[:, :width, :width] = adjacency[:, :width, :width].transpose(0, 2, 1)
        labels = np.zeros((len(sizes), n), np.int64)
        labels[:, :width] = operations[:, :width]
        real = np.arange(n) < sizes[:, None]
        rows *= real[..., None]
        labels *= real
        self._check(batch, rows, labels, sizes, real)
        return rows, labels, sizes

    def _check(
        self,
        batch: ArchitectureBatch,
        rows: NDArray[np.int64],
        operations: NDArray[np.int64],
        sizes: NDArray[np.int64],
        real: NDArray[np.bool_],
    ) -> None:
        n = self.num_nodes
        bad = np.zeros(len(sizes), bool)
        bad |= (operations < 0).any(1) | (operations >= self.num_operations).any(1)
        bad |= (rows < 0).any((1, 2)) | (rows > self.num_labels).any((1, 2))
        if not bad.any():
            allowed = np.concatenate([~self.edge_forced[..., None], self.labels], 2)
            fine = allowed[np.arange(n)[:, None], np.arange(n), rows]
            bad |= (~fine & real[..., None]).any((1, 2))
            bad |= (~self.operations[np.arange(n), operations] & real).any(1)
        if self.terminal is not None:
            ends = (operations == self.terminal) & real
            bad |= (ends.sum(1) != 1) | ~ends[np.arange(len(sizes)), sizes - 1]
        if bad.any():
            self._refuse(batch, bad)

    def _refuse(self, batch: ArchitectureBatch, bad: NDArray[np.bool_]) -> None:
        architecture: Architecture = batch.architecture(int(np.argmax(bad)))
        self.space.validate(architecture)  # its message says what is wrong
        raise InvalidArchitecture(
            f"{self.space.name}: the choices of the space do not allow {architecture!r}"
        )
