"""Local search, a strong baseline on tabular benchmarks (White et al., 2020, arXiv 2005.02960)."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Observation
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import SearchMethod
from graphnas.surrogate.imputation import imputed_values

_START, _ORDER = range(2)


class LocalSearch(SearchMethod):
    """Hill climbing with restarts: move to the first neighbour that is better, restart at a local optimum.

    The walk is replayed from all evaluations so far, so it is a function of them and of the seed, and values
    reported from elsewhere are used where the walk meets them. With several objectives it climbs the first;
    infeasible and failed architectures count as worse than all others, pruned ones with an estimate
    (:func:`graphnas.surrogate.imputation.imputed_values`).

    Args:
        space: The search space.
        seed: Seed of starts and of the order in which neighbours are visited.
    """

    def __init__(self, space: GraphSpace, *, seed: int = 0) -> None:
        super().__init__(space, seed=seed)
        # Caches, by everything that they depend on, the seed included.
        self._keys_of: dict[Architecture, str] = {}
        self._starts: dict[tuple[int, int], Architecture] = {}
        self._neighborhoods: dict[tuple[Architecture, int, int, int], list[Architecture]] = {}

    def propose(
        self, observations: Sequence[Observation], pending: Sequence[Architecture], seen: Collection[str]
    ) -> Architecture:
        """The first unseen architecture on the walk; see :meth:`SearchMethod.propose`."""
        values: dict[str, float] = {}
        reached = imputed_values(observations)[:, 0] if observations else ()
        for observation, value in zip(observations, reached, strict=True):
            counts = observation.informative and not observation.violating
            values.setdefault(self._key(observation.architecture), float(value) if counts else -math.inf)
        for restart in range(len(seen) + 1):
            current, step = self._start(restart), 0
            while (key := self._key(current)) in seen:
                if key not in values:
                    break  # pending: the walk cannot go on before its value is known
                better = None
                for neighbor in self._neighborhood(current, restart, step):
                    neighbor_key = self._key(neighbor)
                    if neighbor_key not in seen:
                        return neighbor
                    if values.get(neighbor_key, -math.inf) > values[key]:
                        better = neighbor
                        break
                if better is None:
                    break
                current, step = better, step + 1
            else:
                return current
        return self.unseen_sample(self.rng(_START), seen)

    def _key(self, architecture: Architecture) -> str:
        if architecture not in self._keys_of:
            self._keys_of[architecture] = self.space.key(architecture)
        return self._keys_of[architecture]

    def _start(self, restart: int) -> Architecture:
        place = self.seed, restart
        if place not in self._starts:
            self._starts[place] = self.space.sample(self.rng(_START, restart))
        return self._starts[place]

    def _neighborhood(self, current: Architecture, restart: int, step: int) -> list[Architecture]:
        """Neighbours of ``current`` in a random order that belongs to the seed and the place in the walk."""
        # Not the key: architectures that share one need not have the same neighbours.
        place = current, restart, step, self.seed
        if place not in self._neighborhoods:
            neighbors = self.space.neighbors(current)
            order = self.rng(_ORDER, restart, step).permutation(len(neighbors))
            self._neighborhoods[place] = [neighbors[k] for k in order]
        return self._neighborhoods[place]
