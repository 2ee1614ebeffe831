"""Regularised (aging) evolution, the baseline that needs no model (Real et al., AAAI 2019)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument, SpaceExhausted
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Observation
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import SearchMethod
from graphnas.surrogate.imputation import imputed_values

_STARTUP, _STEP = range(2)
_MUTATIONS = 200
"""Children to try before a random architecture; every twentieth one mutates the last child."""


class RegularizedEvolution(SearchMethod):
    """Tournament selection and mutation over the youngest architectures (Real et al., 2019, algorithm 1).

    The population is the last ``population_size`` evaluations: the oldest dies, not the worst. With several
    objectives a tournament is won by the member that the fewest others dominate; the first objective breaks
    ties. A pruned member has an estimated value (:func:`graphnas.surrogate.imputation.imputed_values`).

    Args:
        space: The search space.
        seed: Seed of every random choice.
        population_size: P; also the number of random architectures at the start. The paper's 100 is meant
            for 20,000 evaluations, ours for a few hundred.
        tournament_size: S.

    Raises:
        InvalidArgument: Sizes that do not satisfy ``1 <= tournament_size <= population_size``.
    """

    def __init__(
        self, space: GraphSpace, *, seed: int = 0, population_size: int = 20, tournament_size: int = 5
    ) -> None:
        super().__init__(space, seed=seed)
        if not 1 <= tournament_size <= population_size:
            raise InvalidArgument(
                f"need 1 <= tournament_size <= population_size, got {tournament_size} and {population_size}"
            )
        self.population_size = population_size
        self.tournament_size = tournament_size

    def propose(
        self, observations: Sequence[Observation], pending: Sequence[Architecture], seen: Collection[str]
    ) -> Architecture:
        """A mutation of a tournament's winner; see :meth:`SearchMethod.propose`."""
        started = len(observations) + len(pending)
        alive = [k for k, o in enumerate(observations) if o.informative and not o.violating]
        population = alive[-self.population_size :]
        if started < self.population_size or not population:
            return self.unseen_sample(self.rng(_STARTUP), seen, tries=len(seen) + 1000)
        rng = self.rng(_STEP, len(observations), len(pending))
        size = min(self.tournament_size, len(population))
        entrants = rng.choice(len(population), size=size, replace=False)
        drawn = np.array(population)[entrants]
        parent = observations[drawn[_winner(imputed_values(observations)[drawn])]].architecture
        child = parent
        try:
            for attempt in range(_MUTATIONS):
                child = self.space.mutate(parent if attempt % 20 else child, rng)
                if self.space.key(child) not in seen:
                    return child
        except SpaceExhausted:  # no change of this parent is valid
            pass
        known = [*(o.architecture for o in observations), *pending]
        return self.unseen_sample(rng, seen, known=known)


def _winner(values: NDArray[np.float64]) -> int:
    """Row of ``values`` (n, m) that the fewest others dominate; the first objective breaks ties."""
    better = (values[None] >= values[:, None]).all(2) & (values[None] > values[:, None]).any(2)
    return int(np.lexsort((-values[:, 0], better.sum(1)))[0])
