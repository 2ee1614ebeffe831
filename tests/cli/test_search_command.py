"""graphnas search: from arguments to a study, a table and files, and on from there."""

from __future__ import annotations

import json
import math

import numpy as np
import optuna
import pytest
import torch
from small_search import TINY

from graphnas.cli import running
from graphnas.cli.methods import METHODS, make_sampler
from graphnas.errors import DataNotFound, InvalidArgument
from graphnas.evaluate import efficiency_score
from graphnas.graph import Architecture
from graphnas.methods import LearnedDistribution
from graphnas.training import load_dataset, load_model
from search_spaces import ENASMacro6, GEMNet, NASBench201
from search_spaces.tables import open_table


def results_of(directory):
    return json.loads((directory / "results.json").read_text())


def test_everything_is_written(searched):
    names = {str(path.relative_to(searched)) for path in searched.rglob("*") if path.is_file()}
    assert names == {
        *("study.db", "results.json", "best_cell.png", "search_curve.png"),
        *("best/model.pt", "best/model.json"),
    }
    for picture in ("best_cell.png", "search_curve.png"):
        assert (searched / picture).read_bytes().startswith(b"\x89PNG")


def test_results_agree_with_the_study(searched):
    results = results_of(searched)
    for method in ("graphbo", "random"):
        found = results["methods"][method]
        study = optuna.load_study(study_name=found["study"], storage=f"sqlite:///{searched / 'study.db'}")
        assert found["values"] == [trial.value for trial in study.trials]
        assert len(found["values"]) == 3
        assert found["best"][0]["value"] == study.best_value
        assert found["best"][0]["trial"] == study.best_trial.number
        assert [one["value"] for one in found["best"]] == sorted(found["values"], reverse=True)


def test_the_best_model_is_the_best_architecture_and_works(searched):
    model, results = load_model(searched / "best"), results_of(searched)
    best = results["methods"]["graphbo"]["best"][0]
    assert model.architecture == Architecture.from_dict(best["architecture"])
    assert sum(p.numel() for p in model.module.parameters()) == best["parameters"]
    test = load_dataset("digits").test
    guesses = model.predict(test.take(torch.arange(len(test)))).argmax(1)
    accuracy = 100 * (guesses == test.labels).float().mean().item()
    assert accuracy == pytest.approx(results["retrained"]["test_accuracy"], abs=1e-3)
    assert results["retrained"]["epochs"] == 3


def test_run_again_it_continues_and_the_other_method_catches_up(command, tmp_path):
    run = ["search", *TINY, "--compare", "random", "--output", tmp_path, "--retrain-epochs", 0]
    first = command(*run, "--trials", 3)
    assert first.code == 0
    assert "graphbo: 3 trials\n" in first.out
    before = results_of(tmp_path)["methods"]
    second = command(*run, "--trials", 2)
    assert second.code == 0
    assert "graphbo: continues after 3 trials with 2 more\n" in second.out
    assert "random: continues after 3 trials with 2 more\n" in second.out
    after = results_of(tmp_path)["methods"]
    for method in ("graphbo", "random"):
        assert len(after[method]["values"]) == 5
        assert after[method]["values"][:3] == before[method]["values"]
        told = next(line for line in second.err.splitlines() if line.startswith(f"{method}: 2/2 trials"))
        assert told.endswith(f"best {max(after[method]['values']):.2f}")
    third = command(*run, "--trials", 0)
    assert third.code == 0
    assert "continues after" not in third.out
    assert "graphbo, 5 evaluations" in third.out
    assert not (tmp_path / "best").exists()


def test_one_go_and_two_find_the_same(command, tmp_path):
    outputs = []
    for name, rounds in (("once", [5]), ("twice", [2, 3])):
        for trials in rounds:
            run = ["search", *TINY, "--startup", 2, "--retrain-epochs", 0, "--output", tmp_path / name]
            assert command(*run, "--trials", trials).code == 0
        outputs.append(results_of(tmp_path / name)["methods"]["graphbo"]["values"])
    assert outputs[0] == outputs[1]


