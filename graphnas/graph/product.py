"""ProductSpace: one architecture made of named parts, each from a search space of its own."""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArchitecture, InvalidArgument, SpaceExhausted
from graphnas.graph.architecture import Architecture
from graphnas.graph.parts import SideBySide, parameter_names
from graphnas.graph.space import MAX_TRIES, Choice, GraphSpace
from graphnas.importable import home_of, import_home

if TYPE_CHECKING:
    import torch

    from graphnas.graph.batch import ArchitectureBatch

Parts = Mapping[str, Architecture]
Rule = Callable[[Parts], bool | None]
Builder = Callable[..., "torch.nn.Module"]


class ProductSpace(GraphSpace):
    """Architectures of named parts: encoder and decoder, a cell and the macro graph around it, many cells.

    An architecture of the product is the disjoint union of the graphs of its parts, in the order in which
    they are named, so every method, model and host takes it as it takes any other. The labels of a part carry
    its name, such as ``encoder:conv3x3``, so that a graph kernel tells the parts apart. Parameters are those
    of the parts with the part's name as their prefix: ``encoder/op_0``, ``decoder/edge_0_1``. A part may be
    any space, also one restricted to a table, and a product itself.

    Args:
        parts: The space of each part by name, or :meth:`arguments` of another product; for names that are
            also arguments. Others are given by keyword.
        rule: What the parts must fulfil together: called with the parts by name, it returns False or raises
            ``InvalidArchitecture`` to refuse them. A subclass may override :meth:`check` instead.
        build: Makes the network: called as ``build(parts, num_classes, **shape)``; it may build parts with
            the ``build`` of their spaces. By default the network is a ``ModuleDict``; see :meth:`build`.
        name: Name of the space; by default the names of the parts, such as ``encoder+decoder``.
        **named: The space of each part by name.

    Attributes:
        spaces: The space of each part by name.

    Raises:
        InvalidArgument: No part, a name that cannot be the prefix of a parameter, something that is no space,
            or more edge labels than an architecture can have.
    """

    def __init__(
        self,
        parts: Mapping[str, GraphSpace | Mapping[str, Any]] | None = None,
        *,
        rule: Rule | str | None = None,
        build: Builder | str | None = None,
        name: str | None = None,
        **named: GraphSpace,
    ) -> None:
        given = {**(parts or {}), **named}
        self.spaces: dict[str, GraphSpace] = {part: _as_space(part, space) for part, space in given.items()}
        if not self.spaces:
            raise InvalidArgument("a product needs at least one part, such as ProductSpace(cell=space)")
        self.rule = import_home(rule) if isinstance(rule, str) else rule
        self.builder = import_home(build) if isinstance(build, str) else build
        self.name = "+".join(self.spaces) if name is None else name
        self._together = together = SideBySide(self.spaces)
        self.max_nodes, self.plain_edge = together.max_nodes, together.plain_edge
        self.node_ops, self.edge_ops = together.node_ops, together.edge_ops
        self.one_result_per_key = all(space.one_result_per_key for space in self.spaces.values())

    def arguments(self) -> dict[str, Any]:
        """The parts, the rule and the builder by the modules that hold them, JSON-ready.

        Raises:
            InvalidArgument: A part, the rule or the builder has no name in a module, as a lambda has none.
        """
        return {
            "parts": {
                part: {"space": home_of(type(space.whole)), "arguments": space.whole.arguments()}
                for part, space in self.spaces.items()
            },
            "rule": None if self.rule is None else home_of(self.rule),
            "build": None if self.builder is None else home_of(self.builder),
            "name": self.name,
        }

    # ---------------------------------------------------------------- parts

    def parts(self, architecture: Architecture) -> dict[str, Architecture]:
        """The architecture of each part by name, in the completed form of its space.

        Raises:
            InvalidArchitecture: The architecture has another number of nodes, or labels of no part or of
                another one; the rules are not checked.
        """
        if not isinstance(architecture, Architecture):
            raise InvalidArchitecture(f"expected an Architecture, got {type(architecture).__name__}")
        if architecture.num_nodes != self.max_nodes:
            raise InvalidArchitecture(
                f"{self.name}: the parts have {self.max_nodes} nodes, got {architecture.num_nodes}"
            )
        self.layout.check(architecture)
        arrays = self._together.split(architecture.adjacency, architecture.operations)
        return {part: Architecture.from_trusted(*own) for part, own in zip(self.spaces, arrays, strict=True)}

    def join(self, parts: Parts | None = None, /, **named: Architecture) -> Architecture:
        """The architecture with these parts, the inverse of :meth:`parts`.

        Raises:
            InvalidArchitecture: A part is missing, unknown or not in its space, or the rule refuses them.
        """
        given = {**(parts or {}), **named}
        if given.keys() != self.spaces.keys():
            raise InvalidArchitecture(f"{self.name}: there are no parts {', '.join(given) or '(none)'}")
        architecture = self._union(given)
        self.validate(architecture)
        return architecture

    def _union(self, parts: Parts) -> Architecture:
        """The architecture with these parts, each of which is valid; the rule is not checked."""
        completed = {part: space.completed(parts[part]) for part, space in self.spaces.items()}
        for part, space in self.spaces.items():
            if completed[part].num_nodes != space.max_nodes:
                raise InvalidArchitecture(
                    f"{part}: expected all {space.max_nodes} nodes, got {completed[part].num_nodes}"
                )
        arrays = [(part.adjacency, part.operations) for part in completed.values()]
        return Architecture.from_trusted(*self._together.union(arrays))

    def split_batch(self, batch: ArchitectureBatch) -> dict[str, ArchitectureBatch]:
        """The parts of ``B`` architectures as one batch for each part, without checks."""
        from graphnas.graph.batch import ArchitectureBatch

        arrays = self._together.split(*batch.to_arrays()[:2])
        return {
            part: ArchitectureBatch.from_arrays(*own) for part, own in zip(self.spaces, arrays, strict=True)
        }

    # ---------------------------------------------------------------- membership and identity

    def check(self, architecture: Architecture) -> None:
        """The rule across the parts, which their own spaces have accepted."""
        if self.rule is not None and self.rule(self.parts(architecture)) is False:
            raise InvalidArchitecture(f"{self.name}: the rule refuses these parts together: {architecture!r}")

    def validate(self, architecture: Architecture) -> None:
        """Check that every part is in its space, and that the rule accepts them together.

        Raises:
            InvalidArchitecture: Saying which rule broke, and of which part.
        """
        for part, own in self.parts(architecture).items():
            try:
                self.spaces[part].validate(own)
            except InvalidArchitecture as error:
                raise InvalidArchitecture(f"{part}: {error}") from error
        self.check(architecture)

    def key(self, architecture: Architecture) -> str:
        """The keys of the parts, as a JSON list."""
        return self.keys([architecture])[0]

    def keys(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> list[str]:
        """The keys of the parts of each architecture, as JSON lists."""
        from graphnas.graph.batch import ArchitectureBatch

        if not len(architectures):
            return []
        if not isinstance(architectures, ArchitectureBatch):
            architectures = ArchitectureBatch.from_architectures(architectures)
        parts = self.split_batch(architectures)
        of_parts = (self.spaces[part].keys(batch) for part, batch in parts.items())
        return [json.dumps(keys) for keys in zip(*of_parts, strict=True)]

    # ---------------------------------------------------------------- parameters of the host

    def node_choices(self, node: int) -> Sequence[int]:
        """The choices of the part that the node belongs to."""
        together, k = self._together, self._together.part_at(node)
        own = list(self.spaces.values())[k].node_choices(node - together.slices[k].start)
        return [together.first_labels[k] + label for label in own]

    def edge_choices(self, source: int, target: int) -> Sequence[int]:
        """The choices within a part; none between two parts."""
        together, k = self._together, self._together.part_at(source)
        part, space = together.slices[k], list(self.spaces.values())[k]
        if target >= part.stop:
            return (0,)
        own = space.edge_choices(source - part.start, target - part.start)
        return [int(label) for label in together.edge_labels[k][list(own)]]

    def _places(self) -> list[tuple[str, int, int]]:
        places = []
        for own, (part, space) in zip(self._together.slices, self.spaces.items(), strict=True):
            names = parameter_names(space, part)
            places += [
                (names[slot.name], own.start + slot.source, own.start + slot.target)
                for slot in space.layout.slots
            ]
        return places

    @functools.cached_property
    def _choices(self) -> tuple[tuple[Choice, ...], ...]:
        choices = (choices for space in self.spaces.values() for choices in space.parameters().values())
        return tuple(map(tuple, choices))

    # ---------------------------------------------------------------- sampling and moving

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Each part as its space samples it, drawn again until the rule accepts them together.

        Raises:
            SpaceExhausted: No accepted architecture in :data:`graphnas.graph.space.MAX_TRIES` tries.
        """
        for _ in range(MAX_TRIES):
            architecture = self._union({part: space.sample(rng) for part, space in self.spaces.items()})
            if self._is_accepted(architecture):
                return architecture
        raise SpaceExhausted(f"{self.name}: the rule accepted none of {MAX_TRIES} random architectures")

    def _is_accepted(self, architecture: Architecture) -> bool:
        """Whether the rule across the parts accepts an architecture whose parts are valid."""
        try:
            self.check(architecture)
        except InvalidArchitecture:
            return False
        return True

    @property
    def _has_rule(self) -> bool:
        return self.rule is not None or type(self).check is not ProductSpace.check

    def _sample_arrays(self, rng: np.random.Generator, size: int) -> tuple[NDArray[Any], ...]:
        adjacency, operations = self._draw(rng, size)
        if not self._has_rule:
            return adjacency, operations
        todo, tries = np.arange(size), 0
        while True:
            pairs = zip(adjacency[todo], operations[todo], strict=True)
            refused = [not self._is_accepted(Architecture.from_trusted(a.copy(), o.copy())) for a, o in pairs]
            todo, tries = todo[refused], tries + 1
            if not len(todo):
                return adjacency, operations
            if tries > MAX_TRIES:
                raise SpaceExhausted(f"{self.name}: the rule accepted none of {tries} random architectures")
            adjacency[todo], operations[todo] = self._draw(rng, len(todo))

    def _draw(self, rng: np.random.Generator, size: int) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
        batches = [space.completed_batch(space.sample_batch(rng, size)) for space in self.spaces.values()]
        return self._together.union([batch.to_arrays()[:2] for batch in batches])

    def _valid_changes(self, architecture: Architecture) -> list[Architecture]:
        parts = self.parts(architecture)
        changed = (
            self._union({**parts, part: neighbor})
            for part, space in self.spaces.items()
            if len(space.layout)
            for neighbor in space.neighbors(parts[part])
        )
        return [candidate for candidate in changed if self._is_accepted(candidate)]

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """One part changed as its space changes it; parts with more parameters are changed more often.

        Raises:
            InvalidArchitecture: ``architecture`` is not in the space.
            SpaceExhausted: No change of one part is valid.
        """
        self.validate(architecture)
        parts = self.parts(architecture)
        counts = np.array([len(space.layout) for space in self.spaces.values()])
        for _ in range(50 if counts.any() else 0):
            part = list(self.spaces)[int(rng.choice(len(counts), p=counts / counts.sum()))]
            try:
                changed = self._union({**parts, part: self.spaces[part].mutate(parts[part], rng)})
            except SpaceExhausted:
                continue
            if changed != architecture and self._is_accepted(changed):
                return changed
        neighbors = self._valid_changes(architecture)
        if not neighbors:
            raise SpaceExhausted(f"{self.name}: no valid change of one part of {architecture!r}")
        return neighbors[int(rng.integers(len(neighbors)))]

    def size(self) -> int | None:
        """The product of the parts' sizes; None if one is not known, or there is a rule."""
        sizes = [space.size() for space in self.spaces.values()]
        if self._has_rule or any(size is None for size in sizes):
            return None
        return math.prod(size for size in sizes if size is not None)

    def enumerate(self) -> Iterator[Architecture]:
        """Every combination of what the parts enumerate that the rule accepts."""
        for combination in itertools.product(*(space.enumerate() for space in self.spaces.values())):
            architecture = self._union(dict(zip(self.spaces, combination, strict=True)))
            if self._is_accepted(architecture):
                yield architecture

    # ---------------------------------------------------------------- operations on nodes

    @property
    def node_labelled_ops(self) -> tuple[str, ...]:
        """Those of the parts, each with the part's name."""
        return self._together.node_labelled_ops

    @property
    def operation_labels(self) -> tuple[int, ...]:
        """Those of the parts, numbered as in :attr:`node_labelled_ops`."""
        return self._together.operation_labels

    def to_node_labelled(self, architecture: Architecture) -> Architecture:
        """The union of what the parts' spaces give."""
        from graphnas.graph.batch import ArchitectureBatch

        parts = self.parts(architecture).items()
        graphs = [self.spaces[part].to_node_labelled(own) for part, own in parts]
        batches = [ArchitectureBatch.from_architectures([graph]) for graph in graphs]
        return self._together.node_labelled(batches).architecture(0)

    def active_batch(self, batch: ArchitectureBatch) -> ArchitectureBatch:
        """The union of what computes in each part."""
        parts = self.split_batch(batch).items()
        return self._together.node_labelled([self.spaces[part].active_batch(own) for part, own in parts])

    # ---------------------------------------------------------------- the network

    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> torch.nn.Module:
        """The network that the argument ``build`` of the space makes of the parts.

        Without it, a ``torch.nn.ModuleDict`` of the parts' networks by name, to be put together by the
        caller: how data flows from one part to the other, only the user knows.

        Args:
            architecture: A member of the space.
            num_classes: Size of the output, of each part's network by default.
            **shape: Passed on to ``build``. By default to every part, except that a mapping under a part's
                name holds settings of this part alone: ``encoder={"width": 8}``.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.validate(architecture)
        parts = self.parts(architecture)
        if self.builder is not None:
            return self.builder(parts, num_classes, **shape)
        from torch import nn

        common = {name: value for name, value in shape.items() if name not in self.spaces}
        return nn.ModuleDict(
            {
                part: self.spaces[part].build(own, num_classes, **{**common, **shape.get(part, {})})
                for part, own in parts.items()
            }
        )

    def __repr__(self) -> str:
        return f"ProductSpace({', '.join(f'{part}={space!r}' for part, space in self.spaces.items())})"


def as_space(space: GraphSpace | Mapping[str, GraphSpace]) -> GraphSpace:
    """``space``, or the product of a mapping of spaces.

    Raises:
        InvalidArgument: It is neither.
    """
    if isinstance(space, Mapping):
        return ProductSpace(space)
    if not isinstance(space, GraphSpace):
        raise InvalidArgument(f"expected a GraphSpace or a mapping of them, got {type(space).__name__}")
    return space


def _as_space(part: str, space: object) -> GraphSpace:
    if isinstance(space, Mapping) and space.keys() == {"space", "arguments"}:
        space = import_home(space["space"])(**space["arguments"])
    if not isinstance(space, GraphSpace):
        raise InvalidArgument(f"part {part!r} must be a GraphSpace, got {type(space).__name__}")
    parameter_names(space, part)
    return space
