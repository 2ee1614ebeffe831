"""The efficiency-score predictor of NASGEM: a small perceptron on frozen vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from graphnas.autoencoders.networks import perceptron
from graphnas.errors import InvalidArgument


@dataclass(frozen=True)
class PredictorConfig:
    """Settings of :class:`MLPPredictor`; the paper states only "fully connected, ReLU".

    Attributes:
        hidden: Widths between the vector and the score.
        epochs: Full-batch updates of a fit from scratch.
        fine_tune_epochs: Full-batch updates when the set has grown.
        learning_rate: Adam's learning rate.
        weight_decay: Adam's weight decay.
    """

    hidden: tuple[int, ...] = (64, 32)
    epochs: int = 500
    fine_tune_epochs: int = 100
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        for field in ("epochs", "fine_tune_epochs"):
            if getattr(self, field) < 1:
                raise InvalidArgument(f"{field} must be at least 1, got {getattr(self, field)}")
        if not self.learning_rate > 0 or self.weight_decay < 0:
            raise InvalidArgument(
                "learning_rate must be positive and weight_decay not negative, got "
                f"{self.learning_rate} and {self.weight_decay}"
            )


class MLPPredictor:
    """P: R^d -> R, mean squared error on standardised scores (NASGEM, section 3.2).

    Args:
        config: Settings.
        seed: Seed of the initial weights.
        device: Where the network lives.
    """

    def __init__(
        self,
        config: PredictorConfig | None = None,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.config = config or PredictorConfig()
        self.seed = seed
        self.device = torch.device(device)
        self._network: nn.Sequential | None = None
        self._mean = self._scale = torch.zeros(0)

    def fit(self, vectors: Tensor, scores: ArrayLike) -> MLPPredictor:
        """Train new weights on ``vectors`` (n, d) and ``scores`` (n,) or (n, m).

        Raises:
            InvalidArgument: Fewer than 2 points, lengths that differ, or a score that is not finite.
        """
        x, y = self._check(vectors, scores)
        self._mean, self._scale = y.mean(0), y.std(0).clamp_min(1e-6)
        generator = torch.Generator().manual_seed(self.seed)
        widths = [x.shape[1], *self.config.hidden, y.shape[1]]
        self._network = perceptron(widths, generator, self.device)
        self._train(x, y, self.config.epochs)
        return self

    def fine_tune(self, vectors: Tensor, scores: ArrayLike) -> MLPPredictor:
        """Continue from the current weights on a set that has grown.

        The standardisation of the last :meth:`fit` is kept, so that the old weights keep their meaning. If
        nothing was fitted yet, or another number of scores per vector, this is a fit.
        """
        x, y = self._check(vectors, scores)
        if self._network is None or y.shape[1] != len(self._mean):
            return self.fit(vectors, scores)
        self._train(x, y, self.config.fine_tune_epochs)
        return self

    def predict(self, vectors: Tensor) -> NDArray[np.float64]:
        """Predicted scores, (n, m), in the units of the scores given to :meth:`fit`.

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        if self._network is None:
            raise InvalidArgument("MLPPredictor is not fitted: call fit(vectors, scores) first")
        with torch.no_grad():
            out = self._network(vectors.to(self.device)) * self._scale + self._mean
        return np.asarray(out.double().cpu().numpy())

    def _check(self, vectors: Tensor, scores: ArrayLike) -> tuple[Tensor, Tensor]:
        y = torch.as_tensor(np.asarray(scores, np.float32), device=self.device)
        y = y.reshape(len(y), -1)
        if len(y) < 2 or len(y) != len(vectors):
            raise InvalidArgument(
                f"at least 2 points with one score each are needed, got {len(vectors)} and {len(y)}"
            )
        if not torch.isfinite(y).all():
            raise InvalidArgument("scores must be finite")
        return vectors.to(self.device), y

    def _train(self, x: Tensor, y: Tensor, epochs: int) -> None:
        assert self._network is not None
        config = self.config
        target = (y - self._mean) / self._scale
        optimizer = torch.optim.Adam(
            self._network.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        for _ in range(epochs):
            optimizer.zero_grad(set_to_none=True)
            F.mse_loss(self._network(x), target).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
