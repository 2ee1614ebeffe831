"""NetworkEvaluator: the arguments of the evaluators that train networks, and what they are turned into."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import torch

from graphnas.configuration import Configuration, replaced
from graphnas.errors import InvalidArgument
from graphnas.graph.space import GraphSpace
from graphnas.seeds import derived_seed
from graphnas.training.arguments import build_arguments, choose_device
from graphnas.training.datasets import load_dataset

C = TypeVar("C", bound=Configuration)


class NetworkEvaluator(ABC, Generic[C]):
    """Base of the evaluators that train networks on images.

    Args:
        space: Builds the networks.
        dataset: See :func:`graphnas.training.datasets.load_dataset`.
        config: Settings of the training, or a preset's name; by default the preset of the data set, and
            ``"cifar10"`` for a data set that has none.
        data_dir: The data directory; by default ``$GRAPHNAS_DATA`` or ``~/.cache/graphnas``.
        shape: Further arguments of the space's builder, such as widths. ``in_channels`` is added.
        image_size: Side that images from a folder or from torchvision are scaled to.
        download: Let torchvision download its data set.
        dataset_options: Further arguments of a torchvision class.
        seed: Seed of every random choice.
        device: ``"auto"`` (CUDA if there is a GPU, otherwise the CPU) or a torch device.
        progress: Show a progress bar.
        **training: Single fields of the configuration to replace, such as ``epochs=5``.

    Raises:
        InvalidArgument: An argument that does not fit, before any network is built.
        DataNotFound: The data set is missing.
        CorruptData: One of its files is damaged.
        MissingExtra: torchvision or Pillow is needed and not installed.
    """

    config_class: type[C]

    def __init__(
        self,
        space: GraphSpace,
        dataset: Any = "digits",
        *,
        config: C | str | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        shape: Mapping[str, Any] | None = None,
        image_size: int | None = None,
        download: bool = False,
        dataset_options: Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "auto",
        progress: bool = True,
        **training: Any,
    ) -> None:
        if not isinstance(space, GraphSpace):
            raise InvalidArgument(f"space must be a GraphSpace, got {type(space).__name__}")
        self.space = space
        builder = self._builder()
        self.config: C = replaced(self._configuration(config, dataset), **training)
        self.seed = seed
        derived_seed(seed)  # refuses a bad seed before the data are read
        self.device = choose_device(device)
        self.progress = progress
        self.data = load_dataset(
            dataset, data_dir=data_dir, image_size=image_size, download=download, options=dataset_options
        )
        self.shape = build_arguments(space.name, builder, dict(shape or {}), self.data.in_channels)
        self.train_indices, self.validation_indices = self._split()
        self._images = self.data.train.to(self.device)
        self._prepare()

    @abstractmethod
    def _builder(self) -> Callable[..., Any]:
        """The method of the space that makes a network."""

    @abstractmethod
    def _split(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Indices of the training images to train on, and of those to measure on."""

    def _prepare(self) -> None:
        """Make what the evaluator keeps between measurements."""

    def _configuration(self, config: C | str | None, dataset: Any) -> C:
        if config is None:
            named = isinstance(dataset, str) and dataset in self.config_class.presets
            config = dataset if named else "cifar10"
        made = self.config_class.preset(config) if isinstance(config, str) else config
        if not isinstance(made, self.config_class):
            raise InvalidArgument(
                f"config must be a {self.config_class.__name__} or a preset's name, got {config!r}"
            )
        return made
