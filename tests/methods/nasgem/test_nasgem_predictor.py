"""NASGEM's score predictor: what it learns, how it goes on learning, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphnas.errors import InvalidArgument
from graphnas.methods.nasgem import MLPPredictor, PredictorConfig


def test_perceptron_learns_and_its_units_are_those_of_the_scores():
    x = torch.linspace(-1, 1, 64)[:, None]
    y = 90 + 3 * x[:, 0].numpy() ** 2
    predictor = MLPPredictor(seed=0).fit(x, y)
    assert np.abs(predictor.predict(x)[:, 0] - y).mean() < 0.1


def test_no_two_predictions_differ_by_more_than_the_bound():
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(60, 4, generator=rng) * torch.tensor([1.0, 5.0, 0.1, 1.0])
    y = np.stack([np.sin(x[:, 0].numpy()), 100 * x[:, 1].numpy() ** 2], 1)
    predictor = MLPPredictor(seed=0)
    with pytest.raises(InvalidArgument, match="not fitted"):
        predictor.lipschitz_bound()
    bound = predictor.fit(x, y).lipschitz_bound()
    near = x + 1e-2 * torch.randn(60, 4, generator=rng)
    others = torch.cat([near, x.flip(0)])
    difference = np.abs(predictor.predict(torch.cat([x, x])) - predictor.predict(others))
    slope = difference / (torch.cat([x, x]) - others).norm(dim=1).clamp_min(1e-9).numpy()[:, None]
    assert (slope <= 1.0001 * bound).all()
    assert (slope.max(0) > 0.02 * bound).all()  # it is no empty statement


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
    for field, value in (("epochs", 0), ("learning_rate", 0.0), ("schedule", "cosine")):
        with pytest.raises(InvalidArgument, match=field):
            PredictorConfig(**{field: value})


def test_fine_tuning_begins_anew_when_a_constraint_is_added():
    x, y = torch.rand(6, 3, generator=torch.Generator().manual_seed(0)), np.arange(12.0).reshape(6, 2)
    config = PredictorConfig(epochs=5, fine_tune_epochs=5)
    tuned = MLPPredictor(config).fit(x, y[:, 0]).fine_tune(x, y)
    assert (tuned.predict(x) == MLPPredictor(config).fit(x, y).predict(x)).all()
