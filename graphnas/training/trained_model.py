"""TrainedModel: a trained network with what is needed to use it or to rebuild it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Evaluation
from graphnas.graph.space import GraphSpace
from graphnas.training.images import Normalisation
from graphnas.training.measuring import logits


@dataclass(frozen=True)
class TrainedModel:
    """A trained network, with everything needed to use it or to rebuild it.

    Attributes:
        module: The network, on the CPU and in evaluation mode; it takes normalised images.
        space: The architecture's space.
        architecture: The architecture it was built from.
        evaluation: Its evaluation; ``metrics["test_accuracy"]`` is in percent.
        num_classes: Size of the output.
        image_shape: ``(channels, height, width)`` of the images it was trained on.
        shape: The other arguments of ``space.build``.
        normalisation: Normalisation of the images that :attr:`module` takes.
        dataset: Name of the data set.
        class_names: Names in the order of the outputs; empty if the set has none.
        training: How it was trained: the settings of its :class:`.TrainingConfig`, and ``seed``.
    """

    module: nn.Module
    space: GraphSpace
    architecture: Architecture
    evaluation: Evaluation
    num_classes: int
    image_shape: tuple[int, int, int]
    shape: Mapping[str, Any]
    normalisation: Normalisation
    dataset: str
    class_names: tuple[str, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, images: torch.Tensor) -> torch.Tensor:
        """Class probabilities ``(B, num_classes)`` of images ``(B, C, H, W)`` as in the data set."""
        with torch.no_grad():
            return logits(self.module, self.normalisation(images)).softmax(1)
