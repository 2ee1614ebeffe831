"""TrainedModel: a trained network and what it takes to use it or to build it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Evaluation
from graphnas.training.images import Normalisation


@dataclass(frozen=True)
class TrainedModel:
    """A trained network, with all that is needed to use it or to build it again.

    Attributes:
        module: The network, on the CPU and in evaluation mode; it takes normalised images.
        architecture: What it was built from.
        evaluation: Its figures; ``metrics["test_accuracy"]`` in percent.
        num_classes: Size of the output.
        shape: The further arguments of ``space.build``.
        normalisation: What to apply to images before :attr:`module`.
        dataset: Name of the data set.
        class_names: In the order of the outputs; empty where the set has none.
    """

    module: nn.Module
    architecture: Architecture
    evaluation: Evaluation
    num_classes: int
    shape: Mapping[str, Any]
    normalisation: Normalisation
    dataset: str
    class_names: tuple[str, ...] = ()

    def predict(self, images: torch.Tensor) -> torch.Tensor:
        """Class probabilities ``(B, num_classes)`` of images ``(B, C, H, W)`` as the data set has them."""
        with torch.no_grad():
            probabilities: torch.Tensor = self.module(self.normalisation(images)).softmax(1)
        return probabilities