def test_the_table_shows_both_methods_side_by_side(command, searched):
    run = ["search", *TINY, "--compare", "random", "--trials", 0, "--retrain-epochs", 0]
    done = command(*run, "--storage", f"sqlite:///{searched / 'study.db'}")
    assert done.code == 0
    lines = done.out.splitlines()
    (top,) = (k for k, line in enumerate(lines) if "graphbo, 3 evaluations" in line)
    assert "random, 3 evaluations" in lines[top]
    assert lines[top + 1].split() == ["#", *["accuracy", "parameters", "MACs", "trial"] * 2]
    methods = results_of(searched)["methods"]
    best = [methods[method]["best"][0] for method in ("graphbo", "random")]
    row = lines[top + 2].split()
    assert row[0] == "1"
    assert f"{best[0]['value']:.2f}" == row[1]
    assert f"{best[1]['value']:.2f}" in row[2:]
    mean = next(line for line in lines if line.startswith("mean"))
    assert f"{np.mean(methods['graphbo']['values']):.2f}" in mean


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (["--epochs", "2"], "training"),
        (["--nodes", "5"], "space"),
        (["--seed", "1"], "seed"),
        (["--shape", "width=3"], "shape"),
    ],
)
def test_a_study_is_not_continued_with_other_settings(command, searched, changed, said):
    run = ["search", *TINY, *changed, "--storage", f"sqlite:///{searched / 'study.db'}"]
    done = command(*run)
    assert done.code == 2
    assert f"was made with {said}" in done.err
    assert done.err.count("\n") == 1


def test_a_foreign_study_is_not_continued(command, tmp_path):
    url = f"sqlite:///{tmp_path / 's.db'}"
    study = optuna.create_study(storage=url, study_name="mine", direction="maximize")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    optuna.create_study(storage=url, study_name="down", direction="minimize")
    for name, said in (("mine", "not made by graphnas search"), ("down", "does not maximise")):
        done = command("search", *TINY, "--storage", url, "--study-name", name)
        assert done.code == 2
        assert said in done.err


def test_an_interrupted_search_keeps_its_trials_and_says_how_to_go_on(command, monkeypatch, tmp_path):
    original = running.Progress.__call__

    def interrupt(self, study, trial):
        original(self, study, trial)
        if trial.number == 1:
            raise KeyboardInterrupt

    run = ["search", *TINY, "--retrain-epochs", 0, "--output", tmp_path]
    with monkeypatch.context() as patch:
        patch.setattr(running.Progress, "__call__", interrupt)
        stopped = command(*run, "--trials", 5)
        lost = command("search", *TINY, "--trials", 5)
    assert stopped.code == lost.code == 130
    assert f"kept in sqlite:///{tmp_path / 'study.db'}; run the same command again" in stopped.err
    assert "neither --output nor a --storage" in lost.err
    assert "Traceback" not in stopped.err
    done = command(*run, "--trials", 1)
    assert done.code == 0
    assert "continues after 2 trials with 1 more" in done.out


def test_an_interrupt_while_a_value_is_stored_is_no_other_error(command, monkeypatch, tmp_path):
    def interrupted(self, trial_id, state, values=None):
        raise KeyboardInterrupt  # Optuna then raises an error of its own

    monkeypatch.setattr(optuna.storages._CachedStorage, "set_trial_state_values", interrupted)
    done = command("search", *TINY, "--trials", 2, "--output", tmp_path)
    assert done.code == 130
    assert "interrupted; the finished trials are kept" in done.err


def test_two_jobs_evaluate_no_network_twice(command, tmp_path):
    run = ["search", *TINY, "--method", "random", "--trials", 6, "--n-jobs", 2, "--retrain-epochs", 0]
    assert command(*run, "--output", tmp_path).code == 0
    found = results_of(tmp_path)["methods"]["random"]
    space = GEMNet(4)
    keys = {space.key(Architecture.from_dict(one["architecture"])) for one in found["best"]}
    assert len(keys) == len(found["values"]) == 6


def test_a_search_in_which_everything_fails_says_why(command, tmp_path):
    # The weights overflow after the first step.
    run = ["search", *TINY, "--training", "learning_rate=1e30", "--trials", 2, "--output", tmp_path]
    done = command(*run)
    assert done.code == 1
    assert "2 evaluations failed" in done.out
    assert "no evaluation gave a value: " in done.err


@pytest.mark.usefixtures("needs_table")
def test_values_from_the_table(command, tmp_path):
    url = f"sqlite:///{tmp_path / 's.db'}"
    run = ["search", "--space", "nasbench201", "--dataset", "cifar100", "--budget", 12, "--storage", url]
    done = command(*run, "--trials", 4, "--method", "evolution", "--study-name", "mine")
    assert done.code == 0
    assert "Best architectures by validation accuracy (%) on cifar100" in done.out
    (study,) = optuna.get_all_study_summaries(url)
    assert study.study_name == "mine"
    assert study.n_trials == 4
    assert study.user_attrs["graphnas"]["budget"] == 12
    other = command(*run[:-2], "--storage", url, "--metric", "test_accuracy", "--study-name", "mine")
    assert other.code == 2
    assert "metric" in other.err


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_sampler_that_proposes(method):
    space = NASBench201()
    study = optuna.create_study(direction="maximize", sampler=make_sampler(method, space, seed=0))
    trial = study.ask()
    chosen = {name: trial.suggest_categorical(name, c) for name, c in space.parameters().items()}
    space.validate(space.from_parameters(chosen))


