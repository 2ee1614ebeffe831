"""The benchmark of latent regression runs, and its record holds what it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from graphnas.errors import DataNotFound
from search_spaces import ENASMacro6
from search_spaces.tables import open_table

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(script: str, *arguments: str, output: Path) -> tuple[str, dict]:
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments, "--output", str(output)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(output.read_text())


def needs(space) -> None:
    try:
        open_table(space)
    except DataNotFound as error:
        pytest.skip(str(error))


def test_regression_benchmark(tmp_path):
    needs(ENASMacro6())
    arguments = ["--graphs", "120", "--seeds", "2", "--baseline-seeds", "1"]
    printed, record = run("enas6_latent_regression.py", *arguments, output=tmp_path / "regression.json")
    for name, runs in record["runs"].items():
        errors = np.array(list(runs.values()))
        assert record["summary"][name]["rmse"] == pytest.approx(errors[:, 0].mean())
        assert name in printed
    assert len(record["runs"]["500-point GP on FeatureVAE, supervised"]) == 2
    assert set(record["models"]) == {"supervised", "unsupervised"}
    assert record["summary"]["predict the mean"]["pearson"] == 0
