from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from graphnas.methods.nasgem import EncoderConfig
from graphnas.methods.nasgem import NASGEMConfig
from graphnas.methods.nasgem import PredictorConfig
import optuna
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase
from optuna.testing.pytest_samplers import MultiObjectiveSamplerTestCase
from optuna.testing.pytest_samplers import RelativeSamplerTestCase
from optuna_graphnas import suggest_architecture
import optunahub
import pytest
from search_spaces import GEMNet


ROOT = Path(__file__).parents[3]
SPACE = GEMNet(num_nodes=6)
# The encoder of the default takes a minute to train; this one serves to see that it is.
CONFIG = NASGEMConfig(
    n_startup_trials=5,
    candidates=200,
    encoder=EncoderConfig(pairs=200, iterations=20, batch_size=32),
    perceptron=PredictorConfig(epochs=20),
)
NASGEMSampler = optunahub.load_local_module(
    "samplers/nasgem", registry_root=str(ROOT)
).NASGEMSampler


class TestConformance(
    BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase
):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: NASGEMSampler(SPACE, config=CONFIG)


def search(trials: int, seed: int = 0) -> optuna.Study:
    study = optuna.create_study(
        direction="maximize", sampler=NASGEMSampler(SPACE, config=CONFIG, seed=seed)
    )

    def objective(trial: optuna.Trial) -> float:
        return -abs(suggest_architecture(trial, SPACE).num_edges - 8)

    study.optimize(objective, n_trials=trials)
    return study


def test_no_architecture_is_evaluated_twice() -> None:
    study = search(8)
    keys = {SPACE.key(SPACE.from_parameters(trial.params)) for trial in study.trials}
    assert len(keys) == len(study.trials) == 8


def test_the_same_seed_gives_the_same_trials() -> None:
    first, second = search(6), search(6)
    assert [t.params for t in first.trials] == [t.params for t in second.trials]
    assert [t.params for t in search(6, seed=1).trials] != [t.params for t in first.trials]
