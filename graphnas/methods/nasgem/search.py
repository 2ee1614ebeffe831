"""NASGEM as a search method: encoder, score predictor, bootstrap optimisation over many candidates."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from graphnas.configuration import configured
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import Latest
from graphnas.methods.candidates import CandidatePool
from graphnas.methods.model_based import FIRST_OWN, Finished, ModelBasedSearch, Ranking
from graphnas.methods.nasgem.config import NASGEMConfig
from graphnas.methods.nasgem.encoder import KernelGuidedEncoder
from graphnas.methods.nasgem.predictor import MLPPredictor
from graphnas.seeds import derived_seed
from graphnas.surrogate.training_set import normal_scores

Vector = NDArray[np.float64]
SPREAD = 2000
"""Random architectures whose embeddings give mean and deviation."""
_SPREAD = FIRST_OWN


class NASGEM(ModelBasedSearch):
    """Neural Architecture Search via Graph Embedding Method (AAAI 2021, arXiv 2007.04452).

    An encoder whose cosine follows a Weisfeiler-Lehman kernel is trained on random architectures, before the
    search and without accuracies (section 3.1). A perceptron on its frozen embeddings learns the scores of
    the architectures evaluated so far (section 3.2), and the unseen candidate of the largest predicted score
    is proposed (bootstrap optimisation, section 3.3, eq. 14-15).

    The paper has one score. Several objectives are scalarised anew for each update (ParEGO); candidates that
    are predicted to break a constraint come after all others. Pending architectures do not enter the
    predictor.

    Args:
        space: The search space.
        config: Settings; may not be given together with ``preset``.
        preset: ``"default"`` or ``"paper"``.
        seed: Seed of every random choice.
        encoder: A trained encoder to use instead of training one.

    Raises:
        InvalidArgument: Both ``config`` and ``preset``.
    """

    def __init__(
        self,
        space: GraphSpace,
        config: NASGEMConfig | None = None,
        *,
        preset: str | None = None,
        seed: int = 0,
        encoder: KernelGuidedEncoder | None = None,
    ) -> None:
        self.config = config = configured(NASGEMConfig, config, preset)
        super().__init__(
            space, seed=seed, n_startup_trials=config.n_startup_trials, batch_size=config.batch_size
        )
        self._pool = CandidatePool(
            self, config.candidates, config.local_candidates, max(config.refresh, config.batch_size)
        )
        self._given = encoder
        self._trained: Latest[KernelGuidedEncoder] = Latest()
        self._spread: Latest[tuple[Tensor, Tensor]] = Latest()
        self._tuned: tuple[object, int, MLPPredictor] | None = None

    @property
    def encoder(self) -> KernelGuidedEncoder:
        """The kernel-guided encoder, trained on first use."""
        if self._given is not None:
            return self._given
        config, seed = self.config.encoder, self.seed
        return self._trained(seed, lambda: KernelGuidedEncoder(self.space, config, seed=seed).fit())

    def suggest(
        self, finished: Finished, pending: Sequence[Architecture], seen: Collection[str]
    ) -> Architecture | None:
        """The candidate of the largest predicted score; see :meth:`ModelBasedSearch.suggest`."""
        updates = self.updates(finished)
        known = finished[: updates[-1]]
        return self.best_unseen((known,), lambda: self._ranked(known, updates), seen)

    def _ranked(self, known: Finished, updates: list[int]) -> Ranking:
        data = self.training_set(known)
        pool = ArchitectureBatch.cat([*self._pool.changed(data), self._pool.random(len(data))])
        predicted = self._predictor(known, updates).predict(self._vectors(pool))
        score, violations = predicted[:, 0], predicted[:, 1:]
        allowed = (violations <= 0).all(1)
        return pool, np.where(allowed, score, score - (np.ptp(score) + 1))

    def _examples(self, known: Finished) -> tuple[Tensor, Vector]:
        """Embeddings (n, d) of what is learned from, and the scores and violations (n, 1 + c) to predict."""
        data = self.training_set(known)
        scores = normal_scores(data.scores) if self.config.rank_scores else data.scores
        targets = np.concatenate([scores[:, None], data.known_violations], axis=1)
        kept = data.subset(self.config.max_points or len(data))
        return self._vectors([data.architectures[k] for k in kept.tolist()]), targets[kept]

    def _vectors(self, architectures: ArchitectureBatch | Sequence[Architecture]) -> Tensor:
        """What the perceptron reads of each: its embedding, ``(B, d)``, standardised if it is to be."""
        encoder = self.encoder
        vectors = encoder.embed(architectures)
        if not self.config.standardise:
            return vectors

        def spread() -> tuple[Tensor, Tensor]:
            some = encoder.embed(self.space.sample_batch(self.rng(_SPREAD), SPREAD))
            return some.mean(0), some.std(0).clamp_min(1e-6)

        mean, deviation = self._spread((self.seed, encoder), spread)
        return (vectors - mean) / deviation

    def _predictor(self, known: Finished, updates: list[int]) -> MLPPredictor:
        """The perceptron after the last of ``updates``.

        Fine-tuning repeats all updates, so that a method rebuilt from its history ends with the same weights.
        Those already made on the beginning of the same history are not repeated.
        """
        if self.config.update == "refit":
            seed = derived_seed(self.seed, "perceptron", len(known)) if self.config.new_weights else self.seed
            return MLPPredictor(self.config.perceptron, seed=seed).fit(*self._examples(known))
        predictor, done = MLPPredictor(self.config.perceptron, seed=self.seed), 0
        if self._tuned is not None:
            history, size, tuned = self._tuned
            if size in updates and history == (self.seed, known[:size]):
                predictor, done = tuned, updates.index(size) + 1
        self._tuned = None  # an error must not leave half-tuned weights behind
        for size in updates[done:]:
            predictor.fine_tune(*self._examples(known[:size]))
        self._tuned = (self.seed, known), len(known), predictor
        return predictor
