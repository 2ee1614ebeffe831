"""Architectures as flat vectors: the encoder's input and the positional half of the kernel predictor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace


class Flattener:
    """Turns a batch into one row of bits per architecture.

    The strict upper triangle of the adjacency comes first, one bit per edge, or one bit per edge label where
    a space labels edges (NASGEM, Tables 3-4, "upper triangle"); one-hot node labels follow where a space has
    more than one. Slots that have only one choice carry no information and are left out.

    The paper says that the vector also represents the operations although its encoder reads only the
    adjacency; ``node_ops="none"`` is the encoder as printed, ``"onehot"`` follows the text.

    Args:
        space: The search space.
        node_ops: ``"onehot"`` or ``"none"``.
    """

    def __init__(self, space: GraphSpace, node_ops: str = "onehot") -> None:
        if node_ops not in ("onehot", "none"):
            raise InvalidArgument(f"node_ops must be 'onehot' or 'none', got {node_ops!r}")
        n = space.max_nodes
        pairs = [(i, j) for j in range(n) for i in range(j) if len(space.edge_choices(i, j)) > 1]
        self._sources, self._targets = np.array(pairs, dtype=int).reshape(-1, 2).T
        self._edge_labels = np.arange(1, len(space.edge_ops), dtype=np.int8)
        nodes = [j for j in range(n) if len(space.node_choices(j)) > 1] if node_ops == "onehot" else []
        self._nodes = np.array(nodes, dtype=int)
        self._node_labels = np.arange(len(space.node_ops), dtype=np.int16)
        self._max_nodes = n

    @property
    def width(self) -> int:
        """Length of a row."""
        return len(self._sources) * len(self._edge_labels) + len(self._nodes) * len(self._node_labels)

    @property
    def slots(self) -> int:
        """Number of edges and nodes that have a choice."""
        return len(self._sources) + len(self._nodes)

    def __call__(self, batch: ArchitectureBatch) -> NDArray[np.float32]:
        """Rows of bits, ``(B, width)`` float32."""
        adjacency, operations, num_nodes = batch.to_arrays()
        if batch.max_nodes > self._max_nodes:
            raise InvalidArgument(f"graphs of {batch.max_nodes} nodes, at most {self._max_nodes} are allowed")
        if batch.max_nodes < self._max_nodes:
            extra = self._max_nodes - batch.max_nodes
            adjacency = np.pad(adjacency, ((0, 0), (0, extra), (0, extra)))
            operations = np.pad(operations, ((0, 0), (0, extra)))
        edges = adjacency[:, self._sources, self._targets]
        rows = np.empty((len(adjacency), self.width), np.float32)
        split = len(self._sources) * len(self._edge_labels)
        rows[:, :split] = (edges[:, :, None] == self._edge_labels).reshape(len(adjacency), -1)
        if len(self._nodes):
            labels = np.where(self._nodes[None, :] < num_nodes[:, None], operations[:, self._nodes], -1)
            rows[:, split:] = (labels[:, :, None] == self._node_labels).reshape(len(adjacency), -1)
        return rows
