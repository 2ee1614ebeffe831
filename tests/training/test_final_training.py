"""Training to keep: continued to the bit, best and last checkpoints, figures, refusals."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
import torch

from graphnas.errors import CorruptData, InvalidArgument, TrainingFailed
from graphnas.training import RECIPES, TrainingConfig, load_dataset, load_model, train
from graphnas.training.loop import Training
from graphnas.training.recipes import get_recipe
from graphnas.training.selection import ranked_by_training
from search_spaces import ENASMacro, GEMNet

SPACE = GEMNet(5)
CELL = SPACE.sample(np.random.default_rng(0))
ARGUMENTS = {"recipe": "digits", "shape": {"width": 4}, "progress": False, "epochs": 4}


class _Killed(Exception):
    pass


def _interrupted_after(monkeypatch, epochs: int, run) -> None:
    """Run a training that dies in the epoch after ``epochs``."""
    whole = Training.run_epoch

    def dying(self, on_step=None):
        def step():
            if self.epoch == epochs:
                raise _Killed
            return on_step() if on_step else None

        return whole(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "run_epoch", dying)
        with pytest.raises(TrainingFailed, match="_Killed"):
            run()


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"ema_decay": 0.9, "holdout": 0.2, "mixup": 0.2, "cutout": 2, "flip": True, "crop_padding": 1},
        {"optimizer": "adamw", "learning_rate": 1e-3, "precision": "float16"},
    ],
    ids=["plain", "averaged", "half"],
)
def test_continued_is_the_same_to_the_last_bit(tmp_path, monkeypatch, more):
    arguments = {**ARGUMENTS, **more}
    straight = train(SPACE, CELL, output=tmp_path / "straight", **arguments)
    _interrupted_after(monkeypatch, 2, lambda: train(SPACE, CELL, output=tmp_path / "broken", **arguments))
    kept = list(csv.DictReader((tmp_path / "broken" / "curve.csv").open()))
    assert [row["epoch"] for row in kept] == ["1", "2"]
    resumed = train(SPACE, CELL, output=tmp_path / "broken", **arguments)
    for (name, ours), theirs in zip(
        resumed.module.state_dict().items(), straight.module.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs), name
    assert resumed.evaluation.value == straight.evaluation.value
    assert "continued after 2 epochs" in (tmp_path / "broken" / "train.log").read_text()


def test_dropout_is_continued_too(tmp_path, monkeypatch):
    space = ENASMacro(3)
    architecture = space.sample(np.random.default_rng(0))
    arguments = {**ARGUMENTS, "shape": {"width": 4, "dropout": 0.3}, "epochs": 3}
    straight = train(space, architecture, **arguments)
    _interrupted_after(monkeypatch, 1, lambda: train(space, architecture, output=tmp_path, **arguments))
    resumed = train(space, architecture, output=tmp_path, **arguments)
    images = torch.rand(4, 1, 8, 8)
    assert torch.equal(resumed.module(images), straight.module(images))


def test_what_is_written(tmp_path):
    trained = train(SPACE, CELL, output=tmp_path, holdout=0.2, **ARGUMENTS)
    names = {"best.pt", "curve.csv", "last.pt", "metrics.json", "model.json", "model.pt", "train.log"}
    assert {path.name for path in tmp_path.iterdir()} == names
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["test_accuracy"] == trained.evaluation.value
    assert metrics["test_top5"] >= metrics["test_accuracy"]
    assert metrics["parameters"] == trained.evaluation.parameters > 0
    assert metrics["macs"] == trained.evaluation.macs > 0
    assert metrics["training"]["recipe"] == "digits"
    loaded = load_model(tmp_path)
    images = load_dataset("digits").test.images
    assert torch.equal(loaded.predict(images), trained.predict(images))
    assert loaded.training["epochs"] == 4
    assert loaded.image_shape == (1, 8, 8)


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("files", [True, False])
def test_the_best_epoch_on_held_out_images_is_kept(tmp_path, monkeypatch, files, every):
    """Epochs that were not measured never are the best."""
    scores = iter([30.0, 90.0, 50.0, 40.0][every - 1 :: every])
    measure = Training.measure
    weights = {}

    def scripted(self, images, indices):
        accuracy = measure(self, images, indices)
        if self.epoch not in weights:
            weights[self.epoch] = {k: v.clone() for k, v in self.module.state_dict().items()}
            return accuracy._replace(top1=next(scores))
        return accuracy

    monkeypatch.setattr(Training, "measure", scripted)
    output = tmp_path if files else None
    trained = train(SPACE, CELL, output=output, holdout=0.2, validate_every=every, **ARGUMENTS)
    for name, kept in trained.module.state_dict().items():
        assert torch.equal(kept, weights[2][name]), name
    assert trained.evaluation.metrics["best_epoch"] == 2


def test_another_training_in_the_folder_is_refused(tmp_path):
    train(SPACE, CELL, output=tmp_path, **{**ARGUMENTS, "epochs": 1})
    with pytest.raises(InvalidArgument, match=r"has training epochs 1, not 4; .* another folder"):
        train(SPACE, CELL, output=tmp_path, **ARGUMENTS)
    other = SPACE.sample(np.random.default_rng(7))
    with pytest.raises(InvalidArgument, match="has architecture"):
        train(SPACE, other, output=tmp_path, **{**ARGUMENTS, "epochs": 1})
    (tmp_path / "last.pt").write_bytes(b"damaged")
    with pytest.raises(CorruptData, match=r"last\.pt"):
        train(SPACE, CELL, output=tmp_path, **{**ARGUMENTS, "epochs": 1})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recipe": "enas"}, "unknown recipe 'enas'"),
        ({"holdout": 1.0}, r"holdout must be a number in \[0, 1\), got 1.0"),
        ({"epochz": 3}, "did you mean 'epochs'"),
        ({"drop_path": 0.1}, "drop_path is 0.1, but the network has no drop-path layer"),
        ({"recipe": TrainingConfig()}, "dataset must be given"),
        ({"shape": {"widht": 3}}, "does not take 'widht'"),
    ],
)
def test_a_bad_argument_is_named(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        train(SPACE, CELL, **{**ARGUMENTS, **arguments})


def test_an_average_of_the_weights_is_what_is_kept(tmp_path):
    plain = train(SPACE, CELL, **ARGUMENTS)
    averaged = train(SPACE, CELL, **ARGUMENTS, ema_decay=0.99)
    assert not torch.equal(averaged.module.classifier.weight, plain.module.classifier.weight)
    assert averaged.evaluation.value > 30


def test_recipes_have_the_values_of_the_papers():
    enas = TrainingConfig.preset("enas-cifar10")
    assert (enas.epochs, enas.batch_size, enas.learning_rate, enas.weight_decay) == (600, 256, 0.1, 2e-4)
    assert enas.cutout_probability == 0.4
    oracle = TrainingConfig.preset("oracle")
    assert (oracle.epochs, oracle.reward_epochs, oracle.validate_every) == (300, 3, None)
    for name in RECIPES:
        TrainingConfig.preset(name)
        assert get_recipe(name).open


def test_only_the_epochs_that_count_are_validated(tiny_space, chain, monkeypatch):
    from graphnas.evaluate import OracleEvaluator

    measured = []
    measure = Training.measure
    monkeypatch.setattr(
        Training, "measure", lambda self, *args: (measured.append(self.epoch), measure(self, *args))[1]
    )
    oracle = OracleEvaluator(tiny_space(), epochs=6, reward_epochs=2, progress=False)
    evaluation = oracle.evaluate(chain)
    assert measured == [5, 6]
    measured.clear()
    watched = oracle.evaluate(chain, report=lambda _epoch, _accuracy: False)
    assert measured == [1, 2, 3, 4, 5, 6]
    assert watched.value == evaluation.value
    measured.clear()
    rare = OracleEvaluator(tiny_space(), epochs=6, reward_epochs=1, validate_every=3, progress=False)
    rare.evaluate(chain, report=lambda _epoch, _accuracy: False)
    assert measured == [3, 6]
    assert not math.isnan(evaluation.metrics["top5"])


def test_samples_are_ranked_by_short_trainings(chain, tiny_space):
    space = tiny_space()
    others = [space.sample(np.random.default_rng(seed)) for seed in range(2)]
    ranked = ranked_by_training(
        [chain, *others],
        lambda _number, architecture: train(
            space, architecture, recipe="digits", epochs=1, holdout=0.2, progress=False
        ),
    )
    accuracies = [candidate.accuracy for candidate in ranked]
    assert accuracies == sorted(accuracies, reverse=True)
    with pytest.raises(InvalidArgument, match="hold out"):
        ranked_by_training([chain], lambda _n, a: train(space, a, recipe="digits", epochs=1, progress=False))
