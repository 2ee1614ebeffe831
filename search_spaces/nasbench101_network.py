"""The network of NAS-Bench-101 as torch modules.

Ying et al. (ICML 2019), section 2.1 and figure 1: a 3x3 convolution with 128 channels, three stacks of three
cells with a halved resolution and doubled channels between them, global average pooling, a linear classifier.
Convolutions have no bias and every batch normalisation is affine: with that, the number of trainable
parameters equals the benchmark's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from graphnas.errors import InvalidArgument
from search_spaces.staged_network import StagedNetwork, check_sizes, conv_bn, doubling_stages


class NASBench101Network(StagedNetwork):
    """Stem, stacks of identical cells, head.

    Args:
        inputs: The nodes that each of the ``n`` nodes of a pruned cell reads.
        operations: Names of the ``n`` nodes.
        num_classes: Size of the output.
        in_channels: Channels of the images.
        channels: Width of the stem and of the first stack.
        stacks: Number of stacks.
        cells_per_stack: Repetitions of the cell in each stack.

    Raises:
        InvalidArgument: A size is not positive, or ``channels`` are too few to be shared.
    """

    def __init__(
        self,
        inputs: Sequence[Sequence[int]],
        operations: Sequence[str],
        num_classes: int,
        *,
        in_channels: int,
        channels: int,
        stacks: int,
        cells_per_stack: int,
    ) -> None:
        super().__init__()
        check_sizes(
            num_classes=num_classes,
            in_channels=in_channels,
            channels=channels,
            stacks=stacks,
            cells_per_stack=cells_per_stack,
        )
        self.stem = conv_bn_relu(in_channels, channels, 3)
        self.stages, width = doubling_stages(
            channels,
            stacks,
            cells_per_stack,
            # Rounded up where a side is odd, as the benchmark's "same" padding does.
            lambda _width: nn.MaxPool2d(2, stride=2, ceil_mode=True),
            lambda before, width: Cell(inputs, operations, before, width),
        )
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(width, num_classes)
        scales = [2**stack for stack in range(stacks)]
        self.set_maps([channels * scale for scale in scales], scales, width)


class Cell(nn.Module):
    """One cell.

    An inner node adds up its inputs and applies its operation. The cell's input is first projected to the
    node's width by a 1x1 convolution; an input from a wider inner node is cut to its first channels. The
    output concatenates the inner nodes that feed it and adds the projected input of the cell if there is a
    direct edge.
    """

    def __init__(
        self, inputs: Sequence[Sequence[int]], operations: Sequence[str], in_channels: int, out_channels: int
    ) -> None:
        super().__init__()
        last = len(inputs) - 1
        self._channels = inner_channels(inputs, out_channels)
        self._inputs = [[node for node in nodes if node] for nodes in inputs]
        self.projections = nn.ModuleDict()
        self.operations = nn.ModuleDict()
        for node in range(1, last):
            width = self._channels[node]
            if 0 in inputs[node]:
                self.projections[str(node)] = conv_bn_relu(in_channels, width, 1)
            self.operations[str(node)] = _operation(operations[node], width)
        if 0 in inputs[last]:
            self.projections[str(last)] = conv_bn_relu(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` to ``(B, out_channels, H, W)``."""
        values = [x]
        last = len(self._inputs) - 1
        for node in range(1, last):
            terms = [values[source][:, : self._channels[node]] for source in self._inputs[node]]
            if str(node) in self.projections:
                terms.append(self.projections[str(node)](x))
            values.append(self.operations[str(node)](sum(terms[1:], start=terms[0])))
        parts = [values[source] for source in self._inputs[last]]
        if not parts:
            return self.projections[str(last)](x)
        joined = torch.cat(parts, dim=1)
        return joined + self.projections[str(last)](x) if str(last) in self.projections else joined


def inner_channels(inputs: Sequence[Sequence[int]], out_channels: int) -> list[int]:
    """Channels of each node of a pruned cell; the first and the last stand for ``out_channels``.

    Nodes that feed the output share its channels evenly; the first ones get one more if the division leaves a
    remainder. Any other inner node has as many as the widest node that it feeds.

    Raises:
        InvalidArgument: There are fewer channels than nodes that feed the output.
    """
    last = len(inputs) - 1
    sharing = [node for node in inputs[last] if node]
    channels = [out_channels] * (last + 1)
    if len(sharing) > out_channels:
        raise InvalidArgument(f"channels must be at least {len(sharing)} for this cell, got {out_channels}")
    for place, node in enumerate(sharing):
        channels[node] = out_channels // len(sharing) + (place < out_channels % len(sharing))
    for node in range(last - 1, 0, -1):
        if node not in sharing:
            channels[node] = max(
                channels[target] for target in range(node + 1, last) if node in inputs[target]
            )
    return channels


def conv_bn_relu(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    """Convolution without bias, batch normalisation with the benchmark's decay of 0.997, ReLU."""
    return nn.Sequential(*conv_bn(in_channels, out_channels, kernel, momentum=0.003), nn.ReLU())


def _operation(operation: str, width: int) -> nn.Module:
    if operation == "conv3x3-bn-relu":
        return conv_bn_relu(width, width, 3)
    if operation == "conv1x1-bn-relu":
        return conv_bn_relu(width, width, 1)
    return nn.MaxPool2d(3, stride=1, padding=1)
