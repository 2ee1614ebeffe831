"""Joint search: GraphBO learns which hyper-parameters suit which architecture, and stays a pure function."""

from __future__ import annotations

import numpy as np
import pytest
from small_space import SmallSpace, quality

from graphnas.graph.evaluation import Observation, Proposal
from graphnas.hyperparameters import Category, HyperParameters, Number
from graphnas.methods import GraphBO, RandomSearch
from graphnas.methods.base import JointSearch

BLOCK = HyperParameters([Number("rate", 1e-4, 1.0, log=True), Category("optimizer", ("sgd", "adam"))])


def value(proposal):
    """The best rate is 0.01 for shallow and 0.1 for other architectures; adam costs 1."""
    settings = dict(proposal.settings)
    best = -2 if proposal.architecture.num_edges <= 4 else -1
    loss = (np.log10(settings["rate"]) - best) ** 2 + (settings["optimizer"] == "adam")
    return quality(proposal.architecture) - loss


def search(method, trials, settings=value):
    for _ in range(trials):
        proposal = method.ask_joint(BLOCK)
        method.learn(Observation(proposal.architecture, (settings(proposal),), settings=proposal.settings))
    return [o.values[0] for o in method.observations]


def test_it_finds_the_architecture_and_its_settings():
    method = GraphBO(SmallSpace(), seed=0)
    values = search(method, 40)
    best = method.observations[int(np.argmax(values))]
    assert max(values) > 6.3  # of 6.5
    assert dict(best.settings)["optimizer"] == "sgd"


def test_an_architecture_comes_again_only_with_other_settings():
    method = GraphBO(SmallSpace(), seed=1)
    search(method, 30)
    keys = [method.space.key(o.architecture) for o in method.observations]
    assert len(set(keys)) < 30
    assert len({(key, o.settings) for key, o in zip(keys, method.observations, strict=True)}) == 30


def test_a_rebuilt_method_proposes_the_same():
    method, again = (GraphBO(SmallSpace(), seed=2) for _ in range(2))
    search(method, 12)
    again.replay(method.observations)
    pending = (method.ask_joint(BLOCK),)
    assert again.ask_joint(BLOCK) == pending[0]
    second = method.ask_joint(BLOCK, pending)
    assert again.ask_joint(BLOCK, pending) == second != pending[0]
    state = GraphBO(SmallSpace())
    state.load_state_dict(method.state_dict())
    assert state.observations == method.observations
    assert state.ask_joint(BLOCK, pending) == second


def test_settings_that_were_not_recorded_do_not_stop_it():
    method = GraphBO(SmallSpace(), seed=3)
    for architecture in method.ask(8):
        method.tell(architecture, quality(architecture))
    proposal = method.ask_joint(BLOCK, [Proposal(method.ask()[0])])
    assert set(dict(proposal.settings)) == {"rate", "optimizer"}


@pytest.mark.parametrize("objectives", [1, 2])
def test_objectives_constraints_failures_and_prunings_enter(objectives):
    method = GraphBO(SmallSpace(), seed=4)
    for step in range(14):
        p = method.ask_joint(BLOCK)
        found = (value(p), -float(p.architecture.num_edges))[:objectives]
        observation = Observation(p.architecture, found, (value(p) - 5,), settings=p.settings)
        if step % 4 == 3:
            observation = Observation(p.architecture, None, settings=p.settings)
        elif step % 4 == 2 and objectives == 1:
            observation = Observation(p.architecture, None, (), ((1, found[0]),), True, p.settings)
        method.learn(observation)
    assert method.space.is_valid(method.ask_joint(BLOCK).architecture)


def test_which_methods_can():
    assert isinstance(GraphBO(SmallSpace()), JointSearch)
    assert not isinstance(RandomSearch(SmallSpace()), JointSearch)
