"""RandomSearch: random architectures, each proposed once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Observation
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import Latest, SearchMethod, small_space

REPEATS_BEFORE_ENUMERATION = 1000
"""Samples in a row without a new architecture after which the rest of a small space is enumerated."""


class RandomSearch(SearchMethod):
    """Proposes the first unseen member of a sequence of random samples that the seed alone determines.

    As the sequence is fixed, a lost trial leaves no trace, and several workers divide it among themselves. It
    samples without replacement from the distribution of :meth:`GraphSpace.sample`. Once the whole space has
    been seen, the sequence starts over.

    Args:
        space: The search space.
        seed: Seed of the sequence.
    """

    def __init__(self, space: GraphSpace, *, seed: int = 0) -> None:
        super().__init__(space, seed=seed)
        self._latest: Latest[_Sequence] = Latest()

    def propose(
        self, observations: Sequence[Observation], pending: Sequence[Architecture], seen: Collection[str]
    ) -> Architecture:
        """The first unseen member of the sequence; see :meth:`SearchMethod.propose`."""
        sequence = self._latest(self.seed, lambda: _Sequence(self.space, self.rng(0)))
        for architecture, key in sequence:
            if key not in seen:
                return architecture
        started = len(observations) + len(pending)
        known = sequence.members
        return known[started % len(known)][0] if known else self.space.sample(self.rng(1, started))


class _Sequence:
    """Different random architectures with their keys, drawn on demand; that of a small space ends."""

    def __init__(self, space: GraphSpace, generator: np.random.Generator) -> None:
        self._space, self._generator = space, generator
        self._keys: set[str] = set()
        self._complete = False
        self.members: list[tuple[Architecture, str]] = []

    def __iter__(self) -> Iterator[tuple[Architecture, str]]:
        position = 0
        while position < len(self.members) or self._extend():
            yield self.members[position]
            position += 1

    def _extend(self) -> bool:
        """Draw one more member; whether there was one."""
        count = len(self.members)
        for _ in range(0 if self._complete else REPEATS_BEFORE_ENUMERATION):
            self._append(self._space.sample(self._generator))
            if len(self.members) > count:
                return True
        if not self._complete:
            rest = small_space(self._space)
            for index in self._generator.permutation(len(rest)):
                self._append(rest[int(index)])
            self._complete = True
        return len(self.members) > count

    def _append(self, architecture: Architecture) -> None:
        key = self._space.key(architecture)
        if key not in self._keys:
            self._keys.add(key)
            self.members.append((architecture, key))
