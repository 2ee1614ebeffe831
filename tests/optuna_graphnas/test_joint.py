"""Hyper-parameters beside an architecture: which are chosen with it, by what, and again after a restart."""

from __future__ import annotations

import optuna
import pytest
from small_space import SmallSpace, quality

from graphnas.hyperparameters import Category, Number
from optuna_graphnas import GraphBOSampler, RandomArchitectureSampler, suggest_architecture
from optuna_graphnas.joint import common_parameters, hyperparameters, settings_of

SPACE = SmallSpace()


def objective(trial):
    architecture = suggest_architecture(trial, SPACE)
    rate = trial.suggest_float("rate", 1e-4, 1.0, log=True)
    layers = trial.suggest_int("layers", 1, 4)
    optimizer = trial.suggest_categorical("optimizer", ["sgd", None, 3])
    if trial.number % 2:
        trial.suggest_float("momentum", 0.0, 1.0)
    trial.suggest_float("fixed", 1.0, 1.0)
    return quality(architecture) - abs(rate - 0.1) - layers + (optimizer is None)


def run(sampler, trials, storage=None):
    study = optuna.create_study(
        study_name="joint", direction="maximize", sampler=sampler, storage=storage, load_if_exists=True
    )
    study.optimize(objective, n_trials=trials)
    return study


def test_what_every_trial_has_is_chosen_together():
    study = run(GraphBOSampler(SPACE, seed=0), 12)
    common = common_parameters(study.trials, dict.fromkeys(SPACE.parameters()))
    assert list(common) == ["layers", "optimizer", "rate"]
    block = hyperparameters(common)
    assert block.dimensions == (
        Number("layers", 1, 4, step=1, integer=True),
        Category("optimizer", ("sgd", None, 3)),
        Number("rate", 1e-4, 1.0, log=True),
    )
    (observation, *_) = study.sampler.method_of(study).observations
    assert observation.settings == settings_of(study.trials[0].params, SPACE.parameters())
    assert {"rate", "layers", "optimizer", "fixed"} <= dict(observation.settings).keys()


def test_it_learns_them_and_may_come_back_to_an_architecture():
    study = run(GraphBOSampler(SPACE, seed=1), 40)
    late = study.trials[20:]
    assert sum(t.params["layers"] == 1 for t in late) > 12
    assert sum(t.params["optimizer"] is None for t in late) > 12
    assert study.best_value > 6.0  # of 6.5


@pytest.mark.parametrize(
    "options", [{"joint": False}, {"independent_sampler": optuna.samplers.RandomSampler(seed=0)}]
)
def test_the_inner_sampler_chooses_them_if_told_so(options):
    study = run(GraphBOSampler(SPACE, seed=0, **options), 12)
    keys = [SPACE.key(o.architecture) for o in study.sampler.method_of(study).observations]
    assert len(set(keys)) == 12


def test_methods_that_cannot_leave_them_to_the_inner_sampler():
    study = run(RandomArchitectureSampler(SPACE, seed=0), 12)
    keys = [SPACE.key(o.architecture) for o in study.sampler.method_of(study).observations]
    assert len(set(keys)) == 12


def test_a_resumed_study_goes_on_as_if_nothing_had_happened(tmp_path):
    whole = run(GraphBOSampler(SPACE, seed=3), 10)
    storage = f"sqlite:///{tmp_path}/study.db"
    run(GraphBOSampler(SPACE, seed=3), 7, storage)
    resumed = run(GraphBOSampler(SPACE, seed=3), 3, storage)
    assert [t.params for t in resumed.trials] == [t.params for t in whole.trials]


def test_two_running_trials_differ():
    study = run(GraphBOSampler(SPACE, seed=4), 10)
    running = [study.ask() for _ in range(4)]
    names = [*SPACE.parameters(), "layers", "optimizer", "rate"]
    chosen = {tuple(str(t.relative_params[name]) for name in names) for t in running}
    assert len(chosen) == 4


def test_an_enqueued_value_wins():
    study = run(GraphBOSampler(SPACE, seed=5), 8)
    study.enqueue_trial({"layers": 4})
    study.optimize(objective, n_trials=1)
    assert study.trials[-1].params["layers"] == 4


def test_ranges_that_change_are_left_to_the_inner_sampler():
    study = optuna.create_study(direction="maximize", sampler=GraphBOSampler(SPACE, seed=6))

    def changing(trial):
        value = quality(suggest_architecture(trial, SPACE))
        return value + trial.suggest_float("x", 0, 1 + trial.number) / 100

    study.optimize(changing, n_trials=9)
    assert common_parameters(study.trials, dict.fromkeys(SPACE.parameters())) == {}
