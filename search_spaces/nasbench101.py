"""NAS-Bench-101: cells of up to 7 vertices and 9 edges with one of 3 operations on each inner vertex.

Source: Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search" (ICML 2019), section 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArchitecture
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import Choice, GraphSpace
from search_spaces import nasbench101_cells as cells
from search_spaces.nasbench101_cells import CONV3X3, INPUT, MAX_EDGES, OUTPUT, VERTICES

if TYPE_CHECKING:
    from torch import nn

    from graphnas.graph.batch import ArchitectureBatch

SIZE = 423_624
_OPERATIONS = range(CONV3X3, OUTPUT)
_SOURCES, _TARGETS = np.triu_indices(VERTICES, 1)


class NASBench101(GraphSpace):
    """The space of NAS-Bench-101, 423,624 cells up to isomorphism.

    Node labels are 0 input, 1 conv3x3, 2 conv1x1, 3 maxpool3x3 and 4 output, under their official names. An
    architecture has 2 to 7 nodes, the first is the input and the last the output. As in the benchmark, nodes
    off every path from input to output are removed first, and what is left must hold a path and at most 9
    edges; so an architecture may itself have more edges, and the same cell can be written in many ways.

    Parameters describe 7 nodes: ``nasbench101/edge_0_1`` to ``edge_5_6`` and ``op_1`` to ``op_5``. A smaller
    architecture is completed first (:meth:`completed`): its output becomes node 6 and the nodes it lacks are
    conv3x3 without edges. Hence ``from_parameters(to_parameters(a))`` is ``completed(a)``: ``a`` itself where
    it has 7 nodes, otherwise an architecture of the same key that builds the same network.
    """

    name = "nasbench101"
    node_ops = ("input", "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3", "output")
    max_nodes = VERTICES
    terminal = OUTPUT

    # ---------------------------------------------------------------- membership and identity

    def node_choices(self, node: int) -> Sequence[int]:
        """Input first, output last, one of the three operations between (in architectures of 7 nodes)."""
        if node in (0, VERTICES - 1):
            return (OUTPUT,) if node else (INPUT,)
        return _OPERATIONS

    def validate(self, architecture: Architecture) -> None:
        """Check that ``architecture`` is in the space.

        Raises:
            InvalidArchitecture: Saying which rule broke.
        """
        if isinstance(architecture, Architecture) and architecture.num_nodes < VERTICES:
            self._check_labels(architecture.operations.tolist())
            architecture = _completed(architecture)
        super().validate(architecture)

    def _check_labels(self, labels: list[int]) -> None:
        if len(labels) < 2:
            raise InvalidArchitecture(f"{self.name}: 1 node, at least 2 are needed (input and output)")
        last = len(labels) - 1
        for node, label in enumerate(labels):
            allowed = _OPERATIONS if 0 < node < last else (OUTPUT,) if node else (INPUT,)
            if label not in allowed:
                name = repr(self.node_ops[label]) if label < len(self.node_ops) else f"label {label}"
                names = ", ".join(self.node_ops[k] for k in allowed)
                raise InvalidArchitecture(
                    f"{self.name}: node {node} of {len(labels)} is {name}, allowed: {names}"
                )

    def check(self, architecture: Architecture) -> None:
        """A path from input to output, and at most 9 edges on such paths."""
        alive = _alive(architecture)
        if not alive:
            raise InvalidArchitecture(f"{self.name}: there is no path from input to output")
        edges = sum(i in alive and j in alive for i, j in np.argwhere(architecture.adjacency).tolist())
        if edges > MAX_EDGES:
            raise InvalidArchitecture(
                f"{self.name}: {edges} edges on paths from input to output, at most {MAX_EDGES} are allowed"
            )

    def check_batch(self, batch: ArchitectureBatch) -> NDArray[np.bool_]:
        """The rule of :meth:`check`."""
        return _pruned(batch)[0].valid

    def valid_batch(self, batch: ArchitectureBatch) -> NDArray[np.bool_]:
        """``(B,)``: which architectures of ``batch`` :meth:`validate` accepts."""
        mask = np.asarray((batch.to_arrays()[2] >= 2) & (batch.to_arrays()[2] <= VERTICES))
        if mask.any():
            pruned, labelled = _pruned(batch[mask])
            mask[mask] = pruned.valid & labelled
        return mask

    def prune(self, architecture: Architecture) -> Architecture:
        """The cell that is built: without the nodes off every path from input to output.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.validate(architecture)
        alive = _alive(architecture)
        return architecture if len(alive) == architecture.num_nodes else architecture.subgraph(sorted(alive))

    def completed(self, architecture: Architecture) -> Architecture:
        """``architecture`` with 7 nodes: the output last, missing nodes as conv3x3 without edges.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.validate(architecture)
        return architecture if architecture.num_nodes == VERTICES else _completed(architecture)

    def key(self, architecture: Architecture) -> str:
        """11 hexadecimal digits, equal exactly for cells that are isomorphic once pruned.

        They encode the pruned cell itself, with its inner nodes in the order that gives the smallest number,
        so there are no collisions. See also :meth:`keys`.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.validate(architecture)
        full = _completed(architecture)
        alive = _alive(full)
        edges = [(i, j) for i, j in np.argwhere(full.adjacency).tolist() if i in alive and j in alive]
        labels = full.operations.tolist()
        return _key(cells.code_of(edges, [labels[v] if v in alive else 0 for v in range(1, VERTICES - 1)]))

    def keys(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> list[str]:
        """The key of each architecture; all cells of the benchmark take about a second.

        Raises:
            InvalidArchitecture: An architecture is not in the space.
        """
        return [_key(code) for code in self.codes(architectures).tolist()]

    def codes(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> NDArray[np.int64]:
        """The keys as integers ``(B,)``.

        Raises:
            InvalidArchitecture: An architecture is not in the space.
        """
        return cells.codes(self.pruned_cells(architectures))

    def pruned_cells(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> cells.PrunedCells:
        """The architectures as pruned arrays, validated.

        Raises:
            InvalidArchitecture: An architecture is not in the space.
        """
        if isinstance(architectures, Sequence):
            for architecture in architectures:
                self.validate(architecture)
            full = [_completed(architecture) for architecture in architectures]
            shape = (-1, VERTICES, VERTICES)
            return cells.prune(
                np.array([a.adjacency for a in full], np.int8).reshape(shape),
                np.array([a.operations for a in full], np.int16).reshape(-1, VERTICES),
            )
        num_nodes = architectures.to_arrays()[2]
        bad = (num_nodes < 2) | (num_nodes > VERTICES)
        if not bad.any():
            pruned, labelled = _pruned(architectures)
            bad = ~(pruned.valid & labelled)
        if bad.any():
            self.validate(architectures.architecture(int(np.argmax(bad))))  # its message says what is wrong
        return pruned

    def md5_hash(self, architecture: Architecture) -> str:
        """The benchmark's own hash of a cell, as in its files; see :func:`nasbench101_cells.md5_hash`.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        pruned = self.prune(architecture)
        return cells.md5_hash(pruned.adjacency, pruned.operations)

    def active_batch(self, batch: ArchitectureBatch) -> ArchitectureBatch:
        """The pruned cells of a batch, in the same order; see :meth:`prune`."""
        from graphnas.graph.active import alive_nodes, keep_nodes

        return keep_nodes(batch, alive_nodes(batch))

    # ---------------------------------------------------------------- parameters of the host

    def to_parameters(self, architecture: Architecture) -> dict[str, Choice]:
        """``architecture``, completed to 7 nodes, as values of :meth:`parameters`.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        return super().to_parameters(self.completed(architecture))

    def _places(self) -> list[tuple[str, int, int]]:
        edges = [(f"{self.name}/edge_{i}_{j}", i, j) for j in range(VERTICES) for i in range(j)]
        return edges + [(f"{self.name}/op_{j}", j, j) for j in range(VERTICES)]

    # ---------------------------------------------------------------- moving about in the space

    def size(self) -> int:
        """423,624 cells, isomorphic ones counted once."""
        return SIZE

    def sample(self, rng: np.random.Generator) -> Architecture:
        """A random architecture, uniform over the valid ways to write a cell with 7 nodes.

        Every edge and operation is drawn uniformly, and the cell again until it is valid, as in the random
        search of the benchmark's authors. It is not uniform over cells, which can be written in different
        numbers of ways; for that, use ``space.restricted_to(table)``.
        """
        adjacency, operations = self._sample_arrays(rng, 1)
        return Architecture.from_trusted(adjacency[0].copy(), operations[0].copy())

    def _sample_arrays(
        self, rng: np.random.Generator, size: int
    ) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
        adjacency = np.zeros((size, VERTICES, VERTICES), np.int8)
        operations = np.zeros((size, VERTICES), np.int16)
        operations[:, -1] = OUTPUT
        todo = np.arange(size)
        while len(todo):
            adjacency[todo[:, None], _SOURCES, _TARGETS] = rng.integers(2, size=(len(todo), len(_SOURCES)))
            operations[todo, 1:-1] = rng.integers(CONV3X3, OUTPUT, size=(len(todo), VERTICES - 2))
            todo = todo[~cells.prune(adjacency[todo], operations[todo]).valid]
        return adjacency, operations

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A valid architecture of 7 nodes that differs from the completed one in one random parameter.

        The change may lie in what pruning removes: such neutral steps lead from smaller cells to larger ones.

        Raises:
            InvalidArchitecture: ``architecture`` is not in the space.
        """
        return super().mutate(self.completed(architecture), rng)

    def neighbors(self, architecture: Architecture) -> list[Architecture]:
        """All valid architectures of 7 nodes that differ from the completed one in one parameter.

        Raises:
            InvalidArchitecture: ``architecture`` is not in the space.
        """
        return super().neighbors(self.completed(architecture))

    def enumerate(self) -> Iterator[Architecture]:
        """Each of the 423,624 cells once, pruned, generated from the rules alone; takes some seconds."""
        for adjacency, operations in cells.enumerate_cells():
            yield Architecture.from_trusted(adjacency, operations)

    # ---------------------------------------------------------------- the network

    def build(  # type: ignore[override]  # names what **shape takes
        self,
        architecture: Architecture,
        num_classes: int,
        *,
        in_channels: int = 3,
        channels: int = 128,
        stacks: int = 3,
        cells_per_stack: int = 3,
    ) -> nn.Module:
        """The benchmark's network; with the defaults, exactly the one its results were measured on.

        If the channels do not divide evenly among the nodes that feed the output, the first of them get one
        more each. So isomorphic cells with their nodes in another order can differ by a few weights, as in
        the benchmark.

        Args:
            architecture: A member of the space.
            num_classes: Size of the output.
            in_channels: Channels of the images.
            channels: Width of the stem and of the first stack; it doubles from stack to stack.
            stacks: Number of stacks; before each but the first, the resolution is halved.
            cells_per_stack: Repetitions of the cell in each stack.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
            InvalidArgument: A size is not positive, or ``channels`` are too few to be shared.
        """
        pruned = self.prune(architecture)
        from search_spaces.backbone import node_inputs
        from search_spaces.nasbench101_network import NASBench101Network

        return NASBench101Network(
            node_inputs(pruned.adjacency),
            [self.node_ops[label] for label in pruned.operations],
            num_classes,
            in_channels=in_channels,
            channels=channels,
            stacks=stacks,
            cells_per_stack=cells_per_stack,
        )

    def complexity(
        self, architecture: Architecture, num_classes: int = 10, image_size: int = 32
    ) -> tuple[int, int]:
        """Trainable parameters and multiply-accumulates of the benchmark's network, in closed form.

        Convolutions and the classifier count as multiply-accumulates, as in
        :func:`search_spaces.complexity.count_complexity`.

        Args:
            architecture: A member of the space.
            num_classes: Size of the output.
            image_size: Height and width of the input.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        parameters, macs = cells.complexity(self.pruned_cells([architecture]), num_classes, image_size)
        return int(parameters[0]), int(macs[0])


def _key(code: int) -> str:
    return f"{code:011x}"


def _alive(architecture: Architecture) -> set[int]:
    """The nodes on a path from the first to the last node; empty where there is no such path."""
    rows: list[list[int]] = architecture.adjacency.tolist()
    last = len(rows) - 1
    forward = {0}
    for j in range(1, last + 1):
        if any(rows[i][j] for i in forward):
            forward.add(j)
    if last not in forward:
        return set()
    alive = {last}
    for i in range(last - 1, -1, -1):
        if i in forward and any(rows[i][j] for j in alive):
            alive.add(i)
    return alive


def _pruned(batch: ArchitectureBatch) -> tuple[cells.PrunedCells, NDArray[np.bool_]]:
    """Cells of at most 7 vertices, pruned, and ``(B,)`` which of them have allowed labels."""
    adjacency, operations, num_nodes = batch.to_arrays()
    width = int(num_nodes.max(initial=2))  # a batch may be padded further
    adjacency, operations = cells.complete(adjacency[:, :width, :width], operations[:, :width], num_nodes)
    inner = operations[:, 1:-1]
    labelled = ((inner >= CONV3X3) & (inner < OUTPUT)).all(1) & (adjacency <= 1).all((1, 2))
    labelled &= (operations[:, 0] == INPUT) & (operations[:, -1] == OUTPUT)
    return cells.prune(adjacency, operations), labelled


def _completed(architecture: Architecture) -> Architecture:
    last = architecture.num_nodes - 1
    if last == VERTICES - 1:
        return architecture
    adjacency = np.zeros((VERTICES, VERTICES), np.int8)
    operations = np.full(VERTICES, CONV3X3, np.int16)
    adjacency[:last, :last] = architecture.adjacency[:last, :last]
    adjacency[:last, -1] = architecture.adjacency[:last, last]
    operations[:last] = architecture.operations[:last]
    operations[-1] = architecture.operations[last]
    return Architecture.from_trusted(adjacency, operations)
