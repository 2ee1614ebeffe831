"""The efficiency-score predictor of NASGEM: a small perceptron on frozen vectors."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from graphnas.autoencoders.networks import perceptron
from graphnas.errors import InvalidArgument
from graphnas.methods.nasgem.config import PredictorConfig

WARMUP = 0.2
"""Share of the updates during which the rate of the schedule rises."""


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
        network = self._fitted()
        with torch.no_grad():
            out = network(vectors.to(self.device)) * self._scale + self._mean
        return np.asarray(out.double().cpu().numpy())

    def lipschitz_bound(self) -> NDArray[np.float64]:
        """``(m,)``: no two predictions differ by more than this times the distance of their vectors.

        The product of the spectral norms of the layers, since ReLU never enlarges a difference. NASGEM argues
        with such a bound (eq. 6-13) that graphs of near embeddings have near scores.

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        layers = [layer for layer in self._fitted() if isinstance(layer, nn.Linear)]
        *inner, last = [layer.weight.detach() for layer in layers]
        bound = last.norm(dim=1) * self._scale
        for weight in inner:
            bound = bound * torch.linalg.matrix_norm(weight, 2)
        return np.asarray(bound.double().cpu().numpy())

    def _fitted(self) -> nn.Sequential:
        if self._network is None:
            raise InvalidArgument("MLPPredictor is not fitted: call fit(vectors, scores) first")
        return self._network

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
        schedule: torch.optim.lr_scheduler.LRScheduler | None = None
        if config.schedule == "one_cycle":
            schedule = torch.optim.lr_scheduler.OneCycleLR(
                optimizer, config.learning_rate, total_steps=epochs + 1, pct_start=WARMUP
            )
        for _ in range(epochs):
            optimizer.zero_grad(set_to_none=True)
            F.mse_loss(self._network(x), target).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if schedule is not None:
                schedule.step()
