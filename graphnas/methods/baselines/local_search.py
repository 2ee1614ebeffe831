"""Local search, a strong baseline on tabular benchmarks (White et al., 2020, arXiv 2005.02960)."""

from __future__ import annotations

from collections.abc import Sequence

from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import SearchMethod

_START, _ORDER = range(2)


class LocalSearch(SearchMethod):
    """Hill climbing with restarts: move to the first neighbour that is better, restart at a local optimum.

    The walk is replayed from the evaluations told so far, so it is a function of them and of the seed, and
    values that others told are used where the walk comes across them. Of several objectives it climbs the
    first; infeasible and failed architectures count as worse than all others.

    Args:
        space: The search space.
        seed: Seed of starts and of the order in which neighbours are visited.
    """

    def __init__(self, space: GraphSpace, *, seed: int = 0) -> None:
        super().__init__(space, seed=seed)
        self._forget()

    def _forget(self) -> None:
        self._neighborhoods: dict[tuple[Architecture, int, int], list[tuple[str, Architecture]]] = {}
        self._starts: list[tuple[str, Architecture]] = []

    def _propose(self, pending: Sequence[Architecture], seen: set[str]) -> Architecture:
        values = {key: self._value(index) for key, index in self._told_keys.items()}
        for restart in range(len(seen) + 1):
            key, current = self._start(restart)
            step = 0
            while True:
                if key not in seen:
                    return current
                if key not in values:
                    break  # pending: the walk cannot go on before its value is known
                better = None
                for neighbor_key, neighbor in self._neighborhood(current, restart, step):
                    if neighbor_key not in seen:
                        return neighbor
                    if values.get(neighbor_key, -float("inf")) > values[key]:
                        better = neighbor_key, neighbor
                        break
                if better is None:
                    break
                (key, current), step = better, step + 1
        return self.unseen_sample(self.rng(_START), seen)

    def _value(self, index: int) -> float:
        observation = self._observations[index]
        if not observation.feasible or observation.values is None:
            return -float("inf")
        return observation.values[0]

    def _start(self, restart: int) -> tuple[str, Architecture]:
        while len(self._starts) <= restart:
            start = self.space.sample(self.rng(_START, len(self._starts)))
            self._starts.append((self.space.key(start), start))
        return self._starts[restart]

    def _neighborhood(self, current: Architecture, restart: int, step: int) -> list[tuple[str, Architecture]]:
        """Neighbours of ``current`` in a random order that belongs to the seed and the place in the walk."""
        # Not the key: architectures that share one need not have the same neighbours.
        place = (current, restart, step)
        if place not in self._neighborhoods:
            neighbors = self.space.neighbors(current)
            order = self.rng(_ORDER, restart, step).permutation(len(neighbors))
            self._neighborhoods[place] = [(self.space.key(neighbors[k]), neighbors[k]) for k in order]
        return self._neighborhoods[place]
