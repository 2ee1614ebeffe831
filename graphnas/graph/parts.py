"""SideBySide: graphs of several spaces as parts of one graph, whose labels say which part a node is of."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.space import GraphSpace
from graphnas.importable import import_home

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch

LARGEST_EDGE_LABEL = 127
"""The largest that :class:`graphnas.Architecture` can have."""

Arrays = tuple[NDArray[np.int8], NDArray[np.int16]]


class SideBySide:
    """The disjoint union of one graph of each space, in their order; nothing is checked here.

    Edges that have no operation share the label 1, whatever part they are in, so that spaces that label only
    nodes give a union that labels only nodes.

    Args:
        spaces: The space of each part by name.

    Attributes:
        max_nodes: Number of nodes of all parts.
        node_ops: Names of the node labels, such as ``encoder:conv3x3``.
        edge_ops: Names of the edge labels.
        plain_edge: As in :class:`graphnas.GraphSpace`.
        slices: The nodes of each part.
        first_labels: The first node label of each part.
        edge_labels: For each part, its edge labels as labels of the union.

    Raises:
        InvalidArgument: The parts have more edge labels than an architecture can have.
    """

    def __init__(self, spaces: Mapping[str, GraphSpace]) -> None:
        self.spaces = dict(spaces)
        members = list(self.spaces.values())
        ends = [0, *itertools.accumulate(space.max_nodes for space in members)]
        self.max_nodes = ends[-1]
        self.slices = [slice(start, stop) for start, stop in itertools.pairwise(ends)]
        self.node_ops = tuple(f"{part}:{op}" for part, space in self.spaces.items() for op in space.node_ops)
        self.first_labels = [0, *itertools.accumulate(len(space.node_ops) for space in members)][:-1]
        plain = [len(space.edge_ops) == 2 or space.plain_edge == 1 for space in members]
        names = ["none", "edge"] if any(plain) else ["none"]
        self.edge_labels: list[NDArray[np.int8]] = []
        for (part, space), is_plain in zip(self.spaces.items(), plain, strict=True):
            own = space.edge_ops[1 + is_plain :]
            new = range(len(names), len(names) + len(own))
            names += [f"{part}:{op}" for op in own]
            if len(names) - 1 > LARGEST_EDGE_LABEL:
                raise InvalidArgument(f"the parts have more than {LARGEST_EDGE_LABEL} different edge labels")
            self.edge_labels.append(np.array([*range(1 + is_plain), *new], np.int8))
        self.edge_ops = tuple(names)
        self.plain_edge = int(any(plain) and len(names) > 2)

    # ---------------------------------------------------------------- graphs as they are written

    def part_at(self, node: int) -> int:
        """The number of the part that ``node`` belongs to."""
        return next(k for k, own in enumerate(self.slices) if node < own.stop)

    def split(self, adjacency: NDArray[np.int8], operations: NDArray[np.int16]) -> list[Arrays]:
        """The graph of each part, of graphs ``(..., N, N)`` with node labels ``(..., N)``."""
        arrays = []
        for own, labels, first in zip(self.slices, self.edge_labels, self.first_labels, strict=True):
            back = np.zeros(len(self.edge_ops), np.int8)
            back[labels] = np.arange(len(labels))
            arrays.append((back[adjacency[..., own, own]], operations[..., own] - np.int16(first)))
        return arrays

    def union(self, arrays: Sequence[Arrays]) -> Arrays:
        """The inverse of :meth:`split`; every part has all nodes of its space."""
        shape = arrays[0][1].shape[:-1]
        adjacency = np.zeros((*shape, self.max_nodes, self.max_nodes), np.int8)
        operations = np.zeros((*shape, self.max_nodes), np.int16)
        for k, (edges, labels) in enumerate(arrays):
            own = self.slices[k]
            adjacency[..., own, own] = self.edge_labels[k][edges]
            operations[..., own] = labels + np.int16(self.first_labels[k])
        return adjacency, operations

    # ---------------------------------------------------------------- graphs with operations on nodes

    @property
    def node_labelled_ops(self) -> tuple[str, ...]:
        """The names of the labels in :meth:`node_labelled`."""
        return tuple(f"{part}:{op}" for part, space in self.spaces.items() for op in space.node_labelled_ops)

    @property
    def operation_labels(self) -> tuple[int, ...]:
        """Those of the parts, numbered as in :attr:`node_labelled_ops`."""
        pairs = zip(self._first_node_labels, self.spaces.values(), strict=True)
        return tuple(first + label for first, space in pairs for label in space.operation_labels)

    @functools.cached_property
    def _first_node_labels(self) -> list[int]:
        counts = [len(space.node_labelled_ops) for space in self.spaces.values()]
        return [0, *itertools.accumulate(counts)][:-1]

    def node_labelled(self, batches: Sequence[ArchitectureBatch]) -> ArchitectureBatch:
        """The union of node-labelled graphs of any sizes, one batch for each part."""
        from graphnas.graph.active import keep_nodes
        from graphnas.graph.batch import ArchitectureBatch

        arrays = [batch.to_arrays() for batch in batches]
        count, width = len(arrays[0][1]), sum(labels.shape[1] for _, labels, _ in arrays)
        adjacency = np.zeros((count, width, width), np.int8)
        operations = np.zeros((count, width), np.int16)
        real = np.zeros((count, width), bool)
        start = 0
        for first, (edges, labels, sizes) in zip(self._first_node_labels, arrays, strict=True):
            own = slice(start, start + labels.shape[1])
            adjacency[:, own, own] = edges
            operations[:, own] = labels + np.int16(first)
            real[:, own] = np.arange(labels.shape[1])[None, :] < sizes[:, None]
            start = own.stop
        return keep_nodes(ArchitectureBatch.from_arrays(adjacency, operations), real)


def parameter_names(space: GraphSpace, name: str) -> dict[str, str]:
    """The name of each parameter of ``space`` when ``space`` is the part ``name`` of an architecture.

    ``name`` takes the place of the space's own prefix, and stands before other prefixes, which the parameters
    of a product have.

    Raises:
        InvalidArgument: ``name`` cannot be the prefix of a parameter.
    """
    if not isinstance(name, str) or not name or "/" in name or name != name.strip():
        raise InvalidArgument(f"a part needs a name without slash, such as 'decoder', got {name!r}")
    own = f"{space.name}/"
    return {old: f"{name}/{old.removeprefix(own)}" for old in space.parameters()}


def space_of_part(part: str, space: object) -> GraphSpace:
    """The space that is given for a part: itself, or as :meth:`graphnas.ProductSpace.arguments` describes it.

    Raises:
        InvalidArgument: It is no space, or ``part`` cannot be the prefix of its parameters.
    """
    if isinstance(space, Mapping) and space.keys() == {"space", "arguments"}:
        space = import_home(space["space"])(**space["arguments"])
    if not isinstance(space, GraphSpace):
        raise InvalidArgument(f"part {part!r} must be a GraphSpace, got {type(space).__name__}")
    parameter_names(space, part)
    return space
