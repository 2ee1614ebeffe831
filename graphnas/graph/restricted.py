"""RestrictedSpace: the part of a search space that a table of results knows."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArchitecture, InvalidArgument, SpaceExhausted
from graphnas.graph.architecture import Architecture
from graphnas.graph.layout import Layout
from graphnas.graph.space import Choice, GraphSpace

if TYPE_CHECKING:
    import torch

    from graphnas.graph.batch import ArchitectureBatch

KEPT = 1000
"""Number of architectures whose known neighbors are cached."""


@runtime_checkable
class KnowsArchitectures(Protocol):
    """What a space can be restricted to: a table of results, or an evaluator that looks up in one."""

    def architectures(self) -> Sequence[Architecture]:
        """The architectures that are known."""


def known_architectures(table: KnowsArchitectures | Iterable[Architecture]) -> Iterable[Architecture]:
    """The architectures that ``table`` lists, or ``table`` itself if it is a collection.

    Raises:
        InvalidArgument: It is neither a table nor a collection.
    """
    if isinstance(table, KnowsArchitectures):
        return table.architectures()
    if not isinstance(table, Iterable):
        raise InvalidArgument(
            f"expected architectures or a table with architectures(), got {type(table).__name__}"
        )
    return table


class RestrictedSpace(GraphSpace):
    """The architectures of ``base`` whose key is that of a known one.

    If ``one_result_per_key`` is false, architectures of one key have different results in the table, and only
    the known ones belong to the space.

    Name, operations, parameters, keys and networks are those of ``base``, and so is every method that only
    ``base`` has, such as an official string form. Architectures come in their completed form
    (:meth:`GraphSpace.completed`).

    Args:
        base: The whole space.
        known: The architectures that :meth:`sample` draws from; one listed twice counts once.

    Raises:
        InvalidArgument: ``known`` is empty.
        InvalidArchitecture: A known architecture is not in ``base``.
    """

    def __init__(self, base: GraphSpace, known: Iterable[Architecture]) -> None:
        if base.whole is not base:
            known = [architecture for architecture in known if base.is_valid(architecture)]
            base = base.whole
        self._base = base
        self._known = list(dict.fromkeys(map(base.completed, known)))
        if not self._known:
            raise InvalidArgument(f"{base.name}: there is no known architecture to restrict the space to")
        self._around: dict[Architecture, list[tuple[Architecture, str]]] = {}
        self._known_keys = np.array(base.keys(self._known))
        self._members: frozenset[Architecture | str] = frozenset(
            self._known_keys.tolist() if base.one_result_per_key else self._known
        )
        self.one_result_per_key = base.one_result_per_key
        self.name = base.name
        self.node_ops = base.node_ops
        self.edge_ops = base.edge_ops
        self.max_nodes = base.max_nodes
        self.terminal = base.terminal
        self.plain_edge = base.plain_edge

    def __getattr__(self, name: str) -> Any:
        # Only called for what neither this class nor GraphSpace has. Before __init__ (unpickling) there is no
        # base, and asking for it must not come back here.
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.whole, name)

    @property
    def whole(self) -> GraphSpace:
        """The space that this one is a part of."""
        return self._base

    # ---------------------------------------------------------------- membership and identity

    def validate(self, architecture: Architecture) -> None:
        """Check that ``architecture`` is in the whole space, and known.

        Raises:
            InvalidArchitecture: Saying which rule broke, or that it is not in the table.
        """
        self.whole.validate(architecture)
        if not self._knows(architecture, self.whole.key(architecture)):
            raise InvalidArchitecture(
                f"{self.name}: the architecture is not in the table of {len(self._known)} that the space is "
                f"restricted to: {architecture!r}"
            )

    def valid_batch(self, batch: ArchitectureBatch) -> NDArray[np.bool_]:
        """``(B,)``: which architectures of ``batch`` are in the whole space, and known."""
        mask = self.whole.valid_batch(batch)
        if mask.any():
            valid = batch[mask]
            known = map(self._knows, valid, self.whole.keys(valid))
            mask[mask] = np.fromiter(known, bool, len(valid))
        return mask

    def _knows(self, architecture: Architecture, key: str) -> bool:
        return (key if self.one_result_per_key else architecture) in self._members

    def key(self, architecture: Architecture) -> str:
        """The key of the whole space."""
        return self.whole.key(architecture)

    def keys(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> list[str]:
        """The keys of the whole space."""
        return self.whole.keys(architectures)

    def completed(self, architecture: Architecture) -> Architecture:
        """As in the whole space."""
        return self.whole.completed(architecture)

    # ---------------------------------------------------------------- parameters of the host

    def node_choices(self, node: int) -> Sequence[int]:
        """As in the whole space."""
        return self.whole.node_choices(node)

    def edge_choices(self, source: int, target: int) -> Sequence[int]:
        """As in the whole space."""
        return self.whole.edge_choices(source, target)

    @property
    def layout(self) -> Layout:
        """As in the whole space."""
        return self.whole.layout

    def parameters(self) -> dict[str, tuple[Choice, ...]]:
        """The parameters of the whole space."""
        return self.whole.parameters()

    def to_parameters(self, architecture: Architecture) -> dict[str, Choice]:
        """As in the whole space.

        Raises:
            InvalidArchitecture: The architecture is not in the restricted space.
        """
        self.validate(architecture)
        return self.whole.to_parameters(architecture)

    def from_parameters(self, parameters: Any) -> Architecture:
        """The inverse of :meth:`to_parameters`.

        Raises:
            InvalidArchitecture: As in the whole space, or the architecture is not in the table.
        """
        architecture = self.whole.from_parameters(parameters)
        self.validate(architecture)
        return architecture

    # ---------------------------------------------------------------- moving about in the space

    def size(self) -> int:
        """Number of known architectures."""
        return len(self._known)

    def enumerate(self) -> Iterator[Architecture]:
        """The known architectures, in their original order."""
        return iter(self._known)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """A known architecture, drawn uniformly."""
        return self._known[int(rng.integers(len(self._known)))]

    def neighbors(self, architecture: Architecture) -> list[Architecture]:
        """The neighbors in the whole space that are known; possibly none.

        Raises:
            InvalidArchitecture: ``architecture`` is not in the restricted space.
        """
        return [neighbor for neighbor, _ in self._known_neighbors(architecture)]

    def _known_neighbors(self, architecture: Architecture) -> list[tuple[Architecture, str]]:
        """The known neighbors and their keys, cached because methods mutate the same parent many times."""
        known = self._around.get(architecture)
        if known is None:
            self.validate(architecture)
            around = self.whole.neighbors(architecture)
            pairs = zip(around, self.whole.keys(around), strict=True)
            known = [(neighbor, key) for neighbor, key in pairs if self._knows(neighbor, key)]
            if len(self._around) >= KEPT:
                self._around.clear()
            self._around[architecture] = known
        return known

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A random known neighbor with another key, or else one of the nearest known architectures.

        A table may know so little of a space that its architectures are no neighbors of each other. One of
        those that differ in the fewest parameters is drawn then.

        Raises:
            InvalidArchitecture: ``architecture`` is not in the restricted space.
            SpaceExhausted: The table knows no other architecture.
        """
        own = self.whole.key(architecture)
        others = [neighbor for neighbor, key in self._known_neighbors(architecture) if key != own]
        if others:
            return others[int(rng.integers(len(others)))]
        other = np.flatnonzero(self._known_keys != own)
        if not len(other):
            raise SpaceExhausted(f"{self.name}: there is no other known architecture than {architecture!r}")
        completed = self.whole.completed(architecture)
        wanted = self.layout.read(completed.adjacency, completed.operations)
        differences = (self._known_labels[other] != wanted).sum(1)
        nearest = other[differences == differences.min()]
        return self._known[int(nearest[rng.integers(len(nearest))])]

    @functools.cached_property
    def _known_labels(self) -> NDArray[np.int16]:
        """``(known, parameters)``: the labels of the parameters of each known architecture."""
        adjacency = np.stack([architecture.adjacency for architecture in self._known])
        operations = np.stack([architecture.operations for architecture in self._known])
        return self.layout.read(adjacency, operations).astype(np.int16)

    # ---------------------------------------------------------------- what the whole space does

    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> torch.nn.Module:
        """The network of the whole space.

        Raises:
            InvalidArchitecture: The architecture is not in the restricted space.
        """
        self.validate(architecture)
        return self.whole.build(architecture, num_classes, **shape)

    def arguments(self) -> dict[str, Any]:
        """Those of the whole space: a saved model needs no table to be loaded."""
        return self.whole.arguments()

    @property
    def node_labelled_ops(self) -> tuple[str, ...]:
        """As in the whole space."""
        return self.whole.node_labelled_ops

    @property
    def operation_labels(self) -> tuple[int, ...]:
        """As in the whole space."""
        return self.whole.operation_labels

    def to_node_labelled(self, architecture: Architecture) -> Architecture:
        """As in the whole space."""
        return self.whole.to_node_labelled(architecture)

    def active_batch(self, batch: ArchitectureBatch) -> ArchitectureBatch:
        """As in the whole space."""
        return self.whole.active_batch(batch)

    def __repr__(self) -> str:
        return f"{self.whole!r}.restricted_to(<{len(self._known)} architectures>)"
