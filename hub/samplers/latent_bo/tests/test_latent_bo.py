from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from graphnas.autoencoders import FeatureVAEConfig
from graphnas.autoencoders import TrainingConfig
from graphnas.methods import LatentBOConfig
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
# A small autoencoder, which is trained in a moment.
CONFIG = LatentBOConfig(
    model_config=FeatureVAEConfig(
        hidden=16, latent=8, training=TrainingConfig(epochs=2, batch_size=32)
    ),
    training_size=60,
    n_startup_trials=5,
)
LatentBOSampler = optunahub.load_local_module(
    "samplers/latent_bo", registry_root=str(ROOT)
).LatentBOSampler


class TestConformance(
    BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase
):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: LatentBOSampler(SPACE, config=CONFIG)


def search(trials: int, seed: int = 0) -> optuna.Study:
    study = optuna.create_study(
        direction="maximize", sampler=LatentBOSampler(SPACE, config=CONFIG, seed=seed)
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
