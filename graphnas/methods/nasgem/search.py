"""NASGEM as a search method: random start, predictor, bootstrap optimisation over many candidates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from graphnas.configuration import configured
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.evaluation import Observation
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import SearchMethod
from graphnas.methods.candidates import changed_candidates, whole_space
from graphnas.methods.nasgem.config import NASGEMConfig
from graphnas.methods.nasgem.encoder import KernelGuidedEncoder
from graphnas.methods.nasgem.surrogates import EncoderSurrogate
from graphnas.surrogate.training_set import TrainingSet

ELITES = 10
"""Number of best architectures whose changes are candidates too."""

# Purposes of random generators, so that no two share a stream.
_STARTUP, _POOL, _OBJECTIVES, _CHANGES = range(4)


class NASGEM(SearchMethod):
    """Neural Architecture Search via Graph Embedding Method (AAAI 2021, arXiv 2007.04452).

    A predictor learns from the architectures evaluated so far and scores a large sample of the space; the
    best unseen candidate is proposed (section 3.3, eq. 14-15). See :class:`NASGEMConfig` for the
    predictors and where the default departs from the paper.

    Several objectives are scalarised anew for each update (ParEGO). Candidates that are predicted to break a
    constraint come last.

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
        super().__init__(space, seed=seed)
        self.config = configured(NASGEMConfig, config, preset)
        self._given_encoder = encoder
        self._forget()

    def _forget(self) -> None:
        """Drop what was derived from the observations; keep what depends on the seed alone."""
        known = getattr(self, "_encoder", None)
        if known is None or known.seed != self.seed:
            self._encoder = EncoderSurrogate(self.space, self.config, self.seed, self._given_encoder)
        self._encoder.restart()
        self._ranking: tuple[tuple[object, ...], ArchitectureBatch, NDArray[np.int64]] | None = None
        self._shared: tuple[int, tuple[TrainingSet, tuple[ArchitectureBatch, ...]]] | None = None
        self._drawn: tuple[int, ArchitectureBatch] | None = None

    def _propose(self, pending: Sequence[Architecture], seen: set[str]) -> Architecture:
        finished = [o for o in self._observations if o.values is not None]
        started = len(self._observations) + len(pending)
        if started < self.config.n_startup_trials or len(finished) < 2:
            return self.unseen_sample(self.rng(_STARTUP), seen, tries=len(seen) + 1000)
        for candidate in self._ranked(finished):
            if self.space.is_valid(candidate) and self.space.key(candidate) not in seen:
                return candidate
        return self.unseen_sample(self.rng(_STARTUP), seen, tries=len(seen) + 1000)

    # ---------------------------------------------------------------- bootstrap optimisation

    def _ranked(self, finished: list[Observation]) -> Iterator[Architecture]:
        """Candidates from the most promising down, made one by one as they are asked for."""
        milestones = self._milestones(len(finished))
        round_start = milestones[-1]
        state = (round_start,)
        if self._ranking is None or self._ranking[0] != state:
            data, changed = self._round(finished, round_start)
            together = ArchitectureBatch.cat([*changed, self._pool(round_start)])
            scores = self._encoder.score(data, milestones, together)
            self._ranking = state, together, np.argsort(-scores, kind="stable")
        _, pool, order = self._ranking
        return (pool.architecture(int(index)) for index in order)

    def _round(
        self, finished: list[Observation], size: int
    ) -> tuple[TrainingSet, tuple[ArchitectureBatch, ...]]:
        """What the proposals of a round share: the data, and changes of the best architectures."""
        if self._shared is None or self._shared[0] != size:
            data = TrainingSet.from_observations(finished[:size], self.rng(_OBJECTIVES, size))
            self._shared = size, (data, self._changed(data))
        return self._shared[1]

    def _milestones(self, count: int) -> list[int]:
        """Numbers of finished evaluations at which the predictor was updated, up to ``count``."""
        first = min(max(self.config.n_startup_trials, 2), count)
        return list(range(first, count + 1, self.config.batch_size))

    @cached_property
    def _whole(self) -> ArchitectureBatch | None:
        """Every architecture, where the space is small enough to be scored whole."""
        return whole_space(self.space, self.config.candidates)

    def _pool(self, count: int) -> ArchitectureBatch:
        """The whole space, or random candidates, others after every few evaluations of ``count``."""
        if self._whole is not None:
            return self._whole
        number = count // max(self.config.refresh, self.config.batch_size)
        if self._drawn is None or self._drawn[0] != number:
            drawn = self.space.sample_batch(self.rng(_POOL, number), self.config.candidates)
            self._drawn = number, drawn
        return self._drawn[1]

    def _changed(self, data: TrainingSet) -> tuple[ArchitectureBatch, ...]:
        """Changes of the best architectures, where the space is not scored whole."""
        if self._whole is not None or not self.config.local_candidates:
            return ()
        preferred = data.scores - (np.ptp(data.scores) + 1) * ~data.feasible
        best = np.argsort(-preferred, kind="stable")[:ELITES]
        parents = [data.architectures[k] for k in best]
        rng = self.rng(_CHANGES, len(data.scores))
        return (changed_candidates(self.space, parents, self.config.local_candidates, rng),)

    # ---------------------------------------------------------------- parts

    @property
    def encoder(self) -> KernelGuidedEncoder:
        """The kernel-guided encoder, trained on first use."""
        return self._encoder.encoder
