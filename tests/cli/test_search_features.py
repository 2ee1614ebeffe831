"""graphnas search --features: prior tasks from untrained networks, kept, estimated, refused."""

from __future__ import annotations

import json
import re

import optuna
import pytest
from small_search import TINY

from optuna_graphnas.prior import prior_of
from search_spaces import GEMNet

FEW = ["search", *TINY, "--retrain-epochs", 0, "--features-count", 12]


def test_they_are_kept_with_the_study_and_not_computed_again(command, tmp_path):
    once, twice = tmp_path / "once", tmp_path / "twice"
    features = ["--features", "paths", "synflow", "naswot"]
    assert command(*FEW, *features, "--trials", 4, "--output", once).code == 0
    first = command(*FEW, *features, "--trials", 2, "--output", twice)
    assert first.code == 0
    line = (
        r"longest path, mean path, log paths, log synflow, naswot of 12 random architectures: [0-9.]+ m?s\n"
    )
    assert re.search(line, first.out)
    second = command(*FEW, *features, "--trials", 2, "--output", twice)
    assert second.code == 0
    assert "random architectures:" not in second.out
    assert "naswot: as the study has them; another --study-name computes them anew" in second.out

    def values(directory):
        return json.loads((directory / "results.json").read_text())["methods"]["graphbo"]["values"]

    assert values(once) == values(twice)
    (name,) = optuna.get_all_study_names(f"sqlite:///{once / 'study.db'}")
    tasks = prior_of(optuna.load_study(study_name=name, storage=f"sqlite:///{once / 'study.db'}"), GEMNet(4))
    assert {"log synflow", "naswot"} <= {task.name for task in tasks}


def test_networks_of_another_size(command, tmp_path):
    narrow = [*FEW, "--features", "macs", "--trials", 1, "--features-shape"]
    assert command(*narrow, "width=3", "--output", tmp_path).code == 0
    done = command(*narrow, "breadth=3")
    assert done.code == 2
    assert "gemnet does not take 'breadth' in shape" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--features", "sinflow"], "unknown feature 'sinflow'; did you mean 'synflow'?"),
        (["--features", "paths", "--method", "random"], "--features is for graphbo, not for random"),
        (["--features-shape", "width=3"], "--features-shape is for --features"),
        (["--features-count", "9"], "--features-count is for --features"),
        (["--features", "paths", "--evaluator", "supernet"], "no meaning with --evaluator supernet"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_kept(command, tmp_path, arguments, message):
    done = command("search", *TINY, "--trials", 1, "--output", tmp_path / "out", *arguments)
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "out").exists()


def test_a_dry_run_counts_them(command, tmp_path):
    done = command(*FEW, "--features", "synflow", "--trials", 20, "--output", tmp_path / "out", "--dry-run")
    assert done.code == 0
    assert re.search(r"features of an architecture +12 ", done.out)
    assert not (tmp_path / "out").exists()
