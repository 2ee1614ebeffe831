"""GraphPNAS searches RandWire with real training, end to end through Optuna, and goes on where it stopped."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from graphnas.methods.graphpnas import LearnedDistribution
from optuna_graphnas import architecture_of
from search_spaces import RandWire

EXAMPLE = Path(__file__).parents[2] / "examples" / "graphpnas_randwire.py"


@pytest.mark.e2e
def test_the_example_searches_learns_and_continues(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(EXAMPLE))["main"]
    sizes = {"nodes": 6, "n_startup_trials": 3, "epochs": 1}
    begun = main(tmp_path, n_trials=4, **sizes).trials
    assert len(begun) == 4
    study = main(tmp_path, n_trials=7, **sizes)
    assert len(study.trials) == 7
    assert [t.value for t in study.trials[:4]] == [t.value for t in begun]
    space = RandWire(6)
    assert len({space.key(architecture_of(trial, space)) for trial in study.trials}) == 7
    printed = capsys.readouterr().out
    assert f"best: {study.best_value:.2f} % in trial {study.best_trial.number}" in printed
    distribution = LearnedDistribution.load(tmp_path / "distribution.pt")
    assert len(distribution.sample(5)) == 5

    whole = main(tmp_path / "whole", n_trials=7, **sizes)  # not interrupted
    assert [t.params for t in whole.trials] == [t.params for t in study.trials]
