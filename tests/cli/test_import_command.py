"""graphnas import and search --prior: from a file to trials or to prior tasks, and what is refused."""

from __future__ import annotations

import csv
import json

import numpy as np
import optuna
import pytest
from small_search import TINY

from graphnas.methods import PriorTask
from optuna_graphnas import prior_of
from search_spaces import GEMNet

SPACE = GEMNet(num_nodes=4)
ARCHITECTURES = [SPACE.sample(np.random.default_rng(k)) for k in range(12)]
GEMNET = ("--space", "gemnet", "--nodes", 4)


def value(architecture):
    return float(architecture.num_edges) + architecture.operations.sum() / 10


@pytest.fixture
def results(tmp_path):
    """A file with values, costs, and a bad last row."""
    path = tmp_path / "known.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["architecture", "value", "cost"])
        writer.writerows([a.to_json(), value(a), -value(a)] for a in ARCHITECTURES)
    return path


def spoil(path):
    with path.open("a") as file:
        file.write("nothing,3,4\n")


def study_in(directory, name="s"):
    return optuna.load_study(study_name=name, storage=f"sqlite:///{directory / 'study.db'}")


def test_results_become_trials_that_a_search_goes_on_from(command, results, tmp_path):
    output = tmp_path / "run"
    to = ("--output", output, "--study-name", "s")
    done = command("import", results, *GEMNET, *to)
    assert done.code == 0, done.err
    distinct = len({(SPACE.key(a), value(a)) for a in ARCHITECTURES})
    assert f"{distinct} results of {results} are trials of the study 's' now" in done.out
    assert [t.value for t in study_in(output).trials] == [value(a) for a in ARCHITECTURES][:distinct]
    again = command("import", results, *GEMNET, "--output", output)  # the only study needs no name
    assert "0 results" in again.out
    assert f"{len(ARCHITECTURES)} were already there" in again.out
    searched = command("search", *TINY, *to, "--trials", 2, "--retrain-epochs", 0)
    assert searched.code == 0, searched.err
    assert f"continues after {distinct} trials" in searched.out
    assert len(study_in(output).trials) == distinct + 2
    operations = '["sepconv3x3", "conv1x1"]'  # the same labels mean something else
    other = command("import", results, *GEMNET, "--space-option", f"operations={operations}", *to)
    assert other.code == 2
    assert "the study 's' searches" in other.err
    assert f'not {{"name": "gemnet", "arguments": {{"num_nodes": 4, "operations": {operations}' in other.err


def test_another_task_is_kept_and_is_no_trial(command, results, tmp_path):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    to = ("--storage", url, "--study-name", "s")
    for task, extra in (("accuracy", ()), ("cost", ("--value-column", "cost", "--direction", "minimize"))):
        done = command("import", results, *GEMNET, *to, "--task", task, *extra)
        assert done.code == 0, done.err
        assert f"12 results of {results} are kept with the study 's' as '{task}'" in done.out
    study = study_in(tmp_path)
    assert not study.trials
    values = [value(a) for a in ARCHITECTURES]
    expected = [PriorTask(name, ARCHITECTURES, values) for name in ("accuracy", "cost")]
    assert prior_of(study, SPACE) == tuple(expected)


def test_search_keeps_prior_files_and_uses_them_when_continued(command, results, tmp_path):
    arguments = ("search", *TINY, "--study-name", "s", "--retrain-epochs", 0)
    whole = (*arguments, "--output", tmp_path / "whole", "--trials", 4)
    assert command(*whole, "--prior", f"{results}:value", "--prior", results).code == 0
    parts = (*arguments, "--output", tmp_path / "parts", "--trials", 2)
    assert command(*parts, "--prior", f"{results}:value", "--prior", results).code == 0
    assert command(*parts).code == 0
    names = [task.name for task in prior_of(study_in(tmp_path / "parts"), SPACE)]
    assert names == ["known", "known:value"]
    first, second = ([t.params for t in study_in(tmp_path / name).trials] for name in ("whole", "parts"))
    assert first == second


def test_bad_rows_stop_it_before_anything_is_done(command, results, tmp_path):
    spoil(results)
    output = tmp_path / "run"
    for extra in ((), ("--task", "x")):
        done = command("import", results, *GEMNET, "--output", output, "--study-name", "s", *extra)
        assert done.code == 2
        assert done.err.count("\n") == 1
        assert "1 of 13 rows cannot be read: line 14: " in done.err
    assert not output.exists()
    done = command("search", *TINY, "--output", output, "--prior", results)
    assert done.code == 2
    assert "line 14" in done.err
    done = command("import", results, *GEMNET, "--output", output, "--study-name", "s", "--skip-invalid")
    assert done.code == 0
    assert done.err.startswith("left out: line 14: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give either --output or --storage"),
        (("--storage", "sqlite://", "--output", "x"), "give either --output or --storage"),
        (("--storage", "sqlite://"), "sqlite:// holds 0 studies: name one with --study-name, and give"),
        (("--storage", "sqlite://", "--task", "a", "--constraint-column", "cost"), "not for --task"),
        (("--storage", "sqlite://", "--value-column", "valu"), "did you mean 'value'?"),
        (
            ("--storage", "sqlite://", "--study-name", "s", *("--direction", "maximize") * 2),
            "--direction is given 2 times for 1 values",
        ),
    ],
)
def test_arguments_that_do_not_fit(command, results, arguments, message):
    done = command("import", results, *GEMNET, *arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


def test_studies_that_do_not_fit(command, results, tmp_path):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    optuna.create_study(storage=url, study_name="least", direction="minimize")
    optuna.create_study(storage=url, study_name="two", directions=["minimize", "maximize"])
    to = ("import", results, *GEMNET, "--storage", url)
    assert "holds 2 studies (least, two): name one" in command(*to).err
    assert "1 value columns are named, but the study 'two' has 2" in command(*to, "--study-name", "two").err
    done = command(*to, "--study-name", "least", "--direction", "maximize")
    assert "--direction: the study 'least' is to minimize" in done.err
    # What is worse in the study's direction is worse in a task without a direction of its own.
    assert command(*to, "--study-name", "least", "--task", "x").code == 0
    (task,) = prior_of(study_in(tmp_path, "least"), SPACE)
    assert task.values[:, 0].tolist() == [-value(a) for a in ARCHITECTURES]


def test_files_and_methods_that_do_not_fit(command, results, tmp_path):
    done = command("import", tmp_path / "absent.json", *GEMNET, "--storage", "sqlite://")
    assert (done.code, done.err) == (2, f"graphnas: error: there is no file {tmp_path / 'absent.json'}\n")
    (tmp_path / "a.json").write_text(json.dumps({"value": 1}))
    done = command("import", tmp_path / "a.json", *GEMNET, "--storage", "sqlite://")
    assert "must hold a list of objects" in done.err
    done = command("search", *TINY, "--method", "random", "--prior", results)
    assert "--prior is for graphbo, not for random" in done.err
    assert "no file" in command("search", *TINY, "--prior", tmp_path / "absent.csv:value").err
