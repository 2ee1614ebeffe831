"""graphnas search --evaluator supernet: the turns of GraphPNAS on ENAS, from the command line."""

from __future__ import annotations

import json
import re

import pytest

from graphnas.cli.main import main
from graphnas.cli.supernet import PRESETS
from graphnas.evaluate import SupernetConfig
from graphnas.methods import GraphPNASConfig, LearnedDistribution, SupernetSearchConfig
from graphnas.plots.search_steps import _get_steps_info, plot_search_steps

SMALL = [
    *("search", "--space", "enas", "--space-option", "num_layers=3", "--evaluator", "supernet"),
    *("--dataset", "digits", "--shape", "width=4", "--device", "cpu"),
    *("--training", "steps_per_epoch=3", "--training", "validation_limit=50"),
    *("--turns", "steps=3", "--turns", "trained=4", "--turns", "evaluated=4", "--turns", "finalists=3"),
    *("--turns", "samples=2", "--turns", "epochs_per_step=2"),
]
GRAPHPNAS = [
    *("--method", "graphpnas", "--preset", "enas", "--config", "hidden_size=16", "--config", "steps=2"),
    *("--config", "mixtures=2", "--config", "epochs=3", "--config", "warm_epochs=2"),
    *("--config", "n_startup_trials=4", "--config", "batch_size=4", "--config", "epsilon=[0.0, 0.0]"),
]


@pytest.mark.parametrize("generator", ["graph", "rnn"])
def test_a_search_on_shared_weights_shows_its_steps_and_is_kept(tmp_path, capsys, generator):
    command = [*SMALL, *GRAPHPNAS, "--config", f"generator={generator}", "--output", str(tmp_path)]
    assert main(command) == 0
    text = capsys.readouterr().out
    steps = re.findall(r"graphpnas: step (\d) of 3, epoch (\d), loss [\d.]+, accuracy mean", text)
    assert steps == [("1", "2"), ("2", "4"), ("3", "6")]
    results = json.loads((tmp_path / "results.json").read_text())
    assert [len(step) for step in results["steps"]["graphpnas"]] == [4, 4, 4]
    assert results["settings"]["evaluator"] == "supernet"
    assert len(results["methods"]["graphpnas"]["best"]) == 5  # 3 finalists and 2 samples
    for name in ("learning_curve.png", "search_curve.png", "best_cell.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    learned = LearnedDistribution.load(tmp_path / "distribution.pt")
    assert learned.config.generator == generator
    # Run again, all steps are there.
    assert main(command) == 0
    assert "continues after 3 steps" in capsys.readouterr().out


def test_the_best_is_trained_with_the_recipe_of_the_paper(tmp_path, capsys):
    search = [*SMALL, "--method", "random", "--compare", "evolution", "--output", str(tmp_path / "found")]
    assert main(search) == 0
    text = capsys.readouterr().out
    assert "evolution: step 3 of 3" in text
    train = ["train", str(tmp_path / "found" / "results.json"), "--recipe", "enas-cifar10", "--epochs", "1"]
    assert main([*train, "--dataset", "digits", "--training", "crop_padding=0"]) == 0
    assert (tmp_path / "found" / "best" / "model.json").is_file()


def test_the_published_search_by_one_command(capsys):
    """Its counts; the images and the networks are small here, so that the dry run takes seconds."""
    command = [
        *(
            "search",
            "--space",
            "enas",
            "--evaluator",
            "supernet",
            "--method",
            "graphpnas",
            "--preset",
            "enas",
        ),
        *("--dataset", "digits", "--shape", "width=2", "--config", "hidden_size=16", "--config", "steps=1"),
        *("--training", "batch_size=8", "--training", "validation_batch_size=20", "--device", "cpu"),
        "--dry-run",
    ]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert re.search(r"steps of the search +300\n", text)
    assert re.search(r"epochs of training +1,500\n", text)
    assert re.search(r"evaluations +30,000\n", text)
    assert re.search(r"training step of 8 images +750,000 ", text)
    # 2,000 epochs of the best 20 of 100, then 100 epochs of up to 200 of 1,000.
    assert re.search(r"gradient step of 32 graphs +20\d,\d00 ", text)


def test_presets_of_the_search_exist_in_all_three_parts():
    for preset, name in PRESETS.items():
        GraphPNASConfig.preset(preset)
        SupernetConfig.preset(name)
        SupernetSearchConfig.preset(name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--turns", "step=3"], "did you mean 'steps'"),
        (["--training", "optimizer=adamw"], "no setting of shared weights"),
        (["--method", "tpe"], "--evaluator supernet searches with"),
        (["--storage", "sqlite:///x.db"], "no meaning with --evaluator supernet"),
        (["--evaluator", "table"], "--turns is for --evaluator supernet"),
    ],
)
def test_what_does_not_belong_to_it_is_refused(arguments, message, capsys):
    assert main([*SMALL, "--method", "random", *arguments]) != 0
    assert message in capsys.readouterr().err


def test_the_curve_has_the_mean_and_the_best_of_each_step():
    (info,) = _get_steps_info({"a": [[1.0, 3.0], [float("nan"), 4.0], [float("nan")]]})
    assert info.mean.tolist()[:2] == [2.0, 4.0]
    assert info.best.tolist()[:2] == [3.0, 4.0]
    assert info.mean[2] != info.mean[2]
    figure = plot_search_steps({"a": [[1.0, 3.0], [4.0]]}, value_name="accuracy")
    assert figure.axes[0].get_ylabel() == "accuracy"
