"""The network of a GEMNet architecture as torch modules.

NASGEM (AAAI 2021), section "Search space": Conv-BN-ReLU nodes, inputs concatenated, leaves concatenated. The
rest is ours: one cell per stage; a 1x1 Conv-BN-ReLU squeezes the leaves to the width of a node; a
depthwise-separable node has one BN and ReLU, after the pointwise convolution; the input node of a cell that
halves the resolution is a 3x3 depthwise-separable Conv-BN-ReLU of stride 2, that of the first stage nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from graphnas.errors import InvalidArgument
from search_spaces.staged_network import StagedNetwork, check_sizes


class GEMNetNetwork(StagedNetwork):
    """Stem, one cell per stage, global average pooling and a linear classifier.

    Args:
        inputs: The nodes that each of the ``n`` nodes reads; node 0 is the input and reaches every node.
        operations: ``n`` names; that of node 0 is not read.
        num_classes: Size of the output.
        in_channels: Channels of the images.
        widths: Channels of each node, per stage.
        stem_stride: 1, 2 or 4.

    Raises:
        InvalidArgument: A size is not positive, there is no stage, or another ``stem_stride``.
    """

    def __init__(
        self,
        inputs: Sequence[Sequence[int]],
        operations: Sequence[str],
        num_classes: int,
        in_channels: int,
        widths: Sequence[int],
        stem_stride: int,
    ) -> None:
        super().__init__()
        check_sizes(num_classes=num_classes, in_channels=in_channels)
        if not widths or min(widths) < 1:
            raise InvalidArgument(f"widths must be one or more positive integers, got {tuple(widths)}")
        if stem_stride not in (1, 2, 4):
            raise InvalidArgument(f"stem_stride must be 1, 2 or 4, got {stem_stride}")
        first = widths[0]
        stem = [conv_bn_relu("conv3x3", in_channels, first, stride=min(stem_stride, 2))]
        if stem_stride == 4:
            stem.append(conv_bn_relu("conv3x3", first, first, stride=2))
        self.stem = nn.Sequential(*stem)
        self.set_maps(widths, [stem_stride * 2**stage for stage in range(len(widths))], widths[-1])
        self.stages = nn.ModuleList()
        before = first
        for stage, width in enumerate(widths):
            source = conv_bn_relu("sepconv3x3", before, width, stride=2) if stage else nn.Identity()
            self.stages.append(Cell(inputs, operations, width, source))
            before = width
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(before, num_classes)


class Cell(nn.Module):
    """One copy of the graph, every node with ``width`` channels."""

    def __init__(
        self, inputs: Sequence[Sequence[int]], operations: Sequence[str], width: int, source: nn.Module
    ) -> None:
        super().__init__()
        self.source = source
        self._inputs = [list(nodes) for nodes in inputs]
        read = {node for nodes in inputs for node in nodes}
        self._leaves = [node for node in range(len(inputs)) if node not in read]
        self.nodes = nn.ModuleList(
            conv_bn_relu(operations[node], len(inputs[node]) * width, width) for node in range(1, len(inputs))
        )
        self.squeeze = conv_bn_relu("conv1x1", len(self._leaves) * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, width, H', W')`` with the resolution of the source node."""
        outputs = [self.source(x)]
        for inputs, node in zip(self._inputs[1:], self.nodes, strict=True):
            outputs.append(node(_concatenate([outputs[i] for i in inputs])))
        return self.squeeze(_concatenate([outputs[j] for j in self._leaves]))


def conv_bn_relu(operation: str, in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """The node ``operation``: a convolution without bias, batch normalisation, ReLU."""
    if operation == "conv1x1":
        convolutions = [nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)]
    elif operation == "conv3x3":
        convolutions = [nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)]
    elif operation == "sepconv3x3":
        convolutions = [
            nn.Conv2d(in_channels, in_channels, 3, stride=stride, padding=1, groups=in_channels, bias=False),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
        ]
    else:
        raise InvalidArgument(f"unknown operation {operation!r}")
    return nn.Sequential(*convolutions, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


def _concatenate(maps: list[Tensor]) -> Tensor:
    return maps[0] if len(maps) == 1 else torch.cat(maps, 1)
