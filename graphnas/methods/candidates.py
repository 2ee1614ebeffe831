"""The candidates that a model scores: the whole space, or random and changed good architectures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.rules import in_batches
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import Latest
from graphnas.methods.model_based import CHANGES, POOL, ModelBasedSearch
from graphnas.surrogate.training_set import TrainingSet

ELITES = 10
"""Number of the best architectures whose changed copies are candidates too."""


RULE_REFRESH = 10
"""Evaluations for which random architectures are kept where drawing them asks the space's rule."""


def whole_space(space: GraphSpace, limit: int) -> ArchitectureBatch | None:
    """Every architecture of the space as one batch where there are at most ``limit``, else None."""
    members = space.members(limit)
    return members if members is not None and len(members) else None


def changed_candidates(
    space: GraphSpace, parents: Sequence[Architecture], size: int, rng: np.random.Generator
) -> ArchitectureBatch:
    """``size`` copies of ``parents`` in which one to four random nodes or edges got a random label.

    All copies are changed at once. They may break the space's rule: the caller checks the few that it picks.
    """
    batch = ArchitectureBatch.from_architectures(parents, space.max_nodes)
    adjacency, operations, num_nodes = batch[rng.integers(len(parents), size=size)].to_arrays()
    adjacency, operations = adjacency.copy(), operations.copy()
    layout = space.layout
    if not len(layout):
        return ArchitectureBatch.from_arrays(adjacency, operations, num_nodes)
    changes = rng.integers(1, 5, size=size)
    for step in range(4):
        rows = np.flatnonzero(changes > step)
        slot = rng.integers(len(layout), size=len(rows))
        label = layout.labels[slot, rng.integers(layout.counts[slot])]
        i, j = layout.sources[slot], layout.targets[slot]
        inside = j < num_nodes[rows]
        edge, node = inside & (i < j), inside & (i == j)
        adjacency[rows[edge], i[edge], j[edge]] = label[edge]
        operations[rows[node], i[node]] = label[node]
    return ArchitectureBatch.from_arrays(adjacency, operations, num_nodes)


def random_candidates(space: GraphSpace, size: int, rng: np.random.Generator) -> ArchitectureBatch:
    """``size`` random architectures, or fewer different ones where the space's rule makes them repeat."""
    batch = space.sample_batch(rng, size)
    if not space.samples_by_rule:
        return batch
    adjacency, operations, sizes = batch.to_arrays()
    rows = np.concatenate([adjacency.reshape(len(sizes), -1), operations, sizes[:, None]], 1, dtype=np.int16)
    return batch[np.sort(np.unique(rows, axis=0, return_index=True)[1])]


class CandidatePool:
    """The candidates of a search: all of a small space, otherwise random ones and changes of the best.

    Args:
        method: The search, whose seed and evaluations determine the candidates.
        limit: Number of random architectures; a space of at most so many is taken whole.
        changes: Number of changed copies of the best architectures, in spaces that are not taken whole.
        refresh: Evaluations after which new random architectures are drawn; until then their features are
            computed only once. At least :data:`RULE_REFRESH` in a space that samples by its rule.
    """

    def __init__(self, method: ModelBasedSearch, limit: int, changes: int = 0, refresh: int = 1) -> None:
        self._method = method
        self.limit, self.changes = limit, changes
        self.refresh = max(refresh, RULE_REFRESH) if method.space.samples_by_rule else refresh
        self._drawn: Latest[ArchitectureBatch] = Latest()
        self._changed: Latest[ArchitectureBatch] = Latest()

    @cached_property
    def whole(self) -> ArchitectureBatch | None:
        """Every architecture, where the space is small enough to be scored whole."""
        return whole_space(self._method.space, self.limit)

    def random(self, count: int) -> ArchitectureBatch:
        """The whole space, or random architectures, after ``count`` evaluations."""
        if self.whole is not None:
            return self.whole
        method, number = self._method, count // self.refresh
        rng = method.rng(POOL, number)
        return self._drawn((method.seed, number), lambda: random_candidates(method.space, self.limit, rng))

    def changed(self, data: TrainingSet) -> list[ArchitectureBatch]:
        """One batch of changed copies of the best, some of which may break a rule; or no batch."""
        if self.whole is not None or not self.changes:
            return []

        def change() -> ArchitectureBatch:
            parents = [data.architectures[k] for k in data.best(ELITES)]
            rng = self._method.rng(CHANGES, len(data))
            space = self._method.space
            changed = changed_candidates(space, parents, self.changes, rng)
            # A rule for one architecture is left to the few that are picked.
            return changed[space.valid_batch(changed)] if in_batches(space) else changed

        changed = self._changed(data, change)
        return [changed] if len(changed) else []
