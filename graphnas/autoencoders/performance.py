"""Performance prediction with VS-GAE's encoder: a perceptron predicts the accuracy from the latent mean.

Source: Friede et al., "A Variational-Sequential Graph Autoencoder for Neural Architecture Performance
Prediction" (2019), Table 1, and their code. There is no decoder and no variance: encoder and perceptron
are trained together from scratch, supervised.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from graphnas.autoencoders.config import ModelConfig, TrainingConfig
from graphnas.autoencoders.model import CHUNK, GraphModel, Graphs
from graphnas.autoencoders.networks import mlp
from graphnas.autoencoders.trainer import AnnotatedBatch, checked_targets, train
from graphnas.autoencoders.vsgae_layers import MeanEncoder
from graphnas.configuration import Presets, check_integers
from graphnas.errors import InvalidArgument
from graphnas.graph.batch import ArchitectureBatch


@dataclass(frozen=True)
class PredictorConfig(ModelConfig):
    """Settings of :class:`PerformancePredictor`.

    ``preset("paper")`` is the setting of the released code: 100 epochs of Adam at a constant 1e-5 in batches
    of 128, on accuracies as fractions, with the weights of the last epoch. The paper instead reports the
    epoch of the lowest validation error: ``keep_best=True``.

    Attributes:
        hidden: Size ``H`` of vertex states.
        latent: Size ``d`` of the latent; the perceptron has d, d/2, d/4, d/8 and 1 units (56-28-14-7-1).
        layers: Rounds of messages.
        standardise: Whether to train on targets of zero mean and unit variance; otherwise they are divided by
            100, so that accuracies in percent become the fractions of the paper.
        keep_best: Whether to end with the weights of the best epoch on the validation set, if there is one.
        training: How the predictor is trained.
    """

    presets: ClassVar[Presets] = {
        "default": {},
        "paper": {
            "standardise": False,
            "keep_best": False,
            "training": TrainingConfig.preset(
                "paper", epochs=100, batch_size=128, learning_rate=1e-5, schedule="constant"
            ),
        },
    }

    hidden: int = 250
    layers: int = 2
    standardise: bool = True
    keep_best: bool = True
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(epochs=30, batch_size=128, learning_rate=1e-3)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integers(self, {"latent": 8, "layers": 1})


class PerformancePredictor(GraphModel):
    """Predicts the accuracies of a space's architectures; arguments as in :class:`.model.GraphModel`.

    Attributes:
        history: As in :class:`.model.GraphModel`, with ``train_rmse`` over the updates of the epoch, and
            ``validation_rmse`` if there is a validation set; both in the unit of the targets.
    """

    config_class = PredictorConfig
    config: PredictorConfig
    stream = (7,)

    def _build(self) -> None:
        d = self.config.latent
        self.encoder = MeanEncoder(self.adapter.num_types, self.config.hidden, d, self.config.layers)
        self.head = mlp(d, d // 2, d // 4, d // 8, 1)
        self._offset, self._scale = 0.0, 1.0
        self._fitted = False

    def forward(self, graphs: ArchitectureBatch) -> Tensor:
        """``(B,)`` predictions in the unit of training, for vertex graphs on the model's device."""
        predictions: Tensor = self.head(self.encoder(graphs))
        return predictions.squeeze(-1)

    def batch_losses(self, graphs: ArchitectureBatch, noise: torch.Generator) -> dict[str, Tensor]:
        """The mean squared error in the unit of training."""
        assert isinstance(graphs, AnnotatedBatch)
        return {"loss": (self(graphs).float() - graphs.columns["targets"]).square().mean()}

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
            architectures: The training set of ``n`` architectures.
            targets: (n,) accuracies in percent, or any other numbers.
            validation: Other architectures and their targets, whose error is recorded after each epoch and,
                with ``keep_best``, selects the weights.
            progress: As in :meth:`.base.GraphAutoencoder.fit`.
            checkpoint: As in :meth:`.base.GraphAutoencoder.fit`.
            on_epoch: As in :meth:`.base.GraphAutoencoder.fit`.

        Raises:
            InvalidArgument: No architectures, targets that do not fit or are not finite, or the checkpoint
                belongs to another training.
            InvalidArchitecture: A label that the space does not have.
            CorruptData: The checkpoint is damaged.
            TrainingFailed: The loss is no longer finite.
        """
        graphs = self.adapter.to_vertices(architectures)
        values = checked_targets(targets, len(graphs))
        others = None if validation is None else self.adapter.to_vertices(validation[0])
        wanted = None if others is None or validation is None else checked_targets(validation[1], len(others))
        self._offset, self._scale = 0.0, 100.0
        if self.config.standardise:
            deviation = float(values.std())
            self._offset, self._scale = float(values.mean()), deviation if deviation > 1e-12 else 1.0

        self._fitted = False

        def scores(loss: float) -> dict[str, float]:
            self._fitted = True  # so that on_epoch may predict
            errors = {"train_rmse": math.sqrt(loss) * self._scale}
            if others is not None and wanted is not None:
                errors["validation_rmse"] = rmse(self._predict(others), wanted)
            return errors

        data: list[NDArray[Any]] = [values]
        if others is not None and wanted is not None:
            data += [*others.to_arrays(), wanted]
        scaled = torch.from_numpy((values - self._offset) / self._scale).float()
        train(
            self,
            AnnotatedBatch(graphs, targets=scaled),
            progress=progress,
            checkpoint=checkpoint,
            on_epoch=on_epoch,
            also_decided_by=data,
            scores=scores,
            keep_best="validation_rmse" if self.config.keep_best and others is not None else None,
        )
        return self

    def predict(self, architectures: Graphs) -> NDArray[np.float64]:
        """(B,) predictions in the unit of the targets.

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        if not self._fitted:
            raise InvalidArgument(
                f"{type(self).__name__} is not fitted: call fit(architectures, targets) first, or load one"
            )
        return self._predict(self.adapter.to_vertices(architectures))

    def rmse(self, architectures: Graphs, targets: ArrayLike) -> float:
        """Root mean squared error in the unit of the targets: percentage points for accuracies in percent.

        Raises:
            InvalidArgument: Targets that do not fit or are not finite.
        """
        wanted = checked_targets(targets, len(architectures))
        return rmse(self.predict(architectures), wanted)

    @torch.no_grad()
    def _predict(self, graphs: ArchitectureBatch) -> NDArray[np.float64]:
        parts = [
            self(graphs[k : k + CHUNK].to(self.device)).double().cpu() for k in range(0, len(graphs), CHUNK)
        ]
        predictions: NDArray[np.float64] = torch.cat(parts).numpy() * self._scale + self._offset
        return predictions

    def get_extra_state(self) -> dict[str, float]:
        """The unit of training, for ``state_dict``."""
        return {"offset": self._offset, "scale": self._scale, "fitted": float(self._fitted)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """The inverse of :meth:`get_extra_state`."""
        self._offset, self._scale = state["offset"], state["scale"]
        self._fitted = bool(state["fitted"])


def rmse(predicted: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """Root mean squared error."""
    return math.sqrt(float(np.mean((predicted - wanted) ** 2)))
