"""What the networks of cell-based spaces share: a stem, stages one after the other, a head, a classifier."""

from __future__ import annotations

from torch import Tensor, nn


class StagedNetwork(nn.Module):
    """Runs the parts that a subclass makes.

    Attributes:
        stem: From images to the first feature map.
        stages: Applied in turn.
        head: From the last feature map to a vector.
        classifier: From the vector to logits.
    """

    stem: nn.Module
    stages: nn.ModuleList
    head: nn.Module
    classifier: nn.Module

    def features(self, images: Tensor) -> list[Tensor]:
        """The feature map after each stage, from the finest to the coarsest.

        Args:
            images: ``(B, in_channels, H, W)`` of any size.

        Returns:
            One ``(B, C, H', W')`` per stage.
        """
        maps = []
        x = self.stem(images)
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, num_classes)`` of ``images (B, in_channels, H, W)``."""
        logits: Tensor = self.classifier(self.head(self.features(images)[-1]))
        return logits
