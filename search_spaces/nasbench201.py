"""NAS-Bench-201: cells of 4 nodes with one of 5 operations on each of the 6 edges.

Source: Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search" (ICLR
2020), section 2; the topology space of NATS-Bench (TPAMI 2021) is the same.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace

if TYPE_CHECKING:
    from torch import nn

    from graphnas.graph.batch import ArchitectureBatch

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NUM_NODES = 4
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""The edges in the order of the official string: by target, then by source."""

SIZE = len(OPERATIONS) ** len(EDGES)
_SOURCES, _TARGETS = (np.array(ends) for ends in zip(*EDGES, strict=True))
_PLACE_VALUES = len(OPERATIONS) ** np.arange(len(EDGES) - 1, -1, -1)
IDENTITIES = ("graph", "function")
_ZERO = "#"
_SWAPPED = (1, 0, 2, 3, 5, 4)
"""Position of each edge after nodes 1 and 2 change places (an isomorphism where they are not connected)."""


class NASBench201(GraphSpace):
    """The space of NAS-Bench-201, 15,625 cells; ``none`` is the label 0, that is, no edge.

    Parameters are ``nasbench201/op_0_1`` to ``nasbench201/op_2_3``; their choices are the official names.

    Args:
        identity: The rule by which cells share a :meth:`key`, so that a search evaluates only one of them.
            "function": cells with the same simplified string (:meth:`function_string`), the benchmark's
            6,466 classes (``iso_class`` in the table); the benchmark still trained each cell and has a result
            for each. "graph": isomorphic cells (:meth:`graph_key`), 14,125 classes. Neither refines the
            other: 1,436 of the 1,500 pairs of mirror images are in different classes of the benchmark,
            although both cells of a pair build the same network.

    Raises:
        InvalidArgument: Another ``identity``.
    """

    name = "nasbench201"
    edge_ops = OPERATIONS
    max_nodes = NUM_NODES
    one_result_per_key = False

    def __init__(self, identity: str = "function") -> None:
        if identity not in IDENTITIES:
            raise InvalidArgument(f"identity must be one of {IDENTITIES}, got {identity!r}")
        self.identity = identity

    def arguments(self) -> dict[str, Any]:
        """``identity``."""
        return {"identity": self.identity}

    def check(self, architecture: Architecture) -> None:
        """Every cell has 4 nodes; any labelling of their edges is allowed."""
        if architecture.num_nodes != NUM_NODES:
            raise InvalidArchitecture(
                f"{self.name}: a cell has {NUM_NODES} nodes, got {architecture.num_nodes}"
            )

    def check_batch(self, batch: ArchitectureBatch) -> NDArray[np.bool_]:
        """The rule of :meth:`check`."""
        return batch.to_arrays()[2] == NUM_NODES

    def key(self, architecture: Architecture) -> str:
        """:meth:`function_string` or :meth:`graph_key`, as ``identity`` says."""
        if self.identity == "graph":
            return self.graph_key(architecture)
        return self.function_string(architecture)

    def graph_key(self, architecture: Architecture) -> str:
        """The operations in string order, as digits, of the smaller of the cell and its mirror image.

        The only isomorphism between two cells that respects input and output swaps the two inner nodes, and
        it keeps the order of the nodes only where they are not connected.
        """
        labels = architecture.adjacency[_SOURCES, _TARGETS].tolist()
        digits = "".join(map(str, labels))
        if labels[2]:
            return digits
        return min(digits, "".join(str(labels[k]) for k in _SWAPPED))

    def function_string(self, architecture: Architecture) -> str:
        """What the output computes, as a simplified sum: equal for cells of one class of the benchmark.

        Source: Dong and Yang (2020), section 2.1, "6,466 unique topology structures". A node is the sorted
        sum of its edges: ``#`` (zero) from a ``none`` or a node that is zero, the node itself from a skip
        connection, otherwise the operation applied to it. Sums within sums are not merged and zeros are not
        dropped, so some cells that compute the same still differ, even mirror images: node 2 has the zero of
        a ``none`` from node 1 in its sum, and in the mirror image node 2 is the other node. Merging all cells
        that compute the same would leave 4,930 classes.
        """
        nodes = ["0"]
        for target in range(1, NUM_NODES):
            terms = []
            for source, operand in enumerate(nodes):
                label = int(architecture.adjacency[source, target])
                if label == 0 or operand == _ZERO:
                    terms.append(_ZERO)
                else:
                    terms.append(operand if label == 1 else f"({operand})@{OPERATIONS[label]}")
            nodes.append("+".join(sorted(terms)))
        return nodes[-1]

    # ---------------------------------------------------------------- parameters of the host

    def _places(self) -> list[tuple[str, int, int]]:
        return [(f"{self.name}/op_{i}_{j}", i, j) for i, j in EDGES]

    # ---------------------------------------------------------------- official string form

    def to_string(self, architecture: Architecture) -> str:
        """The official form, such as ``|avg_pool_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|none~2|``.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.validate(architecture)
        nodes = []
        for target in range(1, NUM_NODES):
            inputs = (f"{OPERATIONS[architecture.adjacency[i, target]]}~{i}" for i in range(target))
            nodes.append(f"|{'|'.join(inputs)}|")
        return "+".join(nodes)

    def from_string(self, text: str) -> Architecture:
        """The inverse of :meth:`to_string`.

        Raises:
            InvalidArchitecture: The text is not of the official form, or names an unknown operation.
        """
        adjacency = np.zeros((NUM_NODES, NUM_NODES), np.int8)
        nodes = text.strip().split("+") if isinstance(text, str) else []
        if len(nodes) != NUM_NODES - 1:
            raise InvalidArchitecture(
                f"{self.name}: expected {NUM_NODES - 1} nodes joined by '+' in {text!r}"
            )
        for target, node in enumerate(nodes, start=1):
            inputs = re.fullmatch(r"\|(.*)\|", node)
            terms = inputs.group(1).split("|") if inputs else []
            expected = [str(source) for source in range(target)]
            if [term.rpartition("~")[2] for term in terms] != expected:
                raise InvalidArchitecture(
                    f"{self.name}: node {target} must read |operation~0| up to "
                    f"operation~{target - 1}|, got {node!r}"
                )
            for source, term in enumerate(terms):
                operation = term.rpartition("~")[0]
                if operation not in OPERATIONS:
                    raise InvalidArchitecture(
                        f"{self.name}: operation {operation!r} is not one of {OPERATIONS}"
                    )
                adjacency[source, target] = OPERATIONS.index(operation)
        return Architecture(adjacency)

    # ---------------------------------------------------------------- moving about in the space

    def size(self) -> int:
        """15,625 cells."""
        return SIZE

    def sample(self, rng: np.random.Generator) -> Architecture:
        """A cell with each operation drawn uniformly."""
        return _architecture(rng.integers(len(OPERATIONS), size=len(EDGES)))

    def _sample_arrays(
        self, rng: np.random.Generator, size: int
    ) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
        return _arrays(rng.integers(len(OPERATIONS), size=(size, len(EDGES))))

    def enumerate(self) -> Iterator[Architecture]:
        """Every cell once, in the order of :meth:`ordinals`."""
        return map(_architecture, itertools.product(range(len(OPERATIONS)), repeat=len(EDGES)))

    def at(self, ordinal: int) -> Architecture:
        """The cell at position ``ordinal`` of :meth:`enumerate`.

        Raises:
            InvalidArgument: ``ordinal`` is not in 0..15,624.
        """
        if not 0 <= ordinal < SIZE:
            raise InvalidArgument(f"ordinal must be in 0..{SIZE - 1}, got {ordinal}")
        return _architecture(ordinal // _PLACE_VALUES % len(OPERATIONS))

    def ordinals(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> NDArray[np.int64]:
        """The position of each cell in :meth:`enumerate` (not the benchmark's own index).

        Raises:
            InvalidArchitecture: An architecture is not in the space.
        """
        if isinstance(architectures, Sequence):
            for architecture in architectures:
                self.validate(architecture)
            stacked = np.array([a.adjacency for a in architectures], np.int64).reshape(
                -1, NUM_NODES, NUM_NODES
            )
        else:
            stacked = architectures.to_arrays()[0].astype(np.int64)
            if stacked.shape[1:] != (NUM_NODES, NUM_NODES) or stacked.max(initial=0) >= len(OPERATIONS):
                raise InvalidArchitecture(f"{self.name}: the batch holds architectures that are not cells")
        return stacked[:, _SOURCES, _TARGETS] @ _PLACE_VALUES

    # ---------------------------------------------------------------- the network

    def build(  # type: ignore[override]  # names what **shape takes
        self,
        architecture: Architecture,
        num_classes: int,
        *,
        in_channels: int = 3,
        channels: int = 16,
        cells_per_stage: int = 5,
    ) -> nn.Module:
        """The benchmark's network; with the defaults, exactly the one its results were measured on.

        Args:
            architecture: A cell.
            num_classes: Size of the output.
            in_channels: Channels of the images.
            channels: Width of the first of the three stages; it doubles from stage to stage.
            cells_per_stage: Repetitions of the cell in each stage.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
            InvalidArgument: A size is not positive.
        """
        self.validate(architecture)
        from search_spaces.nasbench201_network import NASBench201Network

        return NASBench201Network(architecture.adjacency, num_classes, in_channels, channels, cells_per_stage)

    def complexity(
        self, architecture: Architecture, num_classes: int = 10, image_size: int = 32
    ) -> tuple[int, int]:
        """Trainable parameters and multiply-accumulates of the benchmark's network, in closed form.

        Convolutions and the classifier are counted, as in the official API (7.78 to 220.12 million on
        CIFAR-10, which it calls FLOPs); it equals :func:`search_spaces.complexity.count_complexity`. Edges
        that do not reach the output count too, because the benchmark keeps them.

        Args:
            architecture: A cell.
            num_classes: 10, 100 or 120 for the benchmark's three data sets.
            image_size: Height and width of the input, a multiple of 4: 32 for CIFAR, 16 for ImageNet16-120.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.validate(architecture)
        labels = architecture.adjacency[_SOURCES, _TARGETS]
        taps = int((labels == 2).sum()) + 9 * int((labels == 3).sum())  # weights per pair of channels
        convolutions = int(((labels == 2) | (labels == 3)).sum())
        pixels = image_size**2
        parameters, macs = 27 * 16 + 2 * 16, 27 * 16 * pixels
        for stage, width in enumerate((16, 32, 64)):
            area = pixels // 4**stage
            parameters += 5 * (taps * width**2 + convolutions * 2 * width)
            macs += 5 * taps * width**2 * area
            if stage:
                half = width // 2
                residual = 9 * half * width + 9 * width**2 + half * width
                parameters += residual + 4 * width
                macs += residual * area
        return parameters + 2 * 64 + 65 * num_classes, macs + 64 * num_classes

    def __repr__(self) -> str:
        return "NASBench201()" if self.identity == "function" else f"NASBench201(identity={self.identity!r})"


def _arrays(labels: NDArray[np.int64]) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
    """Adjacency ``(B, 4, 4)`` and operations ``(B, 4)`` of ``(B, 6)`` edge labels in string order."""
    adjacency = np.zeros((len(labels), NUM_NODES, NUM_NODES), np.int8)
    adjacency[:, _SOURCES, _TARGETS] = labels
    return adjacency, np.zeros((len(labels), NUM_NODES), np.int16)


def _architecture(labels: Sequence[int] | NDArray[np.int64]) -> Architecture:
    adjacency = np.zeros((NUM_NODES, NUM_NODES), np.int8)
    adjacency[_SOURCES, _TARGETS] = labels
    return Architecture.from_trusted(adjacency, np.zeros(NUM_NODES, np.int16))
