"""The paper's predictor behind one question: how promising is each candidate?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.methods.nasgem.config import NASGEMConfig
from graphnas.methods.nasgem.encoder import EncoderConfig, KernelGuidedEncoder
from graphnas.methods.nasgem.predictor import MLPPredictor
from graphnas.surrogate.training_set import TrainingSet

Vector = NDArray[np.float64]


class EncoderSurrogate:
    """The paper's predictor: a perceptron on the frozen embedding ranks the candidates (eq. 14-15).

    The paper has no constraints; here candidates predicted to break one come after all others.
    """

    def __init__(
        self, space: GraphSpace, config: NASGEMConfig, seed: int, encoder: KernelGuidedEncoder | None = None
    ) -> None:
        self.space = space
        self.config = config
        self.seed = seed
        self._encoder = encoder
        self._predictor: MLPPredictor | None = None
        self._fitted: list[int] = []

    def restart(self) -> None:
        """Drop the perceptron, which belongs to the evaluations; keep the encoder, which does not."""
        self._predictor, self._fitted = None, []

    @property
    def encoder(self) -> KernelGuidedEncoder:
        """The encoder, trained on first use: before the search and without any accuracy."""
        if self._encoder is None:
            dimension = 10 if self.space.max_nodes <= 7 else 20
            config = self.config.encoder or EncoderConfig(dimension=dimension)
            self._encoder = KernelGuidedEncoder(self.space, config, seed=self.seed).fit()
        return self._encoder

    def score(self, data: TrainingSet, milestones: Sequence[int], pool: ArchitectureBatch) -> Vector:
        """Predicted score of each candidate.

        Args:
            data: Everything evaluated up to the last update.
            milestones: Sizes of ``data`` at every update so far, the last one included; fine-tuning goes
                through all of them, so that a method rebuilt from its history ends with the same weights.
            pool: The candidates.
        """
        batch = ArchitectureBatch.from_architectures(data.architectures, self.space.max_nodes)
        vectors = self.encoder.embed(batch)
        targets = np.concatenate([data.scores[:, None], data.violations], axis=1)
        predictor = self._updated(vectors, targets, list(milestones))
        predicted = predictor.predict(self.encoder.embed(pool))
        score, violations = predicted[:, 0], predicted[:, 1:]
        if violations.shape[1]:
            allowed = (violations <= 0).all(1)
            score = np.where(allowed, score, score - (np.ptp(score) + 1))
        return np.asarray(score)

    def _updated(self, vectors: torch.Tensor, targets: Vector, milestones: list[int]) -> MLPPredictor:
        if self.config.update == "refit":
            return MLPPredictor(self.config.perceptron, seed=self.seed).fit(vectors, targets)
        done = len(self._fitted)
        if self._predictor is None or milestones[:done] != self._fitted:
            self._predictor, done = MLPPredictor(self.config.perceptron, seed=self.seed), 0
        for size in milestones[done:]:
            self._predictor.fine_tune(vectors[:size], targets[:size])
        self._fitted = milestones
        return self._predictor
