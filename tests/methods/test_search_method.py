"""SearchMethod's side of the contract, on a small method and a small space."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from graphnas import Architecture, GraphSpace, SearchMethod
from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.evaluation import Observation
from graphnas.methods.base import Latest


class Bits(GraphSpace):
    """Unlabelled DAGs of four nodes whose first edge is there: 32 graphs, fewer up to isomorphism."""

    name = "bits"
    max_nodes = 4

    def edge_choices(self, source: int, target: int) -> Sequence[int]:
        return [1] if (source, target) == (0, 1) else [0, 1]

    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> nn.Module:
        return nn.Linear(1, num_classes)


class Climber(SearchMethod):
    """An unseen neighbour of the best architecture, or else an unseen random one."""

    def propose(
        self, observations: Sequence[Observation], pending: Sequence[Architecture], seen: Collection[str]
    ) -> Architecture:
        rng = self.rng(len(observations), len(pending))
        good = [o for o in observations if o.feasible and o.values is not None]
        if good:
            best = max(good, key=lambda o: o.values or ())
            unseen = [a for a in self.space.neighbors(best.architecture) if self.space.key(a) not in seen]
            if unseen:
                return unseen[int(rng.integers(len(unseen)))]
        return self.unseen_sample(rng, seen)


class Other(Climber):
    """Another method with the same state."""


def score(architecture: Architecture) -> float:
    return float((architecture.adjacency * np.arange(16).reshape(4, 4)).sum())


CLASSES = len({Bits().key(a) for a in Bits().enumerate()})


def test_nothing_is_proposed_twice_while_unseen_architectures_remain():
    space = Bits()
    method = Climber(space, seed=3)
    pending: list[Architecture] = []
    keys = []
    while len(keys) < CLASSES:
        proposals = method.ask(min(3, CLASSES - len(keys)), pending)
        keys += [space.key(a) for a in proposals]
        pending += proposals
        method.tell(pending[0], score(pending[0]))
        del pending[0]
    assert 1 < CLASSES < 32
    assert len(set(keys)) == CLASSES
    # Nothing unseen is left: it repeats rather than stops.
    assert all(space.is_valid(a) for a in method.ask(2, pending))


def test_the_last_unseen_architecture_is_found_even_when_random_draws_miss_it():
    space = Bits()
    method = Climber(space)
    members = list(space.enumerate())
    last = members[0]
    told = {space.key(last)}
    for member in members:
        if space.key(member) not in told:
            told.add(space.key(member))
            method.tell(member, None)
    found = method.unseen_sample(np.random.default_rng(0), told - {space.key(last)}, tries=1)
    assert space.key(found) == space.key(last)


def test_ask_gives_different_architectures_and_needs_a_positive_number():
    method = Climber(Bits(), seed=1)
    proposals = method.ask(5)
    assert len({method.space.key(a) for a in proposals}) == 5
    assert method.ask(5) == proposals  # asking changes nothing
    assert method.ask(1, pending=proposals)[0] not in proposals
    for wrong in (0, -1):
        with pytest.raises(InvalidArgument, match=f"n must be at least 1, got {wrong}"):
            method.ask(wrong)


def run(method: SearchMethod, steps: int) -> list[Architecture]:
    proposals = []
    for _ in range(steps):
        (architecture,) = method.ask()
        proposals.append(architecture)
        method.tell(architecture, score(architecture), [1.0 if architecture.num_edges > 5 else -1.0])
    return proposals


def test_a_restored_method_continues_identically():
    original = Climber(Bits(), seed=7)
    run(original, 4)
    original.tell(original.ask()[0], None)
    stored = json.dumps(original.state_dict())
    restored = Climber(Bits(), seed=0)
    run(restored, 2)  # what it knew before is replaced
    restored.load_state_dict(json.loads(stored))
    assert restored.seed == 7
    assert restored.observations == original.observations
    assert json.dumps(restored.state_dict()) == stored
    assert run(restored, 6) == run(original, 6)


def test_a_history_is_replayed_from_where_it_differs():
    original = Climber(Bits(), seed=7)
    run(original, 5)
    follower = Climber(Bits(), seed=7)
    follower.replay(original.observations[:3])
    follower.replay(original.observations)
    assert follower.observations == original.observations
    assert follower.ask(2) == original.ask(2)
    another = original.observations[1:4]
    follower.replay(another)
    assert follower.observations == another
    wrong = Observation(Architecture(np.zeros((5, 5))), (1.0,))
    for history in ([*another, wrong], [wrong]):
        with pytest.raises(InvalidArchitecture):
            follower.replay(history)
        assert follower.observations == another


def test_proposals_are_a_function_of_the_arguments():
    """Neither what was asked nor what was learned before enters."""
    method, fresh = Climber(Bits(), seed=7), Climber(Bits(), seed=7)
    run(method, 5)
    known, pending = method.observations[:2], tuple(method.ask(2))
    seen = {method.space.key(a) for a in (*(o.architecture for o in known), *pending)}
    assert method.propose(known, pending, seen) == fresh.propose(known, pending, seen)


def test_the_latest_result_is_kept_while_its_arguments_are_equal():
    latest, calls = Latest(), []

    def compute():
        calls.append(1)
        return len(calls)

    assert [latest((1, "a"), compute), latest((1, "a"), compute), latest((2, "a"), compute)] == [1, 1, 2]
    assert latest((1, "a"), compute) == 3

    def fail():
        raise ValueError("no result")

    with pytest.raises(ValueError, match="no result"):
        latest(5, fail)
    assert latest((1, "a"), compute) == 4  # nothing of a failed computation is left


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from test_search_method import Bits, Climber, run
print([a.to_json() for a in run(Climber(Bits(), seed=5), 8)])
"""


