"""What a sampler's method learned from a study, and GraphPNAS's distribution of it."""

from __future__ import annotations

import numpy as np
import optuna
import pytest

from graphnas.errors import InvalidArgument
from graphnas.methods import GraphPNAS, GraphPNASConfig
from optuna_graphnas import GraphBOSampler, GraphPNASSampler, architecture_of, suggest_architecture
from search_spaces import ENASMacro

SPACE = ENASMacro(3)
CONFIG = GraphPNASConfig(hidden_size=16, steps=2, n_startup_trials=5, batch_size=5, epochs=20)


def searched(sampler, trials=10):
    study = optuna.create_study(direction="minimize", sampler=sampler)

    def objective(trial):
        return -float(suggest_architecture(trial, SPACE).operations.sum())

    study.optimize(objective, n_trials=trials)
    return study


def test_the_method_knows_the_finished_trials():
    sampler = GraphBOSampler(SPACE, seed=0)
    study = searched(sampler, 6)
    method = sampler.method_of(study)
    assert [o.architecture for o in method.observations] == [architecture_of(t, SPACE) for t in study.trials]
    assert [o.values for o in method.observations] == [(-t.value,) for t in study.trials]


def test_the_distribution_is_that_of_the_method_told_by_hand():
    sampler = GraphPNASSampler(SPACE, config=CONFIG, seed=3)
    study = searched(sampler)
    method = GraphPNAS(SPACE, CONFIG, seed=3)
    for trial in study.trials:
        method.tell(architecture_of(trial, SPACE), -trial.value)
    learned = sampler.distribution(study)
    samples = learned.sample(5)
    assert samples == method.distribution().sample(5)
    np.testing.assert_array_equal(learned.log_prob(samples), method.distribution().log_prob(samples))
    again = GraphPNASSampler(SPACE, config=CONFIG, seed=3).distribution(study)
    assert again.sample(5) == samples
    before = learned.log_prob(samples)
    study.optimize(lambda trial: float(suggest_architecture(trial, SPACE).num_edges), n_trials=6)
    np.testing.assert_array_equal(learned.log_prob(samples), before)


def test_too_few_trials():
    sampler = GraphPNASSampler(SPACE, config=CONFIG, seed=0)
    with pytest.raises(InvalidArgument, match="at least 2 values, got 1"):
        sampler.distribution(searched(sampler, 1))
