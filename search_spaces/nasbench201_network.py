"""The network of NAS-Bench-201 as torch modules.

Dong and Yang (ICLR 2020), section 2.1 and figure 1: a 3x3 convolution, three stages of cells with a residual
block of stride 2 between them, batch normalisation and ReLU, global average pooling, a linear classifier.
Convolutions have no bias and every batch normalisation is affine: with that, the number of trainable
parameters equals the benchmark's for each of the 15,625 cells.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from search_spaces.staged_network import StagedNetwork, check_sizes, conv_bn, doubling_stages

Edge = tuple[int, int, str]


class NASBench201Network(StagedNetwork):
    """Stem, three stages of identical cells, head.

    Args:
        edges: Source, target and operation of each edge of the cell but those without an operation.
        num_classes: Size of the output.
        in_channels: Channels of the images.
        channels: Width of the first stage.
        cells_per_stage: Repetitions of the cell in each stage.

    Raises:
        InvalidArgument: A size is not positive.
    """

    def __init__(
        self,
        edges: Sequence[Edge],
        num_classes: int,
        in_channels: int,
        channels: int,
        cells_per_stage: int,
    ) -> None:
        super().__init__()
        check_sizes(
            num_classes=num_classes,
            in_channels=in_channels,
            channels=channels,
            cells_per_stage=cells_per_stage,
        )
        self.stem = nn.Sequential(*conv_bn(in_channels, channels, 3))
        self.stages, width = doubling_stages(
            channels, 3, cells_per_stage, ResidualReduction, lambda _before, width: Cell(edges, width)
        )
        # Without this normalisation a cell's sum reaches the pooling unscaled, which costs 5-6 points.
        self.head = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(width, num_classes)
        self.set_maps([channels, 2 * channels, width], [1, 2, 4], width)


class Cell(nn.Module):
    """One cell: node ``j`` is the sum of its edges' outputs, zero where it has none."""

    def __init__(self, edges: Sequence[Edge], width: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict()
        self._inputs: list[list[tuple[int, str]]] = [[] for _ in range(3)]
        for source, target, operation in sorted(edges, key=lambda edge: (edge[1], edge[0])):
            name = f"{source}_{target}"
            self.edges[name] = _edge(operation, width)
            self._inputs[target - 1].append((source, name))

    def forward(self, x: Tensor) -> Tensor:
        """The last node; same shape as ``x``."""
        nodes = [x]
        for inputs in self._inputs:
            terms = [self.edges[name](nodes[source]) for source, name in inputs]
            # A product keeps the graph connected, so that backward works in a cell without a path too.
            nodes.append(sum(terms[1:], start=terms[0]) if terms else x * 0)
        return nodes[-1]


class ResidualReduction(nn.Module):
    """The residual block between stages: halves the resolution and doubles the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _relu_conv_bn(width, 2 * width, 3, stride=2), _relu_conv_bn(2 * width, 2 * width, 3)
        )
        # Odd maps: rounding up gives the size that the body's strided convolution gives.
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2, ceil_mode=True, count_include_pad=False),
            nn.Conv2d(width, 2 * width, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, 2C, ceil(H/2), ceil(W/2))``."""
        return self.shortcut(x) + self.body(x)


def _relu_conv_bn(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), *conv_bn(in_channels, out_channels, kernel, stride=stride))


def _edge(operation: str, width: int) -> nn.Module:
    """The operation of an edge."""
    if operation == "skip_connect":
        return nn.Identity()
    if operation == "nor_conv_1x1":
        return _relu_conv_bn(width, width, 1)
    if operation == "nor_conv_3x3":
        return _relu_conv_bn(width, width, 3)
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
