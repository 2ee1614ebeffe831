"""Architectures as flat vectors: the encoder's input and the positional half of the kernel predictor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace

NODE_OPS = ("onehot", "none")
"""Whether the operations' bits are part of a row."""


class Flattener:
    """Turns a batch into one row of bits per architecture.

    The strict upper triangle of the adjacency comes first: one bit per edge, or one bit per edge label in a
    space that labels edges (NASGEM, Tables 3-4, "upper triangle"). One-hot node labels follow. Nodes and
    edges without a choice carry no information and are left out.

    The paper's text says that the vector also represents the operations, but the printed encoder reads only
    the adjacency: ``node_ops="none"`` is the printed encoder, ``"onehot"`` follows the text.

    Args:
        space: The search space.
        node_ops: ``"onehot"`` or ``"none"``.
        absent_bit: Whether "no edge" has a bit of its own too (the usual one-hot form).
    """

    def __init__(self, space: GraphSpace, node_ops: str = "onehot", *, absent_bit: bool = False) -> None:
        if node_ops not in NODE_OPS:
            raise InvalidArgument(f"node_ops must be one of {NODE_OPS}, got {node_ops!r}")
        layout = space.layout
        order = np.lexsort((layout.sources, layout.targets, layout.is_node))
        if node_ops == "none":
            order = order[~layout.is_node[order]]
        # One entry per bit: its slot, and the label that sets it.
        least = np.where(layout.is_node | absent_bit, 0, 1)
        slots, columns = np.nonzero(layout.labels[order] >= least[order, None])
        slots = order[slots]
        labels, edge = layout.labels[slots, columns], ~layout.is_node[slots]
        self._sources, self._targets = layout.sources[slots[edge]], layout.targets[slots[edge]]
        self._nodes = layout.sources[slots[~edge]]
        self._edge_labels, self._node_labels = labels[edge], labels[~edge]
        self._max_nodes = space.max_nodes
        self.width = len(slots)
        """Length of a row."""
        self.slots = len(order)
        """Number of edges and nodes that have a choice."""

    def __call__(self, batch: ArchitectureBatch) -> NDArray[np.float32]:
        """Rows of bits, ``(B, width)`` float32.

        Raises:
            InvalidArgument: A graph has more nodes than the space.
        """
        adjacency, operations, num_nodes = batch.to_arrays()
        if batch.max_nodes > self._max_nodes:
            raise InvalidArgument(f"graphs of {batch.max_nodes} nodes, at most {self._max_nodes} are allowed")
        if batch.max_nodes < self._max_nodes:
            extra = self._max_nodes - batch.max_nodes
            adjacency = np.pad(adjacency, ((0, 0), (0, extra), (0, extra)))
            operations = np.pad(operations, ((0, 0), (0, extra)))
        rows = np.empty((len(adjacency), self.width), np.float32)
        split = len(self._sources)
        rows[:, :split] = adjacency[:, self._sources, self._targets] == self._edge_labels
        present = self._nodes[None, :] < num_nodes[:, None]
        rows[:, split:] = (operations[:, self._nodes] == self._node_labels) & present
        return rows
