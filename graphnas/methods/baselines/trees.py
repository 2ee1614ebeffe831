"""A tree ensemble on one-hot operations, the baseline that every learned encoder must be compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.flatten import Flattener
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import SearchMethod
from graphnas.methods.candidates import whole_space
from graphnas.surrogate.acquisition import expected_improvement, normal_scores
from graphnas.surrogate.objectives import scalarize

_STARTUP, _POOL, _OBJECTIVES, _TIES = range(4)


class TreeSearch(SearchMethod):
    """Extremely randomised trees on the flattened architecture, expected improvement over many candidates.

    Values are replaced by normal scores of their ranks, which on NAS-Bench-201 does better than raw values.

    The spread of the trees' predictions stands for the uncertainty, as in SMAC (Hutter et al., 2011). What is
    pending is not proposed again but does not enter the model.

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
        super().__init__(space, seed=seed)
        for name, value, least in (
            ("n_startup_trials", n_startup_trials, 0),
            ("candidates", candidates, 1),
            ("trees", trees, 2),
        ):
            if value < least:
                raise InvalidArgument(f"{name} must be at least {least}, got {value}")
        self.n_startup_trials = n_startup_trials
        self.candidates = candidates
        self.trees = trees
        self._flatten = Flattener(space, absent_bit=True)
        self._whole = whole_space(space, candidates)

    def _propose(self, pending: Sequence[Architecture], seen: set[str]) -> Architecture:
        finished = [o for o in self._observations if o.feasible]
        if len(self._observations) + len(pending) < self.n_startup_trials or len(finished) < 2:
            return self.unseen_sample(self.rng(_STARTUP), seen, tries=len(seen) + 1000)
        count = len(self._observations)
        pool = self._whole or self.space.sample_batch(self.rng(_POOL, count), self.candidates)
        values = np.array([o.values for o in finished], float)
        scores = normal_scores(scalarize(values, self.rng(_OBJECTIVES, count)))
        known = ArchitectureBatch.from_architectures([o.architecture for o in finished], self.space.max_nodes)
        model = ExtraTreesRegressor(self.trees, random_state=self.seed, n_jobs=1)
        model.fit(self._flatten(known), scores)
        rows = self._flatten(pool)
        votes = np.stack([tree.tree_.predict(rows)[:, 0] for tree in model.estimators_])
        improvement = expected_improvement(votes.mean(0), votes.std(0) + 1e-9, float(scores.max()))
        # Trees are constant over whole regions: without a random order, ties would go to the first of a list.
        order = self.rng(_TIES, count).permutation(len(pool))
        for index in order[np.argsort(-improvement[order], kind="stable")]:
            candidate = pool.architecture(int(index))
            if self.space.key(candidate) not in seen:
                return candidate
        return self.unseen_sample(self.rng(_STARTUP), seen)
