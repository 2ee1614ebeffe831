"""GraphBO with prior tasks: how it starts, that it stays pure, what wrong tasks cost, what does not fit."""

from __future__ import annotations

import numpy as np
import pytest
from small_space import SmallSpace, quality

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.methods import GraphBO, GraphBOConfig, PriorTask
from graphnas.methods.registry import METHODS, method_class
from search_spaces import GEMNet

SPACE = SmallSpace()
ALL = list(SPACE.enumerate())
QUALITY = np.array([quality(architecture) for architecture in ALL])
CLOSE = sorted(QUALITY)[-5]
"""Reached by the five best."""


def prior(values, name="other", count=60, seed=0):
    rows = np.random.default_rng(seed).choice(len(ALL), count, replace=False)
    return PriorTask(name, [ALL[r] for r in rows], np.asarray(values)[rows])


def searched(method, count, value=quality):
    for _ in range(count):
        (architecture,) = method.ask()
        method.tell(architecture, value(architecture))
    return [o.values[0] for o in method.observations]


def test_it_begins_with_what_was_good_elsewhere():
    """Although the other task has another scale, and its best architectures were not measured there."""
    rows = np.flatnonzero(np.max(QUALITY) - 1 > QUALITY)
    task = PriorTask("other", [ALL[r] for r in rows], np.exp(QUALITY[rows]) - 100)
    known, unknown = (searched(GraphBO(SPACE, seed=0, prior=p), 6) for p in ([task], []))
    assert known[0] >= CLOSE - 1
    assert max(known) > max(unknown)
    assert np.mean(known) > np.mean(unknown) + 1


def test_it_learns_that_a_task_says_the_opposite():
    values = searched(GraphBO(SPACE, seed=0, prior=[prior(-QUALITY)]), 15)
    assert max(values[:3]) < np.median(QUALITY)
    assert max(values) >= CLOSE


@pytest.fixture(scope="module")
def without_prior():
    return [max(searched(GraphBO(SPACE, seed=s), 30)) for s in range(2)]


@pytest.mark.parametrize("kind", ["reversed", "shuffled", "the best hidden", "few"])
def test_after_30_evaluations_wrong_tasks_have_not_hurt(kind, without_prior):
    rng = np.random.default_rng(3)
    values = {
        "reversed": -QUALITY,
        "shuffled": rng.permutation(QUALITY),
        "the best hidden": np.where(np.sort(QUALITY)[-20] <= QUALITY, QUALITY.min() - 1, QUALITY),
        "few": rng.permutation(QUALITY),
    }[kind]
    tasks = [prior(values, str(k), 4 if kind == "few" else 60, k) for k in range(2)]
    with_prior = [max(searched(GraphBO(SPACE, seed=s, prior=tasks), 30)) for s in range(2)]
    assert np.mean(with_prior) >= np.mean(without_prior) - 0.2


def test_proposals_stay_a_function_of_the_history():
    tasks = [prior(QUALITY, "a"), prior(QUALITY**2, "b", seed=1)]
    method = GraphBO(SPACE, seed=0, prior=tasks)
    for step in range(8):
        pending = method.ask(2)
        again = GraphBO(SPACE, seed=0, prior=tasks)
        again.load_state_dict(method.state_dict())
        assert again.ask(2) == pending
        method.tell(pending[step % 2], None if step == 3 else quality(pending[step % 2]))
    other = GraphBO(SPACE, seed=0)
    other.use_prior(tasks)
    assert other.ask() == GraphBO(SPACE, seed=0, prior=tasks).ask()
    other.use_prior([])
    assert other.ask() == GraphBO(SPACE, seed=0).ask()


def test_nothing_is_proposed_twice_until_all_is_evaluated():
    space = SPACE.restricted_to(ALL[:40])
    method = GraphBO(space, seed=0, prior=[prior(QUALITY)])
    searched(method, 40)
    keys = [space.key(o.architecture) for o in method.observations]
    assert len(set(keys)) == len({space.key(a) for a in ALL[:40]})


def test_in_a_large_space_the_best_of_the_task_are_candidates():
    """No random sample of the space has them."""
    space = GEMNet(num_nodes=14)
    rng = np.random.default_rng(0)
    architectures = [space.sample(rng) for _ in range(80)]
    values = [float(a.num_edges) for a in architectures]
    config = GraphBOConfig(candidates=100, local_candidates=50)
    method = GraphBO(space, config, seed=0, prior=[PriorTask("edges", architectures, values)])
    found = searched(method, 6, lambda a: float(a.num_edges))
    assert found[0] >= max(values) - 2
    assert max(found) > max(values)


def test_objectives_and_constraints():
    """Two objectives, each with a prior of its own, of which one is limited."""

    def measured(a):
        return quality(a), -float(a.num_edges)

    values = np.array([measured(a) for a in ALL])
    rows = np.arange(0, len(ALL), 3)
    task = PriorTask("both", [ALL[r] for r in rows], values[rows])
    method = GraphBO(SPACE, seed=0, prior=[task])
    for _ in range(12):
        (architecture,) = method.ask()
        method.tell(architecture, measured(architecture), (architecture.num_edges - 4.5,))
    assert sum(o.feasible for o in method.observations) >= 6
    with pytest.raises(InvalidArgument, match="1 objectives, but prior task 'both' has 2"):
        method.tell(ALL[0], 1.0)
    told = GraphBO(SPACE, seed=0)
    told.tell(ALL[0], 1.0)
    with pytest.raises(InvalidArgument, match="1 objectives, but prior task 'both' has 2"):
        told.use_prior([task])
    assert not told.prior


def test_failed_and_pruned_evaluations_are_enough_to_go_on():
    method = GraphBO(SPACE, seed=0, prior=[prior(QUALITY)])
    for step in range(6):
        (architecture,) = method.ask()
        curve = [(1, quality(architecture) / 2)]
        method.tell(architecture, None, curve=curve, pruned=step % 2 == 1)
    assert len({SPACE.key(o.architecture) for o in method.observations}) == 6


def test_what_is_refused():
    with pytest.raises(InvalidArchitecture, match="architecture 0 of prior task 'other'"):
        GraphBO(GEMNet(5), prior=[prior(QUALITY)])
    with pytest.raises(InvalidArgument, match="names of prior tasks must differ"):
        GraphBO(SPACE, prior=[prior(QUALITY), prior(QUALITY)])


@pytest.mark.parametrize("name", [name for name in METHODS if name != "GraphBO"])
def test_other_methods_say_that_they_cannot(name):
    method = method_class(name)(SPACE, seed=0)
    with pytest.raises(InvalidArgument, match=f"{name} cannot use prior tasks; GraphBO can"):
        method.use_prior([prior(QUALITY)])
    method.use_prior([])
