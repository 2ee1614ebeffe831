"""What the networks of the spaces share: a stem, stages one after the other, a head, a classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from graphnas.errors import InvalidArgument
from search_spaces.backbone import Backbone


class StagedNetwork(Backbone):
    """Runs the parts that a subclass makes; its maps are those after each stage.

    Attributes:
        stem: Module from images to the first feature map.
        stages: Applied in turn.
        head: Module from the last feature map to a vector.
        classifier: Module from the vector to logits.
    """

    stem: nn.Module
    stages: nn.ModuleList
    head: nn.Sequential
    classifier: nn.Module

    def set_maps(self, out_channels: Sequence[int], strides: Sequence[int], num_features: int) -> None:
        """Note channels and stride of the map after each stage, and the length of the head's vector."""
        self.out_channels, self.strides = tuple(out_channels), tuple(strides)
        self.map_modules = tuple(f"stages.{stage}" for stage in range(len(self.out_channels)))
        self.num_features = num_features

    def features(self, images: Tensor) -> list[Tensor]:
        """The feature map after each stage, from the finest to the coarsest."""
        maps = []
        x = self.stem(images)
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def set_drop_rate(self, rate: float) -> None:
        """Drop each feature of the head's vector with probability ``rate`` in training."""
        if rate:
            self.head = nn.Sequential(*self.head, nn.Dropout(rate))

    def keep_maps(self, count: int) -> None:
        """Drop the later stages."""
        self.stages = self.stages[:count]

    def drop_head(self) -> None:
        """Leave only the pooling, which has no weights."""
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits ``(B, num_classes)`` of the last map; with ``pre_logits`` the vector before them."""
        vector: Tensor = self.head(x)
        return vector if pre_logits else self.classifier(vector)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, num_classes)`` of ``images (B, in_channels, H, W)``."""
        return self.forward_head(self.features(images)[-1])


def check_sizes(**sizes: int) -> None:
    """Refuse a size that is not positive.

    Raises:
        InvalidArgument: Naming it.
    """
    for name, size in sizes.items():
        if size < 1:
            raise InvalidArgument(f"{name} must be at least 1, got {size}")


def conv_bn(
    in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, momentum: float = 0.1
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A convolution without bias, padded so that only ``stride`` reduces the map, and its normalisation."""
    return (
        nn.Conv2d(in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out_channels, momentum=momentum),
    )


def doubling_stages(
    channels: int,
    stages: int,
    cells_per_stage: int,
    reduction: Callable[[int], nn.Module],
    cell: Callable[[int, int], nn.Module],
) -> tuple[nn.ModuleList, int]:
    """Stages of cells; from the second on, a reduction comes first and the width is doubled.

    Args:
        channels: Width of the first stage.
        stages: Their number.
        cells_per_stage: Cells in each.
        reduction: Makes the reduction after a stage, from the width of that stage.
        cell: Makes a cell, from the channels that reach it and its width.

    Returns:
        The stages and the width of the last one.
    """
    made = nn.ModuleList()
    before = width = channels
    for stage in range(stages):
        layers: list[nn.Module] = []
        if stage:
            layers.append(reduction(width))
            width *= 2
        for _ in range(cells_per_stage):
            layers.append(cell(before, width))
            before = width
        made.append(nn.Sequential(*layers))
    return made, width
