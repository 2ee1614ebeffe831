"""TrainingSet: scores, feasibility and ranks of observations, and how values become targets."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from graphnas.graph.evaluation import Observation
from graphnas.surrogate.training_set import (
    TrainingSet,
    normal_scores,
    scalarize,
    times_dominated,
    violation_scores,
)
from search_spaces import GEMNet

ARCHITECTURE = GEMNet(4).sample(np.random.default_rng(0))


def training_set(rows):
    observations = [Observation(ARCHITECTURE, values, constraints) for values, constraints in rows]
    return TrainingSet.from_observations(observations, np.random.default_rng(0))


def test_a_constraint_that_is_missing_is_satisfied():
    data = training_set([((1.0,), ()), ((3.0,), (0.5, -1.0)), ((2.0,), (0.0,))])
    assert data.scores.tolist() == [1.0, 3.0, 2.0]
    assert data.violations.tolist() == [[0, 0], [0.5, -1], [0, 0]]
    assert data.feasible.tolist() == [True, False, True]
    assert len(data) == 3


def test_infinite_violations_count_twice_the_largest_finite_one_and_nan_is_infinite():
    inf, nan = float("inf"), float("nan")
    rows = [((1.0,), (inf, nan)), ((2.0,), (-3.0, 0.0)), ((3.0,), (0.5,)), ((4.0,), (-inf, 0.0))]
    data = training_set(rows)
    assert data.violations.tolist() == [[6, 2], [-3, 0], [0.5, 0], [-6, 0]]
    assert data.feasible.tolist() == [False, True, False, True]
    assert data.best(4).tolist() == [3, 1, 2, 0]


def test_what_violates_less_ranks_higher_and_all_of_it_below_what_is_feasible():
    data = training_set([((9.0,), (2.0,)), ((1.0,), (-1.0,)), ((8.0,), (0.5,)), ((2.0,), (0.0,))])
    assert data.best(4).tolist() == [3, 1, 2, 0]
    assert data.best(2).tolist() == [3, 1]
    assert (data.ranked_scores[[1, 3]] == [1.0, 2.0]).all()
    nothing = training_set([((9.0,), (2.0,)), ((1.0,), (1.0,))])
    assert nothing.best(2).tolist() == [1, 0]
    free = training_set([((2.0,), ()), ((2.0,), ()), ((3.0,), ())])
    assert free.best(3).tolist() == [2, 0, 1]  # the older of equals first


def test_normal_scores():
    scores = normal_scores(np.array([10.0, 10.0, 91.0, 50.0]))
    assert scores[0] == scores[1] < scores[3] < scores[2]
    assert scores[2] == pytest.approx(norm.ppf(3.5 / 4))


def test_violations_become_ranks_around_the_limit():
    nan = float("nan")
    scores, limit = violation_scores(np.array([-2.0, nan, 1e9, -1.0, 3.0]))
    assert np.isnan(scores).tolist() == [False, True, False, False, False]
    assert scores[[0, 3, 4, 2]].tolist() == pytest.approx(norm.ppf([0.1, 0.3, 0.7, 0.9]))
    assert limit == pytest.approx((scores[3] + scores[4]) / 2)
    # Only the order matters, and which of them are satisfied.
    again, same = violation_scores(np.array([-0.1, nan, 5.0, 0.0, 4.0]))
    assert same == pytest.approx((again[3] + again[4]) / 2)


def test_the_limit_is_below_all_violations_and_keeps_its_distance_from_all_others():
    scores, limit = violation_scores(np.array([1.0, 2.0, 5.0]))
    assert limit < scores.min()
    assert (np.diff(scores) > 0).all()
    scores, limit = violation_scores(np.array([-10.0, -9.0, -8.0]))
    assert scores.mean() == pytest.approx(0)
    assert (limit - scores[2]) / (scores[2] - scores[0]) == pytest.approx(4)
    assert violation_scores(np.zeros(3)) == (pytest.approx(np.zeros(3)), pytest.approx(0))


def test_scalarisation_keeps_the_pareto_front_in_reach():
    rng = np.random.default_rng(0)
    values = np.array([[1.0, 0.0], [0.8, 0.8], [0.0, 1.0], [0.5, 0.5], [0.1, 0.1]])
    winners = {int(scalarize(values, rng).argmax()) for _ in range(200)}
    assert winners == {0, 1, 2}
    assert scalarize(values[:, :1], rng).tolist() == values[:, 0].tolist()


def test_times_dominated_against_all_pairs():
    values = np.random.default_rng(0).integers(4, size=(600, 2)).astype(float)
    slow = [
        sum((other >= row).all() and (other > row).any() for other in values.tolist())
        for row in map(np.array, values.tolist())
    ]
    assert times_dominated(values).tolist() == slow


def test_a_subset_has_the_best_and_the_most_recent_of_the_others():
    values = np.random.default_rng(0).permutation(100).astype(float)
    values[-5] = 99.5  # one of the best is recent too
    data = training_set([((value,), ()) for value in values])
    kept = data.subset(21)
    assert (np.diff(kept) > 0).all()
    best = set(np.argsort(-values, kind="stable")[:10].tolist())
    others = [k for k in range(100) if k not in best]
    assert set(kept.tolist()) == best | set(others[-11:])
    assert data.subset(100).tolist() == data.subset(500).tolist() == list(range(100))


def test_a_subset_keeps_the_pareto_front_whatever_the_weights():
    rng = np.random.default_rng(0)
    angle = np.linspace(0, np.pi / 2, 10)
    front = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    values = rng.permutation(np.concatenate([front, 0.5 * rng.random((90, 2))]))
    on_front = np.flatnonzero(times_dominated(values) == 0)
    for seed in range(5):
        observations = [Observation(ARCHITECTURE, tuple(row)) for row in values.tolist()]
        data = TrainingSet.from_observations(observations, np.random.default_rng(seed))
        assert set(on_front) <= set(data.subset(20).tolist())


@pytest.mark.parametrize("objectives", [1, 2])
def test_a_subset_prefers_what_satisfies_the_constraints(objectives):
    values = np.random.default_rng(0).random((60, objectives))
    feasible = np.arange(60) % 6 == 0
    data = training_set(
        [(tuple(row), (-1.0 if allowed else 1.0,)) for row, allowed in zip(values, feasible, strict=True)]
    )
    kept = data.subset(20)
    assert set(np.flatnonzero(feasible)) <= set(kept.tolist())
    assert (~feasible[kept]).any()
