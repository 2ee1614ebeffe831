"""What every sampler of ours keeps to: reproducible, resumable, picklable, and never the same twice."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import optuna
import pytest
from optuna.samplers import BaseSampler
from optuna.trial import TrialState
from sampler_cases import SPACE, keys_of, make_sampler, objective
from small_space import ARCHITECTURES

from graphnas.methods.base import JointSearch
from optuna_graphnas import suggest_architecture

HERE = Path(__file__).parent


def run(sampler: BaseSampler, trials: int, direction: str = "maximize", **options: Any) -> optuna.Study:
    study = optuna.create_study(direction=direction, sampler=sampler)  # type: ignore[arg-type]
    study.optimize(objective, n_trials=trials, **options)
    return study


def test_same_seed_same_proposals_another_seed_others(method: str) -> None:
    keys = keys_of(run(make_sampler(method, 1), 9))
    assert keys == keys_of(run(make_sampler(method, 1), 9))
    assert keys != keys_of(run(make_sampler(method, 2), 9))


def test_same_proposals_in_another_process(method: str) -> None:
    program = (
        "import sys, json, optuna; optuna.logging.set_verbosity(optuna.logging.ERROR)\n"
        f"sys.path.insert(0, {str(HERE)!r})\n"
        "from sampler_cases import *\n"
        f"study = optuna.create_study(direction='maximize', sampler=make_sampler({method!r}, 7))\n"
        "study.optimize(objective, n_trials=9)\n"
        "print(json.dumps(keys_of(study)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True
    )
    assert json.loads(done.stdout) == keys_of(run(make_sampler(method, 7), 9))


@pytest.mark.parametrize("finished", [0, 3, 8])
def test_a_fresh_sampler_goes_on_where_another_one_stopped(method: str, finished: int) -> None:
    whole = run(make_sampler(method, 3), 10)
    resumed = optuna.create_study(direction="maximize", sampler=make_sampler(method, 3))
    resumed.add_trials(whole.trials[:finished])
    resumed.optimize(objective, n_trials=10 - finished)
    assert keys_of(resumed) == keys_of(whole)


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_copies_go_on_alike(method: str, how: str) -> None:
    study = run(make_sampler(method, 3), 6)
    twin = optuna.create_study(direction="maximize")
    twin.add_trials(study.trials)
    original = study.sampler
    twin.sampler = pickle.loads(pickle.dumps(original)) if how == "pickle" else copy.deepcopy(original)
    study.optimize(objective, n_trials=3)
    twin.optimize(objective, n_trials=3)
    assert keys_of(twin) == keys_of(study)


def test_unseeded_samplers_differ_but_one_stays_the_same(method: str) -> None:
    first, second = make_sampler(method, None), make_sampler(method, None)
    study = run(first, 6)
    assert keys_of(study) != keys_of(run(second, 6))
    assert keys_of(run(pickle.loads(pickle.dumps(first)), 6)) == keys_of(study)


def test_directions_mirror_each_other(method: str) -> None:
    maximized = run(make_sampler(method, 4), 10)
    minimized = optuna.create_study(direction="minimize", sampler=make_sampler(method, 4))
    minimized.optimize(lambda trial: -objective(trial), n_trials=10)
    assert keys_of(minimized) == keys_of(maximized)


def test_nothing_is_proposed_twice(method: str) -> None:
    keys = keys_of(run(make_sampler(method, 5), 25))
    assert len(set(keys)) == 25


def test_threads_share_one_sampler(method: str) -> None:
    study = run(make_sampler(method, 6), 16, n_jobs=2)
    assert all(trial.state == TrialState.COMPLETE for trial in study.trials)
    assert len(set(keys_of(study))) == 16


def test_many_trials_asked_before_one_is_told(method: str) -> None:
    study = optuna.create_study(direction="maximize", sampler=make_sampler(method, 6))
    trials = [study.ask() for _ in range(6)]
    architectures = [suggest_architecture(trial, SPACE) for trial in trials]
    assert len({SPACE.key(a) for a in architectures}) == 6
    for trial in reversed(trials):
        study.tell(trial, float(trial.number))
    study.optimize(objective, n_trials=4)
    assert len(set(keys_of(study))) == 10


def test_an_exhausted_space_keeps_going(method: str) -> None:
    study = optuna.create_study(direction="maximize", sampler=make_sampler(method, 0))
    everything = {SPACE.key(a): a for a in SPACE.enumerate()}
    assert len(everything) == ARCHITECTURES
    left = list(everything.values())[:3]
    for architecture in list(everything.values())[3:]:
        distributions = {
            name: optuna.distributions.CategoricalDistribution(choices)
            for name, choices in SPACE.parameters().items()
        }
        study.add_trial(
            optuna.trial.create_trial(
                params=SPACE.to_parameters(architecture), distributions=distributions, value=0.0
            )
        )
    study.optimize(objective, n_trials=5)
    keys = keys_of(study)[-5:]
    assert set(keys[:3]) == {SPACE.key(a) for a in left}
    assert all(trial.state == TrialState.COMPLETE for trial in study.trials)


def test_reseeding_reaches_the_inner_sampler_once(method: str) -> None:
    sampler = make_sampler(method, 0)
    inner = sampler.__dict__["_independent_sampler"]
    with patch.object(inner, "reseed_rng", wraps=inner.reseed_rng) as reseed:
        sampler.reseed_rng()
        assert reseed.call_count == 1


def test_reseeding_changes_other_parameters_but_no_architecture(method: str) -> None:
    plain = run(make_sampler(method, 8), 5)
    sampler = make_sampler(method, 8)
    sampler.reseed_rng()
    assert keys_of(run(sampler, 5)) == keys_of(plain)

    distribution = optuna.distributions.FloatDistribution(0.0, 1.0)
    draws = []
    for reseeded in (False, True):
        sampler = make_sampler(method, 8)
        if reseeded:
            sampler.reseed_rng()
        study = optuna.create_study(sampler=sampler)
        draws.append(study.ask({"x": distribution}).params["x"])
    assert draws[0] != draws[1]


def test_an_architecture_beside_other_hyperparameters(method: str) -> None:
    def mixed(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("learning_rate", 1e-5, 1e-1, log=True)
        value = objective(trial)
        size = trial.suggest_categorical("batch_size", [32, 64, 128])
        layers = trial.suggest_int("layers", 1, 4)
        if layers > 2:
            trial.suggest_float("dropout", 0.0, 0.5)
        return value - abs(layers - 2) - size / 128 - rate

    def study_of(trials: int, earlier: list[optuna.trial.FrozenTrial]) -> optuna.Study:
        study = optuna.create_study(direction="maximize", sampler=make_sampler(method, 2))
        study.add_trials(earlier)
        study.optimize(mixed, n_trials=trials)
        return study

    whole = study_of(14, [])
    assert all(trial.state == TrialState.COMPLETE for trial in whole.trials)
    if isinstance(whole.sampler.method_of(whole), JointSearch):  # type: ignore[attr-defined]
        # An architecture may come again, but not with the same values of what every trial has.
        shared = ("learning_rate", "batch_size", "layers")
        chosen = [tuple(trial.params[name] for name in shared) for trial in whole.trials]
        assert len(set(zip(keys_of(whole), chosen, strict=True))) == 14
    else:
        assert len(set(keys_of(whole))) == 14
        assert len({trial.params["learning_rate"] for trial in whole.trials}) == 14
    # Resumed from the storage alone, everything is sampled as it would have been, not just the architecture.
    resumed = study_of(4, whole.trials[:10])
    assert [trial.params for trial in resumed.trials] == [trial.params for trial in whole.trials]


def test_trials_that_finish_out_of_order_change_nothing(method: str) -> None:
    """The history is then no longer an extension of what the method was told, and it must start again."""
    study = run(make_sampler(method, 3), 5)
    trials = [study.ask() for _ in range(3)]
    values = [objective(trial) for trial in trials]
    for index in (2, 0, 1):
        study.tell(trials[index], values[index])
        next_one = study.ask()
        suggested = SPACE.key(suggest_architecture(next_one, SPACE))
        twin = optuna.create_study(direction="maximize", sampler=make_sampler(method, 3))
        finished = [t for t in study.get_trials() if t.state.is_finished()]
        twin.add_trials(finished)
        waiting = [t for t in study.get_trials() if not t.state.is_finished() and t.number != next_one.number]
        for trial in waiting:
            twin.enqueue_trial(trial.params)
            twin.ask()
        assert SPACE.key(suggest_architecture(twin.ask(), SPACE)) == suggested
        study.tell(next_one, state=TrialState.PRUNED)