def test_graphpnas_leaves_what_it_learned(command, tmp_path):
    done = command(
        *("search", *TINY, "--trials", 2, "--method", "graphpnas", "--retrain-epochs", 0),
        *("--output", tmp_path),
    )
    assert done.code == 0
    assert "search_curve.png, distribution.pt" in done.out
    learned = LearnedDistribution.load(tmp_path / "distribution.pt")
    assert learned.space.arguments()["num_nodes"] == 4
    assert len(learned.sample(2)) == 2


def test_an_unknown_method_is_refused():
    with pytest.raises(InvalidArgument, match="'luck'; known: graphbo"):
        make_sampler("luck", NASBench201(), seed=0)


def test_progress_in_a_log_is_a_few_lines(capsys):
    study = optuna.create_study(direction="maximize")
    progress = running.Progress("search", 100)
    for number in range(100):
        value = math.nan if number % 10 == 0 else float(number)
        trial = (
            optuna.trial.create_trial(value=value) if number % 10 else optuna.trial.create_trial(state=FAIL)
        )
        progress(study, trial)
    progress.close()
    lines = capsys.readouterr().err.splitlines()
    assert 4 <= len(lines) <= running.LINES
    assert lines[-1].startswith("search: 100/100 trials")
    assert lines[-1].endswith("best 99.00")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("seed=3", "seed is not a training setting; use --seed"),
        ("device=cpu", "device is not a training setting; use --device"),
        ("shape=3", "shape is not a training setting; use --shape"),
        ("dataset=digits", "dataset is not a training setting; use --dataset"),
        ("progress=true", "progress is not a training setting"),
        ("space=gemnet", "use --space"),
        ("momentun=0.5", "did you mean 'momentum'?"),
        ("config=paper", "config is not a training setting; allowed: epochs"),
    ],
)
def test_what_is_no_training_setting_is_refused_with_the_right_option(command, setting, said):
    done = command("search", *TINY, "--training", setting)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--space", "randwire", "--nodes", 8, "--shape", "widths=8"),
        ("--space", "gemnet", "--nodes", 4, "--shape", "width=wide"),
        ("--space", "gemnet", "--nodes", 4, "--shape", "width=-2"),
    ],
)
def test_a_shape_that_cannot_be_built_is_refused_at_once(command, tmp_path, arguments):
    done = command("search", *arguments, "--dataset", "digits", "--output", tmp_path / "new")
    assert done.code == 2
    assert "cannot be built with" in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "new").exists()


FAIL = optuna.trial.TrialState.FAIL


def test_a_table_that_lacks_a_metric(command, tmp_path):
    try:
        open_table(ENASMacro6())
    except DataNotFound as error:
        pytest.skip(str(error))
    done = command("search", "--space", "enas6", "--budget", 0, "--trials", 3, "--output", tmp_path)
    assert done.code == 0
    for found in results_of(tmp_path)["methods"]["graphbo"]["best"]:
        assert found["metrics"] == {"validation_accuracy": found["value"]}


def test_the_efficiency_score_can_be_searched_for(command, tmp_path):
    line = [
        "search",
        "--space",
        "gemnet",
        "--nodes",
        "5",
        "--dataset",
        "digits",
        "--method",
        "random",
        "--trials",
        "2",
        "--epochs",
        "1",
        "--training",
        "train_fraction=0.2",
        "--shape",
        "width=4",
        "--retrain-epochs",
        "0",
    ]
    done = command(*line, "--score-weight", 0.02, "--output", tmp_path)
    assert done.code == 0
    assert "efficiency score (points)" in done.out
    content = results_of(tmp_path)
    assert content["settings"]["score_weight"] == 0.02
    (method,) = content["methods"].values()
    for entry in method["best"]:
        expected = efficiency_score(entry["metrics"]["accuracy"], entry["macs"], weight=0.02)
        assert entry["value"] == pytest.approx(expected)
    done = command(*line, "--score-weight", 0.03, "--output", tmp_path)
    assert done.code == 2
    assert "was made with score_weight 0.02, not 0.03" in done.err


def test_the_autoencoder_of_latentbo_and_the_papers_rounds_go_together():
    sampler = make_sampler("latentbo", NASBench201(), seed=0, preset="paper", startup=7, model="dvae_emb")
    study = optuna.create_study(direction="maximize", sampler=sampler)
    config = sampler.method_of(study).config
    assert (config.model, config.strategy, config.n_startup_trials) == ("dvae_emb", "rounds", 7)
