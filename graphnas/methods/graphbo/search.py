"""GraphBO as a search method: a random start, then the best of many candidates by a Gaussian process."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from graphnas.configuration import configured
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.methods.candidates import CandidatePool
from graphnas.methods.graphbo.config import GraphBOConfig
from graphnas.methods.model_based import Finished, ModelBasedSearch, Ranking
from graphnas.surrogate.graph_surrogate import GraphSurrogate
from graphnas.surrogate.training_set import TrainingSet


class GraphBO(ModelBasedSearch):
    """Bayesian optimisation with a Gaussian process on graph features; the method that we recommend.

    The process learns from the architectures evaluated so far and scores many candidates by their expected
    improvement: all architectures of a small space, otherwise random ones and changes of the best. Its kernel
    is a learned sum of Weisfeiler-Lehman kernels, one on the flattened bits and one on operation features
    (:class:`graphnas.surrogate.GraphKernels`). :class:`graphnas.surrogate.ImprovementModel` describes how
    several objectives, constraints and pending trials enter.

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
        self.config = config = configured(GraphBOConfig, config, preset)
        super().__init__(
            space, seed=seed, n_startup_trials=config.n_startup_trials, batch_size=config.batch_size
        )
        self._pool = CandidatePool(
            self, config.candidates, config.local_candidates, max(config.refresh, config.batch_size)
        )
        self._model = GraphSurrogate(
            space,
            config.depths,
            operations=config.operation_features,
            noise=config.noise,
            two_objectives=config.two_objectives,
            refit_growth=config.refit_growth,
        )

    def suggest(
        self, finished: Finished, pending: Sequence[Architecture], seen: Collection[str]
    ) -> Architecture | None:
        """The candidate of the largest expected improvement; see :meth:`ModelBasedSearch.suggest`."""
        known = finished[: self.updates(finished)[-1]]
        waiting = tuple(pending)
        return self.best_unseen(
            (known, waiting), lambda: self._ranked(self.training_set(known), waiting), seen
        )

    def _ranked(self, data: TrainingSet, pending: Sequence[Architecture]) -> Ranking:
        pools = [*self._pool.changed(data), self._pool.random(len(data))]
        scores = self._model.score(data, pending, pools, fixed=self._pool.whole is not None)
        return ArchitectureBatch.cat(pools), np.concatenate(scores)
