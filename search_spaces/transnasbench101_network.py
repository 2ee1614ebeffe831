"""The networks of TransNAS-Bench-101's micro space as torch modules: one backbone, a head for each task.

Duan et al. (CVPR 2021), section 3.2 and figure 2, and the released code: a stem reduces the resolution by 4;
of the five modules of two cells ("41414"), the first, third and fifth double the channels and halve the
resolution in their first cell. Convolutions have no bias and come after a ReLU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from search_spaces.staged_network import StagedNetwork, check_sizes, conv_bn

MODULES = 5
HEADS = ("classification", "jigsaw", "segmentation", "image")
TILES = 9
Edge = tuple[int, int, str]


def backbone(
    edges: Sequence[Edge], num_classes: int, in_channels: int, channels: int, cells_per_module: int
) -> TransNASNetwork:
    """The classifier, whose parts the other heads use too.

    Raises:
        InvalidArgument: A size is not positive.
    """
    check_sizes(
        num_classes=num_classes,
        in_channels=in_channels,
        channels=channels,
        cells_per_module=cells_per_module,
    )
    return TransNASNetwork(edges, num_classes, in_channels, channels, cells_per_module)


def with_head(network: TransNASNetwork, head: str, num_outputs: int) -> nn.Module:
    """``network`` itself for classification, otherwise its features with the head of another task."""
    if head == "jigsaw":
        return JigsawNetwork(network, num_outputs)
    if head == "classification":
        return network
    plan = segmentation_decoder if head == "segmentation" else image_decoder
    return DenseNetwork(network, plan(network.width, num_outputs))


class TransNASNetwork(StagedNetwork):
    """Stem, five modules of identical cells, global average pooling, a linear layer.

    Args:
        edges: Source, target and operation of each edge of the cell but those without an operation.
        num_classes: Size of the output.
        in_channels: Channels of the images.
        channels: Width after the stem.
        cells_per_module: Repetitions of the cell in each module.
    """

    def __init__(
        self,
        edges: Sequence[Edge],
        num_classes: int,
        in_channels: int,
        channels: int,
        cells_per_module: int,
    ) -> None:
        super().__init__()
        half = max(1, channels // 2)
        self.stem = nn.Sequential(
            *conv_bn(in_channels, half, 3, stride=2), nn.ReLU(), *conv_bn(half, channels, 3, stride=2)
        )
        self.stages = nn.ModuleList()
        width, reduction, reached = channels, 4, []
        widths = []
        for module in range(MODULES):
            before, stride = width, 1
            if module % 2 == 0:
                width, stride = 2 * width, 2
            reduction *= stride
            widths.append(width)
            reached.append(reduction)
            cells = [MicroCell(edges, before, width, stride)]
            cells += [MicroCell(edges, width, width, 1) for _ in range(cells_per_module - 1)]
            self.stages.append(nn.Sequential(*cells))
        self.width = width
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(width, num_classes)
        self.set_maps(widths, reached, width)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")


class MicroCell(nn.Module):
    """One cell: node ``j`` is the sum of its edges' outputs; edges from the input have the cell's stride."""

    def __init__(self, edges: Sequence[Edge], before: int, width: int, stride: int) -> None:
        super().__init__()
        self.width, self.stride = width, stride
        self.edges = nn.ModuleDict()
        self._inputs: list[list[tuple[int, str]]] = [[] for _ in range(3)]
        for source, target, operation in sorted(edges, key=lambda edge: (edge[1], edge[0])):
            name = f"{source}_{target}"
            at_input = (before, stride) if source == 0 else (width, 1)
            self.edges[name] = _edge(operation, at_input[0], width, at_input[1])
            self._inputs[target - 1].append((source, name))

    def forward(self, x: Tensor) -> Tensor:
        """The last node, ``(B, width, ceil(H / stride), ceil(W / stride))``."""
        nodes = [x]
        for inputs in self._inputs:
            terms = [self.edges[name](nodes[source]) for source, name in inputs]
            nodes.append(sum(terms[1:], start=terms[0]) if terms else self._zero(x))
        return nodes[-1]

    def _zero(self, x: Tensor) -> Tensor:
        # A product keeps the graph connected, so that backward works in a cell without a path too.
        return (x[:, :1, :: self.stride, :: self.stride] * 0).expand(-1, self.width, -1, -1)


class FactorizedReduction(nn.Module):
    """A skip connection that changes shape: two 1x1 convolutions, the second one pixel to the lower right."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, width // 2, 1, stride=stride, bias=False)
        self.second = nn.Conv2d(before, width - width // 2, 1, stride=stride, bias=False)
        self.normalisation = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, before, H, W)`` to ``(B, width, ceil(H / stride), ceil(W / stride))``."""
        x = torch.relu(x)
        shifted = nn.functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        reduced: Tensor = self.normalisation(torch.cat([self.first(x), self.second(shifted)], 1))
        return reduced


class JigsawNetwork(nn.Module):
    """Classifies the permutation of nine tiles from their features side by side."""

    def __init__(self, network: TransNASNetwork, num_classes: int) -> None:
        super().__init__()
        self.stem, self.stages, self.head = network.stem, network.stages, network.head
        self.classifier = nn.Linear(TILES * network.width, num_classes)

    def forward(self, tiles: Tensor) -> Tensor:
        """Logits ``(B, num_classes)`` of ``tiles (B, 9, in_channels, H, W)``."""
        x = self.stem(tiles.flatten(0, 1))
        for stage in self.stages:
            x = stage(x)
        logits: Tensor = self.classifier(self.head(x).reshape(-1, self.classifier.in_features))
        return logits


class DenseNetwork(nn.Module):
    """The last feature map, decoded to the size of the image."""

    def __init__(self, network: TransNASNetwork, decoder: nn.Module) -> None:
        super().__init__()
        self.stem, self.stages, self.decoder = network.stem, network.stages, decoder

    def forward(self, images: Tensor) -> Tensor:
        """``(B, outputs, H, W)`` of ``images (B, in_channels, H, W)``; sides are multiples of 32."""
        x = self.stem(images)
        for stage in self.stages:
            x = stage(x)
        decoded: Tensor = self.decoder(x)
        return decoded


def segmentation_decoder(width: int, num_classes: int) -> nn.Sequential:
    """Two convolutions, five transposed ones that double the resolution, and one to the classes."""
    wide = 2 * width
    sizes = [max(1, wide >> k) for k in range(6)]
    layers = [_conv(width, wide), _conv(wide, sizes[1])]
    layers += [_doubling(sizes[k], sizes[k + 1]) for k in range(1, 5)]
    return nn.Sequential(
        *layers, _doubling(sizes[5], sizes[5]), nn.Conv2d(sizes[5], num_classes, 3, padding=1)
    )


def image_decoder(width: int, channels: int) -> nn.Sequential:
    """Fourteen layers, five of which double the resolution, and a hyperbolic tangent, as in Pix2Pix."""
    sizes = [max(1, 2 * width >> k) for k in range(7)]
    return nn.Sequential(
        *(_conv(width, sizes[0]), _conv(sizes[0], sizes[0]), _conv(sizes[0], sizes[1])),
        *(_conv(sizes[1], sizes[1]), _doubling(sizes[1], sizes[2]), _conv(sizes[2], sizes[3])),
        *(_doubling(sizes[3], sizes[4]), _conv(sizes[4], sizes[4])),
        *(_doubling(sizes[4], sizes[5]), _conv(sizes[5], sizes[5])),
        *(_doubling(sizes[5], sizes[6]), _conv(sizes[6], sizes[5]), _doubling(sizes[5], sizes[6])),
        *(nn.Conv2d(sizes[6], channels, 3, padding=1), nn.Tanh()),
    )


def _conv(before: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.LeakyReLU(0.2))


def _doubling(before: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(before, width, 3, stride=2, padding=1, output_padding=1),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(0.2),
    )


def _edge(operation: str, before: int, width: int, stride: int) -> nn.Module:
    """The operation of an edge."""
    if operation == "skip_connect":
        same = stride == 1 and before == width
        return nn.Identity() if same else FactorizedReduction(before, width, stride)
    return nn.Sequential(
        nn.ReLU(), *conv_bn(before, width, 1 if operation == "conv1x1" else 3, stride=stride)
    )