def test_proposals_are_the_same_in_another_process():
    here = str([a.to_json() for a in run(Climber(Bits(), seed=5), 8)])
    there = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(Path(__file__).parent)],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert there == here


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, "state has version 3, expected 2"),
        ({"method": "Other"}, "state has method 'Other', expected 'Climber'"),
        ({"space": "gemnet"}, "state has space 'gemnet', expected 'bits'"),
        ({"seed": -1}, "damaged: .*non-negative integer, got -1"),
        ({"seed": None}, "damaged: .*non-negative integer, got None"),
        ({"observations": None}, "damaged"),
        ({"observations": [{}]}, "damaged: KeyError.'architecture'"),
        ({"observations": [{"architecture": {}, "values": [1], "constraints": []}]}, "damaged: Invalid"),
    ],
)
def test_bad_states_are_refused_and_change_nothing(change, message):
    method = Climber(Bits(), seed=2)
    run(method, 3)
    before = json.dumps(method.state_dict())
    expected = method.ask()
    with pytest.raises(InvalidArgument, match=message):
        method.load_state_dict({**method.state_dict(), **change})
    assert json.dumps(method.state_dict()) == before
    assert method.ask() == expected


def test_states_that_are_incomplete_or_no_states():
    method = Climber(Bits())
    state = method.state_dict()
    del state["seed"]
    with pytest.raises(InvalidArgument, match=r"damaged: KeyError.'seed'"):
        method.load_state_dict(state)
    with pytest.raises(InvalidArgument, match="a state is a dictionary, got list"):
        method.load_state_dict([])  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="state has method 'Climber', expected 'Other'"):
        Other(Bits()).load_state_dict(method.state_dict())


GRAPH = Architecture([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("value", "values"),
    [
        (1, (1.0,)),
        (np.float32(0.5), (0.5,)),
        (np.array(2.0), (2.0,)),
        ([1, 2.5], (1.0, 2.5)),
        (np.array([1.0, 2.0]), (1.0, 2.0)),
        (None, None),
        (float("nan"), None),
        ([1.0, float("inf")], None),
        ([1.0, None], None),
    ],
)
def test_values_are_numbers_and_anything_else_is_a_failed_trial(value, values):
    method = Climber(Bits())
    method.tell(GRAPH, value, (0.0, 1.0))
    (observation,) = method.observations
    assert observation.architecture == GRAPH
    assert observation.values == values
    assert observation.constraints == (0.0, 1.0)
    assert not observation.feasible


def test_feasible_means_finished_and_within_every_constraint():
    method = Climber(Bits())
    method.tell(GRAPH, 1.0, (0.0, -2.0))
    method.tell(GRAPH, 1.0, (float("nan"),))
    method.tell(GRAPH, 1.0)
    method.tell(GRAPH, None)
    assert [o.feasible for o in method.observations] == [True, False, True, False]


def test_bad_reports_are_refused_and_change_nothing():
    method = Climber(Bits())
    method.tell(GRAPH, None)
    method.tell(GRAPH, [1.0, 2.0])
    with pytest.raises(InvalidArgument, match="got 1 objectives, but 2 were reported before"):
        method.tell(GRAPH, 1.0)
    with pytest.raises(InvalidArgument, match="value must be a number or a sequence of numbers, got 'good'"):
        method.tell(GRAPH, "good")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="at least one number, got none"):
        method.tell(GRAPH, [])
    with pytest.raises(InvalidArgument, match="constraints must be a number or a sequence of numbers"):
        method.tell(GRAPH, [1.0, 2.0], ["loose"])  # type: ignore[list-item]
    with pytest.raises(InvalidArchitecture, match="at most 4 are allowed"):
        method.tell(Architecture(np.zeros((5, 5))), [1.0, 2.0])
    method.tell(GRAPH, float("nan"))  # a failure has no objectives to count
    assert len(method.observations) == 3


@pytest.mark.parametrize("seed", [-1, 1.5, "1", None, True])
def test_seeds_are_non_negative_integers(seed):
    with pytest.raises(InvalidArgument, match="seed must be a non-negative integer"):
        Climber(Bits(), seed=seed)


def test_seeds_from_numpy_can_be_stored():
    method = Climber(Bits(), seed=np.int64(3))  # type: ignore[arg-type]
    assert json.loads(json.dumps(method.state_dict()))["seed"] == 3
    assert repr(method) == "Climber(Bits(), seed=3)"
