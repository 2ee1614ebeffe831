"""Layout: which nodes and edges of a space's graphs have a choice, and which labels, as arrays."""

from __future__ import annotations

import difflib
import re
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArchitecture
from graphnas.graph.architecture import Architecture

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch
    from graphnas.graph.space import GraphSpace


_NUMBER = re.compile(r"\d+")


class Slot(NamedTuple):
    """A node (``source == target``) or an edge that has a choice: one parameter of the space."""

    name: str
    source: int
    target: int
    labels: tuple[int, ...]


class Layout:
    """The ``S`` slots of a space, in the order of its parameters, and what every graph of it has.

    Graphs are read and written as arrays of ``N = max_nodes`` nodes, one or many at once: leading dimensions
    are kept. A space of graphs of several sizes is read in its completed form
    (:meth:`GraphSpace.completed_batch`).

    Args:
        space: The space; its choices are read once.
        places: Name, source and target of the nodes and edges that may have a choice, in order.

    Attributes:
        space_name: Name of the space.
        node_ops: Names of its node labels.
        edge_ops: Names of its edge labels.
        slots: The slots as tuples.
        names: Their names.
        sources: ``(S,)`` source of the edge, or the node.
        targets: ``(S,)`` target of the edge, or the same node.
        is_node: ``(S,)`` whether the slot is a node.
        counts: ``(S,)`` number of labels that the slot may have, at least 2.
        labels: ``(S, K)`` these labels, -1 beyond the last one.
        allowed: ``(S, K)`` which entries of ``labels`` exist.
        allowed_nodes: ``(N, node labels)`` which labels each node may have.
        allowed_edges: ``(N, N, edge labels)`` which labels the edge between two nodes may have.
        adjacency: ``(N, N)`` a graph with the first label in every slot.
        operations: ``(N,)`` its node labels.
    """

    def __init__(self, space: GraphSpace, places: Sequence[tuple[str, int, int]]) -> None:
        self.space_name, self.node_ops, self.edge_ops = space.name, space.node_ops, space.edge_ops
        n = space.max_nodes
        self.operations = np.zeros(n, np.int16)
        self.adjacency = np.zeros((n, n), np.int8)
        self.allowed_nodes = np.zeros((n, len(space.node_ops)), bool)
        self.allowed_edges = np.zeros((n, n, len(space.edge_ops)), bool)
        self.allowed_edges[..., 0] = np.tri(n, dtype=bool)  # below the diagonal there is no edge
        choices: dict[tuple[int, int], tuple[int, ...]] = {}
        for j in range(n):
            choices[j, j] = tuple(space.node_choices(j))
            self.operations[j] = choices[j, j][0]
            self.allowed_nodes[j, choices[j, j]] = True
            for i in range(j):
                choices[i, j] = tuple(space.edge_choices(i, j))
                self.adjacency[i, j] = choices[i, j][0]
                self.allowed_edges[i, j, choices[i, j]] = True
        self._any_edge = bool(self.allowed_edges[np.triu_indices(n, 1)].all())

        self.slots = tuple(Slot(name, i, j, choices[i, j]) for name, i, j in places if len(choices[i, j]) > 1)
        self.names = tuple(slot.name for slot in self.slots)
        self.sources = np.array([slot.source for slot in self.slots], np.int64)
        self.targets = np.array([slot.target for slot in self.slots], np.int64)
        self.is_node = self.sources == self.targets
        self.counts = np.array([len(slot.labels) for slot in self.slots], np.int64)
        self.labels = np.full((len(self.slots), int(self.counts.max(initial=1))), -1, np.int64)
        for row, slot in zip(self.labels, self.slots, strict=True):
            row[: len(slot.labels)] = slot.labels
        self.allowed = self.labels >= 0
        self._forms = frozenset(map(_form, self.names))
        self._edges, self._nodes = ~self.is_node, self.sources[self.is_node]
        self._ends = self.sources[self._edges], self.targets[self._edges]

    def __len__(self) -> int:
        return len(self.slots)

    # ---------------------------------------------------------------- graphs and labels of the slots

    def read(self, adjacency: NDArray[np.int8], operations: NDArray[np.int16]) -> NDArray[np.int64]:
        """The labels ``(..., S)`` of the slots in graphs ``(..., N, N)`` with node labels ``(..., N)``."""
        at_edges = adjacency[..., self.sources, self.targets]
        return np.where(self.is_node, operations[..., self.sources], at_edges).astype(np.int64)

    def write(self, labels: ArrayLike) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
        """The graphs with ``labels`` ``(..., S)`` in the slots, not checked against any rule."""
        values = np.asarray(labels, np.int16)
        shape = values.shape[:-1]
        adjacency = np.broadcast_to(self.adjacency, (*shape, *self.adjacency.shape)).copy()
        operations = np.broadcast_to(self.operations, (*shape, *self.operations.shape)).copy()
        adjacency[(..., *self._ends)] = values[..., self._edges]
        operations[..., self._nodes] = values[..., self.is_node]
        return adjacency, operations

    def architecture(self, labels: ArrayLike) -> Architecture:
        """The architecture with ``labels`` ``(S,)`` in the slots, not checked against any rule."""
        return Architecture.from_trusted(*self.write(labels))

    # ---------------------------------------------------------------- graphs and numbered choices

    def choices(self, batch: ArchitectureBatch) -> NDArray[np.int64]:
        """Which of its labels each slot has, ``(B, S)``, in a batch of completed architectures.

        Raises:
            InvalidArchitecture: A graph is not completed, or a label is not allowed where it stands.
        """
        adjacency, operations, _ = batch.to_arrays()
        if operations.shape[1] != len(self.operations) or (batch.num_nodes != batch.max_nodes).any():
            raise InvalidArchitecture(f"{self.space_name}: expected graphs of {len(self.operations)} nodes")
        read = self.read(adjacency, operations)
        choices = np.asarray((read[:, :, None] == self.labels).argmax(2))
        # A label that its slot may not have, or that no slot decides, makes a difference when written back.
        again = self.write(self.labels[np.arange(len(self)), choices])
        same = (again[0] == adjacency).all((1, 2)) & (again[1] == operations).all(1)
        if not same.all():
            wrong = batch.architecture(int(np.argmin(same)))
            raise InvalidArchitecture(f"{self.space_name}: the choices of the space do not allow {wrong!r}")
        return choices

    def from_choices(self, choices: NDArray[np.int64]) -> ArchitectureBatch:
        """The inverse of :meth:`choices`; nothing is checked against the space's rule."""
        from graphnas.graph.batch import ArchitectureBatch

        return ArchitectureBatch.from_arrays(*self.write(self.labels[np.arange(len(self)), choices]))

    # ---------------------------------------------------------------- checks

    def check(self, architecture: Architecture) -> None:
        """Check the number of nodes and every label.

        Raises:
            InvalidArchitecture: Naming the first label that is not allowed where it stands.
        """
        n, operations = architecture.num_nodes, architecture.operations
        adjacency = architecture.adjacency
        if n > len(self.operations):
            raise InvalidArchitecture(
                f"{self.space_name}: {n} nodes, at most {len(self.operations)} are allowed"
            )
        for what, label, names in (
            ("node", operations.max(), self.node_ops),
            ("edge", adjacency.max(), self.edge_ops),
        ):
            if label >= len(names):
                raise InvalidArchitecture(
                    f"{self.space_name}: {what} label {label} is not one of 0..{len(names) - 1} {names}"
                )
        allowed = self.allowed_nodes[np.arange(n), operations]
        if not allowed.all():
            node = int(np.argmin(allowed))
            self._refuse(f"node {node}", operations[node], self.allowed_nodes[node], self.node_ops)
        if self._any_edge:
            return
        labels = adjacency.astype(np.int64)[..., None]
        allowed = np.take_along_axis(self.allowed_edges[:n, :n], labels, axis=2)[..., 0]
        if not allowed.all():
            i, j = np.argwhere(~allowed)[0].tolist()
            self._refuse(f"edge {i} -> {j}", adjacency[i, j], self.allowed_edges[i, j], self.edge_ops)

    def check_batch(self, batch: ArchitectureBatch) -> NDArray[np.bool_]:
        """``(B,)``: which architectures :meth:`check` accepts."""
        adjacency, operations, sizes = batch.to_arrays()
        n = min(len(self.operations), batch.max_nodes)
        inside = np.arange(n) < sizes[:, None]
        labels, edges = operations[:, :n], adjacency[:, :n, :n]
        known = (sizes <= len(self.operations)) & (labels.min(1) >= 0) & (edges.min((1, 2)) >= 0)
        known &= (labels.max(1) < len(self.node_ops)) & (edges.max((1, 2)) < len(self.edge_ops))
        mask = known & (self.allowed_nodes[np.arange(n), labels * known[:, None]] | ~inside).all(1)
        if not self._any_edge:
            i, j = np.triu_indices(n, 1)
            present = edges[:, i, j] * known[:, None]
            mask &= (self.allowed_edges[i, j, present] | ~inside[:, j]).all(1)
        return np.asarray(mask)

    def _refuse(self, what: str, label: int, allowed: NDArray[np.bool_], names: Sequence[str]) -> NoReturn:
        choices = ", ".join(names[k] for k in np.flatnonzero(allowed).tolist())
        raise InvalidArchitecture(f"{self.space_name}: {what} is {names[label]!r}, allowed: {choices}")

    def check_names(self, parameters: object) -> None:
        """Check that ``parameters`` is a mapping with every slot's name, and with no name of a larger space.

        A name that differs from a slot's only in its numbers, such as ``gemnet/op_9`` for a space of 8 nodes,
        belongs to another space of this kind, whose architecture must not be read as one of this. Any other
        name is somebody else's parameter. A misspelled name is noticed because the right one is missing.

        Raises:
            InvalidArchitecture: Naming what is wrong.
        """
        check_names(self.space_name, self.names, parameters, self._forms)

    def resembles(self, name: str) -> bool:
        """Whether ``name`` is a slot's, apart from its numbers; the prefix must be the same."""
        return _form(name) in self._forms


