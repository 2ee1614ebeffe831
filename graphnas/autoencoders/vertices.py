"""The typed vertex graphs that autoencoders read, converted from a space's architectures and back.

A vertex graph is a DAG in topological order whose vertex 0 has the type "start", whose last vertex has the
type "end", and whose other vertices have the types of operations: the form of D-VAE (NeurIPS 2019). It is
kept as an :class:`ArchitectureBatch` whose labels are the types.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.active import edges_to_nodes, labelled_edges_to_nodes
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace

START, END, FIRST_OPERATION = 0, 1, 2
"""Types: operation ``k`` (from 0) is ``k + 2``."""

MAX_PATTERN_SLOTS = 15
"""Largest number of edges of a space with operations on edges: its ``2^15`` sets of edges are listed."""


class VertexAdapter:
    """Architectures of a space as vertex graphs, and vertex graphs as architectures.

    - A node label that only node 0 may have is "start", and one that only the last node may have is "end", so
      ENAS and NAS-Bench-101 are read as they are (``ENASMacro6`` exactly like D-VAE's table).
    - A space without such labels gets a start vertex that feeds every node without inputs, or an end vertex
      that every node without outputs feeds. Their edges carry no information and are ignored on the way back.
    - Operations on edges become vertices (:meth:`GraphSpace.to_node_labelled`). Different sets of edges can
      give the same vertex graph if an edge is on no path; the way back takes the first in the order of their
      bits.
    - Where a space labels nodes and edges, or the edges of more than 6 nodes, every node is a vertex, and so
      is every labelled edge, between the vertices of its ends; see :attr:`GraphSpace.plain_edge`.
    - If graphs of a space come in several sizes (it overrides ``completed``), only their active nodes are
      read (``space.active_batch``): a 5-vertex cell is the same graph however it was padded.

    Args:
        space: Any space.

    Attributes:
        num_types: Number of types, start and end included.
        type_of: The type of each label.
        max_vertices: Largest number of vertices ``N``.
        fixed_size: Whether every graph of the space has ``max_vertices`` vertices.
        connects_loose_ends: Whether the end vertex is fed by exactly the vertices that feed nothing else, so
            that its edges need not be decoded.
    """

    def __init__(self, space: GraphSpace) -> None:
        self.space = space
        base = space.whole
        slots = base.max_nodes * (base.max_nodes - 1) // 2
        labelled = len(space.edge_ops) > 2
        self.on_edges = labelled and len(base.node_ops) == 1 and slots <= MAX_PATTERN_SLOTS
        self.on_both = labelled and not self.on_edges
        if self.on_edges:
            self._read_edge_labels(base, slots)
        elif self.on_both:
            self._read_both_labels(base)
        else:
            self._read_node_labels(base)

    def _read_both_labels(self, base: GraphSpace) -> None:
        count = len(base.node_ops)
        self._labelled = np.arange(len(base.edge_ops)) > base.plain_edge
        self._edges = np.asarray(base.layout.allowed_edges[..., self._labelled].any(2))
        self.num_types = FIRST_OPERATION + count + len(base.edge_ops) - 1
        self.type_of = np.arange(FIRST_OPERATION, self.num_types)
        self.virtual_start = self.virtual_end = self.connects_loose_ends = True
        self.reads_active = self.fixed_size = False
        self.max_vertices = base.max_nodes + int(self._edges.sum()) + 2

    def _read_edge_labels(self, base: GraphSpace, slots: int) -> None:
        self.num_types = len(base.edge_ops) + 1
        self.max_vertices = slots + 2
        self.fixed_size = self.connects_loose_ends = False
        self.virtual_start = self.virtual_end = self.reads_active = False
        # Labels of the node-labelled form: input, the edge labels from 1, output.
        self.type_of = np.array([START, *range(2, len(base.edge_ops) + 1), END], np.int64)

    def _read_node_labels(self, base: GraphSpace) -> None:
        n = base.max_nodes
        choices = [set(base.node_choices(j)) for j in range(n)]
        first, last = choices[0], choices[-1]
        self.virtual_start = len(first) > 1 or n < 2 or any(first & other for other in choices[1:])
        self.virtual_end = len(last) > 1 or n < 2 or any(last & other for other in choices[:-1])
        ends = ({*first} if not self.virtual_start else set()) | ({*last} if not self.virtual_end else set())
        self._operations = [label for label in range(len(base.node_ops)) if label not in ends]
        self.num_types = len(self._operations) + FIRST_OPERATION
        self.type_of = np.full(len(base.node_ops), -1, np.int64)
        self.type_of[self._operations] = np.arange(FIRST_OPERATION, self.num_types)
        if not self.virtual_start:
            self.type_of[list(first)] = START
        if not self.virtual_end:
            self.type_of[list(last)] = END
        self.max_vertices = n + self.virtual_start + self.virtual_end
        self.reads_active = type(base).completed is not GraphSpace.completed
        self.fixed_size = not self.reads_active
        self.connects_loose_ends = self.virtual_end or (self.fixed_size and _ends_are_loose(base))

    # ---------------------------------------------------------------- to vertex graphs

    def to_vertices(self, architectures: ArchitectureBatch | Sequence[Architecture]) -> ArchitectureBatch:
        """The vertex graphs of ``B`` architectures of the space, padded to ``max_vertices``.

        Raises:
            InvalidArgument: There are none, or an architecture has more nodes than the space allows.
            InvalidArchitecture: A label that the space does not have.
        """
        batch = architectures
        if not isinstance(batch, ArchitectureBatch):
            batch = ArchitectureBatch.from_architectures(batch, self.space.max_nodes)
        if int(batch.num_nodes.max()) > self.space.max_nodes:
            raise InvalidArgument(
                f"{self.space.name}: an architecture has {int(batch.num_nodes.max())} nodes, at most "
                f"{self.space.max_nodes} are allowed"
            )
        if self.on_edges:
            batch = edges_to_nodes(batch, len(self.space.edge_ops))
        elif self.on_both:
            space = self.space
            batch = labelled_edges_to_nodes(batch, len(space.node_ops), self._edges, plain=space.plain_edge)
        elif self.reads_active:
            batch = self.space.active_batch(batch)
        adjacency, labels, sizes = batch.to_arrays()
        real = np.arange(labels.shape[1])[None, :] < sizes[:, None]
        strange = real & ((labels >= len(self.type_of)) | (labels < 0))
        if strange.any():
            raise InvalidArchitecture(f"{self.space.name}: there is no label {labels[strange][0]}")
        types = np.where(real, self.type_of[np.where(real, labels, 0)], START)
        count, width, shift = len(types), self.max_vertices, int(self.virtual_start)
        edges = np.zeros((count, width, width), np.int8)
        kinds = np.zeros((count, width), np.int16)
        n = min(labels.shape[1], width - shift)  # a batch may be padded further than the space needs
        edges[:, shift : shift + n, shift : shift + n] = adjacency[:, :n, :n] > 0
        kinds[:, shift : shift + n] = types[:, :n]
        inside = np.zeros((count, width), bool)
        inside[:, shift : shift + n] = real[:, :n]
        rows, ends = np.arange(count), sizes + shift
        fed, feeds = edges.any(1), edges.any(2)
        if self.virtual_start:
            edges[:, 0, :] = inside & ~fed
        if self.virtual_end:
            edges[rows, :, ends] = inside & ~feeds
            kinds[rows, ends] = END
        return ArchitectureBatch.from_arrays(edges, kinds, ends + self.virtual_end)

    # ---------------------------------------------------------------- and back

    def to_architectures(self, graphs: ArchitectureBatch) -> list[Architecture | None]:
        """The architecture of each vertex graph; None for a graph that is not one of the space."""
        adjacency, types, sizes = graphs.to_arrays()
        flat = np.concatenate([sizes[:, None], types, adjacency.reshape(len(sizes), -1)], 1).astype(np.int16)
        # Decoding yields many duplicates and validation is slow, so convert each distinct graph once.
        rows = np.ascontiguousarray(flat).view(np.dtype((np.void, flat.shape[1] * flat.itemsize)))[:, 0]
        _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
        distinct = [
            self._to_architecture(adjacency[k, :n, :n], types[k, :n].astype(np.int64))
            for k, n in zip(first.tolist(), sizes[first].tolist(), strict=True)
        ]
        return [distinct[k] for k in inverse.reshape(-1).tolist()]

    def _to_architecture(self, edges: NDArray[np.int8], types: NDArray[np.int64]) -> Architecture | None:
        if len(types) < 2 or types[0] != START or types[-1] != END or (types[1:-1] < FIRST_OPERATION).any():
            return None
        if self.on_edges:
            return self._from_line_graph(edges, types)
        if self.on_both:
            return self._from_mixed_graph(edges[1:-1, 1:-1], types[1:-1] - FIRST_OPERATION)
        kept = slice(int(self.virtual_start), len(types) - self.virtual_end)
        labels = self._label_of[types[kept]].astype(np.int16)
        if not len(labels):
            return None
        architecture = Architecture.from_trusted(edges[kept, kept].copy(), labels)
        return architecture if self.space.is_valid(architecture) else None

    def _from_mixed_graph(self, edges: NDArray[np.int8], labels: NDArray[np.int64]) -> Architecture | None:
        count = len(self.space.node_ops)
        nodes, between = np.flatnonzero(labels < count), np.flatnonzero(labels >= count)
        if not len(nodes) or edges[between[:, None], between].any():
            return None
        into, out = edges[nodes[:, None], between], edges[between[:, None], nodes]
        if (into.sum(0) != 1).any() or (out.sum(1) != 1).any():
            return None
        adjacency = edges[nodes[:, None], nodes] * np.int8(self.space.plain_edge)
        ends = into.argmax(0), out.argmax(1)
        pairs = set(zip(ends[0].tolist(), ends[1].tolist(), strict=True))
        if len(pairs) < len(between) or adjacency[ends].any():
            return None  # two edges between the same nodes
        adjacency[ends] = labels[between] - count + 1
        architecture = Architecture.from_trusted(adjacency, labels[nodes].astype(np.int16))
        return architecture if self.space.is_valid(architecture) else None

    def _from_line_graph(self, edges: NDArray[np.int8], types: NDArray[np.int64]) -> Architecture | None:
        n = self.space.max_nodes
        sources, targets = slot_ends(n)
        for pattern in self._patterns_of.get(edges.astype(bool).tobytes(), ()):
            adjacency = np.zeros((n, n), np.int8)
            present = self.patterns[pattern]
            adjacency[sources[present], targets[present]] = types[1:-1] - 1
            architecture = Architecture.from_trusted(adjacency, np.zeros(n, np.int16))
            if self.space.is_valid(architecture):
                return architecture
        return None

    @functools.cached_property
    def _label_of(self) -> NDArray[np.int64]:
        """Node label of each type, for spaces with operations on nodes."""
        labels = np.zeros(self.num_types, np.int64)
        known = self.type_of >= 0
        labels[self.type_of[known]] = np.flatnonzero(known)
        return labels

    # ---------------------------------------------------------------- operations on edges

    @functools.cached_property
    def patterns(self) -> NDArray[np.bool_]:
        """``(2^E, E)``: all sets of the E edges, in the order of their bits (edges in topological order)."""
        slots = self.max_vertices - 2
        return (np.arange(2**slots)[:, None] >> np.arange(slots)[None, :] & 1).astype(bool)

    @functools.cached_property
    def pattern_graphs(self) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """``(2^E, N, N)`` adjacency and ``(2^E,)`` number of vertices of the vertex graph of each set."""
        n, patterns = self.space.max_nodes, self.patterns
        sources, targets = slot_ends(n)
        adjacency = np.zeros((len(patterns), n, n), np.int8)
        adjacency[:, sources, targets] = patterns
        batch = edges_to_nodes(
            ArchitectureBatch.from_arrays(adjacency, np.zeros((len(patterns), n), np.int16)),
            len(self.space.edge_ops),
        )
        edges, _, sizes = batch.to_arrays()
        return edges.astype(bool), sizes

    @functools.cached_property
    def _patterns_of(self) -> dict[bytes, list[int]]:
        edges, sizes = self.pattern_graphs
        patterns: dict[bytes, list[int]] = {}
        for k, n in enumerate(sizes.tolist()):
            patterns.setdefault(np.ascontiguousarray(edges[k, :n, :n]).tobytes(), []).append(k)
        return patterns

    def __repr__(self) -> str:
        return f"VertexAdapter({self.space!r})"


def _ends_are_loose(space: GraphSpace) -> bool:
    """Whether the last node of every graph is fed by exactly the nodes that feed no other node."""
    n = space.max_nodes
    for i in range(n - 1):
        into_end = tuple(space.edge_choices(i, n - 1))
        others = [tuple(space.edge_choices(i, j)) for j in range(i + 1, n - 1)]
        never = into_end == (0,) and (1,) in others
        always = into_end == (1,) and all(choices == (0,) for choices in others)
        if not (never or always):
            return False
    return True


def slot_ends(num_nodes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sources and targets of all edges ``i < j``, by target, then by source: a topological order."""
    slots = [(i, j) for j in range(num_nodes) for i in range(j)]
    sources, targets = np.array(slots, np.int64).reshape(-1, 2).T
    return sources, targets


def same_graphs(first: ArchitectureBatch, second: ArchitectureBatch) -> Tensor:
    """``(B,)`` bool: which graphs of two batches of vertex graphs are equal vertex by vertex.

    D-VAE's reconstruction accuracy compares graphs this way: same types and predecessors, no isomorphism.
    """
    width = max(first.max_nodes, second.max_nodes)

    def flat(batch: ArchitectureBatch) -> Tensor:
        extra = width - batch.max_nodes
        pad = torch.nn.functional.pad
        parts = (
            batch.num_nodes[:, None].to(torch.int16),
            pad(batch.operations.to(torch.int16), (0, extra)),
            pad(batch.adjacency, (0, extra, 0, extra)).flatten(1).to(torch.int16),
        )
        return torch.cat([part.cpu() for part in parts], 1)

    return (flat(first) == flat(second)).all(1)
