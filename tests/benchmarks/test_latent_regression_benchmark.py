"""The benchmark of latent regression runs, and its record holds what it prints."""

from __future__ import annotations

import numpy as np
import pytest
from benchmark_run import needs_table, run

from search_spaces import ENASMacro6


def test_regression_benchmark(tmp_path):
    needs_table(ENASMacro6())
    arguments = ["--graphs", "120", "--seeds", "2", "--baseline-seeds", "1"]
    printed, record = run("enas6_latent_regression.py", *arguments, output=tmp_path / "regression.json")
    for name, runs in record["runs"].items():
        errors = np.array(list(runs.values()))
        assert record["summary"][name]["rmse"] == pytest.approx(errors[:, 0].mean())
        assert name in printed
    assert len(record["runs"]["500-point GP on FeatureVAE, supervised"]) == 2
    assert set(record["models"]) == {"supervised", "unsupervised"}
    assert record["summary"]["predict the mean"]["pearson"] == 0
