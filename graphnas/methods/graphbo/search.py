"""GraphBO as a search method: a random start, then the best of many candidates by a Gaussian process."""

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
from graphnas.methods.graphbo.config import GraphBOConfig
from graphnas.surrogate.kernel_surrogate import KernelSurrogate
from graphnas.surrogate.training_set import TrainingSet

ELITES = 10
"""Number of best architectures whose changes are candidates too."""

# Purposes of random generators, so that no two share a stream.
_STARTUP, _POOL, _OBJECTIVES, _CHANGES = range(4)


class GraphBO(SearchMethod):
    """Bayesian optimisation with a Gaussian process on graph features; the default that we recommend.

    The process learns from the architectures evaluated so far and scores many candidates by their expected
    improvement: all architectures of a small space, otherwise random ones and changes of the best.

    Two objectives have a process each, and the expected improvement of the hypervolume; more are scalarised
    anew for each update (ParEGO). Every constraint has a process, whose probability of being satisfied
    enters the score.

    Args:
        space: The search space.
        config: Settings; may not be given together with ``preset``.
        preset: ``"default"``.
        seed: Seed of every random choice.

    Raises:
        InvalidArgument: Both ``config`` and ``preset``.
    """

    def __init__(
        self,
        space: GraphSpace,
        config: GraphBOConfig | None = None,
        *,
        preset: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(space, seed=seed)
        self.config = configured(GraphBOConfig, config, preset)
        self._forget()

    def _forget(self) -> None:
        """Drop what was derived from the observations; keep what depends on the seed alone."""
        self._kernel = KernelSurrogate(self.space, self.config)
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

    # ---------------------------------------------------------------- candidates

    def _ranked(self, finished: list[Observation], pending: Sequence[Architecture]) -> Iterator[Architecture]:
        """Candidates from the most promising down, made one by one as they are asked for."""
        milestones = self._milestones(len(finished))
        round_start = milestones[-1]
        waiting = tuple(pending)
        state = (round_start, waiting)
        if self._ranking is None or self._ranking[0] != state:
            data, changed = self._round(finished, round_start)
            pools, fixed = [*changed, self._pool(round_start)], self._whole is not None
            together = ArchitectureBatch.cat(pools)
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
