"""The default predictor: its kernel, its fit, and what a search does not compute twice."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from graphnas.errors import InvalidArgument
from graphnas.methods import NASGEM, NASGEMConfig
from graphnas.methods.nasgem import surrogates
from graphnas.surrogate import FeatureEnsemble, FeatureKernels, FeaturePredictor, KernelFeatures
from graphnas.surrogate.acquisition import normal_scores
from graphnas.surrogate.kernel_predictor import select_features
from graphnas.surrogate.marginal_likelihood import NOISE_FLOOR
from graphnas.surrogate.relevance import RelevanceKernel, fit_relevances
from search_spaces import GEMNet, NASBench201


def batch(space, size, seed):
    return space.sample_batch(np.random.default_rng(seed), size)


def test_features_add_standardised_ones_to_the_kernels():
    space = NASBench201()
    known, other = batch(space, 400, 1), batch(space, 30, 2)
    features = FeatureKernels(space, depths=(0, 1)).fit(known)
    plain = KernelFeatures(space, depths=(0, 1)).fit(known)
    rows = features(known)[-1]
    assert np.abs(rows.mean(0)).max() < 0.3
    assert 0.5 < rows.std(0).min() < rows.std(0).max() < 2
    left, right = features(known), features(other)
    for ours, theirs in zip(
        features.products(left, right), plain.products(plain(known), plain(other)), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    # The largest batch is remembered; another one of the same size is not mistaken for it.
    np.testing.assert_array_equal(features(known)[-1], rows)
    assert not np.array_equal(features(batch(space, 400, 3))[-1], rows)


def test_posterior_equals_scikit_learns():
    space = GEMNet(6)
    train, test = batch(space, 40, 0), batch(space, 15, 1)
    features = FeatureKernels(space, depths=(0,)).fit(train)
    y = normal_scores(np.random.default_rng(2).normal(size=40))
    predictor = FeaturePredictor(features).fit(features(train), y)
    width = features(train)[-1].shape[1]
    relevances = np.random.default_rng(3).uniform(0.1, 2, width) / width
    predictor.kernel = RelevanceKernel(np.zeros(2), 1.0, relevances, 0.1)
    predictor.noise = 0.1 - NOISE_FLOOR
    mean, deviation = predictor.condition(features(train), y).predict(features(test))
    reference = GaussianProcessRegressor(Matern(relevances**-0.5, nu=2.5), alpha=0.1, optimizer=None)
    reference.fit(features(train)[-1], y)
    expected, spread = reference.predict(features(test)[-1], return_std=True)
    np.testing.assert_allclose(mean, expected, atol=1e-4)
    np.testing.assert_allclose(deviation, spread, atol=1e-4)


def test_relevances_maximise_the_marginal_likelihood():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 4)).astype(np.float32)
    given = np.exp(-((x[:, :1] - x[:, :1].T) ** 2)).astype(float)
    y = normal_scores(np.sin(2 * x[:, 1]) + 0.1 * rng.normal(size=50))
    kernel = fit_relevances(x, [given], y)
    assert kernel.relevances[1] > 3 * np.delete(kernel.relevances, 1).max()
    assert kernel.variance == pytest.approx(kernel.weights[0] + kernel.scale)

    def loss(theta):
        """The same from scratch, at given logarithms of relevances, weight, scale and noise."""
        level = np.log(kernel.relevances * 4).mean() * 4 / 5  # where the priors of level and deviations meet
        s = np.exp(theta)
        d = (s[:4] * (x[:, None].astype(float) - x[None]) ** 2).sum(2)
        r = np.sqrt(5 * d)
        covariance = (
            s[4] * given + s[5] * (1 + r + 5 * d / 3) * np.exp(-r) + (s[6] + NOISE_FLOOR) * np.eye(50)
        )
        value = 0.5 * y @ np.linalg.solve(covariance, y) + 0.5 * np.linalg.slogdet(covariance)[1]
        prior = ((theta[:4] + np.log(4) - level) ** 2).sum()
        prior += ((theta[4:] - [-1, 0, -2.5]) ** 2 / np.square([2, 2, 1.5])).sum()
        return value + 0.5 * prior

    fitted = np.log([*kernel.relevances, *kernel.weights, kernel.scale, kernel.noise])
    assert np.abs(approx_fprime(fitted, loss, 1e-6)).max() < 0.05


def test_more_points_than_are_fitted():
    space = GEMNet(5)
    many = batch(space, 60, 0)
    features = FeatureKernels(space).fit(many)
    y = normal_scores(many.adjacency.sum((1, 2)).numpy().astype(float))
    predictor = FeaturePredictor(features, max_fit=20).fit(features(many), y)
    mean, _ = predictor.predict(features(many))
    assert np.corrcoef(mean, y)[0, 1] > 0.95
    with pytest.raises(InvalidArgument, match="FeaturePredictor is not fitted"):
        FeaturePredictor(features).predict(features(many))


def test_proposals_asked_at_once_share_one_fit(monkeypatch):
    """And are those of a method that fits anew for each."""
    space = GEMNet(6)
    config = NASGEMConfig(n_startup_trials=4, candidates=200, local_candidates=50)
    fits = []
    fit = FeaturePredictor.fit

    def counted(self, train, targets):
        fits.append(len(targets))
        return fit(self, train, targets)

    monkeypatch.setattr(surrogates.FeaturePredictor, "fit", counted)
    methods = [NASGEM(space, config, seed=0) for _ in range(2)]
    for step in range(6):
        for method in methods:
            (architecture,) = method.ask()
            method.tell(architecture, float(architecture.num_edges), (architecture.num_edges - 8.0, -1.0))
        assert methods[0].observations == methods[1].observations, step
    fits.clear()
    together = methods[0].ask(3)
    assert fits == [6] * 3  # the value and two constraints
    one_by_one = []
    for _ in range(3):
        fresh = NASGEM(space, config, seed=0)
        fresh.load_state_dict(methods[1].state_dict())
        one_by_one += fresh.ask(pending=one_by_one)
    assert together == one_by_one
    assert len(set(together)) == 3


def test_ensemble_is_the_mean_of_process_and_trees():
    space = GEMNet(6)
    many = batch(space, 150, 0)
    features = FeatureKernels(space).fit(many)
    rows = features(many)
    y = normal_scores(many.adjacency.sum((1, 2)).numpy() + many.operations.sum(1).numpy() ** 1.5)
    known = select_features(rows, np.arange(100))
    ensemble = FeatureEnsemble(features, forests=2).fit(known, y[:100])
    mean, deviation = ensemble.predict(rows)
    process = FeaturePredictor(features, max_fit=500).fit(known, y[:100])
    np.testing.assert_allclose(process.mean(rows), process.predict(rows)[0])
    np.testing.assert_allclose(2 * mean - ensemble.forest_mean(rows), process.mean(rows), atol=1e-8)
    np.testing.assert_allclose(deviation, process.predict(rows)[1])
    again = FeatureEnsemble(features, forests=2).fit(known, y[:100])
    assert np.array_equal(again.predict(rows)[0], mean)
    for predicted in (mean, ensemble.forest_mean(rows)):
        assert np.corrcoef(predicted[100:], y[100:])[0, 1] > 0.6
    with pytest.raises(InvalidArgument, match="forests"):
        FeatureEnsemble(features, forests=0)
