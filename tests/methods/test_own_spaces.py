"""Searches of a user's own space: bounded numbers of calls of its rule, and a search that always goes on."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.searches.own_spaces import FewEdges, FewEdgesAtOnce, quality
from graphnas import Architecture, SearchMethod
from graphnas.errors import InvalidArchitecture, SpaceExhausted
from graphnas.graph.starts import ONE_BY_ONE
from graphnas.methods import (
    GraphBO,
    GraphBOConfig,
    LocalSearch,
    RandomSearch,
    RegularizedEvolution,
    TreeSearch,
)

METHODS = {
    "graphbo": lambda space: GraphBO(space, GraphBOConfig(n_startup_trials=4, candidates=2000), seed=1),
    "trees": lambda space: TreeSearch(space, seed=1, n_startup_trials=4, candidates=500, trees=8),
    "random": lambda space: RandomSearch(space, seed=1),
    "evolution": lambda space: RegularizedEvolution(space, seed=1, population_size=5, tournament_size=2),
    "local": lambda space: LocalSearch(space, seed=1),
}
SPACES = {
    "two percent": lambda: FewEdges(5, 6, 5, different=True),
    "one in 8,000": lambda: FewEdges(8, 10),
    "one in 8,000, check_batch": lambda: FewEdgesAtOnce(8, 10),
}


@pytest.fixture(params=METHODS)
def make(request):
    return METHODS[request.param]


def drive(method: SearchMethod, steps: int) -> list[Architecture]:
    proposals = []
    for _ in range(steps):
        (architecture,) = method.ask()
        method.tell(architecture, quality(architecture))
        proposals.append(architecture)
    return proposals


@pytest.mark.parametrize("space", SPACES)
def test_every_proposal_is_new_and_asks_a_bounded_number_of_times(make, space):
    space = SPACES[space]()
    method = make(space)
    drive(method, 1)
    calls, keys = [], set()
    for _ in range(14):
        before = space.asked
        (proposal,) = drive(method, 1)
        calls.append(space.asked - before)
        keys.add(space.key(proposal))
        FewEdges.check(space, proposal)
    assert len(keys) == 14
    most = 90_000 if type(space) is FewEdges else 500_000
    assert max(calls) < most
    assert np.median(calls) < 5000


def test_a_search_in_another_process_proposes_the_same():
    script = (
        "from test_own_spaces import METHODS, SPACES, drive\n"
        "space = SPACES['one in 8,000']()\n"
        "for make in METHODS.values():\n"
        "    print([a.to_json() for a in drive(make(space), 7)])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "random"}
    environment["PYTHONPATH"] = os.pathsep.join([os.path.dirname(__file__), os.getcwd()])
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    space = SPACES["one in 8,000"]()
    here = [[a.to_json() for a in drive(make(space), 7)] for make in METHODS.values()]
    assert run.stdout.splitlines() == [str(proposals) for proposals in here]


class Unfindable(FewEdges):
    """Ten nodes of one operation, at most eleven edges: no random graph is one, but some can be told."""

    def __init__(self) -> None:
        super().__init__(10, 11, 4)

    def check(self, architecture: Architecture) -> None:
        super().check(architecture)
        if (architecture.operations[1:-1] > 2).any() or architecture.adjacency.sum() < 9:
            raise InvalidArchitecture("only the first two operations")


CHAIN = Architecture(np.eye(10, k=1, dtype=int), [0, *[1] * 8, 5])


@pytest.fixture
def few_draws(monkeypatch):
    """The bound matters here, not its size."""
    monkeypatch.setattr("graphnas.graph.drawing.ONE_BY_ONE", ONE_BY_ONE._replace(first=4000))


@pytest.mark.usefixtures("few_draws")
def test_a_search_goes_on_from_what_is_known(make):
    """No random architecture is found, but one was evaluated: an enqueued or imported one."""
    space = Unfindable()
    method = make(space)
    with pytest.raises(SpaceExhausted, match="few10: no valid architecture among 4,000 random graphs"):
        method.ask()
    method.tell(CHAIN, 1.0)
    proposals = [*drive(method, 6), *method.ask(3)]
    assert len({space.key(a) for a in (CHAIN, *proposals)}) == 10
    for proposal in proposals:
        space.validate(proposal)
    rebuilt = make(Unfindable())
    rebuilt.replay(method.observations)
    assert rebuilt.ask(3) == method.ask(3)
    assert make(space).ask(1, pending=[CHAIN])[0] != CHAIN


def test_a_small_space_is_enumerated_once_for_all_that_ask():
    space = FewEdges(5, 6)
    method = GraphBO(space, GraphBOConfig(n_startup_trials=3), seed=0)
    drive(method, 4)
    listed = space.asked
    assert listed > 27_648
    drive(method, 4)
    drive(GraphBO(space, GraphBOConfig(n_startup_trials=3), seed=5), 8)
    assert space.asked - listed < 2000


def test_all_of_a_rare_space_is_proposed_before_anything_repeats(make):
    """Chains: 27 of 27,648 combinations."""
    space = FewEdges(5, 4)
    method = make(space)
    assert len({space.key(a) for a in drive(method, 27)}) == 27
    space.asked = 0
    space.validate(method.ask()[0])
    assert space.asked < 2000
