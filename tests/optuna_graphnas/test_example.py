"""The example runs as it stands."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from graphnas.errors import DataNotFound
from graphnas.evaluate import TabularEvaluator
from search_spaces import NASBench201

EXAMPLE = Path(__file__).parents[2] / "examples" / "optuna_nasbench201.py"


def test_the_example_searches_and_prints_the_best(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        TabularEvaluator(NASBench201())
    except DataNotFound as error:
        pytest.skip(str(error))
    study = runpy.run_path(str(EXAMPLE))["main"](n_trials=20)
    assert len(study.trials) == 20
    printed = capsys.readouterr().out
    assert f"validation accuracy {study.best_value:.2f} %" in printed
    assert "|nor_conv" in printed or "|skip_connect" in printed
