from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from graphnas.errors import DataNotFound
import optuna
import optunahub
import pytest


ROOT = Path(__file__).parents[3]
MODULE = optunahub.load_local_module("benchmarks/nasbench_graph", registry_root=str(ROOT))


@pytest.fixture
def problem() -> Any:
    try:
        return MODULE.Problem("cora", metric_names=("value", "latency"))
    except DataNotFound as error:
        pytest.skip(str(error))


def test_any_sampler_searches_it(problem: Any) -> None:
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(directions=problem.directions, sampler=sampler)
    study.optimize(problem, n_trials=10)
    assert set(study.trials[0].params) == set(problem.search_space)
    done = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    for trial in done:
        again = problem.evaluate(trial.params)
        assert trial.values == (again if isinstance(again, list) else [again])
        assert all(math.isfinite(value) for value in trial.values)
    assert len(study.get_trials(states=[optuna.trial.TrialState.FAIL])) == 0


def test_a_metric_that_is_not_there_is_refused(problem: Any) -> None:
    with pytest.raises(ValueError, match="no_such_metric"):
        MODULE.Problem(metric_names=("no_such_metric",))
