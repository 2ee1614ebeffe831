"""RandomSearch: random architectures, each proposed once."""

from __future__ import annotations

from collections.abc import Sequence

from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import SearchMethod, small_space

REPEATS_BEFORE_ENUMERATION = 1000
"""Samples in a row that bring nothing new, after which a small space is taken to be nearly used up."""


class RandomSearch(SearchMethod):
    """Proposes the first unseen member of a sequence of random samples that the seed alone determines.

    Skipping along one fixed sequence makes every proposal a function of (seed, told, pending): a trial that
    was lost leaves no trace, and several workers share out the sequence between them. It is sampling without
    replacement from whatever distribution :meth:`GraphSpace.sample` has. When the whole space has been seen
    the sequence is gone through again.

    Args:
        space: The search space.
        seed: Seed of the sequence.
    """

    def __init__(self, space: GraphSpace, seed: int = 0) -> None:
        super().__init__(space, seed=seed)
        self._restart()

    def _forget(self) -> None:
        """Begin the sequence again; another one if the seed has changed."""
        self._told_prefix = 0
        if self._sequence_seed != self.seed:
            self._restart()

    def _restart(self) -> None:
        self._sequence_seed = self.seed
        self._generator = self.rng(0)
        self._sequence: list[tuple[Architecture, str]] = []
        self._known: set[str] = set()
        self._told_prefix = 0
        self._complete = False

    def _propose(self, pending: Sequence[Architecture], seen: set[str]) -> Architecture:
        # What was told stays told, so that the part of the sequence used up is not looked at again.
        while self._extend_to(self._told_prefix) and self._sequence[self._told_prefix][1] in self._told_keys:
            self._told_prefix += 1
        position = self._told_prefix
        while self._extend_to(position):
            architecture, key = self._sequence[position]
            if key not in seen:
                return architecture
            position += 1
        if self._sequence:
            return self._sequence[(len(self._observations) + len(pending)) % len(self._sequence)][0]
        return self.space.sample(self.rng(1, len(self._observations) + len(pending)))

    def _extend_to(self, position: int) -> bool:
        """Whether the sequence has, or could be given, a member at ``position``."""
        repeats = 0
        while position >= len(self._sequence) and not self._complete:
            if repeats < REPEATS_BEFORE_ENUMERATION:
                repeats += 0 if self._append(self.space.sample(self._generator)) else 1
                continue
            rest = list(small_space(self.space))
            for index in self._generator.permutation(len(rest)):
                self._append(rest[int(index)])
            self._complete = True
        return position < len(self._sequence)

    def _append(self, architecture: Architecture) -> bool:
        key = self.space.key(architecture)
        if key in self._known:
            return False
        self._known.add(key)
        self._sequence.append((architecture, key))
        return True
