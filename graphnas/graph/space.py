"""GraphSpace: the contract of a search space, with defaults that keep a space of your own at 30 lines."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArchitecture
from graphnas.graph import node_form
from graphnas.graph.architecture import Architecture
from graphnas.graph.canonical import canonical_key
from graphnas.graph.layout import Layout, unnested
from graphnas.graph.rules import checked_mask, pair_up
from graphnas.graph.sampled import SampledSpace

if TYPE_CHECKING:
    import torch

    from graphnas.graph.batch import ArchitectureBatch
    from graphnas.graph.restricted import KnowsArchitectures, RestrictedSpace

Choice = str | int | bool
Parameters = Mapping[str, Choice]


class GraphSpace(SampledSpace, ABC):
    """A set of architectures, how they are written as parameters, and the module each one builds.

    **Your own space** is a subclass with a ``name``, its operations (``node_ops`` or ``edge_ops``),
    ``max_nodes``, a rule (:meth:`check`) and a builder (:meth:`build`); :meth:`node_choices` and
    :meth:`edge_choices` say which labels may stand where. All else has a default that works for graphs of a
    fixed number of nodes, and is overridden where a space can do better: ``size``, ``key``, ``sample``.

    Say as much as possible by choices, and only the rest by the rule: what the choices exclude is never
    proposed. A rule may be strict. Searches ask it a bounded number of times per proposal, go through a small
    space once, and move from one valid architecture to the next where random ones are hardly ever valid
    (:meth:`sample`). If the rule takes long or accepts little, write it as :meth:`check_batch`, in place of
    :meth:`check` or beside it for the sake of its messages: many more architectures are then compared for the
    same time. Either is enough; the other follows from it.

    Attributes:
        name: Prefix of the parameter names, such as ``nasbench201``.
        node_ops: Names of the node labels; label ``k`` is ``node_ops[k]``.
        edge_ops: Names of the edge labels; label ``k`` is ``edge_ops[k]`` and ``edge_ops[0]`` is "no edge".
        max_nodes: The largest number of nodes.
        one_result_per_key: Whether architectures of equal key share one row of a table of results.
        terminal: In a space of graphs of several sizes, the node label that ends a graph: the last node has
            it, whatever the size, and no other node does. None where every graph has ``max_nodes`` nodes.
        plain_edge: In a space that labels edges, the label (1) of an edge without an operation; 0 where every
            edge has one.
    """

    name: str
    node_ops: tuple[str, ...] = ("node",)
    edge_ops: tuple[str, ...] = ("none", "edge")
    max_nodes: int
    one_result_per_key = True
    terminal: int | None = None
    plain_edge: int = 0

    # ---------------------------------------------------------------- what a space must define

    @abstractmethod
    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> torch.nn.Module:
        """The trainable network of ``architecture``.

        Args:
            architecture: A member of the space.
            num_classes: Size of the output.
            **shape: Other settings of the network, such as ``in_channels`` or widths; see the space.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """

    def check(self, architecture: Architecture) -> None:
        """The rule of the space beyond labels and size; raises :class:`InvalidArchitecture` if broken."""

    def check_batch(self, batch: ArchitectureBatch) -> NDArray[np.bool_]:
        """The rule of the space for a whole batch at once; by default :meth:`check`, one after the other.

        Args:
            batch: ``B`` architectures with allowed labels and at most ``max_nodes`` nodes each;
                ``batch.to_arrays()`` are their adjacency ``(B, N, N)``, labels ``(B, N)`` and sizes ``(B,)``.

        Returns:
            ``(B,)`` booleans, which of them satisfy the rule: those that :meth:`check` accepts.
        """
        return np.ones(len(batch), bool)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        pair_up(cls)

    # ---------------------------------------------------------------- membership and identity

    def validate(self, architecture: Architecture) -> None:
        """Check that ``architecture`` is in the space.

        Raises:
            InvalidArchitecture: Saying which rule broke.
        """
        if not isinstance(architecture, Architecture):
            raise InvalidArchitecture(f"expected an Architecture, got {type(architecture).__name__}")
        self.layout.check(architecture)
        self.check(architecture)

    def valid_batch(self, batch: ArchitectureBatch) -> NDArray[np.bool_]:
        """``(B,)``: which architectures of ``batch`` :meth:`validate` accepts.

        Raises:
            InvalidArgument: :meth:`check_batch` did not return one boolean for each.
        """
        mask = self.layout.check_batch(batch)
        if mask.all():
            return checked_mask(self.check_batch(batch), len(batch), self.name)
        if mask.any():
            allowed = batch[mask]
            mask[mask] = checked_mask(self.check_batch(allowed), len(allowed), self.name)
        return mask

    def is_valid(self, architecture: Architecture) -> bool:
        """Whether :meth:`validate` accepts ``architecture``."""
        try:
            self.validate(architecture)
        except InvalidArchitecture:
            return False
        return True

    def key(self, architecture: Architecture) -> str:
        """A string that is equal for isomorphic architectures, which build the same network.

        A search evaluates one architecture of each key. A space whose benchmark groups architectures in
        another way may follow it (``NASBench201``).
        """
        return canonical_key(architecture)

    def keys(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> list[str]:
        """The key of each architecture; spaces override it where they can do many at once."""
        return [self.key(architecture) for architecture in architectures]

    def completed(self, architecture: Architecture) -> Architecture:
        """The form of ``architecture`` that ``from_parameters(to_parameters(...))`` gives.

        It is ``architecture`` itself, except in spaces of graphs of several sizes.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.validate(architecture)
        return architecture

    def completed_batch(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> ArchitectureBatch:
        """The :meth:`completed` forms as one batch; where none is smaller, they are not validated.

        Raises:
            InvalidArchitecture: A smaller architecture is not in the space.
        """
        from graphnas.graph.batch import ArchitectureBatch

        if not isinstance(architectures, ArchitectureBatch):
            architectures = ArchitectureBatch.from_architectures(architectures, self.max_nodes)
        if architectures.max_nodes == self.max_nodes and (architectures.num_nodes == self.max_nodes).all():
            return architectures
        completed = [self.completed(architecture) for architecture in architectures]
        return ArchitectureBatch.from_architectures(completed, self.max_nodes)

    @property
    def whole(self) -> GraphSpace:
        """This space; for a restricted one, the space that it is a part of."""
        return self

    def restricted_to(self, table: KnowsArchitectures | Iterable[Architecture]) -> RestrictedSpace:
        """The part of this space that ``table`` knows; see :attr:`one_result_per_key`.

        Args:
            table: Architectures, or anything whose method ``architectures()`` lists them: a table of results,
                or a ``TabularEvaluator``, which lists those whose value it has.

        Raises:
            InvalidArgument: The table is empty, or not of this kind.
            InvalidArchitecture: It holds an architecture that is not in this space.
        """
        from graphnas.graph.restricted import RestrictedSpace, known_architectures

        return RestrictedSpace(self, known_architectures(table))

    def from_matrix(
        self, adjacency: ArrayLike, operations: Sequence[str | int] | None = None
    ) -> Architecture:
        """An architecture from a matrix of edge labels and operation names (or labels), validated.

        Raises:
            InvalidArchitecture: An unknown operation name, or a graph outside of the space.
        """
        names = {name: label for label, name in enumerate(self.node_ops)}
        labels: list[int] | None = None
        if operations is not None:
            if not isinstance(operations, Iterable):
                raise InvalidArchitecture(
                    f"{self.name}: operations must be a sequence of names, got {operations!r}"
                )
            labels = []
            for operation in operations:
                if isinstance(operation, str) and operation not in names:
                    raise InvalidArchitecture(
                        f"{self.name}: operation {operation!r} is not one of {self.node_ops}"
                    )
                labels.append(names[operation] if isinstance(operation, str) else operation)
        architecture = Architecture(adjacency, labels)
        self.validate(architecture)
        return architecture

    # ---------------------------------------------------------------- parameters of the host

    def node_choices(self, node: int) -> Sequence[int]:
        """Labels that node ``node`` may take; a single one leaves no choice."""
        return range(len(self.node_ops))

    def edge_choices(self, source: int, target: int) -> Sequence[int]:
        """Labels that the edge ``source -> target`` may take; a single one leaves no choice."""
        return range(len(self.edge_ops))

    def _places(self) -> list[tuple[str, int, int]]:
        """Names of the parameters, in order, and the node (twice) or the edge that each one chooses.

        Those with nothing to choose are left out by :attr:`layout`.
        """
        places = []
        for j in range(self.max_nodes):
            places.append((f"{self.name}/op_{j}", j, j))
            places += [(f"{self.name}/edge_{i}_{j}", i, j) for i in range(j)]
        return places

    @functools.cached_property
    def layout(self) -> Layout:
        """The nodes and edges that have a choice, and their labels, as arrays."""
        return Layout(self, self._places())

    @functools.cached_property
    def _choices(self) -> tuple[tuple[Choice, ...], ...]:
        """The values of each parameter, in the order of its labels."""
        edge_ops = (False, True) if len(self.edge_ops) == 2 else self.edge_ops
        return tuple(
            tuple((self.node_ops if slot.source == slot.target else edge_ops)[k] for k in slot.labels)
            for slot in self.layout.slots
        )

    def parameters(self) -> dict[str, tuple[Choice, ...]]:
        """Categorical parameters, ``{readable name: choices}``, in a fixed order."""
        return dict(zip(self.layout.names, self._choices, strict=True))

    def to_parameters(self, architecture: Architecture) -> dict[str, Choice]:
        """``architecture`` as values of :meth:`parameters`.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.validate(architecture)
        self._check_complete(architecture)
        labels = self.layout.read(architecture.adjacency, architecture.operations).tolist()
        return {
            slot.name: choices[slot.labels.index(label)]
            for slot, choices, label in zip(self.layout.slots, self._choices, labels, strict=True)
        }

    def _check_complete(self, architecture: Architecture) -> None:
        """The default parameters describe all nodes; a space of graphs of several sizes has its own."""
        if architecture.num_nodes != self.max_nodes:
            raise InvalidArchitecture(
                f"{self.name}: parameters describe {self.max_nodes} nodes, got {architecture.num_nodes}"
            )

    def from_parameters(self, parameters: Parameters) -> Architecture:
        """The inverse of :meth:`to_parameters`.

        Other names are ignored, because a study may have other hyper-parameters too, even one called
        ``<space>/lr``; see :meth:`Layout.check_names` for what is refused. Names that a program has cut at
        the slash into nested mappings are understood.

        Raises:
            InvalidArchitecture: A missing parameter, one of a larger space, a value that is not one of its
                choices, or a graph that the rule refuses.
        """
        parameters = unnested(parameters)
        self.layout.check_names(parameters)
        labels = []
        for slot, choices in zip(self.layout.slots, self._choices, strict=True):
            value = parameters[slot.name]
            try:
                labels.append(slot.labels[choices.index(value)])
            except (
                TypeError,
                ValueError,
                RuntimeError,
            ) as error:  # none, or an array
                raise InvalidArchitecture(f"{slot.name} = {value!r} is not one of {choices}") from error
        architecture = self.layout.architecture(labels)
        self.validate(architecture)
        return architecture

    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, JSON-ready, from which a saved model makes this space again.

        Override it in a space whose constructor takes arguments.
        """
        return {}

    # ---------------------------------------------------------------- operations on nodes

    @property
    def node_labelled_ops(self) -> tuple[str, ...]:
        """Names of the node labels of :meth:`to_node_labelled`."""
        return node_form.node_labelled_ops(self)

    @property
    def operation_labels(self) -> tuple[int, ...]:
        """The labels of :attr:`node_labelled_ops` that are chosen; all of the nodes' if none has a choice.

        Input and output nodes have labels too, but the same in every architecture.
        """
        return node_form.operation_labels(self)

    def to_node_labelled(self, architecture: Architecture) -> Architecture:
        """The equivalent graph with operations on nodes, for methods that read only those.

        Where the space labels edges only, every edge becomes a node (label: the edge's), between an input
        (label 0) and an output (last label); edge-nodes are connected where one edge follows the other. Where
        it labels nodes too, these stay, and every edge becomes a node between its two ends.
        """
        return node_form.to_node_labelled(self, architecture)

    def active_batch(self, batch: ArchitectureBatch) -> ArchitectureBatch:
        """What really computes, with operations on nodes: the graphs that kernels compare.

        By default: a space that labels edges is turned into its node-labelled form; if it labels only edges,
        nodes off every path from input to output are removed. Any other space is returned as it is. Spaces
        whose network ignores part of the graph override it.

        Args:
            batch: ``B`` architectures of this space.

        Returns:
            ``B`` graphs in the same order; labels are those of :attr:`node_labelled_ops`.
        """
        return node_form.active_batch(self, batch)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
