"""TransNAS-Bench-101, micro space: cells of 4 nodes with one of 4 operations on each of the 6 edges.

Source: Duan et al., "TransNAS-Bench-101: Improving Transferability and Generalizability of Cross-Task Neural
Architecture Search" (CVPR 2021), section 3; seven tasks of computer vision on indoor scenes (Taskonomy).
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.canonical import canonical_key
from search_spaces.edge_cells import EDGES, EdgeCells, from_labels, labels_of, named_edges

if TYPE_CHECKING:
    from torch import nn

OPERATIONS = ("none", "skip_connect", "conv1x1", "conv3x3")
SIZE = len(OPERATIONS) ** len(EDGES)
SKELETON = "64-41414"
_FORM = re.compile(SKELETON + r"-([0-3])_([0-3]{2})_([0-3]{3})")
_INPUT = -1
_OUTPUT_LABEL = len(OPERATIONS)


class TransNASBench101(EdgeCells):
    """The micro space of TransNAS-Bench-101, 4,096 cells; ``none`` is the label 0, that is, no edge.

    Parameters are ``transnasbench101/op_0_1`` to ``transnasbench101/op_2_3``. A search counts cells of one
    function (:meth:`key`) once, 1,666 classes; the benchmark has a result for each cell.
    """

    name = "transnasbench101"
    edge_ops = OPERATIONS

    def key(self, architecture: Architecture) -> str:
        """A digest that is equal for cells whose networks are the same up to the order of their sums.

        Edges of ``none`` and whatever does not reach the output are dropped, and a node that only copies an
        earlier one through a skip connection is that node. A skip connection from the input is an operation
        of its own, because in the cells that change resolution it is a convolution (factorised reduction);
        one from another node is the identity. A convolution of nothing is kept: its normalisation adds a
        learned constant.
        """
        return _function_key(tuple(labels_of(architecture)))

    # ---------------------------------------------------------------- official string form

    def to_string(self, architecture: Architecture) -> str:
        """The official form, such as ``64-41414-1_02_333``: for each node the operations on its inputs.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.validate(architecture)
        digits = "".join(map(str, labels_of(architecture)))
        return f"{SKELETON}-{digits[0]}_{digits[1:3]}_{digits[3:]}"

    def from_string(self, text: str) -> Architecture:
        """The inverse of :meth:`to_string`.

        Raises:
            InvalidArchitecture: The text is not of the official form.
        """
        match = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None:
            raise InvalidArchitecture(
                f"{self.name}: expected a text such as {SKELETON}-1_02_333 with digits 0..3, got {text!r}"
            )
        return from_labels([int(digit) for digit in "".join(match.groups())])

    # ---------------------------------------------------------------- the network

    def build(  # type: ignore[override]  # names what **shape takes
        self,
        architecture: Architecture,
        num_classes: int,
        *,
        in_channels: int = 3,
        channels: int = 64,
        cells_per_module: int = 2,
        head: str = "classification",
    ) -> nn.Module:
        """The benchmark's network for images, see :mod:`search_spaces.transnasbench101_network`.

        Args:
            architecture: A cell.
            num_classes: Size of the output: classes, regressed numbers, or channels of a dense output.
            in_channels: Channels of the images.
            channels: Width after the stem; modules 1, 3 and 5 double it and halve the resolution.
            cells_per_module: Repetitions of the cell in each of the five modules.
            head: "classification" for class_object, class_scene and room_layout (75, 47 and 9 outputs),
                "jigsaw" for images as nine tiles ``(B, 9, C, H, W)`` (1,000 permutations), "segmentation" and
                "image" for outputs of the size of the input: classes of pixels (17), or values in -1..1
                (3 channels, autoencoder and normal).

        Raises:
            InvalidArchitecture: The architecture is not in the space.
            InvalidArgument: A size is not positive, or there is no such head.
        """
        self.validate(architecture)
        from search_spaces.transnasbench101_network import HEADS, backbone, with_head

        if head not in HEADS:
            raise InvalidArgument(f"head must be one of {', '.join(HEADS)}, got {head!r}")
        edges = named_edges(architecture, OPERATIONS)
        network = backbone(edges, num_classes, in_channels, channels, cells_per_module)
        return with_head(network, head, num_classes)

    def complexity(
        self, architecture: Architecture, num_classes: int = 75, image_size: int = 256
    ) -> tuple[int, int]:
        """Trainable parameters and multiply-accumulates of the default classifier, in closed form.

        It equals :func:`search_spaces.complexity.count_complexity`. Edges that do not reach the output count
        too, because the benchmark keeps them.

        Args:
            architecture: A cell.
            num_classes: Size of the output.
            image_size: Height and width of the images; 256 in the benchmark.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.validate(architecture)
        labels = labels_of(architecture)
        side = -(-image_size // 2)
        parameters, macs = 3 * 9 * 32 + 64, 3 * 9 * 32 * side**2
        side, width = -(-side // 2), 64
        parameters += 32 * 9 * 64 + 128
        macs += 32 * 9 * 64 * side**2
        for module in range(5):
            before = width
            if module % 2 == 0:
                side, width = -(-side // 2), 2 * width
            for _ in range(2):
                weights, convolutions = _cell_weights(labels, before, width, changes=before != width)
                parameters += weights + 2 * width * convolutions
                macs += weights * side**2
                before = width
        return parameters + (width + 1) * num_classes, macs + width * num_classes


def _cell_weights(labels: list[int], before: int, width: int, *, changes: bool) -> tuple[int, int]:
    """Weights of a cell's convolutions, and the number of its normalisations."""
    weights = convolutions = 0
    for (source, _), label in zip(EDGES, labels, strict=True):
        taps = {2: 1, 3: 9}.get(label, 1 if label == 1 and source == 0 and changes else 0)
        weights += taps * (width if source else before) * width
        convolutions += taps > 0
    return weights, convolutions


@functools.lru_cache(maxsize=SIZE)
def _function_key(labels: tuple[int, ...]) -> str:
    """The canonical key of the operations that reach the output, with the input first and the output last."""
    operations: list[tuple[int, Counter[int]]] = []  # label, and how often each earlier one is summed
    nodes = [Counter({_INPUT: 1})]
    by_edge = dict(zip(EDGES, labels, strict=True))
    for target in range(1, 4):
        total: Counter[int] = Counter()
        for source in range(target):
            label = by_edge[source, target]
            if label == 1 and source:
                total += nodes[source]
            elif label:
                total[len(operations)] += 1
                operations.append((label, nodes[source]))
        nodes.append(total)
    reached: set[int] = set()
    waiting = list(nodes[-1])
    while waiting:
        number = waiting.pop()
        if number not in reached:
            reached.add(number)
            waiting += [below for below in operations[number][1] if below != _INPUT]
    place = {number: k for k, number in enumerate(sorted(reached), start=1)} | {_INPUT: 0}
    last = len(place)
    adjacency = np.zeros((last + 1, last + 1), np.int8)
    names = np.zeros(last + 1, np.int16)
    names[last] = _OUTPUT_LABEL
    for number in reached:
        label, inputs = operations[number]
        names[place[number]] = label
        for below, times in inputs.items():
            adjacency[place[below], place[number]] = times
    for below, times in nodes[-1].items():
        adjacency[place[below], last] = times
    return canonical_key(Architecture(adjacency, names))
