"""NAS-Bench-Graph: graph neural networks whose four nodes form a tree, one of 9 operations on each node.

Source: Qin et al., "NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search" (NeurIPS 2022).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArchitecture, InvalidArgument, SpaceExhausted
from graphnas.graph.architecture import Architecture
from graphnas.graph.layout import check_names, unnested
from graphnas.graph.space import Choice, GraphSpace, Parameters
from search_spaces.nasbench_graph_codes import (
    NODES,
    OPERATIONS,
    SKIP,
    codes_of,
    decoded,
    known_codes,
)

if TYPE_CHECKING:
    from torch import nn

    from graphnas.graph.batch import ArchitectureBatch

SIZE = 26_206
_CHOICES = (*range(2, NODES + 1), *range(NODES))


class NASBenchGraph(GraphSpace):
    """26,206 networks for node classification on graphs; node 0 is the input, each other node reads one node.

    The nodes that no other one reads are concatenated for the output. Operations are graph convolutions of
    seven kinds, a fully connected layer and a skip connection. An architecture can be written in several
    ways; those that the benchmark takes for one have the same :meth:`key`.

    Parameters are ``nasbenchgraph/input_2`` to ``input_4`` (which node each reads; node 1 reads the input)
    and ``nasbenchgraph/op_1`` to ``op_4``.
    """

    name = "nasbenchgraph"
    node_ops = ("input", *OPERATIONS)
    max_nodes = NODES + 1

    # ---------------------------------------------------------------- membership and identity

    def node_choices(self, node: int) -> Sequence[int]:
        """The input first, any operation on the other nodes."""
        return range(1, len(self.node_ops)) if node else (0,)

    def edge_choices(self, source: int, target: int) -> Sequence[int]:
        """Node 1 reads the input; every other edge is a choice within the rule."""
        return (1,) if target == 1 else (0, 1)

    def check(self, architecture: Architecture) -> None:
        """Five nodes, one input for each after the first, and an operation other than skip connections."""
        if architecture.num_nodes != self.max_nodes:
            raise InvalidArchitecture(
                f"{self.name}: an architecture has {self.max_nodes} nodes, got {architecture.num_nodes}"
            )
        inputs = architecture.adjacency[:, 1:].sum(0)
        if not (inputs == 1).all():
            node = int(np.argmax(inputs != 1)) + 1
            raise InvalidArchitecture(
                f"{self.name}: node {node} reads {inputs[node - 1]} nodes, each must read exactly one"
            )
        if (architecture.operations[1:] == SKIP + 1).all():
            raise InvalidArchitecture(f"{self.name}: all four operations are skip connections")

    def check_batch(self, batch: ArchitectureBatch) -> NDArray[np.bool_]:
        """``(B,)``: whether each graph is in the space."""
        n = self.max_nodes
        adjacency, operations, num_nodes = batch.to_arrays()
        if operations.shape[1] < n:
            return np.zeros(len(operations), bool)
        adjacency, operations = adjacency[:, :n, :n], operations[:, :n]  # a batch may be padded further
        inner = operations[:, 1:]
        fits = (num_nodes == n) & (operations[:, 0] == 0) & (adjacency <= 1).all((1, 2))
        fits &= ((inner >= 1) & (inner <= len(OPERATIONS))).all(1) & (inner != SKIP + 1).any(1)
        return np.asarray(fits & (adjacency[:, :, 1:].sum(1) == 1).all(1))

    def key(self, architecture: Architecture) -> str:
        """The five digits of the benchmark's own number, see :mod:`search_spaces.nasbench_graph_codes`."""
        return self.keys([architecture])[0]

    def keys(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> list[str]:
        """The key of each architecture.

        Raises:
            InvalidArchitecture: An architecture is not in the space.
        """
        return [f"{code:05d}" for code in self.codes(architectures).tolist()]

    def codes(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> NDArray[np.int64]:
        """The benchmark's numbers ``(B,)``.

        Raises:
            InvalidArchitecture: An architecture is not in the space.
        """
        n = self.max_nodes
        if isinstance(architectures, Sequence):
            for architecture in architectures:
                self.validate(architecture)
            adjacency = np.array([a.adjacency for a in architectures], np.int8).reshape(-1, n, n)
            operations = np.array([a.operations for a in architectures], np.int16).reshape(-1, n)
        else:
            fits = self.check_batch(architectures)
            if not fits.all():
                self.validate(architectures.architecture(int(np.argmin(fits))))  # says what is wrong
            adjacency, operations, _ = architectures.to_arrays()
        return _codes(adjacency, operations)

    def active_batch(self, batch: ArchitectureBatch) -> ArchitectureBatch:
        """Each architecture as its code spells it, so that those of one key are one graph.

        Graphs that break the rule, which candidates of a search may do, are returned as they are.
        """
        from graphnas.graph.batch import ArchitectureBatch

        adjacency, operations, num_nodes = batch.to_arrays()
        adjacency, operations = adjacency.copy(), operations.copy()
        rows = np.flatnonzero(self.check_batch(batch))
        codes = _codes(adjacency[rows], operations[rows])
        adjacency[rows], operations[rows] = _arrays(*decoded(codes))
        return ArchitectureBatch.from_arrays(adjacency, operations, num_nodes)

    def from_code(self, code: int) -> Architecture:
        """The architecture that one of the benchmark's numbers spells.

        Raises:
            InvalidArgument: It is not one of the 26,206.
        """
        known = known_codes()
        if code not in known[np.searchsorted(known, [code]) % len(known)]:
            raise InvalidArgument(f"{code} is not the code of an architecture of {self.name}")
        links, operations = decoded(np.array([code]))
        return _architecture(links[0], operations[0])

    # ---------------------------------------------------------------- parameters of the host

    def parameters(self) -> dict[str, tuple[Choice, ...]]:
        """Which node the nodes 2 to 4 read, and the operations of 1 to 4."""
        inputs = {f"{self.name}/input_{j}": tuple(range(j)) for j in range(2, NODES + 1)}
        return {**inputs, **{f"{self.name}/op_{j}": OPERATIONS for j in range(1, NODES + 1)}}

    def to_parameters(self, architecture: Architecture) -> dict[str, Choice]:
        """``architecture`` as values of :meth:`parameters`.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.validate(architecture)
        links, operations = _read(architecture)
        values: list[Choice] = [*links[1:], *(OPERATIONS[label] for label in operations)]
        return dict(zip(self.parameters(), values, strict=True))

    def from_parameters(self, parameters: Parameters) -> Architecture:
        """The inverse of :meth:`to_parameters`; other names are ignored or refused as in every space.

        Raises:
            InvalidArchitecture: A missing or unknown parameter, a value that is not one of its choices, or
                skip connections only.
        """
        choices, parameters = self.parameters(), unnested(parameters)
        check_names(self.name, tuple(choices), parameters)
        read = []
        for name, allowed in choices.items():
            try:
                read.append(allowed.index(parameters[name]))
            except (TypeError, ValueError, RuntimeError) as error:  # none of them, or an array
                raise InvalidArchitecture(f"{name} = {parameters[name]!r} is not one of {allowed}") from error
        architecture = _architecture(np.array([0, *read[: NODES - 1]]), np.array(read[NODES - 1 :]))
        self.validate(architecture)
        return architecture

    # ---------------------------------------------------------------- text

    def to_string(self, architecture: Architecture) -> str:
        """The two lists that describe an architecture in the benchmark, links and operations, as JSON.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.validate(architecture)
        links, operations = _read(architecture)
        return json.dumps([links, [OPERATIONS[label] for label in operations]])

    def from_string(self, text: str) -> Architecture:
        """The inverse of :meth:`to_string`, such as ``[[0, 1, 2, 1], ["gcn", "gin", "fc", "cheb"]]``.

        Raises:
            InvalidArchitecture: The text is not of that form, or breaks a rule.
        """
        try:
            links, operations = json.loads(text)
            labels = [OPERATIONS.index(operation) for operation in operations]
            fits = len(links) == len(labels) == NODES
            fits = fits and all(type(link) is int and 0 <= link <= k for k, link in enumerate(links))
        except (ValueError, TypeError, RecursionError) as error:
            raise InvalidArchitecture(f"{self.name}: {str(text)[:80]!r} ({error})") from error
        if not fits:
            raise InvalidArchitecture(
                f"{self.name}: expected {NODES} links, each to an earlier node, and {NODES} operations, "
                f"got {text[:80]!r}"
            )
        architecture = _architecture(np.array(links), np.array(labels))
        self.validate(architecture)
        return architecture

    # ---------------------------------------------------------------- moving about in the space

    def size(self) -> int:
        """26,206 architectures; those of one key counted once."""
        return SIZE

    def enumerate(self) -> Iterator[Architecture]:
        """One architecture of each key, in the order of the keys."""
        links, operations = decoded(known_codes())
        return map(_architecture, links, operations)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Uniform links and operations, which is not uniform over keys."""
        links, operations = self._draw(rng, 1)
        return _architecture(links[0], operations[0])

    def _sample_arrays(
        self, rng: np.random.Generator, size: int
    ) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
        return _arrays(*self._draw(rng, size))

    def _draw(self, rng: np.random.Generator, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        links = rng.integers(np.arange(1, NODES + 1), size=(size, NODES))
        operations = rng.integers(len(OPERATIONS), size=(size, NODES))
        while (skips := (operations == SKIP).all(1)).any():
            operations[skips] = rng.integers(len(OPERATIONS), size=(int(skips.sum()), NODES))
        return links, operations

    def neighbors(self, architecture: Architecture) -> list[Architecture]:
        """All architectures in which one node has another input or operation, in a fixed order.

        Raises:
            InvalidArchitecture: ``architecture`` is not in the space.
        """
        self.validate(architecture)
        return [changed for k in range(len(_CHOICES)) for changed in self._changes(architecture, k)]

    def _changes(self, architecture: Architecture, parameter: int) -> list[Architecture]:
        """The architectures that differ in one parameter: the input or the operation of a node."""
        links, operations = _read(architecture)
        values, at = (links, parameter + 1) if parameter < NODES - 1 else (operations, parameter - NODES + 1)
        current = values[at]
        changed = []
        for value in range(at + 1 if values is links else len(OPERATIONS)):
            values[at] = value
            if value != current and any(label != SKIP for label in operations):
                changed.append(_architecture(np.array(links), np.array(operations)))
        return changed

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """Another input or operation of a random node.

        Raises:
            InvalidArchitecture: ``architecture`` is not in the space.
        """
        self.validate(architecture)
        changes = self._changes(architecture, int(rng.integers(len(_CHOICES))))
        if not changes:  # every parameter has another valid value
            raise SpaceExhausted(f"{self.name}: no valid change of one parameter of {architecture!r}")
        return changes[int(rng.integers(len(changes)))]

    # ---------------------------------------------------------------- the network

    def build(  # type: ignore[override]  # names what **shape takes
        self,
        architecture: Architecture,
        num_classes: int,
        *,
        in_channels: int,
        width: int = 256,
        pre_layer: bool = False,
        post_layer: bool = True,
        dropout: float = 0.0,
    ) -> nn.Module:
        """A network from features ``(N, in_channels)`` and edges ``(2, E)`` of a graph to ``(N, classes)``.

        It is made of the layers of torch_geometric (extra ``pyg``), see
        :mod:`search_spaces.nasbench_graph_network`, which also has the benchmark's settings (``SHAPES``).

        Args:
            architecture: A member of the space.
            num_classes: Size of the output.
            in_channels: Features of a node of the graph.
            width: Features after each operation; even, because the attention of ``gat`` has two heads.
            pre_layer: Whether a fully connected layer comes before the first node.
            post_layer: Whether one comes before the classifier.
            dropout: Probability of dropping a feature before each operation.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
            InvalidArgument: A size is not positive, ``width`` is odd, or another ``dropout``.
            MissingExtra: torch_geometric is not installed.
        """
        self.validate(architecture)
        from search_spaces.nasbench_graph_network import GraphNetwork

        links, operations = decoded(self.codes([architecture]))
        names = [OPERATIONS[label] for label in operations[0]]
        return GraphNetwork(
            links[0].tolist(), names, num_classes, in_channels, width, pre_layer, post_layer, dropout
        )


def _codes(adjacency: NDArray[np.int8], operations: NDArray[np.int16]) -> NDArray[np.int64]:
    return codes_of(adjacency[:, :, 1:].argmax(1), operations[:, 1:].astype(np.int64) - 1)


def _read(architecture: Architecture) -> tuple[list[int], list[int]]:
    links: list[int] = architecture.adjacency[:, 1:].argmax(0).tolist()
    operations: list[int] = (architecture.operations[1:] - 1).tolist()
    return links, operations


def _arrays(links: ArrayLike, operations: ArrayLike) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
    links, operations = np.asarray(links), np.asarray(operations)
    adjacency = np.zeros((len(links), NODES + 1, NODES + 1), np.int8)
    adjacency[np.arange(len(links))[:, None], links, np.arange(1, NODES + 1)] = 1
    labels = np.zeros((len(links), NODES + 1), np.int16)
    labels[:, 1:] = operations + 1
    return adjacency, labels


def _architecture(links: NDArray[np.int64], operations: NDArray[np.int64]) -> Architecture:
    adjacency, labels = _arrays(links[None], operations[None])
    return Architecture.from_trusted(adjacency[0], labels[0])
