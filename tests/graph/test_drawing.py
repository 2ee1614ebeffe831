"""Random architectures of spaces whose rule accepts few: their distribution, and the calls of the rule."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from benchmarks.searches.own_spaces import FewEdges, FewEdgesAtOnce
from graphnas import Architecture, ArchitectureBatch, GraphSpace
from graphnas.errors import InvalidArchitecture, SpaceExhausted

KINDS = pytest.mark.parametrize("kind", [FewEdges, FewEdgesAtOnce])


def counted(space: FewEdges, call: Any) -> int:
    before = space.asked
    call()
    return space.asked - before


@KINDS
def test_a_rule_that_accepts_enough_gives_uniform_architectures(kind):
    """Two percent of the combinations, too many of which to enumerate."""
    space = kind(5, 6, 5, different=True)
    members = list(FewEdgesAtOnce(5, 6, 5, different=True).enumerate())
    rng = np.random.default_rng(0)
    assert counted(space, lambda: space.sample(rng)) < 3000
    batch = space.sample_batch(rng, 30 if kind is FewEdges else 3000)
    places = {architecture: k for k, architecture in enumerate(members)}
    drawn = [places[a] for a in batch] + [places[space.sample(rng)] for _ in range(1000)]
    assert chisquare(np.bincount(np.array(drawn) * 20 // len(members), minlength=20)).pvalue > 1e-4


@KINDS
def test_a_large_batch_asks_a_bounded_number_of_times(kind):
    space = kind(8, 14)
    rng = np.random.default_rng(0)
    space.sample(rng)
    batch = None

    def draw() -> None:
        nonlocal batch
        batch = space.sample_batch(rng, 20_000)

    assert counted(space, draw) < (50_000 if kind is FewEdges else 400_000)
    assert len(batch) == 20_000
    assert FewEdgesAtOnce(8, 14).valid_batch(batch).all()
    assert len(set(batch)) > 5_000


@pytest.mark.parametrize("edges", [11, 10])
@KINDS
def test_rare_architectures_are_found_and_said_to_be_rare(kind, edges, caplog):
    """One random graph in 1,600 is valid, and one in 8,300."""
    space = kind(8, edges)
    rng = np.random.default_rng(0)
    with caplog.at_level(logging.WARNING, "graphnas"):
        first = counted(space, lambda: space.sample(rng))
        assert first < (250_000 if kind is FewEdges else 5_000_000)
        drawn = [space.sample(rng) for _ in range(50)]
    messages = [r.getMessage() for r in caplog.records if "few8: the rule accepts few" in r.getMessage()]
    assert len(messages) == 1
    assert "random walks along valid changes" in messages[0]
    assert all(space.is_valid(architecture) for architecture in drawn)
    assert len(set(drawn)) > 45
    assert counted(space, lambda: space.sample(rng)) <= 20
    assert counted(space, lambda: space.sample_batch(rng, 20_000)) < 150_000


def test_walks_mix():
    """The share of each edge among rare architectures is that among all of them."""
    space = FewEdgesAtOnce(8, 11)
    rng, layout = np.random.default_rng(1), space.layout
    found = []
    for _ in range(25):
        batch = layout.from_choices(rng.integers(layout.counts, size=(50_000, len(layout))))
        found.append(batch[space.check_batch(batch)])
    exact = ArchitectureBatch.cat(found)
    assert len(exact) > 700
    drawn = space.sample_batch(rng, 20_000)
    difference = (drawn.adjacency.float().mean(0) - exact.adjacency.float().mean(0)).abs()
    assert float(difference.max()) < 0.09


def test_a_small_space_of_rare_architectures_is_enumerated_once():
    """Of 27,648 combinations 27 are valid: chains."""
    space = FewEdges(5, 4)
    rng = np.random.default_rng(0)
    first = counted(space, lambda: space.sample(rng))
    assert 27_648 <= first < 31_000
    counts = Counter(space.sample(rng) for _ in range(2700))
    assert len(counts) == 27
    assert chisquare(list(counts.values())).pvalue > 1e-4
    assert counted(space, lambda: space.sample_batch(rng, 1000)) == 0


def test_members_are_listed_once_and_only_where_that_is_cheap():
    space = FewEdges(5, 6)
    members = space.members(20_000)
    assert members is not None
    assert list(members) == list(space.enumerate())
    assert counted(space, lambda: space.members(20_000)) == 0
    assert space.members(100) is None
    large = FewEdges(8, 14)
    assert counted(large, lambda: large.members(10**9)) == 0
    assert large.members(10**9) is None
    wide = FewEdges(5, 6, 5)  # 128,000 combinations: too many for a rule for one, unless asked for
    assert wide.members(20_000) is None
    listed = wide.members(20_000, 200_000)
    at_once = FewEdgesAtOnce(5, 6, 5).members(20_000)
    assert listed is not None
    assert at_once is not None
    assert list(listed) == list(at_once)


class Sparse(GraphSpace):
    """Twenty-four nodes and at most 23 edges, of which uniform draws have about 138."""

    name = "sparse"
    max_nodes = 24

    def check(self, architecture: Architecture) -> None:
        if architecture.num_edges > 23:
            raise InvalidArchitecture("too many edges")

    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> Any:
        raise NotImplementedError


def test_other_densities_are_tried_where_uniform_draws_find_nothing(caplog):
    space, rng = Sparse(), np.random.default_rng(0)
    with caplog.at_level(logging.WARNING, "graphnas"):
        drawn = [space.sample(rng) for _ in range(20)]
    assert "sparse: the rule accepts few" in caplog.text
    assert all(space.is_valid(architecture) for architecture in drawn)


class Hidden(FewEdges):
    """A rule that accepts a single graph, which no random one is."""

    def check(self, architecture: Architecture) -> None:
        super().check(architecture)
        if architecture.num_edges != self.max_nodes - 1 or architecture.operations[1:-1].tolist() != [1] * 8:
            raise InvalidArchitecture("the chain of one operation")


def test_where_nothing_is_found_the_error_says_so_and_the_search_is_not_repeated():
    space, rng = Hidden(10, 9), np.random.default_rng(0)
    with pytest.raises(SpaceExhausted, match="few10: no valid architecture among 200,000 random graphs"):
        space.sample(rng)
    for call in (lambda: space.sample(rng), lambda: space.sample_batch(rng, 5)):
        space.asked = 0
        with pytest.raises(SpaceExhausted):
            call()
        assert space.asked == 0


SCRIPT = """
import numpy as np
from benchmarks.searches.own_spaces import FewEdges, FewEdgesAtOnce
for kind in (FewEdges, FewEdgesAtOnce):
    for edges in (10, 14):
        space, rng = kind(8, edges), np.random.default_rng(3)
        print(space.sample(rng).to_json(), [a.to_json() for a in space.sample_batch(rng, 30)])
        print(space.mutate(space.sample(rng), rng).to_json())
"""


def test_same_seed_same_architectures_in_another_process_and_after_pickling(capsys):
    environment = {**os.environ, "PYTHONHASHSEED": "123"}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    exec(SCRIPT, {})
    assert capsys.readouterr().out == run.stdout
    space = FewEdges(8, 11)
    fresh = space.sample_batch(np.random.default_rng(0), 20)
    copy = pickle.loads(pickle.dumps(space))
    assert list(copy.sample_batch(np.random.default_rng(0), 20)) == list(fresh)
    assert len(pickle.dumps(space)) < 10_000  # not what the walks start from
