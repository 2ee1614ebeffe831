"""The candidates of model-based methods: whole spaces, random architectures, changes of the best."""

from __future__ import annotations

import numpy as np

from graphnas.methods import GraphBO, GraphBOConfig
from graphnas.methods.candidates import CandidatePool, changed_candidates, whole_space
from search_spaces import GEMNet, NASBench201


def test_small_spaces_are_taken_whole():
    whole = whole_space(NASBench201(), 20_000)
    assert whole is not None
    assert len(whole) == 15_625
    assert whole_space(NASBench201(), 10_000) is None


def test_changed_candidates_differ_in_at_most_four_slots():
    space = GEMNet(8)
    parent = space.sample(np.random.default_rng(0))
    changed = changed_candidates(space, [parent], 500, np.random.default_rng(1))
    adjacency, operations, _ = changed.to_arrays()
    different = (adjacency != parent.adjacency).sum((1, 2)) + (operations != parent.operations).sum(1)
    assert different.max() <= 4
    assert (different > 0).mean() > 0.5
    assert np.triu(adjacency).sum() == adjacency.sum()
    assert operations[:, 0].max() == 0  # the input's label is no choice


def method_with(space, count, seed=0):
    method = GraphBO(space, GraphBOConfig(), seed=seed)
    for k in range(count):
        architecture = space.sample(np.random.default_rng(k))
        method.tell(architecture, float(architecture.num_edges), (float(architecture.num_edges - 9),))
    return method, method.training_set(method.observations)


def test_random_candidates_stay_until_they_are_refreshed():
    method, _ = method_with(GEMNet(7), 2)
    pool = CandidatePool(method, 50, refresh=10)
    first = pool.random(10)
    assert pool.random(19) is first
    assert list(pool.random(20)) != list(first)
    assert list(pool.random(10)) == list(first)
    method.load_state_dict({**method.state_dict(), "seed": 5})
    assert list(pool.random(10)) != list(first)


def test_changes_are_those_of_the_best_that_are_feasible():
    space = GEMNet(7)
    method, data = method_with(space, 40)
    (changed,) = CandidatePool(method, 50, 400).changed(data)
    parents = [data.architectures[k] for k in data.best(10)]
    assert all(parent.num_edges <= 9 for parent in parents)
    adjacency, operations, _ = changed.to_arrays()
    distance = [(adjacency != p.adjacency).sum((1, 2)) + (operations != p.operations).sum(1) for p in parents]
    assert np.min(distance, 0).max() <= 4
    assert len(set(np.argmin(distance, 0).tolist())) == 10
    assert CandidatePool(method, 50, 0).changed(data) == []


def test_a_small_space_needs_neither_draws_nor_changes():
    space = GEMNet(3)
    method, data = method_with(space, 3)
    pool = CandidatePool(method, 50, 100)
    assert list(pool.random(3)) == list(space.enumerate())
    assert pool.random(3) is pool.random(4)
    assert pool.changed(data) == []