def unnested(parameters: Any) -> Any:
    """``parameters`` with ``{"enas": {"op_0": ...}}`` as ``{"enas/op_0": ...}``, at any depth.

    Programs around a study, such as Ray Tune, cut the names of parameters at the slash. What has no nested
    mapping is returned as it is.
    """
    if not isinstance(parameters, Mapping) or not any(isinstance(v, Mapping) for v in parameters.values()):
        return parameters
    flat: dict[Any, Any] = {}
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}/{inner}": part for inner, part in unnested(value).items()}
        else:
            flat[name] = value
    return flat


def check_names(
    space: str, names: Sequence[str], parameters: object, forms: Container[str] | None = None
) -> None:
    """As :meth:`Layout.check_names`, for a space called ``space`` whose parameters have these ``names``.

    Args:
        space: Name of the space.
        names: Names of its parameters.
        parameters: What is checked.
        forms: The forms of ``names``, if they are known.

    Raises:
        InvalidArchitecture: Naming what is wrong.
    """
    if not isinstance(parameters, Mapping):
        raise InvalidArchitecture(
            f"{space}: parameters must be a mapping of names to values, got {parameters!r}"
        )
    known = set(names)
    forms = set(map(_form, names)) if forms is None else forms
    others = [name for name in parameters if isinstance(name, str) and name not in known]
    for name in others:
        if _form(name) in forms:
            raise InvalidArchitecture(
                f"unknown parameter {name!r}: {space} has {len(names)} parameters "
                f"({', '.join(names[:4])}, ...)"
            )
    missing = next((name for name in names if name not in parameters), None)
    if missing is not None:
        near = difflib.get_close_matches(missing, others, n=3)
        instead = f"; there is {', '.join(map(repr, near))}" if near else ""
        raise InvalidArchitecture(f"parameter {missing!r} is missing{instead}")


def _form(name: str) -> str:
    prefix, slash, rest = name.partition("/")
    return prefix + slash + _NUMBER.sub("0", rest)


def with_label(architecture: Architecture, i: int, j: int, label: int) -> Architecture | None:
    """``architecture`` with ``label`` at the edge ``i -> j``, or at node ``i`` if they are equal.

    Returns:
        The changed architecture, not checked against any rule; None if it has that label already.
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
