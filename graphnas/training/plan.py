"""What a training of a network to keep would do: its arguments read, and the data loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from graphnas.configuration import replaced
from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.seeds import derived_seed
from graphnas.training.arguments import build_arguments, choose_device
from graphnas.training.datasets import load_dataset
from graphnas.training.images import ImageData, ImageSet
from graphnas.training.loop import Training
from graphnas.training.network import Size, built_network
from graphnas.training.recipes import get_recipe
from graphnas.training.splits import stratified_split
from graphnas.training.training_config import TrainingConfig


@dataclass(frozen=True)
class TrainingPlan:
    """What :func:`.train_network` does.

    Attributes:
        space: The architecture's space.
        architecture: A member of it.
        data: The images.
        config: How to train.
        shape: Further arguments of ``space.build``, complete.
        split: Indices of the training images to train on, and of those that choose the best epoch.
        seed: Seed of everything random.
        device: The device to train on.
        recipe: Name of the recipe that ``config`` comes from; empty: none.
    """

    space: GraphSpace
    architecture: Architecture
    data: ImageData
    config: TrainingConfig
    shape: Mapping[str, Any]
    split: tuple[torch.Tensor, torch.Tensor | None]
    seed: int
    device: torch.device
    recipe: str = ""

    def built(self) -> tuple[nn.Module, Size]:
        """The network with its first weights, on the device, and its size."""
        return built_network(
            self.space,
            self.architecture,
            self.data.num_classes,
            self.data.train.shape,
            self.shape,
            seed=self.seed,
            device=self.device,
        )

    def training(self, module: nn.Module, images: ImageSet) -> Training:
        """The training of the network on the training images, which are on the device if in memory."""
        return Training(
            module,
            images,
            self.split[0],
            self.config,
            self.data.normalisation,
            seed=self.seed,
            num_classes=self.data.num_classes,
        )

    def validated(self, epoch: int) -> bool:
        """Whether the held-out images are measured after an epoch, from 1: the last one always."""
        every = self.config.validate_every or self.config.epochs
        return epoch % every == 0 or epoch == self.config.epochs


def plan_training(
    space: GraphSpace,
    architecture: Architecture,
    dataset: Any = None,
    *,
    recipe: str | TrainingConfig = "cifar10",
    holdout: float = 0.0,
    shape: Mapping[str, Any] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
    download: bool = False,
    dataset_options: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    **training: Any,
) -> TrainingPlan:
    """What :func:`.train` does with the same arguments, and raises of them."""
    space.validate(architecture)
    named = get_recipe(recipe) if isinstance(recipe, str) else None
    config = TrainingConfig.preset(recipe) if isinstance(recipe, str) else recipe
    config = replaced(config, **training)
    if dataset is None:
        if named is None:
            raise InvalidArgument("dataset must be given where the recipe is a configuration")
        dataset, image_size = named.dataset, image_size or named.image_size
    data = load_dataset(
        dataset, data_dir=data_dir, image_size=image_size, download=download, options=dataset_options
    )
    return TrainingPlan(
        space=space,
        architecture=architecture,
        data=data,
        config=config,
        shape=build_arguments(space.name, space.build, dict(shape or {}), data.in_channels),
        split=held_out(data, holdout, seed),
        seed=seed,
        device=choose_device(device),
        recipe=recipe if isinstance(recipe, str) else "",
    )


def held_out(data: ImageData, fraction: float, seed: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Indices of the training images to train on, and of those that choose the best epoch.

    Raises:
        InvalidArgument: The fraction is not in ``[0, 1)``.
    """
    if not isinstance(fraction, int | float) or not 0 <= fraction < 1:
        raise InvalidArgument(f"holdout must be a number in [0, 1), got {fraction!r}")
    if fraction == 0:
        return torch.arange(len(data.train)), None
    held, kept = stratified_split(data.train.labels, fraction, seed=derived_seed(seed, "holdout"))
    return kept, held
