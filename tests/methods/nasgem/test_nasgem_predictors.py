"""The two predictors and the acquisition, each against a slow or closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import approx_fprime
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from graphnas import ArchitectureBatch
from graphnas.errors import InvalidArgument
from graphnas.graph.wl import WeisfeilerLehman
from graphnas.methods.nasgem import MLPPredictor, PredictorConfig
from graphnas.surrogate import KernelFeatures, KernelPredictor
from graphnas.surrogate.acquisition import expected_improvement, normal_scores, probability_below
from graphnas.surrogate.marginal_likelihood import NOISE_FLOOR, fit_weights
from graphnas.surrogate.objectives import scalarize
from search_spaces import GEMNet, NASBench201


def batch(space, size, seed):
    return space.sample_batch(np.random.default_rng(seed), size)


def test_perceptron_learns_and_its_units_are_those_of_the_scores():
    x = torch.linspace(-1, 1, 64)[:, None]
    y = 90 + 3 * x[:, 0].numpy() ** 2
    predictor = MLPPredictor(seed=0).fit(x, y)
    assert np.abs(predictor.predict(x)[:, 0] - y).mean() < 0.1


def test_fine_tuning_goes_on_and_refit_starts_anew():
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    y = x.sum(1).numpy()
    config = PredictorConfig(epochs=30, fine_tune_epochs=30)
    tuned = MLPPredictor(config, seed=0).fit(x[:20], y[:20])
    before = np.abs(tuned.predict(x)[:, 0] - y).mean()
    tuned.fine_tune(x, y)
    after = np.abs(tuned.predict(x)[:, 0] - y).mean()
    assert after < before
    again = MLPPredictor(config, seed=0).fit(x[:20], y[:20]).fit(x, y)
    assert np.array_equal(again.predict(x), MLPPredictor(config, seed=0).fit(x, y).predict(x))


def test_perceptron_refuses_nonsense():
    x = torch.zeros(3, 2)
    with pytest.raises(InvalidArgument, match="finite"):
        MLPPredictor().fit(x, [1.0, float("nan"), 2.0])
    with pytest.raises(InvalidArgument, match="3 and 2"):
        MLPPredictor().fit(x, [1.0, 2.0])
    with pytest.raises(InvalidArgument, match="not fitted"):
        MLPPredictor().predict(x)
    with pytest.raises(InvalidArgument, match="epochs"):
        PredictorConfig(epochs=0)


@pytest.mark.parametrize("space", [NASBench201(), GEMNet(6)], ids=lambda space: space.name)
def test_kernel_products_are_the_kernels(space):
    left, right = batch(space, 12, 0), batch(space, 9, 1)
    features = KernelFeatures(space, depths=(0, 2)).fit(left)
    positional, depth0, depth2 = features.products(features(left), features(right))
    a, b = features.flatten(left), features.flatten(right)
    squared = ((a[:, None] - b[None]) ** 2).sum(2)
    np.testing.assert_allclose(positional, np.exp(-squared / features.flatten.slots), rtol=1e-5)
    active = space.active_batch(left), space.active_batch(right)
    np.testing.assert_allclose(depth0, WeisfeilerLehman(0, include_initial=True).gram(*active), atol=1e-12)
    np.testing.assert_allclose(depth2, WeisfeilerLehman(2).gram(*active), atol=1e-12)


def test_posterior_equals_scikit_learns():
    """With one positional kernel and the fitted weights, prediction is plain GP regression."""
    space = GEMNet(5)
    train, test = batch(space, 25, 0), batch(space, 10, 1)
    features = KernelFeatures(space, depths=(0,)).fit(train)
    y = normal_scores(np.random.default_rng(2).normal(size=25))
    predictor = KernelPredictor(features).fit(features(train), y)
    predictor.weights = np.array([1.0, 0.0])
    predictor.noise = 0.1 - NOISE_FLOOR
    predictor.condition(features(train), y)
    mean, deviation = predictor.predict(features(test))
    reference = GaussianProcessRegressor(
        RBF(np.sqrt(features.flatten.slots / 2)), alpha=0.1, optimizer=None
    ).fit(features.flatten(train), y)
    expected, spread = reference.predict(features.flatten(test), return_std=True)
    np.testing.assert_allclose(mean, expected, atol=1e-5)
    np.testing.assert_allclose(deviation, spread, atol=1e-4)


def test_weights_maximise_the_marginal_likelihood():
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(40, 1)), rng.normal(size=(40, 1))
    kernels = [np.exp(-((v - v.T) ** 2)) for v in (x, z)]
    y = rng.multivariate_normal(np.zeros(40), kernels[0] + 0.05 * np.eye(40))
    weights, noise = fit_weights(kernels, y)
    assert weights[0] > 5 * weights[1]  # the data come from the first kernel
    assert 0.005 < noise < 0.3

    def loss(theta):
        s = np.exp(theta)
        covariance = s[0] * kernels[0] + s[1] * kernels[1] + (s[2] + NOISE_FLOOR) * np.eye(40)
        value = 0.5 * y @ np.linalg.solve(covariance, y) + 0.5 * np.linalg.slogdet(covariance)[1]
        return value + 0.5 * (((theta - [-1, -1, -2.5]) / [2, 2, 1.5]) ** 2).sum()

    gradient = approx_fprime(np.log([*weights, noise]), loss, 1e-6)
    assert np.abs(gradient).max() < 0.05


def test_kernel_predictor_refuses_nonsense():
    space = GEMNet(4)
    features = KernelFeatures(space).fit(batch(space, 4, 0))
    known = features(batch(space, 4, 0))
    with pytest.raises(InvalidArgument, match="4 and"):
        KernelPredictor(features).fit(known, [1.0, 2.0])
    with pytest.raises(InvalidArgument, match="not fitted"):
        KernelPredictor(features).predict(known)


def test_expected_improvement_is_the_integral():
    mean, deviation, best = np.array([0.3, -1.0]), np.array([0.5, 2.0]), 0.4
    draws = np.random.default_rng(0).normal(size=(400_000, 1)) * deviation + mean
    monte_carlo = np.maximum(draws - best, 0).mean(0)
    np.testing.assert_allclose(expected_improvement(mean, deviation, best), monte_carlo, rtol=0.02)
    np.testing.assert_allclose(probability_below(mean, deviation, best), (draws <= best).mean(0), atol=0.01)


def test_normal_scores():
    scores = normal_scores(np.array([10.0, 10.0, 91.0, 50.0]))
    assert scores[0] == scores[1] < scores[3] < scores[2]
    assert scores[2] == pytest.approx(norm.ppf(3.5 / 4))


def test_scalarisation_keeps_the_pareto_front_in_reach():
    rng = np.random.default_rng(0)
    values = np.array([[1.0, 0.0], [0.8, 0.8], [0.0, 1.0], [0.5, 0.5], [0.1, 0.1]])
    winners = {int(scalarize(values, rng).argmax()) for _ in range(200)}
    assert winners == {0, 1, 2}
    assert scalarize(values[:, :1], rng).tolist() == values[:, 0].tolist()


def test_batch_is_padded_alike():
    """Features of a graph do not depend on what else is in the batch."""
    space = GEMNet(6)
    many = batch(space, 30, 0)
    features = KernelFeatures(space, depths=(0, 1)).fit(many)
    together = features(many)
    alone = features(ArchitectureBatch.from_architectures([many.architecture(3)]))
    for a, b in zip(together, alone, strict=True):
        row = a[[3]] if isinstance(a, np.ndarray) else a[[3]].toarray()
        other = b if isinstance(b, np.ndarray) else b.toarray()
        np.testing.assert_allclose(row, other)
