"""The budget of a study that several processes run: counted, kept to, and given back by lost workers."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from sampler_cases import SPACE

from graphnas.graph.results_file import Result
from optuna_graphnas import RandomArchitectureSampler, add_results, budget, suggest_architecture
from optuna_graphnas.records import Fate, fate_of, place_of

LOST = """
import os, signal, sys
import optuna
from optuna_graphnas.budget import optimize_up_to

sampler = optuna.samplers.RandomSampler(seed=0)
study = optuna.load_study(study_name="study", storage=sys.argv[1], sampler=sampler)
optimize_up_to(study, lambda trial: os.kill(os.getpid(), signal.SIGKILL), 3)
"""


def objective(trial: optuna.Trial) -> float:
    suggest_architecture(trial, SPACE)
    return float(trial.number)


def new_study() -> optuna.Study:
    return optuna.create_study(direction="maximize", sampler=RandomArchitectureSampler(SPACE, seed=0))


def test_the_number_is_that_of_the_study():
    study = new_study()
    budget.optimize_up_to(study, objective, 3)
    budget.optimize_up_to(study, objective, 5)
    budget.optimize_up_to(study, objective, 5)
    assert len(study.trials) == budget.trials_done(study) == 5


def test_what_another_process_runs_is_not_run_again():
    study = new_study()
    study.ask()
    budget.optimize_up_to(study, objective, 3)
    assert (budget.trials_done(study), budget.trials_under_way(study)) == (2, 1)


def test_evaluations_that_fail_count_and_imported_results_do_not():
    study = new_study()

    def fails(trial: optuna.Trial) -> float:
        objective(trial)
        trial.set_user_attr("reason", "it diverged")
        return float("nan")

    add_results(study, SPACE, [Result("", SPACE.sample(np.random.default_rng(0)), (1.0,), ())])
    budget.optimize_up_to(study, fails, 2)
    assert len(study.trials) == 3
    assert budget.trials_done(study) == 2


def test_of_two_that_begin_the_last_trial_the_later_one_is_not_evaluated(monkeypatch):
    study = new_study()
    study.ask()  # the other one's
    original, looks = budget.trials_left, iter([1, 0])

    def left(study: optuna.Study, total: int, *, before: int | None = None) -> int:
        # Both looked before either had begun.
        return next(looks) if before is None else original(study, total, before=before)

    monkeypatch.setattr(budget, "trials_left", left)
    budget.optimize_up_to(study, lambda trial: pytest.fail("evaluated"), 1)
    late = study.trials[1]
    assert late.state == TrialState.FAIL
    assert fate_of(late, place_of(study._storage)) is Fate.STOPPED


def test_the_trial_of_a_killed_worker_is_freed_with_any_sampler(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    study = optuna.create_study(study_name="study", storage=url, direction="maximize")
    ended = subprocess.run([sys.executable, "-c", LOST, url], check=False)
    assert ended.returncode == -9
    assert [trial.state for trial in study.trials] == [TrialState.RUNNING]
    assert budget.trials_left(study, 3) == 3
    lost = budget.LostTrials(study)
    assert (lost.free(), lost.free()) == (1, 0)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL]


def test_a_trial_that_nobody_claims_is_freed_after_a_while(monkeypatch):
    study = new_study()
    study._storage.create_new_trial(study._study_id)  # killed before it wrote anything more
    study.ask()
    lost = budget.LostTrials(study)
    assert lost.free() == 0
    assert lost.suspected()
    assert budget.trials_left(study, 2) == 0
    monkeypatch.setattr(budget, "BLANK_SECONDS", -1.0)
    assert lost.free() == 1
    assert not lost.suspected()
    assert budget.trials_left(study, 2) == 1
