"""ImprovementModel: objectives, constraints, noise and pending points against processes fitted one by one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from graphnas.graph.evaluation import Observation
from graphnas.surrogate import GaussianProcess, ImprovementModel, Kernel, SquaredExponential, TrainingSet
from graphnas.surrogate.acquisition import (
    log_expected_improvement,
    log_hypervolume_improvement,
)
from graphnas.surrogate.improvement import UNLIKELY, last_fit
from graphnas.surrogate.training_set import normal_scores, violation_scores
from search_spaces import GEMNet

ARCHITECTURE = GEMNet(4).sample(np.random.default_rng(0))


def process():
    return GaussianProcess(Kernel(SquaredExponential(ard=False, standardized=False)))


def points(count=30, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 2))


def training_set(*objectives, violation=None, seed=0):
    rows = np.stack(objectives, axis=1)
    constraints = [()] * len(rows) if violation is None else [(v,) for v in violation]
    observations = [
        Observation(ARCHITECTURE, tuple(row), c) for row, c in zip(rows.tolist(), constraints, strict=True)
    ]
    return TrainingSet.from_observations(observations, np.random.default_rng(seed))


def feasibility(x, violation, fitted=None):
    """What a constraint adds to the score of each of POOL, by a process fitted to the first ``fitted``."""
    targets, limit = violation_scores(violation)
    first = slice(0, fitted)
    constraint = process().fit([x[first]], violation_scores(violation[first])[0]).condition([x], targets)
    return allowed_by(constraint, limit)


def allowed_by(constraint, limit):
    mean, deviation = constraint.predict([POOL])
    return norm.logcdf((limit - mean) / deviation) + UNLIKELY * (mean > limit)


X, POOL, WAITING = points(), points(50, 1), points(2, 2)


@pytest.mark.parametrize(
    ("noise", "counted"),
    [("included", (True, True)), ("excluded", (False, False)), ("alternate", (True, False))],
)
@pytest.mark.parametrize("waiting", [0, 2])
def test_noise_counts_when_it_is_meant_to(noise, counted, waiting):
    """By turns of what is evaluated or pending, for the improvement; in a constraint it never counts."""
    for count, with_noise in zip((29, 28), counted, strict=True):
        size = count - waiting
        x = X[:size]
        value, violation = x.sum(1), x[:, 1] - 0.5
        data = training_set(value, violation=violation)
        pending = [WAITING] if waiting else None
        scores = ImprovementModel(process, noise=noise).fit(data, [x], pending)([POOL])
        limited, limit = violation_scores(violation)
        targets = normal_scores(value), limited
        fits = [process().fit([x], target) for target in targets]
        for fit in fits if waiting else ():
            fit.believe([WAITING])
        mean, deviation = fits[0].predict([POOL], noisy=with_noise)
        improvement = log_expected_improvement(mean, deviation, targets[0][violation <= 0].max())
        np.testing.assert_allclose(scores, improvement + allowed_by(fits[1], limit), rtol=1e-9)


def test_two_objectives_have_a_process_each():
    """The area that the feasible ones dominate is improved, in units of ranks."""
    values = X[:, 0], -X[:, 0] + X[:, 1]
    violation = X[:, 1]
    data = training_set(*values, violation=violation)
    scores = ImprovementModel(process).fit(data, [X])([POOL])
    targets = [normal_scores(column) for column in values]
    fits = [process().fit([X], target) for target in targets]
    known = np.column_stack(targets)
    improvement = log_hypervolume_improvement(
        *(fit.predict([POOL]) for fit in fits), known[data.feasible], known.min(0)
    )
    np.testing.assert_allclose(scores, improvement + feasibility(X, violation), rtol=1e-9)


@pytest.mark.parametrize("way", ["scalarized", "hypervolume"])
def test_more_objectives_and_those_that_shall_be_are_one_score(way):
    columns = (X[:, 0], X[:, 1]) if way == "scalarized" else (X[:, 0], X[:, 1], -X.sum(1))
    data = training_set(*columns)
    scores = ImprovementModel(process, two_objectives=way).fit(data, [X])([POOL])
    single = ImprovementModel(process).fit(training_set(data.scores), [X])([POOL])
    np.testing.assert_array_equal(scores, single)


def test_as_long_as_nothing_is_feasible_only_the_constraint_counts():
    violation = np.abs(X[:, 1]) + 0.1
    data = training_set(X[:, 0], violation=violation)
    scores = ImprovementModel(process).fit(data, [X])([POOL])
    np.testing.assert_allclose(scores, feasibility(X, violation))
    # Far from the limit the probability underflows; its logarithm still tells the better from the worse.
    far = ImprovementModel(process).fit(training_set(X[:, 0], violation=violation + 1e4), [X])([POOL])
    assert np.isfinite(far).all()
    assert len(np.unique(far)) == len(far)


def test_while_only_what_is_pending_changes_no_kernel_is_fitted_again():
    fits = []

    class Counted(GaussianProcess):
        def fit(self, inputs, targets):
            fits.append(len(targets))
            return super().fit(inputs, targets)

    model = ImprovementModel(lambda: Counted(Kernel(SquaredExponential(ard=False, standardized=False))))
    data = training_set(X[:, 0], violation=X[:, 1])
    scores = [model.fit(data, [X], pending)([POOL]) for pending in (None, [WAITING[:1]], [WAITING])]
    assert fits == [30, 30]  # the value and the constraint
    for pending, known in zip((None, [WAITING[:1]], [WAITING]), scores, strict=True):
        fresh = ImprovementModel(process).fit(data, [X], pending)([POOL])
        np.testing.assert_array_equal(known, fresh)
    model.fit(training_set(X[:, 1], violation=X[:, 1]), [X])
    assert fits == [30, 30, 30]


def test_kernels_are_fitted_again_when_the_data_have_grown():
    assert [last_fit(n, 0.0) for n in (2, 3, 50, 301)] == [2, 3, 50, 301]
    assert [last_fit(n, 0.02) for n in (2, 99, 100, 101, 102, 103)] == [2, 99, 100, 100, 102, 102]
    assert [last_fit(n, 0.5) for n in (4, 5, 6, 7, 9, 12, 13)] == [4, 4, 6, 6, 9, 9, 13]
    fits = []

    class Counted(GaussianProcess):
        def fit(self, inputs, targets):
            fits.append(len(targets))
            return super().fit(inputs, targets)

    def make():
        return Counted(Kernel(SquaredExponential(ard=False, standardized=False)))

    model = ImprovementModel(make, refit_growth=0.5)
    scores = {}
    for n in (13, 14, 18, 19, 30):
        data = training_set(X[:n, 0], violation=X[:n, 1])
        scores[n] = model.fit(data, [X[:n]])([POOL])
        # What was fitted before makes no difference.
        fresh = ImprovementModel(process, refit_growth=0.5).fit(data, [X[:n]])([POOL])
        np.testing.assert_array_equal(scores[n], fresh)
    assert fits == [13, 13, 19, 19, 28, 28]
    # The kernel is that of the first 13, conditioned on all 14.
    expected = process().fit([X[:13]], normal_scores(X[:13, 0])).condition([X[:14]], normal_scores(X[:14, 0]))
    mean, deviation = expected.predict([POOL])
    best = normal_scores(X[:14, 0])[X[:14, 1] <= 0].max()
    allowed = feasibility(X[:14], X[:14, 1], fitted=13)
    np.testing.assert_allclose(
        scores[14], log_expected_improvement(mean, deviation, best) + allowed, rtol=1e-9
    )


def test_a_pending_point_is_less_promising():
    data = training_set(X.sum(1))
    ahead = np.array([[1.5, 1.5]])
    free = ImprovementModel(process).fit(data, [X])([ahead])
    assert ImprovementModel(process).fit(data, [X], [ahead])([ahead]) < free - 0.1


def test_beyond_max_points_the_best_and_the_most_recent_are_learned_from():
    value = X.sum(1)
    data = training_set(value)
    model = ImprovementModel(process, noise="excluded", max_points=12)
    targets, kept = normal_scores(value), data.subset(12)
    evenly = np.sort(np.argsort(value)[np.linspace(0, len(value) - 1, 12).astype(int)])
    expected = process().fit([X[evenly]], targets[evenly]).condition([X[kept]], targets[kept])
    expected = log_expected_improvement(*expected.predict([POOL]), targets.max())
    np.testing.assert_allclose(model.fit(data, [X])([POOL]), expected)


def test_what_is_likely_infeasible_comes_after_all_others():
    """However large its improvement: here the best values are those that violate."""
    x = np.linspace(-1, 1, 30)[:, None]
    data = training_set(x[:, 0], violation=x[:, 0] + 0.05)
    pool = np.linspace(-0.98, 0.98, 50)[:, None]
    order = pool[np.argsort(-ImprovementModel(process).fit(data, [x])([pool])), 0]
    allowed = int((pool < -0.05).sum())
    assert order[0] < -0.05
    assert set(order[: allowed - 1]) < set(pool[pool < 0])
    assert (order[-20:] > 0).all()
