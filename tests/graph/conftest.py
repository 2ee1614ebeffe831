"""Random architectures for the tests of the core."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from graphnas.graph import Architecture

MakeArchitecture = Callable[..., Architecture]


@pytest.fixture
def make_architecture() -> MakeArchitecture:
    """``make(rng, nodes, ...)``: a random labelled DAG."""

    def make(
        rng: np.random.Generator,
        nodes: int,
        *,
        density: float = 0.4,
        operations: int = 3,
        edge_labels: int = 1,
    ) -> Architecture:
        present = np.triu(rng.random((nodes, nodes)) < density, 1)
        labels = rng.integers(1, edge_labels + 1, (nodes, nodes))
        return Architecture(present * labels, rng.integers(operations, size=nodes))

    return make


@pytest.fixture
def relabel() -> Callable[[Architecture, np.random.Generator], Architecture]:
    """``relabel(architecture, rng)``: the same graph with its nodes in another random topological order."""

    def relabelled(architecture: Architecture, rng: np.random.Generator) -> Architecture:
        edges = architecture.adjacency > 0
        waiting = set(range(architecture.num_nodes))
        order: list[int] = []
        while waiting:
            ready = [j for j in sorted(waiting) if not any(edges[i, j] for i in waiting)]
            order.append(ready[int(rng.integers(len(ready)))])
            waiting.remove(order[-1])
        return Architecture(architecture.adjacency[np.ix_(order, order)], architecture.operations[order])

    return relabelled
