"""ParameterLayout: which parameter of a space is which entry of the graph, as arrays worked out once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArchitecture
from graphnas.graph.architecture import Architecture

Slot = tuple[str, int, int, Sequence[int]]
"""Parameter name, source, target (a node's parameter has them equal) and the labels it may take."""


class ParameterLayout:
    """The parameters of a space of graphs with a fixed number of nodes, and the entries nobody chooses.

    Args:
        slots: The parameters; each has at least two labels.
        num_nodes: Nodes of every graph.
        node_labels: Number of node labels.
        edge_labels: Number of edge labels, "no edge" included.
        node_choices: Labels that a node may take.
        edge_choices: Labels that the edge between two nodes may take.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        num_nodes: int,
        node_labels: int,
        edge_labels: int,
        node_choices: Callable[[int], Sequence[int]],
        edge_choices: Callable[[int, int], Sequence[int]],
    ) -> None:
        self.slots = tuple(slots)
        self.names = frozenset(name for name, _, _, _ in slots)
        self.counts = np.array([len(labels) for _, _, _, labels in slots], np.int64)
        self._sources = np.array([i for _, i, _, _ in slots], np.int64)
        self._targets = np.array([j for _, _, j, _ in slots], np.int64)
        self._is_node = self._sources == self._targets
        self._table = np.zeros((len(self.slots), int(self.counts.max(initial=1))), np.int16)
        for row, (_, _, _, labels) in zip(self._table, slots, strict=True):
            row[: len(labels)] = labels

        self._operations = np.zeros(num_nodes, np.int16)
        self._adjacency = np.zeros((num_nodes, num_nodes), np.int8)
        self.allowed_nodes = np.zeros((num_nodes, node_labels), bool)
        self.allowed_edges = np.zeros((num_nodes, num_nodes, edge_labels), bool)
        self.allowed_edges[..., 0] = True  # below the diagonal there is no edge
        for j in range(num_nodes):
            allowed = node_choices(j)
            self._operations[j] = allowed[0]
            self.allowed_nodes[j, list(allowed)] = True
            for i in range(j):
                allowed = edge_choices(i, j)
                self._adjacency[i, j] = allowed[0]
                self.allowed_edges[i, j] = False
                self.allowed_edges[i, j, list(allowed)] = True
        self._any_edge_allowed = bool(self.allowed_edges[np.triu_indices(num_nodes, 1)].all())

    def assemble(self, labels: ArrayLike) -> Architecture:
        """The architecture whose parameters have ``labels`` ``(slots,)``, not checked against any rule."""
        values = np.asarray(labels, np.int16)
        adjacency, operations = self._adjacency.copy(), self._operations.copy()
        edges = ~self._is_node
        adjacency[self._sources[edges], self._targets[edges]] = values[edges]
        operations[self._sources[self._is_node]] = values[self._is_node]
        return Architecture.from_trusted(adjacency, operations)

    def read(self, architecture: Architecture) -> NDArray[np.int64]:
        """The labels ``(slots,)`` of the parameters of an architecture with all nodes."""
        at_edges = architecture.adjacency[self._sources, self._targets]
        return np.where(self._is_node, architecture.operations[self._sources], at_edges).astype(np.int64)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Labels drawn uniformly and independently, not checked against any rule."""
        return self.assemble(self._table[np.arange(len(self.slots)), rng.integers(self.counts)])

    def first_forbidden_node(self, architecture: Architecture) -> int | None:
        """The first node with a label outside of its choices; labels must be in range."""
        labels = architecture.operations
        allowed = self.allowed_nodes[np.arange(len(labels)), labels]
        return None if allowed.all() else int(np.argmin(allowed))

    def first_forbidden_edge(self, architecture: Architecture) -> tuple[int, int] | None:
        """The first edge (or lack of one) outside of its choices; labels must be in range."""
        if self._any_edge_allowed:
            return None
        adjacency = architecture.adjacency.astype(np.int64)
        n = len(adjacency)
        allowed = np.take_along_axis(self.allowed_edges[:n, :n], adjacency[..., None], axis=2)[..., 0]
        if allowed.all():
            return None
        source, target = np.argwhere(~allowed)[0].tolist()
        return source, target

    def check_names(self, parameters: object, space: str) -> None:
        """Refuse what is no mapping, and names with the prefix ``space`` that are no parameter of it.

        Raises:
            InvalidArchitecture: Naming what is wrong.
        """
        if not isinstance(parameters, Mapping):
            raise InvalidArchitecture(
                f"{space}: parameters must be a mapping of names to values, got {parameters!r}"
            )
        for name in parameters:
            if name not in self.names and isinstance(name, str) and name.startswith(f"{space}/"):
                first = ", ".join(slot[0] for slot in self.slots[:4])
                raise InvalidArchitecture(
                    f"unknown parameter {name!r}: {space} has {len(self.names)} parameters ({first}, ...)"
                )


def with_label(architecture: Architecture, i: int, j: int, label: int) -> Architecture | None:
    """``architecture`` with ``label`` at the edge ``i -> j`` (at node ``i`` if they are equal).

    None where it has that label already; the result is not checked against any rule.
    """
    current = architecture.operations[i] if i == j else architecture.adjacency[i, j]
    if current == label:
        return None
    adjacency, operations = architecture.adjacency.copy(), architecture.operations.copy()
    if i == j:
        operations[i] = label
    else:
        adjacency[i, j] = label
    return Architecture.from_trusted(adjacency, operations)
