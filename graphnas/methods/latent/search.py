"""LatentBO: Bayesian optimisation in the latent space of a graph autoencoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from graphnas.autoencoders.base import GraphAutoencoder
from graphnas.configuration import configured
from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.evaluation import Observation
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import SearchMethod
from graphnas.methods.latent.config import LatentBOConfig
from graphnas.methods.latent.pool import Pool, latent_means
from graphnas.methods.latent.rounds import Rounds
from graphnas.methods.latent.surrogate import acquisition
from graphnas.methods.latent.trained import trained_autoencoder, training_architectures
from graphnas.surrogate.training_set import TrainingSet

# Purposes of random generators, so that no two share a stream.
_STARTUP, _POOL, _OBJECTIVES, _ROUND = range(4)


class LatentBO(SearchMethod):
    """Bayesian optimisation in the latent space of a graph autoencoder.

    The autoencoder learns from random architectures of the space, without accuracies, when it is first
    needed: seconds with the default model. A Gaussian process on the latent means of what was evaluated then
    says where to look next. ``preset="paper"`` is the search of D-VAE (NeurIPS 2019, section 4.3), which
    optimises over the latent space and decodes. By default we depart from it, since far from any encoding
    neither the process nor the decoder knows much: candidates are the encodings of real architectures,
    with what a trust region around the best decodes to among them, scored by log expected improvement (Ament
    et al., NeurIPS 2023) with a process refitted to everything that is known, after every evaluation.

    Nothing told or pending is proposed again. Several objectives are scalarised anew for each update
    (ParEGO). Constraints enter the score by the probability that they are satisfied; in the paper's rounds,
    which know none, what breaks one counts as the worst value.

    Args:
        space: The search space.
        config: Settings; may not be given together with ``preset``.
        preset: ``"default"`` or ``"paper"``.
        seed: Seed of every random choice.
        autoencoder: A trained one to use instead of training one.

    Raises:
        InvalidArgument: Both ``config`` and ``preset``, or an autoencoder of another space.
    """

    def __init__(
        self,
        space: GraphSpace,
        config: LatentBOConfig | None = None,
        *,
        preset: str | None = None,
        seed: int = 0,
        autoencoder: GraphAutoencoder | None = None,
    ) -> None:
        super().__init__(space, seed=seed)
        self.config = configured(LatentBOConfig, config, preset)
        if autoencoder is not None and autoencoder.space.name != space.name:
            raise InvalidArgument(f"the autoencoder is of {autoencoder.space.name!r}, not of {space.name!r}")
        self._given = autoencoder
        self._pool: tuple[int, Pool] | None = None
        self._forget()

    def _forget(self) -> None:
        """Drop what was derived from the observations; the pool depends on the seed alone."""
        self._ranking: tuple[tuple[object, ...], ArchitectureBatch, NDArray[np.int64]] | None = None
        self._rounds: Rounds | None = None
        self._latents: dict[Architecture, NDArray[np.float64]] = {}
        if self._pool is not None and self._pool[0] != self.seed:
            self._pool = None

    # ---------------------------------------------------------------- parts

    @property
    def autoencoder(self) -> GraphAutoencoder:
        """The autoencoder, trained on first use."""
        return self._prepared().model

    def _prepared(self) -> Pool:
        if self._pool is None:
            if self._given is None:
                model, trained_on = trained_autoencoder(self.space, self.config, self.seed)
            else:
                model = self._given
                trained_on = training_architectures(self.space, self.config.training_size, self.seed)
            self._pool = self.seed, Pool(self.space, self.config, model, trained_on)
        return self._pool[1]

    def _encoded(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """Latent means ``(n, d)``; each architecture is encoded once."""
        new = [a for a in dict.fromkeys(architectures) if a not in self._latents]
        if new:
            self._latents.update(zip(new, latent_means(self.autoencoder, new), strict=True))
        if not architectures:
            return np.zeros((0, self.autoencoder.config.latent))
        return np.stack([self._latents[a] for a in architectures])

    # ---------------------------------------------------------------- proposals

    def _propose(self, pending: Sequence[Architecture], seen: set[str]) -> Architecture:
        finished = [o for o in self._observations if o.values is not None]
        started = len(self._observations) + len(pending)
        if started < self.config.n_startup_trials or len(finished) < 2:
            return self.unseen_sample(self.rng(_STARTUP), seen, tries=len(seen) + 1000)
        if self.config.strategy == "rounds":
            candidates = self._planned(finished)
        else:
            candidates = self._ranked(finished, pending)
        for candidate in candidates:
            if self.space.key(candidate) not in seen:
                return candidate
        return self.unseen_sample(self.rng(_STARTUP), seen, tries=len(seen) + 1000)

    def _milestones(self, count: int) -> list[int]:
        """Numbers of finished evaluations at which the surrogate was fitted, up to ``count``."""
        first = min(max(self.config.n_startup_trials, 2), count)
        return list(range(first, count + 1, self.config.batch_size))

    def _data(self, finished: list[Observation]) -> TrainingSet:
        return TrainingSet.from_observations(finished, self.rng(_OBJECTIVES, len(finished)))

    def _ranked(self, finished: list[Observation], pending: Sequence[Architecture]) -> Iterator[Architecture]:
        """Candidates from the most promising down, made one by one as they are asked for."""
        round_start = self._milestones(len(finished))[-1]
        state = (round_start, tuple(pending))
        if self._ranking is None or self._ranking[0] != state:
            pool = self._prepared()
            data = self._data(finished[:round_start])
            latents = self._encoded(data.architectures)
            score = acquisition(self.config, self.seed, data, latents, self._encoded(pending))
            batch, points = pool.candidates(data, latents, score, self.rng(_POOL, round_start))
            self._ranking = state, batch, np.argsort(-score(points), kind="stable")
        _, batch, order = self._ranking
        return (batch.architecture(int(index)) for index in order)

    def _planned(self, finished: list[Observation]) -> Iterator[Architecture]:
        """What the current round decoded, and before that the rounds that led to it."""
        milestones = self._milestones(len(finished))
        # Failures among the first trials move the first milestone: then everything is planned anew.
        if self._rounds is None or self._rounds.milestones != milestones[: len(self._rounds)]:
            pool = self._prepared()
            self._rounds = Rounds(
                self.config, self.seed, pool.model, (pool.low, pool.high), self._encoded, self.space.key
            )
        for number in range(len(self._rounds), len(milestones)):
            self._rounds.plan(self._data(finished[: milestones[number]]), self.rng(_ROUND, number))
        return iter(self._rounds.proposals(len(milestones) - 1))
