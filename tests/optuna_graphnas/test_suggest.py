"""suggest_architecture and architecture_of."""

from __future__ import annotations

import subprocess
import sys

import optuna
import pytest
from optuna.trial import FixedTrial, TrialState
from sampler_cases import SPACE, objective
from small_space import quality

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from optuna_graphnas import architecture_of, suggest_architecture

BEST = Architecture([[0, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]], [0, 1, 1, 3])
UNFED = {name: choices[0] for name, choices in SPACE.parameters().items()}  # no edge at all


def test_round_trip_through_a_fixed_trial_and_a_study() -> None:
    assert suggest_architecture(FixedTrial(SPACE.to_parameters(BEST)), SPACE) == BEST
    study = optuna.create_study(direction="maximize")
    study.enqueue_trial(SPACE.to_parameters(BEST))
    study.optimize(objective, n_trials=1)
    assert architecture_of(study.best_trial, SPACE) == BEST
    assert suggest_architecture(study.best_trial, SPACE) == BEST
    assert study.best_value == quality(BEST)


def test_parameters_are_plain_categoricals_in_the_order_of_the_space() -> None:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=3)
    trial = study.best_trial
    assert list(trial.params) == list(SPACE.parameters())
    for name, choices in SPACE.parameters().items():
        assert trial.distributions[name] == optuna.distributions.CategoricalDistribution(choices)


def test_an_invalid_combination_prunes_or_raises() -> None:
    with pytest.raises(optuna.TrialPruned, match="nothing feeds the output"):
        suggest_architecture(FixedTrial(UNFED), SPACE)
    with pytest.raises(InvalidArchitecture, match="nothing feeds the output"):
        suggest_architecture(FixedTrial(UNFED), SPACE, on_invalid="raise")
    with pytest.raises(InvalidArgument, match="'ignore'"):
        suggest_architecture(FixedTrial(UNFED), SPACE, on_invalid="ignore")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["random", "tpe", "gp"])
def test_works_with_optunas_samplers(name: str) -> None:
    samplers = optuna.samplers
    sampler = {
        "random": samplers.RandomSampler(seed=0),
        "tpe": samplers.TPESampler(seed=0, n_startup_trials=5),
        "gp": samplers.GPSampler(seed=0, n_startup_trials=5),
    }[name]
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=12)
    states = [trial.state for trial in study.trials]
    assert set(states) <= {TrialState.COMPLETE, TrialState.PRUNED}
    for trial in study.trials:
        assert (trial.state == TrialState.COMPLETE) == SPACE.is_valid(_unchecked(trial))


def _unchecked(trial: optuna.trial.FrozenTrial) -> Architecture:
    try:
        return SPACE.from_parameters(trial.params)
    except InvalidArchitecture:
        return Architecture([[0]])


def test_architecture_of_a_trial_without_one() -> None:
    study = optuna.create_study()
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    with pytest.raises(InvalidArchitecture, match="missing"):
        architecture_of(study.best_trial, SPACE)


def test_import_loads_neither_optuna_nor_torch_and_names_the_extra() -> None:
    program = (
        "import sys, optuna_graphnas\n"
        "assert 'optuna' not in sys.modules and 'torch' not in sys.modules\n"
        "from optuna_graphnas import suggest_architecture, RandomArchitectureSampler, Objective\n"
        "assert 'torch' not in sys.modules\n"
        "for name in [n for n in sys.modules if n.split('.')[0] in ('optuna', 'optuna_graphnas')]:\n"
        "    del sys.modules[name]\n"
        "sys.modules['optuna'] = None\n"
        "import optuna_graphnas\n"
        "from graphnas.errors import MissingExtra\n"
        "try:\n"
        "    optuna_graphnas.suggest_architecture\n"
        "except MissingExtra as error:\n"
        "    assert 'pip install \"graphnas[optuna]\"' in str(error)\n"
        "else:\n"
        "    raise SystemExit('no error')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
