"""Changes of architectures and walks along them, beside slow obvious ones."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from graphnas import Architecture, ArchitectureBatch, GraphSpace
from graphnas.errors import InvalidArchitecture
from graphnas.graph.changes import STEPS, changed, combinations, walk, walked
from search_spaces import GEMNet


class Edges(GraphSpace):
    """DAGs of five nodes with certain numbers of edges; with one number, no change of one slot is valid."""

    name = "edges"
    max_nodes = 5

    def __init__(self, *allowed: int) -> None:
        self.allowed = allowed
        self.asked = 0

    def check(self, architecture: Architecture) -> None:
        self.asked += 1
        if architecture.num_edges not in self.allowed:
            raise InvalidArchitecture(f"{architecture.num_edges} edges, allowed are {self.allowed}")

    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("block", [1, 7, 100, 10**6])
def test_combinations_are_in_order_whatever_the_block(block):
    space = GEMNet(3)
    found = [a for batch in combinations(space, block) for a in batch]
    labels = [space.layout.read(a.adjacency, a.operations).tolist() for a in found]
    assert labels == sorted(labels)
    assert len(found) == space.size()


def test_changes_are_of_one_to_four_slots_and_symmetric():
    layout = GEMNet(3).layout
    rng = np.random.default_rng(0)
    start = np.zeros((40_000, len(layout)), np.int64)
    after = changed(layout, start, rng)
    assert ((after >= 0) & (after < layout.counts)).all()
    count = (after != start).sum(1)
    assert count.max() <= 4
    assert (count == 1).mean() > 0.5
    there = Counter(map(tuple, after.tolist()))
    # From each of the graphs that were reached, as many ways lead back.
    for graph, times in there.most_common(8):
        if any(graph):
            again = changed(layout, np.tile(np.array(graph), (40_000, 1)), rng)
            back = int((again == 0).all(1).sum())
            assert abs(back - times) < 6 * np.sqrt(times)


def test_a_walk_becomes_uniform_over_what_the_rule_accepts():
    space = Edges(1, 2, 9)
    start = space.layout.choices(ArchitectureBatch.from_architectures([first(space)]))
    states = list(walk(space, np.repeat(start, 2_000, 0), 60, np.random.default_rng(1)))
    counts = Counter(map(tuple, states[-1].tolist()))
    # One or two of ten edges; the ten graphs of nine edges are too far away.
    assert {sum(graph) for graph in counts} == {1, 2}
    assert len(counts) == 10 + 45
    assert chisquare(list(counts.values())).pvalue > 1e-4
    early = Counter(map(tuple, states[1].tolist()))
    assert chisquare([early[graph] for graph in counts]).pvalue < 1e-4  # not yet


def first(space: GraphSpace) -> Architecture:
    return next(iter(space.enumerate()))


def test_the_rule_is_asked_at_most_once_for_each_state():
    space = Edges(3, 4)
    start = first(space)
    for size in (1, 5, STEPS, 500):
        space.asked = 0
        states = walked(space, [start], size, np.random.default_rng(0))
        assert len(states) == size
        assert space.asked <= size + STEPS
    assert len(set(states)) > 50


def test_where_no_slot_can_change_alone_several_do():
    space, rng = Edges(4), np.random.default_rng(0)
    start = first(space)
    assert space.neighbors(start) == []
    children = {space.mutate(start, rng) for _ in range(100)}
    assert len(children) > 10
    for child in children:
        space.validate(child)
        assert (child.adjacency != start.adjacency).sum() == 2
    space.asked = 0
    space.mutate(start, rng)
    assert space.asked < 60  # what was found is kept
