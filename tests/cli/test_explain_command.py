"""graphnas explain: the tables and files of a study, and errors of one line."""

from __future__ import annotations

import csv
import json

import numpy as np
import optuna
import pytest

from graphnas.cli.explain import COLUMNS
from optuna_graphnas import RandomArchitectureSampler, explain, suggest_architecture
from search_spaces import NASBench201

SPACE = NASBench201()


def convolutions(architecture):
    return float(sum(label == 3 for *_, label in architecture.labelled_edges()))


def searched(url, trials, name="mine", score=convolutions, directions=("maximize",)):
    study = optuna.create_study(
        storage=url, study_name=name, directions=directions, sampler=RandomArchitectureSampler(SPACE, seed=0)
    )

    def objective(trial):
        count = score(suggest_architecture(trial, SPACE))
        return count if len(directions) == 1 else (count, -2.0 * count)

    study.optimize(objective, n_trials=trials)
    return study


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """Databases with 40 trials of one objective, of two, and with five trials."""
    url = f"sqlite:///{tmp_path_factory.mktemp('explained') / 's.db'}"
    searched(url, 40)
    searched(url, 40, "two", directions=("maximize", "minimize"))
    searched(url, 5, "few")
    searched(url, 12, "same", score=lambda architecture: 1.0)
    optuna.create_study(storage=url, study_name="other").optimize(
        lambda trial: trial.suggest_float("x", 0, 1), n_trials=12
    )
    return url


FAST = ("--samples", 300)


def test_tables_and_files(command, url, tmp_path):
    output = tmp_path / "explained"
    done = command("explain", url, "--study-name", "mine", *FAST, "--top", 3, "--output", output)
    assert done.code == 0, done.err
    assert (
        "Effects on value (larger is better) in mine: 40 evaluated architectures of nasbench201" in done.out
    )
    operations, raising = done.out.split("Sub-graphs that raise it most")
    (line,) = (line for line in operations.splitlines() if line.startswith("nor_conv_3x3 "))
    assert line.split()[1].startswith("+")
    raising, lowering = raising.split("Sub-graphs that lower it most")
    assert len([line for line in raising.splitlines() if " to " in line]) == 3
    assert raising.count("nor_conv_3x3") >= 3
    assert " -" in lowering
    assert f"Written to {output}: effects.csv, effects.json, effects.png, contributions.png" in done.out
    with (output / "effects.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    content = json.loads((output / "effects.json").read_text(encoding="utf-8"))
    assert content["format"] == "graphnas.explanation"
    assert content["study"] == "mine"
    assert content["architectures"] == 40
    study = optuna.load_study(study_name="mine", storage=url)
    expected = explain(study, SPACE, samples=300)
    assert tuple(rows[0]) == COLUMNS
    assert [row["name"] for row in rows] == [effect.name for effect in expected.effects]
    assert [row["effect"] for row in content["effects"]] == [effect.effect for effect in expected.effects]
    assert float(rows[0]["low"]) == expected.effects[0].low
    for name in ("effects.png", "contributions.png"):
        assert (output / name).stat().st_size > 5000


def test_objectives_are_explained_one_by_one(command, url):
    study = optuna.load_study(study_name="two", storage=url)
    first, second = (
        {e.name: e.effect for e in explain(study, SPACE, objective=k, samples=300, refits=0).effects}
        for k in (0, 1)
    )
    assert np.corrcoef(list(first.values()), [second[name] for name in first])[0, 1] < -0.99
    done = command("explain", url, "--study-name", "two", "--objective", 1, *FAST)
    assert "(smaller is better)" in done.out
    refused = command("explain", url, "--study-name", "two", "--objective", 2)
    assert refused.code == 2
    assert "objective must be from 0 to 1 in the study 'two', got 2" in refused.err


def test_pruned_and_failed_trials_do_not_enter():
    study = optuna.create_study(direction="maximize", sampler=RandomArchitectureSampler(SPACE, seed=0))

    def objective(trial):
        architecture = suggest_architecture(trial, SPACE)
        if trial.number % 3 == 0:
            raise optuna.TrialPruned
        return convolutions(architecture)

    study.optimize(objective, n_trials=30)
    assert len(explain(study, SPACE, samples=300, refits=0).architectures) == 20


def test_the_output_of_a_search_says_what_its_values_are(command, searched):
    done = command("explain", searched, "--study-name", "gemnet-digits-random")
    assert done.code == 2, "it has three trials"
    assert "needs at least 10 complete trials, the study 'gemnet-digits-random' has 3" in done.err


@pytest.mark.usefixtures("needs_table")
def test_values_of_a_search_have_a_name_and_a_unit(command, tmp_path):
    run = tmp_path / "run"
    search = ("search", "--space", "nasbench201", "--method", "random", "--dataset", "cifar10")
    assert command(*search, "--trials", 30, "--output", run).code == 0
    done = command("explain", run, *FAST)
    assert done.code == 0, done.err
    assert "Effects on validation accuracy (%) (larger is better) in nasbench201-cifar10-random" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{url}",), "several studies; choose one with --study-name: mine, two, few, same, other"),
        (("{url}", "--study-name", "x"), "no study 'x'"),
        (("{url}", "--study-name", "few"), "needs at least 10 complete trials, the study 'few' has 5"),
        (("{url}", "--study-name", "same"), "all 12 values are 1: there is nothing to explain"),
        (("{url}", "--study-name", "other"), "not made by graphnas search; add --space"),
        (
            ("{url}", "--study-name", "other", "--space", "nasbench201"),
            "no finished trial of the study 'other' has an architecture",
        ),
        (("{url}", "--study-name", "mine", "--least", "41"), "no motif is in at least 41 of 40"),
        (("{url}", "--study-name", "mine", "--samples", "5"), "must be an integer of at least 100"),
        (("{url}", "--study-name", "mine", "--name", "a/b"), "a/b"),
        (("/no/such/thing",), "'/no/such/thing' is no directory of a search and no database of studies"),
    ],
)
def test_errors_of_one_line(command, url, arguments, message):
    done = command("explain", *(argument.format(url=url) for argument in arguments))
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert done.out == ""


def test_a_folder_that_cannot_be_written(command, url, tmp_path):
    (tmp_path / "file").write_text("")
    done = command("explain", url, "--study-name", "mine", *FAST, "--output", tmp_path / "file" / "x")
    assert done.code == 2
    assert "cannot write into --output" in done.err
