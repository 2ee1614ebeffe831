"""GraphModel: the space, seed, initial weights, history and files of a model that reads vertex graphs."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from graphnas.autoencoders.config import ModelConfig
from graphnas.autoencoders.networks import initialise
from graphnas.autoencoders.vertices import VertexAdapter
from graphnas.errors import CorruptData, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.seeds import checked_seed, torch_generator
from graphnas.training.saved_space import describe_space, described_space
from graphnas.training.tensor_file import read_tensor_file, write_tensor_file

FORMAT = "graphnas.autoencoder"
VERSION = 2
CHUNK = 4096
"""Graphs encoded or decoded at once."""

Graphs = ArchitectureBatch | Sequence[Architecture]


class GraphModel(nn.Module):
    """A network that reads the vertex graphs of a space's architectures.

    Args:
        space: Any space that :class:`.vertices.VertexAdapter` reads.
        config: Sizes and training; the model's own defaults when omitted.
        seed: Seed of the initial weights, the order of the training graphs and the noise of training.
        device: Device of the networks.

    Attributes:
        history: One entry per epoch of training: ``epoch`` (from 1), ``loss``, ``learning_rate`` and what the
            model adds; ``round`` if there are several.
        classes: All imported models by the names of their classes, which saved files hold.

    Raises:
        InvalidArgument: The space labels both nodes and edges, ``config`` belongs to another model, or
            ``seed`` is not a non-negative integer.
    """

    config_class: ClassVar[type[ModelConfig]] = ModelConfig
    config: ModelConfig
    classes: ClassVar[dict[str, type[GraphModel]]] = {}
    stream: ClassVar[tuple[int, ...]] = ()
    """Sets the random numbers of a kind of model apart from those of others with the same seed."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        GraphModel.classes[cls.__name__] = cls

    def __init__(
        self,
        space: GraphSpace,
        config: ModelConfig | None = None,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        if config is not None and type(config) is not self.config_class:
            raise InvalidArgument(
                f"{type(self).__name__} needs a {self.config_class.__name__}, got {type(config).__name__}"
            )
        self.space = space
        self.config = config if config is not None else self.config_class()
        self.seed = checked_seed(seed)
        self.adapter = VertexAdapter(space)
        self.history: list[dict[str, float]] = []
        with torch.device("meta"):
            self._build()
        self.to_empty(device=device)
        self.restart(0)
        self.eval()

    @abstractmethod
    def _build(self) -> None:
        """Create the parts; their weights are drawn afterwards."""

    # ---------------------------------------------------------------- for the trainer

    @abstractmethod
    def batch_losses(self, graphs: ArchitectureBatch, noise: torch.Generator) -> dict[str, Tensor]:
        """What training minimises (``"loss"``) and its parts for the history, as means over a batch.

        Args:
            graphs: The batch, on the model's device.
            noise: Generator of the noise of training.
        """

    @property
    def rounds(self) -> int:
        """Number of trainings that one ``fit`` consists of."""
        return 1

    def kept_between_rounds(self) -> dict[str, Tensor]:
        """Parameters that keep their values when a round starts."""
        return {}

    def restart(self, round_number: int) -> Self:
        """Draw new weights, which depend on the seed and ``round_number``; round 0 draws all of them."""
        kept = {} if round_number == 0 else {k: v.clone() for k, v in self.kept_between_rounds().items()}
        initialise(self, self.generator(1, round_number))
        self.load_state_dict(kept, strict=False)
        return self

    def generator(self, *purpose: int) -> torch.Generator:
        """A CPU generator that depends only on the seed and ``purpose``."""
        return torch_generator(self.seed, *self.stream, *purpose)

    # ---------------------------------------------------------------- size, device, files

    @property
    def device(self) -> torch.device:
        """Device of the networks."""
        return next(self.parameters()).device

    def parameter_count(self) -> int:
        """Number of parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write model, settings, space and history to one file."""
        weights = {k: v.cpu() if isinstance(v, Tensor) else v for k, v in self.state_dict().items()}
        content = {
            "model": type(self).__name__,
            "config": self.config.to_dict(),
            "seed": self.seed,
            "space": describe_space(self.space),
            "history": self.history,
            "weights": weights,
        }
        write_tensor_file(path, FORMAT, VERSION, content)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        space: GraphSpace | None = None,
        device: torch.device | str = "cpu",
    ) -> Self:
        """The model of this class, or of an imported subclass, that :meth:`save` wrote.

        Args:
            path: The file.
            space: Needed if the space is the user's own, or was restricted to a table.
            device: Device of the networks.

        Raises:
            DataNotFound: There is no file.
            CorruptData: It is damaged, or not a model saved by this version.
            InvalidArgument: It holds another space or another class, or the space is not known.
        """
        content = read_tensor_file(path, FORMAT, VERSION)
        try:
            model_class = GraphModel.classes.get(content["model"], GraphModel)
            if not issubclass(model_class, cls):
                raise InvalidArgument(
                    f"{path} holds a {content['model']}, not a {cls.__name__} (load_autoencoder reads any)"
                )
            home = described_space(content["space"], space, f"the model in {path}")
            config = model_class.config_class.from_dict(content["config"])
            model = model_class(home, config, seed=content["seed"], device=device)
            model.history = content["history"]
            model.load_state_dict(content["weights"])
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise CorruptData(f"{path} is not a complete {cls.__name__}: {error!r}") from error
        return model
