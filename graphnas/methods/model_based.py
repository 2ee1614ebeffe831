"""ModelBasedSearch: what methods with a model share, from the random start to the cached ranking."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.evaluation import Observation
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import Latest, SearchMethod
from graphnas.surrogate.training_set import TrainingSet

# Purposes of random generators, so that no two share a stream; a method's own begin at FIRST_OWN.
STARTUP, POOL, OBJECTIVES, CHANGES = range(4)
FIRST_OWN = 10

FIRST_BLOCK, REFUSED = 16, 3000
"""Candidates whose validity is checked first, at once, and those that may be refused in a ranking."""

Finished = tuple[Observation, ...]
"""Evaluations that ended, pruned and failed ones included, in their order."""
Ranking = tuple[ArchitectureBatch, NDArray[np.float64]]
"""Candidates and their scores (B,), larger is better."""


LEAST = 2
"""Evaluations with a value, final or intermediate, that a model needs to learn anything."""


def can_teach(observations: Iterable[Observation]) -> bool:
    """Whether a model can learn from the observations: :data:`LEAST` of them are informative."""
    return len(list(islice((o for o in observations if o.informative), LEAST))) == LEAST


class ModelBasedSearch(SearchMethod):
    """Base of the methods that learn a model of the evaluations.

    Args:
        space: The search space.
        seed: Seed of every random choice.
        n_startup_trials: Architectures proposed without the model at first; more if fewer than two of them
            had a value, final or intermediate.
        batch_size: Finished evaluations between two updates of the model.
    """

    def __init__(
        self, space: GraphSpace, *, seed: int = 0, n_startup_trials: int, batch_size: int = 1
    ) -> None:
        super().__init__(space, seed=seed)
        self._startup, self._batch_size = n_startup_trials, batch_size
        self._training_set: Latest[TrainingSet] = Latest()
        self._ranking: Latest[tuple[ArchitectureBatch, NDArray[np.int64]]] = Latest()

    def propose(
        self, observations: Sequence[Observation], pending: Sequence[Architecture], seen: Collection[str]
    ) -> Architecture:
        """What the model suggests, or a random architecture; see :meth:`SearchMethod.propose`."""
        started = len(observations) + len(pending)
        if started >= self._startup and can_teach(observations):
            suggested = self.suggest(tuple(observations), pending, seen)
            if suggested is not None:
                return suggested
        return self.explore(seen)

    @abstractmethod
    def suggest(
        self, finished: Finished, pending: Sequence[Architecture], seen: Collection[str]
    ) -> Architecture | None:
        """The model's proposal, whose key is not in ``seen``; None if there is none.

        Args:
            finished: The evaluations that ended, enough to learn from.
            pending: Architectures whose value is not known yet.
            seen: Keys that must not be proposed again.
        """

    def explore(self, seen: Collection[str]) -> Architecture:
        """A proposal without the model, whose key is not in ``seen`` while unseen ones remain."""
        return self.unseen_sample(self.rng(STARTUP), seen, tries=len(seen) + 1000)

    def updates(self, finished: Finished) -> list[int]:
        """Numbers of finished evaluations at which the model was updated, in rising order."""
        useful = [k for k, observation in enumerate(finished, start=1) if observation.informative]
        first = min(max(self._startup, useful[LEAST - 1]), len(finished))
        return list(range(first, len(finished) + 1, self._batch_size))

    def training_set(self, finished: Finished) -> TrainingSet:
        """What a model learns from; the number of evaluations decides the weights of several objectives."""
        rng = self.rng(OBJECTIVES, len(finished))
        return self._training_set((self.seed, finished), lambda: TrainingSet.from_observations(finished, rng))

    def best_unseen(
        self, arguments: tuple[object, ...], rank: Callable[[], Ranking], seen: Collection[str]
    ) -> Architecture | None:
        """The valid candidate of the largest score whose key is not in ``seen``; the first of equals.

        There is none, too, after :data:`REFUSED` candidates or more that the space's rule refused.

        Args:
            arguments: What ``rank`` depends on besides the seed; the ranking is kept while they are equal.
            rank: Candidates, some of which may break a rule of the space, and their scores.
            seen: Keys that must not be proposed again.
        """

        def ranked() -> tuple[ArchitectureBatch, NDArray[np.int64]]:
            candidates, scores = rank()
            return candidates, np.argsort(-scores, kind="stable")

        candidates, order = self._ranking((self.seed, arguments), ranked)
        refused, start, size = 0, 0, FIRST_BLOCK
        while start < len(order) and refused < REFUSED:
            block = candidates[order[start : start + size]]
            valid = block[self.space.valid_batch(block)]
            found = self._first_unseen(valid, seen)
            if found is not None:
                return found
            refused += len(block) - len(valid)
            start, size = start + size, 2 * size
        return None

    def first_unseen(self, candidates: Iterable[Architecture], seen: Collection[str]) -> Architecture | None:
        """The first valid one of ``candidates`` whose key is not in ``seen``; None if there is none."""
        return self._first_unseen(filter(self.space.is_valid, candidates), seen)

    def _first_unseen(self, valid: Iterable[Architecture], seen: Collection[str]) -> Architecture | None:
        return next((candidate for candidate in valid if self.space.key(candidate) not in seen), None)
