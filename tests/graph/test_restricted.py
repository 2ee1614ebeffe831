"""Spaces restricted to what a table knows."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from graphnas import Architecture
from graphnas.data_directory import data_directory
from graphnas.errors import InvalidArchitecture, InvalidArgument, SpaceExhausted
from graphnas.evaluate import TabularEvaluator
from graphnas.graph import RestrictedSpace
from graphnas.methods import LocalSearch, RandomSearch, RegularizedEvolution
from search_spaces import GEMNet, NASBench101, NASBench201, get_space

FILE = data_directory() / "nasbench101" / "nasbench101.npz"
needs_table = pytest.mark.skipif(not FILE.is_file(), reason=f"the NAS-Bench-101 table is not at {FILE}")


class Table:
    """Any object that lists architectures will do."""

    def __init__(self, architectures: list[Architecture]) -> None:
        self.listed = architectures

    def architectures(self) -> list[Architecture]:
        return self.listed


def some(count: int = 60, seed: int = 0) -> tuple[NASBench101, list[Architecture]]:
    """Pruned cells, hence of all sizes."""
    space, rng = NASBench101(), np.random.default_rng(seed)
    found: dict[str, Architecture] = {}
    while len(found) < count:
        cell = space.prune(space.sample(rng))
        found.setdefault(space.key(cell), cell)
    return space, list(found.values())


def test_it_holds_what_is_known_and_nothing_else():
    base, cells = some()
    space = base.restricted_to(Table(cells[:40]))
    assert isinstance(space, RestrictedSpace)
    assert space.size() == 40
    assert [base.prune(a) for a in space.enumerate()] == cells[:40]
    for cell in cells[:40]:
        space.validate(cell)
        space.validate(base.completed(cell))  # however it is written
        assert space.from_parameters(space.to_parameters(cell)) == base.completed(cell)
        assert space.key(cell) == base.key(cell)
    for cell in cells[40:]:
        for call in (space.validate, space.to_parameters, space.neighbors, lambda a: space.build(a, 10)):
            with pytest.raises(InvalidArchitecture, match="not in the table of 40"):
                call(cell)
        with pytest.raises(InvalidArchitecture, match="not in the table of 40"):
            space.from_parameters(base.to_parameters(cell))
    with pytest.raises(InvalidArchitecture, match="no path"):
        space.validate(Architecture([[0, 0], [0, 0]], [0, 4]))
    assert space.parameters() == base.parameters()
    assert space.keys(cells[:2]) == base.keys(cells[:2])


def test_samples_are_uniform_over_the_known():
    base, cells = some(8)
    space = base.restricted_to(cells)
    rng = np.random.default_rng(1)
    counts: dict[Architecture, int] = {}
    for architecture in [*space.sample_batch(rng, 4000), *(space.sample(rng) for _ in range(4000))]:
        counts[architecture] = counts.get(architecture, 0) + 1
    assert set(counts) == {base.completed(cell) for cell in cells}
    assert all(abs(n - 1000) < 150 for n in counts.values())  # 5 standard deviations
    with pytest.raises(InvalidArgument, match="0"):
        space.sample_batch(rng, 0)


def test_moves_stay_inside():
    base = NASBench201()
    rng = np.random.default_rng(2)
    space = base.restricted_to([base.at(int(k)) for k in rng.permutation(15625)[:800]])
    known = set(space.enumerate())
    assert known == {a for a in base.enumerate() if space.is_valid(a)}  # each cell has its own result
    empty = 0
    for architecture in list(known)[:60]:
        neighbors = space.neighbors(architecture)
        assert set(neighbors) == {a for a in base.neighbors(architecture) if space.is_valid(a)}
        child = space.mutate(architecture, rng)
        assert space.is_valid(child)
        assert space.key(child) != space.key(architecture)
        others = [a for a in neighbors if space.key(a) != space.key(architecture)]
        if others:
            assert child in others
        empty += not others
    assert 0 < empty < 60  # both ways of mutating were needed


def test_nowhere_to_go():
    base, cells = some(1)
    space = base.restricted_to(cells)
    with pytest.raises(SpaceExhausted, match="no other known architecture"):
        space.mutate(cells[0], np.random.default_rng(0))
    assert all(space.key(a) == space.key(cells[0]) for a in space.neighbors(cells[0]))


def test_what_only_the_base_has():
    base = NASBench201()
    space = base.restricted_to([base.at(7), base.at(8), base.at(7)])
    assert space.size() == 2
    assert space.from_string(space.to_string(base.at(7))) == base.at(7)
    assert space.complexity(base.at(7)) == base.complexity(base.at(7))
    assert space.node_labelled_ops == base.node_labelled_ops
    assert space.to_node_labelled(base.at(7)) == base.to_node_labelled(base.at(7))
    batch = base.sample_batch(np.random.default_rng(0), 20)
    assert list(space.active_batch(batch)) == list(base.active_batch(batch))
    assert sum(p.numel() for p in space.build(base.at(7), 10).parameters()) == base.complexity(base.at(7))[0]
    assert get_space(space.name, **json.loads(json.dumps(space.arguments()))).max_nodes == 4
    with pytest.raises(AttributeError, match="colour"):
        _ = space.colour
    copy = pickle.loads(pickle.dumps(space))
    assert list(copy.enumerate()) == list(space.enumerate())
    assert repr(space) == "NASBench201().restricted_to(<2 architectures>)"


def test_a_restriction_of_a_restriction():
    base, cells = some(15)
    inner = base.restricted_to(cells[:10]).restricted_to(cells[5:])
    assert list(inner.enumerate()) == [base.completed(cell) for cell in cells[5:10]]
    assert inner.whole is base.whole is base


def test_what_is_no_table():
    base = NASBench201()
    with pytest.raises(InvalidArgument, match="got int"):
        base.restricted_to(7)
    with pytest.raises(InvalidArgument, match="no known architecture"):
        base.restricted_to([])
    with pytest.raises(InvalidArchitecture, match="nasbench201"):
        base.restricted_to(GEMNet(3).enumerate())


@pytest.mark.parametrize("method", [RandomSearch, RegularizedEvolution, LocalSearch])
def test_methods_propose_only_what_is_known(method):
    base = NASBench201()
    cells = [base.at(int(k)) for k in np.random.default_rng(3).permutation(15625)[:60]]
    space = base.restricted_to(cells)
    search = method(space, seed=0)
    proposed = []
    for step in range(40):
        architecture = search.ask()[0]
        space.validate(architecture)
        assert architecture in cells
        proposed.append(space.key(architecture))
        search.tell(architecture, float(step % 7))
    assert len(set(proposed)) == 40


@needs_table
def test_the_cells_with_a_validation_accuracy():
    base = NASBench101()
    evaluator = TabularEvaluator(base, dataset="cifar10", budget=108)
    space = base.restricted_to(evaluator)
    assert space.size() == 30001
    rng = np.random.default_rng(4)
    batch = space.sample_batch(rng, 1000)
    assert np.isfinite(evaluator.values(batch)).all()
    for architecture in list(batch)[:10]:
        child = space.mutate(architecture, rng)
        assert not TabularEvaluator(space).evaluate(child).failed
    unknown = evaluator.table.architecture(30000)
    with pytest.raises(InvalidArchitecture, match="not in the table of 30001"):
        space.validate(unknown)
