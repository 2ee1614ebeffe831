"""Gaussian processes on latent vectors: against the textbook, and the sparse one against the exact one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal

from graphnas.errors import InvalidArgument
from graphnas.surrogate import gp
from graphnas.surrogate.gp import NOISE_FLOOR, ExactGP, parameter_priors
from graphnas.surrogate.sparse_gp import SparseGP, collapsed_bound, kernel


def data(count=60, dimensions=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, dimensions))
    y = np.sin(2 * x[:, 0]) + 0.1 * x[:, 1] + 0.05 * rng.standard_normal(count)
    return x, (y - y.mean()) / y.std()


@pytest.mark.parametrize("ard", [False, True])
def test_the_gradient_of_the_marginal_likelihood(ard):
    x, y = data(25)
    means, spreads = parameter_priors(x, ard)
    at = means + np.random.default_rng(1).normal(0, 0.3, len(means))
    arguments = (x, y, means, spreads)
    error = check_grad(
        lambda t: gp._loss(t, *arguments)[0], lambda t: gp._loss(t, *arguments)[1], at, epsilon=1e-6
    )
    assert error < 1e-3


def test_the_posterior_is_the_textbooks():
    x, y = data(30)
    process = ExactGP(ard=True).fit(x[:20], y[:20])

    def covariance(a, b):
        scaled = (a[:, None] - b[None]) / process.lengths
        return process.variance * np.exp(-0.5 * (scaled**2).sum(2))

    noisy = covariance(x[:20], x[:20]) + (process.noise + NOISE_FLOOR) * np.eye(20)
    cross = covariance(x[20:], x[:20])
    mean, deviation = process.predict(x[20:])
    np.testing.assert_allclose(mean, cross @ np.linalg.solve(noisy, y[:20]), atol=1e-8)
    variance = covariance(x[20:], x[20:]) - cross @ np.linalg.solve(noisy, cross.T)
    np.testing.assert_allclose(deviation**2, np.diag(variance), atol=1e-8)


def test_length_scales_find_what_matters():
    x, y = data(120)
    process = ExactGP(ard=True).fit(x, y)
    assert process.lengths[0] < 0.5 * process.lengths[1:].min()
    assert len(set(ExactGP().fit(x, y).lengths)) == 1
    mean, _ = process.predict(x)
    assert np.corrcoef(mean, y)[0, 1] > 0.98


@pytest.mark.parametrize("make", [ExactGP, lambda: SparseGP(20, ard=False)], ids=["exact", "sparse"])
def test_a_believed_point_changes_no_mean_and_leaves_no_doubt(make):
    x, y = data()
    process = make().fit(x[:50], y[:50])
    before, unsure = process.predict(x)
    after, sure = process.believe(x[50:]).predict(x)
    np.testing.assert_allclose(after, before, atol=0.02)
    assert (sure <= unsure + 1e-6).all()
    assert (sure[50:] < 0.98 * unsure[50:]).all()


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
    exact, sparse = ExactGP(ard=True).fit(x, y), SparseGP(60).fit(x, y)
    np.testing.assert_array_equal(exact.predict(x), sparse.predict(x))


def test_the_sparse_process_approaches_the_exact_one():
    x, y = data(400, 2)
    test_x, _ = data(50, 2, seed=1)
    wanted = ExactGP(ard=True).fit(x, y).predict(test_x)[0]
    errors = []
    for inducing in (5, 150):
        found = SparseGP(inducing, seed=1).fit(x, y).predict(test_x)[0]
        errors.append(np.sqrt(np.mean((found - wanted) ** 2)))
    assert errors[1] < 0.05
    assert errors[0] > 2 * errors[1]
    again = SparseGP(10, seed=1).fit(x, y).predict(test_x)[0]
    np.testing.assert_array_equal(again, SparseGP(10, seed=1).fit(x, y).predict(test_x)[0])
    assert not np.array_equal(again, SparseGP(10, seed=2).fit(x, y).predict(test_x)[0])


def test_equal_points_and_equal_targets_do_no_harm():
    x = np.zeros((12, 4))
    for process in (ExactGP(), SparseGP(5)):
        mean, deviation = process.fit(x, np.zeros(12)).predict(x)
        assert np.isfinite(mean).all()
        assert (deviation > 0).all()


@pytest.mark.parametrize("process", [ExactGP(), SparseGP()])
def test_bad_input(process):
    with pytest.raises(InvalidArgument, match="not fitted"):
        process.predict(np.zeros((1, 2)))
    with pytest.raises(InvalidArgument, match=r"\(3, 2\) and \(2,\)"):
        process.fit(np.zeros((3, 2)), np.zeros(2))
    with pytest.raises(InvalidArgument, match="at least 2"):
        process.fit(np.zeros((1, 2)), np.zeros(1))
    with pytest.raises(InvalidArgument, match="inducing must be at least 1, got 0"):
        SparseGP(0)
