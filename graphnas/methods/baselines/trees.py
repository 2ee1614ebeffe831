"""A tree ensemble on one-hot operations, a baseline for learned encoders."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.flatten import Flattener
from graphnas.graph.space import GraphSpace
from graphnas.methods.candidates import CandidatePool
from graphnas.methods.model_based import CHANGES, Finished, ModelBasedSearch, Ranking
from graphnas.surrogate.acquisition import log_expected_improvement
from graphnas.surrogate.improvement import MAX_POINTS
from graphnas.surrogate.training_set import TrainingSet, normal_scores

_TIES = CHANGES
"""This method has no changed candidates, so their stream is free."""


class TreeSearch(ModelBasedSearch):
    """Extremely randomised trees on the flattened architecture, expected improvement over many candidates.

    The spread of the trees' predictions stands for the uncertainty, as in SMAC (Hutter et al., 2011). Targets
    are the normal scores of the values' ranks. Several objectives are scalarised anew for each proposal
    (ParEGO), and infeasible architectures rank below all feasible ones. Pending architectures are not
    proposed again, but do not enter the model. Of a long search the best half thousand evaluations and as
    many of the most recent others are learned from.

    Args:
        space: The search space.
        seed: Seed of every random choice.
        n_startup_trials: Random architectures before the first model.
        candidates: Random architectures scored per proposal; smaller spaces are scored whole.
        trees: Number of trees.

    Raises:
        InvalidArgument: A count below its minimum.
    """

    def __init__(
        self,
        space: GraphSpace,
        *,
        seed: int = 0,
        n_startup_trials: int = 10,
        candidates: int = 20_000,
        trees: int = 100,
    ) -> None:
        for name, value, least in (
            ("n_startup_trials", n_startup_trials, 0),
            ("candidates", candidates, 1),
            ("trees", trees, 2),
        ):
            if value < least:
                raise InvalidArgument(f"{name} must be at least {least}, got {value}")
        super().__init__(space, seed=seed, n_startup_trials=n_startup_trials)
        self.trees = trees
        self._flatten = Flattener(space, absent_bit=True)
        self._pool = CandidatePool(self, candidates)

    def suggest(
        self, finished: Finished, pending: Sequence[Architecture], seen: Collection[str]
    ) -> Architecture | None:
        """The candidate of the largest expected improvement; see :meth:`ModelBasedSearch.suggest`."""
        return self.best_unseen((finished,), lambda: self._ranked(self.training_set(finished)), seen)

    def _ranked(self, data: TrainingSet) -> Ranking:
        scores, kept = normal_scores(data.ranked_scores), data.subset(MAX_POINTS)
        chosen = [data.architectures[k] for k in kept.tolist()]
        known = ArchitectureBatch.from_architectures(chosen, self.space.max_nodes)
        model = ExtraTreesRegressor(self.trees, random_state=self.seed, n_jobs=1)
        model.fit(self._flatten(known), scores[kept])
        pool = self._pool.random(len(data))
        rows = self._flatten(pool)
        votes = np.stack([tree.tree_.predict(rows)[:, 0] for tree in model.estimators_])
        improvement = log_expected_improvement(votes.mean(0), votes.std(0) + 1e-9, float(scores.max()))
        # Trees are constant over whole regions: without a random order, ties would go to the first of a list.
        order = self.rng(_TIES, len(data)).permutation(len(pool))
        return pool[order], improvement[order]
