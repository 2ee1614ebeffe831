"""The batch views of what computes, against one graph at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import networkx as nx
import numpy as np
import pytest
from torch import nn

from graphnas import Architecture, ArchitectureBatch, GraphSpace
from graphnas.graph.active import alive_nodes, edges_to_nodes, keep_nodes


class Edges(GraphSpace):
    """Operations on the edges of four nodes."""

    name = "edges"
    edge_ops = ("none", "skip", "conv")
    max_nodes = 4

    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> nn.Module:
        return nn.Linear(1, num_classes)


@pytest.fixture
def mixed(make_architecture) -> list[Architecture]:
    rng = np.random.default_rng(0)
    return [make_architecture(rng, int(rng.integers(1, 9)), density=0.3) for _ in range(200)]


def on_paths(architecture: Architecture, reach_output: bool) -> list[bool]:
    graph, last = architecture.to_networkx(), architecture.num_nodes - 1
    reached = nx.descendants(graph, 0) | {0}
    if reach_output:
        reached = (reached & nx.ancestors(graph, last)) | {0, last}
    return [node in reached for node in range(architecture.num_nodes)]


@pytest.mark.parametrize("reach_output", [True, False])
def test_alive_nodes_are_on_a_path(mixed, reach_output):
    alive = alive_nodes(ArchitectureBatch.from_architectures(mixed), reach_output=reach_output)
    for row, architecture in zip(alive, mixed, strict=True):
        assert row[: architecture.num_nodes].tolist() == on_paths(architecture, reach_output)


def test_kept_nodes_induce_the_subgraph(mixed):
    batch = ArchitectureBatch.from_architectures(mixed)
    keep = np.random.default_rng(1).random((len(mixed), batch.max_nodes)) < 0.6
    keep[:, 0] = True
    kept = keep_nodes(batch, keep).to_architectures()
    for row, architecture, part in zip(keep, mixed, kept, strict=True):
        assert part == architecture.subgraph(np.flatnonzero(row[: architecture.num_nodes]).tolist())


def graphs(count: int) -> Sequence[Architecture]:
    return Edges().sample_batch(np.random.default_rng(2), count).to_architectures()


def test_edges_become_nodes_as_one_by_one():
    space = Edges()
    sampled = graphs(200)
    moved = edges_to_nodes(ArchitectureBatch.from_architectures(sampled), len(space.edge_ops))
    assert moved.to_architectures() == [space.to_node_labelled(architecture) for architecture in sampled]


def test_active_batch_keeps_the_nodes_between_input_and_output():
    space = Edges()
    sampled = graphs(200)
    active = space.active_batch(ArchitectureBatch.from_architectures(sampled)).to_architectures()
    for architecture, part in zip(sampled, active, strict=True):
        whole = space.to_node_labelled(architecture)
        assert part == whole.subgraph(np.flatnonzero(on_paths(whole, True)).tolist())
    empty = ArchitectureBatch.from_architectures([Architecture(np.zeros((4, 4)))])
    assert space.active_batch(empty).to_architectures() == [Architecture(np.zeros((2, 2)), [0, 3])]
