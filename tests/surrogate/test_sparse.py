"""The sparse Gaussian process: its bound against the evidence, and itself against the exact process."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from graphnas.errors import InvalidArgument
from graphnas.surrogate import GaussianProcess, Kernel, SparseGP, SquaredExponential
from graphnas.surrogate.regression import NOISE_FLOOR
from graphnas.surrogate.sparse import collapsed_bound, kernel


def exact_process(max_fit=200):
    return GaussianProcess(Kernel(SquaredExponential(ard=True, standardized=False)), max_fit)


def data(count=60, dimensions=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, dimensions))
    y = np.sin(2 * x[:, 0]) + 0.1 * x[:, 1] + 0.05 * rng.standard_normal(count)
    return x, (y - y.mean()) / y.std()


@pytest.mark.parametrize("inducing", [20, 60])
def test_a_believed_point_changes_no_mean_and_leaves_no_doubt(inducing):
    x, y = data()
    process = SparseGP(inducing, ard=False).fit([x[:50]], y[:50])
    before, unsure = process.predict([x])
    after, sure = process.believe([x[50:]]).predict([x])
    np.testing.assert_allclose(after, before, atol=0.02)
    assert (sure <= unsure + 1e-6).all()
    assert (sure[50:] < 0.98 * unsure[50:]).all()


@pytest.mark.parametrize("together", [True, False])
def test_believing_is_conditioning_on_all_points_without_their_cost(together):
    x, y = data(90, seed=3)
    quick, slow = (SparseGP(15, seed=2).fit([x[:80]], y[:80]) for _ in range(2))
    quick.condition([x[:70]], y[:70])
    known, values = x[:70], y[:70]
    for part in [x[80:]] if together else np.split(x[80:], 10):
        values = np.concatenate([values, slow.condition([known], values).predict([part])[0]])
        known = np.concatenate([known, part])
        quick.believe([part])
    wanted = slow.condition([known], values).predict([x])
    np.testing.assert_allclose(quick.predict([x]), wanted, rtol=1e-7, atol=1e-9)


def test_what_was_believed_is_forgotten_with_new_data():
    x, y = data()
    process = SparseGP(20).fit([x[:50]], y[:50])
    before = process.predict([x])
    process.believe([x[50:]])
    np.testing.assert_array_equal(process.condition([x[:50]], y[:50]).predict([x]), before)


def test_the_bound_is_tight_where_every_point_is_an_inducing_point_and_a_bound_elsewhere():
    x, y = data(40)
    theta = torch.tensor([0.2, -0.1, 0.4, 0.3, -2.0], dtype=torch.float64)
    a, b = torch.from_numpy(x), torch.from_numpy(y)
    noise = theta[-1].exp() + NOISE_FLOOR
    covariance = kernel(theta, a, a) + noise * torch.eye(40)
    evidence = multivariate_normal.logpdf(y, np.zeros(40), covariance.numpy())
    tight = float(collapsed_bound(theta, a, a, b))
    assert tight == pytest.approx(evidence, abs=0.05)  # what the jitter takes
    bounds = [float(collapsed_bound(theta, a[:m], a, b)) for m in (5, 15, 30)]
    assert bounds[0] < bounds[1] < bounds[2] <= tight + 1e-6


def test_the_sparse_process_is_the_exact_one_for_few_points():
    x, y = data()
    exact, sparse = exact_process().fit([x], y), SparseGP(60).fit([x], y)
    for noisy in (False, True):
        np.testing.assert_array_equal(exact.predict([x], noisy=noisy), sparse.predict([x], noisy=noisy))
    exact.condition([x[:9]], y[:9])
    np.testing.assert_array_equal(exact.predict([x]), sparse.condition([x[:9]], y[:9]).predict([x]))


def test_noise_and_new_data_with_few_inducing_points():
    x, y = data()
    sparse = SparseGP(20).fit([x[:50]], y[:50])
    _, deviation = sparse.predict([x])
    np.testing.assert_allclose(sparse.predict([x], noisy=True)[1] ** 2, deviation**2 + sparse.noise)
    before = sparse.predict([x[50:]])[0]
    after = sparse.condition([x], y).predict([x[50:]])[0]
    assert np.abs(after - y[50:]).mean() < np.abs(before - y[50:]).mean()


def test_the_sparse_process_approaches_the_exact_one():
    x, y = data(400, 2)
    test_x, _ = data(50, 2, seed=1)
    wanted = exact_process(max_fit=300).fit([x], y).predict([test_x])[0]
    errors = []
    for inducing in (5, 150):
        predicted = SparseGP(inducing, seed=1).fit([x], y).predict([test_x])[0]
        errors.append(np.sqrt(np.mean((predicted - wanted) ** 2)))
    assert errors[1] < 0.05
    assert errors[0] > 2 * errors[1]
    again = SparseGP(10, seed=1).fit([x], y).predict([test_x])[0]
    np.testing.assert_array_equal(again, SparseGP(10, seed=1).fit([x], y).predict([test_x])[0])
    assert not np.array_equal(again, SparseGP(10, seed=2).fit([x], y).predict([test_x])[0])


def test_equal_points_and_equal_targets_do_no_harm():
    x = np.zeros((12, 4))
    mean, deviation = SparseGP(5).fit([x], np.zeros(12)).predict([x])
    assert np.isfinite(mean).all()
    assert (deviation > 0).all()


def test_bad_input():
    process = SparseGP()
    with pytest.raises(InvalidArgument, match="not fitted"):
        process.predict([np.zeros((1, 2))])
    with pytest.raises(InvalidArgument, match=r"3 points and targets of shape \(2,\)"):
        process.fit([np.zeros((3, 2))], np.zeros(2))
    with pytest.raises(InvalidArgument, match="at least 2"):
        process.fit([np.zeros((1, 2))], np.zeros(1))
    with pytest.raises(InvalidArgument, match="inducing must be at least 1, got 0"):
        SparseGP(0)
