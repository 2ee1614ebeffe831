"""The network of a RandWire architecture as torch modules.

Xie et al. (ICCV 2019), section 3.1, and GraphPNAS (TMLR 2023), Table 7: a stem of two strided 3x3
convolutions, stages of randomly wired nodes, a 1x1 convolution, global average pooling, a linear classifier.
A node is the weighted sum of its inputs, ReLU, 3x3 depthwise-separable convolution, BN; the output of a stage
is the mean of its sinks. The sources of a stage change the width and the resolution, which gives the sizes
that GraphPNAS reports: 3.475 M parameters for the fully connected graph and 200 classes, 42.7 k less for each
further source. Convolutions have no bias. Ours, since the papers do not say: all edge weights start at
sigmoid(0) = 1/2, and the 1x1 convolution is preceded by ReLU and followed by BN and ReLU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from graphnas.errors import InvalidArgument
from search_spaces.staged_network import StagedNetwork, check_sizes

AGGREGATIONS = ("weighted_sum", "sum")


class RandWireNetwork(StagedNetwork):
    """Stem, one randomly wired stage per graph, head.

    Args:
        graphs: One graph per stage: the nodes that each of its nodes reads.
        num_classes: Size of the output.
        in_channels: Channels of the images.
        stem_widths: Widths of the two convolutions of the stem.
        stem_strides: Their strides.
        widths: Width of each stage.
        strides: Stride of each stage, 1 or 2.
        head_width: Width of the 1x1 convolution before the classifier.
        aggregation: One of :data:`AGGREGATIONS`.

    Raises:
        InvalidArgument: A size that is not positive, another stride or aggregation, or numbers of widths,
            strides and graphs that differ.
    """

    def __init__(
        self,
        graphs: Sequence[Sequence[Sequence[int]]],
        num_classes: int,
        in_channels: int,
        stem_widths: Sequence[int],
        stem_strides: Sequence[int],
        widths: Sequence[int],
        strides: Sequence[int],
        head_width: int,
        aggregation: str,
    ) -> None:
        super().__init__()
        check_sizes(num_classes=num_classes, in_channels=in_channels, head_width=head_width)
        for name, sizes, number in (("stem_widths", stem_widths, 2), ("widths", widths, len(graphs))):
            if len(sizes) != number or not sizes or min(sizes) < 1:
                raise InvalidArgument(
                    f"{name} must be {max(number, 1)} positive integers, got {tuple(sizes)}"
                )
        for name, steps, number in (("stem_strides", stem_strides, 2), ("strides", strides, len(widths))):
            if len(steps) != number or any(step not in (1, 2) for step in steps):
                raise InvalidArgument(f"{name} must be {number} numbers out of 1 and 2, got {tuple(steps)}")
        if aggregation not in AGGREGATIONS:
            raise InvalidArgument(f"aggregation {aggregation!r} is not one of {', '.join(AGGREGATIONS)}")
        first, second = stem_widths
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, first, 3, stride=stem_strides[0], padding=1, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
            nn.Conv2d(first, second, 3, stride=stem_strides[1], padding=1, bias=False),
            nn.BatchNorm2d(second),
        )
        self.stages = nn.ModuleList(
            Stage(graph, before, width, stride, weighted=aggregation == "weighted_sum")
            for graph, before, width, stride in zip(
                graphs, (second, *widths[:-1]), widths, strides, strict=True
            )
        )
        self.head = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(widths[-1], head_width, 1, bias=False),
            nn.BatchNorm2d(head_width),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.classifier = nn.Linear(head_width, num_classes)
        reduction, reached = stem_strides[0] * stem_strides[1], []
        for stride in strides:
            reduction *= stride
            reached.append(reduction)
        self.set_maps(widths, reached, head_width)


class Stage(nn.Module):
    """One copy of a graph: sources read the stage's input, the output is the mean of the sinks."""

    def __init__(
        self, inputs: Sequence[Sequence[int]], in_channels: int, width: int, stride: int, *, weighted: bool
    ) -> None:
        super().__init__()
        self._inputs = [list(nodes) for nodes in inputs]
        read = {node for nodes in inputs for node in nodes}
        self._sinks = [node for node in range(len(inputs)) if node not in read]
        self.nodes = nn.ModuleList(
            _node(width, width, 1) if nodes else _node(in_channels, width, stride) for nodes in inputs
        )
        edges = sum(map(len, self._inputs))
        self.edge_weights = nn.Parameter(torch.zeros(edges)) if weighted and edges else None
        """One per edge, by target, then by source; their sigmoids are the weights."""

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, width, ceil(H / stride), ceil(W / stride))``."""
        weights = None
        if self.edge_weights is not None:
            # Under autocast, weights of full precision would make every sum of maps one of full precision.
            weights = torch.sigmoid(self.edge_weights).to(x.dtype).unbind()
        outputs: list[Tensor] = []
        edge = 0
        for inputs, node in zip(self._inputs, self.nodes, strict=True):
            total = x
            for position, source in enumerate(inputs):
                term = outputs[source]
                if weights is None:
                    total = total + term if position else term
                else:
                    weight = weights[edge]
                    edge += 1
                    total = torch.addcmul(total, term, weight) if position else term * weight
            outputs.append(node(total))
        mean = outputs[self._sinks[0]]
        for sink in self._sinks[1:]:
            mean = mean + outputs[sink]
        return mean / len(self._sinks)


def _node(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(in_channels, in_channels, 3, stride=stride, padding=1, groups=in_channels, bias=False),
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
    )
