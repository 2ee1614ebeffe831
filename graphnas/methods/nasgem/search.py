"""NASGEM as a search method: random start, predictor, bootstrap optimisation over many candidates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import Observation, SearchMethod
from graphnas.methods.configuration import configured
from graphnas.methods.nasgem.candidates import changed_candidates, whole_space
from graphnas.methods.nasgem.config import NASGEMConfig
from graphnas.methods.nasgem.encoder import KernelGuidedEncoder
from graphnas.methods.nasgem.surrogates import EncoderSurrogate, KernelSurrogate
from graphnas.methods.training_set import TrainingSet

ELITES = 10
"""Number of best architectures whose changes are candidates too."""

# Purposes of random generators, so that no two share a stream.
_STARTUP, _POOL, _OBJECTIVES, _CHANGES = range(4)


class NASGEM(SearchMethod):
    """Neural Architecture Search via Graph Embedding Method (AAAI 2021, arXiv 2007.04452).

    A predictor learns from the architectures evaluated so far and scores a large sample of the space; the
    best unseen candidate is proposed (section 3.3, eq. 14-15). See :class:`NASGEMConfig` for the
    predictors and where the default departs from the paper.

    Two objectives have a process each, and the expected improvement of the hypervolume; more, and those of
    the encoder's perceptron, are scalarised anew for each update (ParEGO). Constraints enter the score.

    Args:
        space: The search space.
        config: Settings; may not be given together with ``preset``.
        preset: ``"default"`` or ``"paper"``.
        seed: Seed of every random choice.
        encoder: A trained encoder to use instead of training one (``predictor="encoder"`` only).

    Raises:
        InvalidArgument: Both ``config`` and ``preset``, or an encoder that nothing would use.
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
        if encoder is not None and self.config.predictor != "encoder":
            raise InvalidArgument("an encoder is only used with predictor='encoder'")
        self._given_encoder = encoder
        self._forget()

    def _forget(self) -> None:
        """Drop what was derived from the observations; keep what depends on the seed alone."""
        known = getattr(self, "_encoder", None)
        if known is None or known.seed != self.seed:
            self._kernel = KernelSurrogate(self.space, self.config)
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
        for candidate in self._ranked(finished, pending):
            if self.space.is_valid(candidate) and self.space.key(candidate) not in seen:
                return candidate
        return self.unseen_sample(self.rng(_STARTUP), seen, tries=len(seen) + 1000)

    # ---------------------------------------------------------------- bootstrap optimisation

    def _ranked(self, finished: list[Observation], pending: Sequence[Architecture]) -> Iterator[Architecture]:
        """Candidates from the most promising down, made one by one as they are asked for."""
        milestones = self._milestones(len(finished))
        round_start = milestones[-1]
        # The encoder's predictor does not read what is pending; the others do.
        waiting = () if self.config.predictor == "encoder" else tuple(pending)
        state = (round_start, waiting)
        if self._ranking is None or self._ranking[0] != state:
            data, changed = self._round(finished, round_start)
            pools, fixed = [*changed, self._pool(round_start)], self._whole is not None
            together = ArchitectureBatch.cat(pools)
            if self.config.predictor == "encoder":
                scores = self._encoder.score(data, milestones, together)
            else:
                scores = np.concatenate(self._kernel.score(data, waiting, pools, fixed=fixed))
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
        """The kernel-guided encoder, trained on first use.

        Raises:
            InvalidArgument: The configuration uses none.
        """
        if self.config.predictor != "encoder":
            raise InvalidArgument(f"predictor={self.config.predictor!r} has no encoder; use preset='paper'")
        return self._encoder.encoder
