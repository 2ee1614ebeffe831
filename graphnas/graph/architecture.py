"""Architecture: one labelled directed acyclic graph, immutable and hashable."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArchitecture
from graphnas.optional import require

if TYPE_CHECKING:
    import networkx as nx

FORMAT = "graphnas.architecture"
VERSION = 1


class Architecture:
    """One neural architecture as a labelled DAG with its nodes in topological order.

    ``adjacency[i, j] = l > 0`` says that the output of node ``i`` feeds node ``j`` through an edge of label
    ``l``; an unlabelled edge has label 1, no edge is 0, and only ``i < j`` may be connected.

    Two architectures are equal when they are the same graph node by node; isomorphism is the search space's
    business (:meth:`graphnas.graph.space.GraphSpace.key`).

    Args:
        adjacency: ``(n, n)`` non-negative integers below 128, zero on and below the diagonal.
        operations: ``n`` node labels, non-negative integers below 32,768; all zero when omitted.

    Raises:
        InvalidArchitecture: A shape, a type, an edge that points backwards, or a label out of range.
    """

    __slots__ = ("_hash", "adjacency", "operations")

    adjacency: NDArray[np.int8]
    operations: NDArray[np.int16]

    def __init__(self, adjacency: ArrayLike, operations: ArrayLike | None = None) -> None:
        matrix = _integers(adjacency, "adjacency", 127)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
            raise InvalidArchitecture(f"adjacency must be a square matrix, got shape {matrix.shape}")
        backwards = (matrix != 0) & _on_or_below_diagonal(matrix.shape[0])
        if backwards.any():
            i, j = (int(k) for k in np.argwhere(backwards)[0])
            raise InvalidArchitecture(
                f"edge {i} -> {j} does not point forwards: adjacency must be strictly upper triangular "
                "(nodes in topological order)"
            )
        count = matrix.shape[0]
        labels = _integers(np.zeros(count, int) if operations is None else operations, "operations", 32767)
        if labels.shape != (count,):
            raise InvalidArchitecture(f"operations must have shape ({count},), got {labels.shape}")
        self._set(matrix.astype(np.int8), labels.astype(np.int16))

    def _set(self, adjacency: NDArray[np.int8], operations: NDArray[np.int16]) -> None:
        adjacency.setflags(write=False)
        operations.setflags(write=False)
        object.__setattr__(self, "adjacency", adjacency)
        object.__setattr__(self, "operations", operations)
        object.__setattr__(self, "_hash", hash((adjacency.tobytes(), operations.tobytes())))

    @classmethod
    def from_trusted(cls, adjacency: NDArray[np.int8], operations: NDArray[np.int16]) -> Architecture:
        """Wrap fresh arrays of the right type, which must be valid, without copying or checking them."""
        self = cls.__new__(cls)
        self._set(adjacency, operations)
        return self

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Architecture is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Architecture is immutable: cannot delete {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        return (Architecture, (self.adjacency.copy(), self.operations.copy()))

    def __hash__(self) -> int:
        return self._hash  # type: ignore[attr-defined, no-any-return]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Architecture):
            return NotImplemented
        if hash(self) != hash(other):
            return False
        return np.array_equal(self.adjacency, other.adjacency) and np.array_equal(
            self.operations, other.operations
        )

    def __repr__(self) -> str:
        edges = ", ".join(
            f"{i}->{j}" + (f":{label}" if label != 1 else "") for i, j, label in self.labelled_edges()
        )
        return f"Architecture(operations={self.operations.tolist()}, edges=[{edges}])"

    @property
    def num_nodes(self) -> int:
        """Number of nodes ``n``."""
        return int(self.adjacency.shape[0])

    @property
    def num_edges(self) -> int:
        """Number of edges, whatever their label."""
        return int(np.count_nonzero(self.adjacency))

    def labelled_edges(self) -> list[tuple[int, int, int]]:
        """``(source, target, label)`` of each edge, sorted by source and target."""
        return [(int(i), int(j), int(self.adjacency[i, j])) for i, j in np.argwhere(self.adjacency)]

    def subgraph(self, nodes: Sequence[int]) -> Architecture:
        """The architecture induced by ``nodes`` (ascending), renumbered from 0."""
        index = np.asarray(nodes, dtype=int)
        if len(index) == 0 or (np.diff(index) <= 0).any() or index[0] < 0 or index[-1] >= self.num_nodes:
            raise InvalidArchitecture(
                f"nodes must be ascending numbers in 0..{self.num_nodes - 1}, got {nodes}"
            )
        return Architecture.from_trusted(self.adjacency[index[:, None], index], self.operations[index])

    # ---------------------------------------------------------------- serialisation

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary: format, version, node labels and the list of labelled edges."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "operations": self.operations.tolist(),
            "edges": [list(edge) for edge in self.labelled_edges()],
        }

    @classmethod
    def from_dict(cls, data: object) -> Architecture:
        """The inverse of :meth:`to_dict`.

        Raises:
            InvalidArchitecture: Another format or version, a missing field, or a graph that is not valid.
        """
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise InvalidArchitecture(f"not a {FORMAT} document: {str(data)[:80]!r}")
        if data.get("version") != VERSION:
            raise InvalidArchitecture(
                f"{FORMAT} version {data.get('version')!r} cannot be read; "
                f"this release reads version {VERSION}"
            )
        operations, edges = data.get("operations"), data.get("edges")
        if not isinstance(operations, list) or not operations or not isinstance(edges, list):
            raise InvalidArchitecture("'operations' must be a non-empty list and 'edges' a list")
        for edge in edges:
            if not isinstance(edge, list | tuple) or len(edge) != 3 or not all(type(k) is int for k in edge):
                raise InvalidArchitecture(f"edge {edge!r} is not [source, target, label]")
        return cls._from_edges([edge[:2] for edge in edges], [edge[2] for edge in edges], operations)

    @classmethod
    def _from_edges(cls, edges: ArrayLike, labels: ArrayLike, operations: ArrayLike) -> Architecture:
        nodes = len(np.atleast_1d(_integers(operations, "operations", 32767)))
        pairs = _integers(edges, "edges", nodes - 1, "nodes").reshape(-1, 2)
        values = _integers(labels, "edges", 127)
        if values.shape != pairs.shape[:1]:
            raise InvalidArchitecture(f"{len(pairs)} edges need as many labels, got shape {values.shape}")
        if not values.all():
            source, target = pairs[int(np.argmin(values))]
            raise InvalidArchitecture(
                f"edge {source} -> {target} has label 0, which means that there is none"
            )
        distinct, counts = np.unique(pairs, axis=0, return_counts=True)
        if len(distinct) < len(pairs):
            source, target = distinct[int(np.argmax(counts))]
            raise InvalidArchitecture(f"edge {source} -> {target} is listed more than once")
        matrix = np.zeros((nodes, nodes), np.int64)
        matrix[pairs[:, 0], pairs[:, 1]] = values
        return cls(matrix, operations)

    def to_json(self) -> str:
        """One line of JSON; see :meth:`to_dict`."""
        return json.dumps(self.to_dict(), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """The inverse of :meth:`to_json`.

        Raises:
            InvalidArchitecture: The text is not JSON, or not a valid architecture document.
        """
        try:
            data = json.loads(text)
        except (ValueError, TypeError, RecursionError) as error:
            raise InvalidArchitecture(f"not JSON: {error}") from error
        return cls.from_dict(data)

    # ---------------------------------------------------------------- other libraries, at the edge

    def to_networkx(self) -> nx.DiGraph[int]:
        """A ``networkx.DiGraph`` with node attribute ``operation`` and edge attribute ``label``."""
        import networkx as nx

        graph: nx.DiGraph[int] = nx.DiGraph()
        graph.add_nodes_from((i, {"operation": int(op)}) for i, op in enumerate(self.operations))
        graph.add_edges_from((i, j, {"label": label}) for i, j, label in self.labelled_edges())
        return graph

    @classmethod
    def from_networkx(cls, graph: nx.DiGraph[Any]) -> Architecture:
        """An architecture from a directed acyclic graph with any node names.

        Nodes keep their order where it is topological, otherwise they are sorted topologically (smallest
        position first). Missing attributes mean operation 0 and edge label 1.

        Raises:
            InvalidArchitecture: The graph is undirected, empty or has a cycle.
        """
        import networkx as nx

        if not graph.is_directed() or graph.is_multigraph() or len(graph) == 0:
            raise InvalidArchitecture(f"expected a non-empty networkx.DiGraph, got {graph}")
        position = {node: k for k, node in enumerate(graph.nodes)}
        try:
            order = list(nx.lexicographical_topological_sort(graph, key=position.__getitem__))
        except nx.NetworkXUnfeasible as error:
            raise InvalidArchitecture("the graph has a cycle") from error
        rank = {node: k for k, node in enumerate(order)}
        edges = list(graph.edges(data="label", default=1))
        return cls._from_edges(
            [(rank[source], rank[target]) for source, target, _ in edges],
            [label for _, _, label in edges],
            [graph.nodes[node].get("operation", 0) for node in order],
        )

    def to_pyg(self) -> Any:
        """A ``torch_geometric.data.Data``: ``x`` (n,) node labels, ``edge_index`` (2, e), ``edge_attr`` (e,).

        Raises:
            MissingExtra: torch_geometric is not installed.
        """
        data_module = require("torch_geometric.data", "pyg")
        import torch

        edges = np.argwhere(self.adjacency)
        return data_module.Data(
            x=torch.from_numpy(self.operations.astype(np.int64)),
            edge_index=torch.from_numpy(np.ascontiguousarray(edges.T.astype(np.int64))),
            edge_attr=torch.from_numpy(self.adjacency[edges[:, 0], edges[:, 1]].astype(np.int64)),
            num_nodes=self.num_nodes,
        )

    @classmethod
    def from_pyg(cls, data: Any) -> Architecture:
        """The inverse of :meth:`to_pyg`.

        Raises:
            InvalidArchitecture: The graph is not a valid architecture.
        """
        count = int(data.num_nodes)
        edges = data.edge_index.cpu().numpy().T
        labels = np.ones(len(edges), int) if data.edge_attr is None else data.edge_attr.cpu().numpy()
        return cls._from_edges(
            edges, labels, np.zeros(count, int) if data.x is None else data.x.cpu().numpy()
        )


def edges_as_nodes(architecture: Architecture, num_edge_labels: int) -> Architecture:
    """Every edge becomes a node that carries the edge's label; see :meth:`GraphSpace.to_node_labelled`.

    Args:
        architecture: Node 0 is the input, the last node the output.
        num_edge_labels: Number of edge labels with "no edge"; it is the label of the output node.

    Returns:
        The input (label 0), one node per edge, and the output; edge-nodes are connected where one edge
        follows the other. :func:`graphnas.graph.active.edges_to_nodes` does the same for a batch.
    """
    # By target, then by source: an edge that follows another has a later target, so the order is topological.
    edges = sorted(architecture.labelled_edges(), key=lambda edge: (edge[1], edge[0]))
    sources, targets, labels = np.array(edges, int).reshape(-1, 3).T
    count = len(edges) + 2
    adjacency = np.zeros((count, count), np.int8)
    adjacency[0, 1:-1] = sources == 0
    adjacency[1:-1, -1] = targets == architecture.num_nodes - 1
    adjacency[1:-1, 1:-1] = targets[:, None] == sources[None, :]
    return Architecture(adjacency, [0, *labels.tolist(), num_edge_labels])


@functools.lru_cache(maxsize=64)
def _on_or_below_diagonal(count: int) -> NDArray[np.bool_]:
    return np.tri(count, dtype=bool)


def _integers(values: ArrayLike, what: str, largest: int, of: str = "labels") -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InvalidArchitecture(f"{what} is not a rectangular array: {error}") from error
    if array.dtype == bool:
        array = array.astype(int)
    whole = array.dtype.kind == "f" and np.isfinite(array).all() and np.array_equal(array, np.trunc(array))
    if array.dtype.kind not in "iu" and not whole:
        raise InvalidArchitecture(f"{what} must hold integers, got {array.dtype} values")
    # Before the conversion, in which a large float would overflow.
    if array.size and (array.min() < 0 or array.max() > largest):
        offending = array.min() if array.min() < 0 else array.max()
        raise InvalidArchitecture(f"{what} must hold {of} in 0..{largest}, got {offending}")
    return array.astype(int) if whole else array
