"""The candidates of bootstrap optimisation: the whole space, or random and changed good architectures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace


def whole_space(space: GraphSpace, limit: int) -> ArchitectureBatch | None:
    """Every architecture of the space as one batch where there are at most ``limit``, else None."""
    size = space.size()
    if size is None or size > limit:
        return None
    return ArchitectureBatch.from_architectures(list(space.enumerate()), space.max_nodes)


def changed_candidates(
    space: GraphSpace, parents: Sequence[Architecture], size: int, rng: np.random.Generator
) -> ArchitectureBatch:
    """``size`` copies of ``parents`` in which one to four random nodes or edges got a random label.

    All copies are changed at once. They may break the space's rule: the caller checks those that it picks,
    which are few.
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
