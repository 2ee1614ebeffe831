"""The Gaussian process: its evidence and gradient, its posterior, subsets and pending points."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from graphnas.errors import InvalidArgument
from graphnas.surrogate import GaussianProcess, Kernel, Matern, SquaredExponential
from graphnas.surrogate.kernels import Hamming
from graphnas.surrogate.regression import (
    NOISE_FLOOR,
    NOISE_PRIOR,
    evenly_by_rank,
    negative_log_posterior,
)


def data(count=60, dimensions=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, dimensions))
    y = np.sin(2 * x[:, 0]) + 0.1 * x[:, 1] + 0.05 * rng.standard_normal(count)
    return x, (y - y.mean()) / y.std()


def smooth(ard=False):
    return Kernel(SquaredExponential(ard=ard, standardized=False))


@pytest.mark.parametrize("make", [smooth, lambda: Kernel(Matern(ard=True, standardized=True))])
def test_the_loss_is_evidence_times_prior_and_its_gradient_is_right(make):
    x, y = data(25)
    kernel = make()
    loss, means = negative_log_posterior(kernel, [x], y)
    theta = means + np.random.default_rng(1).normal(0, 0.3, len(means))
    assert check_grad(lambda t: loss(t)[0], lambda t: loss(t)[1], theta, epsilon=1e-6) < 1e-3
    prior_means, spreads = kernel.start([x])
    deviation = (theta - np.append(prior_means, NOISE_PRIOR[0])) / np.append(spreads, NOISE_PRIOR[1])
    covariance = kernel.matrix(theta[:-1], [x], [x]) + (np.exp(theta[-1]) + NOISE_FLOOR) * np.eye(25)
    evidence = multivariate_normal.logpdf(y, np.zeros(25), covariance) + 12.5 * np.log(2 * np.pi)
    assert loss(theta)[0] == pytest.approx(-evidence + 0.5 * deviation @ deviation)


def test_a_fit_is_a_maximum_and_depends_on_its_data_only():
    x, y = data()
    process = GaussianProcess(smooth(ard=True)).fit([x], y)
    loss, _ = negative_log_posterior(smooth(ard=True), [x], y)
    theta = np.append(process.theta, np.log(process.noise))
    assert np.abs(loss(theta)[1]).max() < 0.05
    again = GaussianProcess(smooth(ard=True)).fit([x], y)
    np.testing.assert_array_equal(again.theta, process.theta)


def test_weights_show_where_the_data_come_from():
    rng = np.random.default_rng(0)
    x, z = rng.integers(2, size=(2, 60, 8)).astype(float)
    source = Hamming(3).matrix(np.zeros(0), x, x)
    y = rng.multivariate_normal(np.zeros(60), source + 0.05 * np.eye(60))
    process = GaussianProcess(Kernel(Hamming(3), Hamming(3))).fit([x, z], y)
    first, second = process.kernel.weights(process.theta)
    assert first > 3 * second
    assert 0.005 < process.noise < 0.5


def test_relevances_show_what_matters():
    x, y = data(120)
    process = GaussianProcess(smooth(ard=True)).fit([x], y)
    (part,) = process.kernel.parts(process.theta)
    relevances = process.kernel.correlations[0].relevances(part)
    assert relevances[0] > 4 * relevances[1:].max()
    mean, _ = process.predict([x])
    assert np.corrcoef(mean, y)[0, 1] > 0.98


def test_posterior_equals_scikit_learns():
    x, y = data(30)
    process = GaussianProcess(smooth(ard=True)).fit([x[:20]], y[:20])
    (part,) = process.kernel.parts(process.theta)
    lengths = process.kernel.correlations[0].relevances(part) ** -0.5
    (variance,) = process.kernel.weights(process.theta)
    theirs = GaussianProcessRegressor(
        variance * RBF(lengths), alpha=process.noise + NOISE_FLOOR, optimizer=None
    )
    expected, spread = theirs.fit(x[:20], y[:20]).predict(x[20:], return_std=True)
    mean, deviation = process.predict([x[20:]])
    np.testing.assert_allclose(mean, expected, atol=1e-8)
    np.testing.assert_allclose(deviation, spread, atol=1e-8)
    np.testing.assert_allclose(process.mean([x[20:]]), mean)
    _, noisy = process.predict([x[20:]], noisy=True)
    np.testing.assert_allclose(noisy**2, spread**2 + process.noise)


def test_new_data_keep_the_kernel():
    x, y = data()
    process = GaussianProcess(smooth()).fit([x[:30]], y[:30])
    theta = process.theta.copy()
    process.condition([x], y)
    np.testing.assert_array_equal(process.theta, theta)
    assert np.abs(process.mean([x]) - y).mean() < 0.3


def test_a_believed_point_changes_no_mean_and_leaves_no_doubt():
    x, y = data()
    process = GaussianProcess(smooth()).fit([x[:50]], y[:50])
    before, unsure = process.predict([x])
    after, sure = process.believe([x[50:]]).predict([x])
    np.testing.assert_allclose(after, before, atol=0.02)
    assert (sure <= unsure + 1e-6).all()
    assert (sure[50:] < 0.98 * unsure[50:]).all()


def test_a_kernel_is_fitted_to_a_part_that_is_shaped_like_the_whole():
    x, y = data(100)
    chosen = evenly_by_rank(y, 5)
    np.testing.assert_array_equal(y[chosen], np.sort(y)[[0, 24, 49, 74, 99]])
    process = GaussianProcess(smooth(), max_fit=40).fit([x], y)
    part = evenly_by_rank(y, 40)
    np.testing.assert_array_equal(process.theta, GaussianProcess(smooth()).fit([x[part]], y[part]).theta)
    assert np.corrcoef(process.mean([x]), y)[0, 1] > 0.95


def test_equal_points_and_equal_targets_do_no_harm():
    x = np.zeros((12, 4))
    mean, deviation = GaussianProcess(smooth()).fit([x], np.zeros(12)).predict([x])
    assert np.isfinite(mean).all()
    assert (deviation > 0).all()


def test_bad_input():
    process = GaussianProcess(smooth())
    for question in (process.predict, process.mean, process.believe):
        with pytest.raises(InvalidArgument, match="not fitted"):
            question([np.zeros((1, 2))])
    with pytest.raises(InvalidArgument, match=r"3 points and targets of shape \(2,\)"):
        process.fit([np.zeros((3, 2))], np.zeros(2))
    with pytest.raises(InvalidArgument, match="at least 2"):
        process.fit([np.zeros((1, 2))], np.zeros(1))
