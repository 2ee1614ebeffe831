"""One, two or three objectives, constraints and pending trials mean the same in every model-based method."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from test_method_contract import generative, latent_bo

from graphnas.methods import GraphBO, GraphBOConfig, GraphPNAS, LatentBO
from graphnas.surrogate import ImprovementModel
from search_spaces import GEMNet, NASBench201

METHODS = {
    "graphbo": lambda space: GraphBO(space, GraphBOConfig(candidates=300, local_candidates=50)),
    "latentbo": lambda space: LatentBO(space, latent_bo()),
    "graphpnas": lambda space: GraphPNAS(
        space, generative("rnn", critic="kernel", screened=60, screened_random=60)
    ),
}
SPACES = {"nasbench201": NASBench201(), "gemnet": GEMNet(6)}
CASES = list(itertools.product((1, 2, 3), (0, 1, 2), (0, 2)))


def values(architecture, objectives):
    edges, operations = architecture.num_edges, int(architecture.operations.sum())
    return (float(edges + architecture.adjacency.sum()), -float(edges), float(operations))[:objectives]


def constraints(architecture, count):
    return (architecture.num_edges - 5.5, 1.5 - architecture.adjacency[0, 1])[:count]


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("objectives", "limits", "pending"), CASES)
def test_every_combination(name, space, objectives, limits, pending, monkeypatch):
    space = SPACES[space]
    fits = []
    fit = ImprovementModel.fit

    def recorded(self, data, inputs, waiting=None):
        score = fit(self, data, inputs, waiting)
        fits.append((data.values.shape[1], data.violations.shape[1], waiting is not None))
        return lambda points: finite(score(points))

    def finite(scores):
        assert np.isfinite(scores).all()
        return scores

    monkeypatch.setattr(ImprovementModel, "fit", recorded)
    method, rebuilt = METHODS[name](space), METHODS[name](space)
    for k in range(12):
        architecture = space.sample(np.random.default_rng(k))
        report = values(architecture, objectives), constraints(architecture, limits)
        for each in (method, rebuilt):
            # A failure among them, which counts for nothing but is not proposed again.
            each.tell(architecture, *((None,) if k == 5 else report))
    waiting = [space.sample(np.random.default_rng(100 + k)) for k in range(pending)]
    (proposal,) = method.ask(pending=waiting)
    space.validate(proposal)
    known = {space.key(a) for a in (*(o.architecture for o in method.observations), *waiting)}
    assert space.key(proposal) not in known
    assert fits == [(objectives, limits, pending > 0)]
    assert rebuilt.ask(pending=waiting) == [proposal]


@pytest.mark.parametrize("unbounded", [float("inf"), -float("inf"), float("nan")])
@pytest.mark.parametrize("name", METHODS)
def test_a_constraint_that_is_not_finite(name, unbounded):
    space = SPACES["gemnet"]
    method = METHODS[name](space)
    for k in range(12):
        architecture = space.sample(np.random.default_rng(k))
        limit = unbounded if k == 3 else architecture.num_edges - 5.5
        method.tell(architecture, values(architecture, 1), (limit,))
    space.validate(method.ask()[0])


@pytest.mark.parametrize("name", METHODS)
def test_constraints_are_obeyed_more_often_than_by_chance(name):
    """Of two objectives, too: more convolutions and fewer edges, but at most five edges."""
    space = SPACES["gemnet"]
    method = METHODS[name](space)
    for _ in range(30):
        (architecture,) = method.ask()
        method.tell(architecture, values(architecture, 2), constraints(architecture, 1))
    later = [o.feasible for o in method.observations[12:]]
    chance = [space.sample(np.random.default_rng(k)).num_edges <= 5 for k in range(300)]
    assert np.mean(later) > 2 * np.mean(chance)


@pytest.mark.parametrize("name", METHODS)
def test_two_objectives_spread_over_the_front(name):
    space = SPACES["gemnet"]
    method = METHODS[name](space)
    for _ in range(30):
        (architecture,) = method.ask()
        method.tell(architecture, values(architecture, 2))
    points = np.array([o.values for o in method.observations])
    front = {tuple(p) for p in points.tolist() if not ((points >= p).all(1) & (points > p).any(1)).any()}
    assert len(front) >= 3
