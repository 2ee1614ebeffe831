"""NAS-Bench-201: cells of 4 nodes with one of 5 operations on each of the 6 edges.

Source: Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search" (ICLR
2020), section 2; the topology space of NATS-Bench (TPAMI 2021) is the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from search_spaces.edge_cells import EDGES, NUM_NODES, EdgeCells, labels_of, named_edges

if TYPE_CHECKING:
    from torch import nn

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
SIZE = len(OPERATIONS) ** len(EDGES)
IDENTITIES = ("graph", "function")
_ZERO = "#"
_SWAPPED = (1, 0, 2, 3, 5, 4)
"""Position of each edge after nodes 1 and 2 change places (an isomorphism where they are not connected)."""


class NASBench201(EdgeCells):
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

    def __init__(self, identity: str = "function") -> None:
        if identity not in IDENTITIES:
            raise InvalidArgument(f"identity must be one of {IDENTITIES}, got {identity!r}")
        self.identity = identity

    def arguments(self) -> dict[str, Any]:
        """``identity``."""
        return {"identity": self.identity}

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
        labels = labels_of(architecture)
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

        edges = named_edges(architecture, OPERATIONS)
        return NASBench201Network(edges, num_classes, in_channels, channels, cells_per_stage)

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
        labels = labels_of(architecture)
        taps = labels.count(2) + 9 * labels.count(3)  # weights per pair of channels
        convolutions = labels.count(2) + labels.count(3)
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
