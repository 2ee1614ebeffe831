"""``graphnas train``: what it trains and what it refuses."""

from __future__ import annotations

import json
import math
import re

import pytest

from graphnas.cli.main import main
from graphnas.training import load_model


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    output = tmp_path_factory.mktemp("search")
    line = (
        "search --space gemnet --nodes 5 --dataset digits --method random --trials 3 --epochs 1 "
        f"--training train_fraction=0.2 --shape width=4 --retrain-epochs 0 --output {output}"
    )
    assert main(line.split()) == 0
    return output


def _train(*words: object) -> int:
    return main(["train", *map(str, words)])


def test_the_best_of_a_search_by_its_own_settings(searched, tmp_path, capsys):
    assert _train(searched, "--epochs", 2, "--output", tmp_path / "model") == 0
    printed = capsys.readouterr().out
    assert "of gemnet-digits-random of gemnet" in printed
    assert "top-1 (%)  top-5 (%)  parameters" in printed
    model = load_model(tmp_path / "model")
    best = json.loads((searched / "results.json").read_text())["methods"]["random"]["best"][0]
    assert model.architecture.to_dict() == best["architecture"]
    assert (model.dataset, model.shape["width"], model.training["recipe"]) == ("digits", 4, "digits")
    assert (tmp_path / "model" / "curve.png").stat().st_size > 1000


def test_a_trial_a_results_file_a_model_and_a_text(searched, tmp_path, capsys):
    results = searched / "results.json"
    entries = json.loads(results.read_text())["methods"]["random"]["best"]
    last = entries[-1]
    one = ["--epochs", 1]
    assert _train(searched, "--trial", last["trial"], *one, "--output", tmp_path / "a") == 0
    assert load_model(tmp_path / "a").architecture.to_dict() == last["architecture"]
    assert _train(results, *one, "--output", tmp_path / "b") == 0
    assert load_model(tmp_path / "b").architecture.to_dict() == entries[0]["architecture"]
    assert _train(tmp_path / "a", *one, "--output", tmp_path / "c") == 0
    assert load_model(tmp_path / "c").shape["width"] == 4
    text = json.dumps(last["architecture"])
    assert _train(text, "--space", "gemnet", "--dataset", "digits", *one, "--output", tmp_path / "d") == 0
    assert load_model(tmp_path / "d").architecture.to_dict() == last["architecture"]
    cell = "|avg_pool_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|none~2|"
    line = ["--space", "nasbench201", "--dataset", "digits", *one, "--output", tmp_path / "e"]
    assert _train(cell, *line, "--shape", "channels=4", "--shape", "cells_per_stage=1") == 0
    assert load_model(tmp_path / "e").space.name == "nasbench201"


def test_a_dry_run_counts_and_keeps_nothing(searched, tmp_path, capsys):
    output = tmp_path / "model"
    line = ["--epochs", 7, "--training", "batch_size=100", "--training", "validate_every=3"]
    assert _train(searched, *line, "--holdout", 0.2, "--output", output, "--dry-run") == 0
    printed = capsys.readouterr().out
    assert re.search(r"epochs +7\n", printed)
    images, held, test = (
        int(re.search(rf"images {name} +([\d,]+)|{name} images +([\d,]+)", printed).group(k).replace(",", ""))
        for name, k in (("trained on", 1), ("held out", 1), ("test", 2))
    )
    assert images + held + test == 1797
    steps = math.ceil(images / 100)
    assert re.search(rf"training step of {math.ceil(images / steps)} images +{7 * steps:,} ", printed)
    assert re.search(rf"image held out +{3 * held:,} ", printed)  # after epochs 3, 6 and 7
    assert re.search(rf"test image +{test} ", printed)
    assert "Estimate, measured on this machine" in printed
    assert not output.exists()


def test_a_named_network(tmp_path):
    line = ["--dataset", "digits", "--epochs", 1, "--training", "batch_size=512", "--training"]
    assert _train("gemnet-b", *line, "learning_rate=0.01", "--output", tmp_path) == 0
    assert load_model(tmp_path).shape["widths"] == [24, 48, 108, 232]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "'nowhere' is no file"),
        (["{study}", "--recipe", "fast"], "unknown recipe 'fast'"),
        (["{study}", "--trial", "77"], "--trial 77 is not an evaluated architecture"),
        (["{study}", "--study-name", "other"], "no study 'other'; there are: gemnet-digits-random"),
        (["{study}", "--samples", "3"], "--samples is for the file of a learned distribution"),
        (["{study}", "--training", "rate=3"], "--training rate: rate is not a training setting"),
        (["gemnet-a", "--dataset", "digits"], "add --output DIR"),
        ([], "give WHAT to train"),
    ],
)
def test_bad_arguments_are_named(searched, tmp_path, words, message, capsys):
    assert _train(*[word.format(study=searched) for word in words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_recipes_are_listed(capsys):
    assert _train("--recipes") == 0
    printed = capsys.readouterr().out
    assert "enas-cifar10: final training" in printed
    assert printed.count("  open: ") == 6


@pytest.mark.slow
def test_samples_of_a_distribution_are_compared_and_the_best_trained(tmp_path, capsys):
    line = (
        "search --space gemnet --nodes 5 --dataset digits --method graphpnas --trials 4 --startup 3 "
        "--epochs 1 --training train_fraction=0.2 --shape width=4 --retrain-epochs 0 "
        f"--output {tmp_path / 'search'}"
    )
    assert main(line.split()) == 0
    distribution = tmp_path / "search" / "distribution.pt"
    words = ["--samples", 3, "--short-epochs", 1, "--keep", 2, "--epochs", 2, "--dataset", "digits"]
    line = [*words, "--shape", "width=4", "--training", "batch_size=64"]
    assert _train(distribution, *line, "--dry-run") == 0
    printed = capsys.readouterr().out
    steps = {name: math.ceil(images / 64) for name, images in (("short", 1293), ("full", 1437))}
    assert re.search(rf"  short: training step of \d+ images +{3 * steps['short']} ", printed)
    assert re.search(rf"  full: training step of \d+ images +{2 * 2 * steps['full']} ", printed)
    assert _train(distribution, *words, "--shape", "width=4", "--output", tmp_path / "final") == 0
    printed = capsys.readouterr().out
    assert "3 samples, 1 epoch each" in printed
    assert {path.name for path in (tmp_path / "final").iterdir()} == {
        *(f"short-{number}" for number in range(3)),
        "network-0",
        "network-1",
    }
    assert load_model(tmp_path / "final" / "network-0").training["epochs"] == 2
    assert _train(distribution, "--samples", 2, "--keep", 3, "--output", tmp_path / "x") == 2
    assert "--keep 3 is more than --samples 2" in capsys.readouterr().err
