"""Performance prediction with VS-GAE's encoder: a perceptron reads the accuracy off the latent mean.

Source: Friede et al., "A Variational-Sequential Graph Autoencoder for Neural Architecture Performance
Prediction" (2019), section 5, and their code. No decoder and no variance: the encoder is trained from scratch
with the perceptron, supervised.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from graphnas.autoencoders.base import CHUNK, Graphs
from graphnas.autoencoders.config import TrainingConfig
from graphnas.autoencoders.networks import initialise, mlp
from graphnas.autoencoders.vertices import VertexAdapter
from graphnas.autoencoders.vsgae_layers import MeanEncoder
from graphnas.errors import CorruptData, InvalidArgument
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.seeds import torch_generator
from graphnas.training.saved_space import describe_space, described_space
from graphnas.training.tensor_file import read_tensor_file, write_tensor_file

FORMAT = "graphnas.predictor"
VERSION = 1


@dataclass(frozen=True)
class PredictorConfig:
    """Settings of :class:`PerformancePredictor`.

    ``preset("paper")`` is the setting of the released code: 100 epochs of Adam at a constant 1e-5 in batches
    of 128, on accuracies as fractions, with the weights of the last epoch. The paper says instead that the
    epoch of the lowest validation error counts: ``keep_best=True``.

    Attributes:
        hidden: Size ``H`` of vertex states.
        latent: Size ``d`` of the latent; the perceptron has d, d/2, d/4, d/8 and 1 units (56-28-14-7-1).
        layers: Rounds of messages.
        standardise: Train on targets of zero mean and unit variance; else on hundredths of them, so that
            accuracies in percent become the fractions of the paper.
        keep_best: Where a validation set is given, end with the weights of its best epoch.
        training: The schedule. Its ``precision`` is that of the forward pass.
    """

    hidden: int = 250
    latent: int = 56
    layers: int = 2
    standardise: bool = True
    keep_best: bool = True
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(epochs=30, batch_size=128, learning_rate=1e-3)
    )

    def __post_init__(self) -> None:
        for name, least in (("hidden", 1), ("latent", 8), ("layers", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InvalidArgument(f"{name} must be an integer of at least {least}, got {value!r}")

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """A named setting, ``"default"`` or ``"paper"``, with single fields changed.

        Raises:
            InvalidArgument: An unknown preset.
        """
        paper = TrainingConfig.preset(
            name, epochs=100, batch_size=128, learning_rate=1e-5, schedule="constant"
        )
        config = cls()
        if name == "paper":
            config = replace(config, standardise=False, keep_best=False, training=paper)
        return replace(config, **changes)


class PerformancePredictor(nn.Module):
    """Accuracies of the architectures of a space, predicted by a graph network.

    Args:
        space: Any space that :class:`.vertices.VertexAdapter` reads.
        config: Sizes and training.
        seed: Of the initial weights and of the order of the training graphs.
        device: Where the networks live.

    Attributes:
        history: One entry per epoch: ``epoch`` (from 1), ``train_rmse`` over the updates of the epoch,
            ``learning_rate``, and ``validation_rmse`` where a validation set is given; errors in the unit of
            the targets.

    Raises:
        InvalidArgument: The space labels nodes and edges, or ``seed`` is negative.
    """

    def __init__(
        self,
        space: GraphSpace,
        config: PredictorConfig | None = None,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise InvalidArgument(f"seed must be a non-negative integer, got {seed!r}")
        self.space, self.seed = space, int(seed)
        self.config = config if config is not None else PredictorConfig()
        self.adapter = VertexAdapter(space)
        self.history: list[dict[str, float]] = []
        d = self.config.latent
        with torch.device("meta"):
            self.encoder = MeanEncoder(self.adapter.num_types, self.config.hidden, d, self.config.layers)
            self.head = mlp(d, d // 2, d // 4, d // 8, 1)
        self.to_empty(device=device)
        self._offset, self._scale = 0.0, 1.0
        self.restart()

    @property
    def device(self) -> torch.device:
        """Where the networks live."""
        return next(self.parameters()).device

    def parameter_count(self) -> int:
        """Number of parameters: 2,147,672 for NAS-Bench-101 at the paper's sizes."""
        return sum(parameter.numel() for parameter in self.parameters())

    def restart(self) -> Self:
        """Draw the initial weights, which depend on the seed only."""
        initialise(self, self._generator(1))
        self.eval()
        return self

    def _generator(self, purpose: int) -> torch.Generator:
        return torch_generator(self.seed, 7, purpose)

    def forward(self, graphs: ArchitectureBatch) -> Tensor:
        """``(B,)`` predictions in the unit of training, for vertex graphs on the model's device."""
        found: Tensor = self.head(self.encoder(graphs))
        return found.squeeze(-1)

    # ---------------------------------------------------------------- use

    def fit(
        self,
        architectures: Graphs,
        targets: ArrayLike,
        *,
        validation: tuple[Graphs, ArrayLike] | None = None,
        progress: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        on_epoch: Callable[[Self, dict[str, float]], None] | None = None,
    ) -> Self:
        """Train from fresh weights to the smallest squared error.

        Args:
            architectures: The training set, of ``n``.
            targets: (n,) accuracies in percent, or any other numbers.
            validation: Other architectures and their targets, whose error is noted after each epoch and, with
                ``keep_best``, chooses the weights.
            progress: Show a bar.
            checkpoint: A file written after every epoch. Where it exists, training goes on from it and ends
                as if it had not stopped.
            on_epoch: Called after each epoch with the predictor and the entry of :attr:`history`.

        Raises:
            InvalidArgument: No architectures, targets that do not fit or are not finite, or the checkpoint is
                of another training.
            InvalidArchitecture: A label that the space does not have.
            CorruptData: The checkpoint is damaged.
            TrainingFailed: The loss is no longer finite.
        """
        from graphnas.autoencoders.performance_training import train_predictor

        graphs = self.adapter.to_vertices(architectures)
        values = checked_targets(targets, len(graphs))
        held_out = None
        if validation is not None:
            others = self.adapter.to_vertices(validation[0])
            held_out = others, checked_targets(validation[1], len(others))
        self._offset, self._scale = 0.0, 100.0
        if self.config.standardise:
            deviation = float(values.std())
            self._offset, self._scale = float(values.mean()), deviation if deviation > 1e-12 else 1.0
        train_predictor(self, graphs, values, held_out, progress, checkpoint, on_epoch)
        return self

    def predict(self, architectures: Graphs) -> NDArray[np.float64]:
        """(B,) predictions in the unit of the targets."""
        return self._predict(self.adapter.to_vertices(architectures))

    def rmse(self, architectures: Graphs, targets: ArrayLike) -> float:
        """Root mean squared error in the unit of the targets: percentage points for accuracies in percent.

        Raises:
            InvalidArgument: Targets that do not fit or are not finite.
        """
        predicted = self.predict(architectures)
        return rmse(predicted, checked_targets(targets, len(predicted)))

    @torch.no_grad()
    def _predict(self, graphs: ArchitectureBatch) -> NDArray[np.float64]:
        parts = [
            self(graphs[k : k + CHUNK].to(self.device)).double().cpu() for k in range(0, len(graphs), CHUNK)
        ]
        found: NDArray[np.float64] = torch.cat(parts).numpy() * self._scale + self._offset
        return found

    # ---------------------------------------------------------------- on disk

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write weights, settings, space and history to one file."""
        content = {
            "config": asdict(self.config),
            "seed": self.seed,
            "space": describe_space(self.space),
            "unit": (self._offset, self._scale),
            "history": self.history,
            "weights": {name: value.cpu() for name, value in self.state_dict().items()},
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
        """The predictor that :meth:`save` wrote.

        Args:
            path: The file.
            space: Needed if the space is the user's own, or was restricted to a table.
            device: Where the networks shall live.

        Raises:
            DataNotFound: There is no file.
            CorruptData: It is damaged, or no saved predictor of this version.
            InvalidArgument: It is of another space, or the space is not known.
        """
        content = read_tensor_file(path, FORMAT, VERSION)
        try:
            home = described_space(content["space"], space, f"the predictor in {path}")
            fields = content["config"]
            config = PredictorConfig(**{**fields, "training": TrainingConfig(**fields["training"])})
            found = cls(home, config, seed=content["seed"], device=device)
            found.history = content["history"]
            found._offset, found._scale = content["unit"]
            found.load_state_dict(content["weights"])
        except (KeyError, TypeError, AttributeError, RuntimeError, ValueError) as error:
            if isinstance(error, InvalidArgument):
                raise
            raise CorruptData(f"{path} is no complete predictor: {error!r}") from error
        return found


def checked_targets(targets: ArrayLike, count: int) -> NDArray[np.float64]:
    """``(count,)`` finite numbers, or an error."""
    values = np.asarray(targets, np.float64)
    if values.shape != (count,) or not np.isfinite(values).all():
        raise InvalidArgument(
            f"targets must be {count} finite numbers, one per architecture, got shape {values.shape}"
            + (f" with {int((~np.isfinite(values)).sum())} that are not finite" if values.size else "")
        )
    return values


def rmse(predicted: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """Root mean squared error."""
    return math.sqrt(float(np.mean((predicted - wanted) ** 2)))
