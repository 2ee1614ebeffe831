"""Images that cannot be read stop a study with their name, and no architecture is blamed for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from tiny_space import TinySpace
from torch.utils.data import Dataset

from graphnas.errors import CorruptData
from graphnas.evaluate import OracleEvaluator
from graphnas.training import load_dataset
from optuna_graphnas import GraphBOSampler, Objective
from optuna_graphnas.records import Fate, fate_of, place_of

QUICK: dict[str, Any] = {"epochs": 3, "train_fraction": 0.5, "device": "cpu", "progress": False}


class Failing(Dataset[Any]):
    """Raises ``error`` for one item from the ``after``-th time on that it is asked for."""

    def __init__(self, error: Exception | None, after: int) -> None:
        self.pixels = torch.from_numpy(
            np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
        )
        self.error, self.after, self.asked = error, after, 0

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        if index == 33:
            self.asked += 1
            if self.error is not None and self.asked >= self.after:
                raise self.error
        return self.pixels[index], index % 2


def oracle_on(dataset: Dataset[Any]) -> OracleEvaluator:
    test = (torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1]))
    return OracleEvaluator(TinySpace(), load_dataset((dataset, test), memory_limit=0), **QUICK)


def passes_before_training() -> int:
    """How often an item is read before the first evaluation."""
    dataset = Failing(None, 0)
    oracle_on(dataset)
    return dataset.asked


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "No such file or directory", "/drive/33.png"),
        RuntimeError("no drive"),
        KeyError("x"),
    ],
)
@pytest.mark.parametrize("epoch", [1, 2])
def test_an_error_of_the_data_set_comes_out_of_the_evaluator(error: Exception, epoch: int) -> None:
    oracle = oracle_on(Failing(error, passes_before_training() + epoch))
    architecture = oracle.space.sample(np.random.default_rng(0))
    with pytest.raises(
        CorruptData, match=f"train item 33 cannot be read: {type(error).__name__}: "
    ) as raised:
        oracle.evaluate(architecture)
    assert raised.value.__cause__ is error
    with pytest.raises(CorruptData, match="train item 33"):
        oracle.train(architecture)


def test_a_study_stops_and_goes_on_with_the_same_architecture() -> None:
    dataset = Failing(OSError("no drive"), passes_before_training() + 5)
    oracle = oracle_on(dataset)
    space = oracle.space
    study = optuna.create_study(direction="maximize", sampler=GraphBOSampler(space, seed=0))
    objective = Objective(space, oracle)
    with pytest.raises(CorruptData, match="train item 33 cannot be read: OSError: no drive"):
        study.optimize(objective, n_trials=20)
    stopped = study.trials[-1]
    assert "reason" not in stopped.user_attrs
    assert fate_of(stopped, place_of(study._storage)) is Fate.STOPPED
    assert all(trial.value is not None for trial in study.trials[:-1])
    observations = study.sampler.method_of(study).observations
    assert all(one.values is not None for one in observations)

    dataset.error = None
    study.optimize(objective, n_trials=1)
    assert study.trials[-1].user_attrs["architecture"] == stopped.user_attrs["architecture"]
    assert study.trials[-1].value is not None


def test_a_file_that_vanishes_stops_a_study_with_its_path(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for folder in ("train", "test"):
        for name in ("a", "b"):
            (tmp_path / folder / name).mkdir(parents=True)
            for k in range(10):
                image.new("L", (8, 8), 20 * k + (name == "b")).save(tmp_path / folder / name / f"{k}.png")
    oracle = OracleEvaluator(TinySpace(), load_dataset(tmp_path, memory_limit=0), **QUICK)
    study = optuna.create_study(direction="maximize", sampler=GraphBOSampler(oracle.space, seed=0))

    def take_away(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        (tmp_path / "train" / "b" / "4.png").unlink()

    with pytest.raises(CorruptData, match=r"train.b.4\.png cannot be decoded: No such file or directory"):
        study.optimize(Objective(oracle.space, oracle), n_trials=5, callbacks=[take_away])
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL"]


def test_an_error_of_the_network_is_still_a_failure() -> None:
    class Broken(torch.nn.Linear):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            raise OSError("of the network")

    space = TinySpace(lambda architecture, classes, channels: Broken(1, 2))
    oracle = OracleEvaluator(space, oracle_on(Failing(None, 0)).data, **QUICK)
    assert "OSError: of the network" in oracle.evaluate(space.sample(np.random.default_rng(0))).reason
