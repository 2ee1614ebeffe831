"""Predictor quality: the script on NAS-Bench-201, resumed, and its section."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from benchmark_run import run
from scipy.stats import kendalltau

from benchmarks.surrogates import predictor_quality
from graphnas import ArchitectureBatch
from graphnas.evaluate import TabularEvaluator
from graphnas.graph.flatten import Flattener
from graphnas.surrogate import normal_scores
from search_spaces import NASBench201

ARGUMENTS = ("--space", "nasbench201", "--seeds", "2", "--predictors", "ridge on raw bits")


@pytest.mark.slow
@pytest.mark.usefixtures("table201")
def test_script(tmp_path):
    """Ridge's figures are those of ridge, and what is recorded is not run again."""
    space = NASBench201()
    table = TabularEvaluator(space)
    output = tmp_path / "record.json"
    text, record = run("surrogates.predictor_quality", *ARGUMENTS, output=output)
    assert "469 cells" in text
    assert len(record["runs"]) == 6
    batch = ArchitectureBatch.from_architectures(list(space.enumerate()))
    bits, accuracy = Flattener(space)(batch), table.values(batch)
    rows = predictor_quality.drawn(len(bits), 156, 1)
    model = predictor_quality.baseline("ridge on raw bits").fit(bits[rows], normal_scores(accuracy[rows]))
    rest = np.setdiff1d(np.arange(len(bits)), rows)
    expected = kendalltau(model.predict(bits[rest]), accuracy[rest]).statistic
    (found,) = [r["tau"] for r in record["runs"] if (r["size"], r["seed"]) == (156, 1)]
    assert found == pytest.approx(expected, abs=1e-3)
    text, again = run("surrogates.predictor_quality", *ARGUMENTS, output=output)
    assert "6 fits of" in text
    assert again == record


def made_up() -> dict:
    runs = [
        {"predictor": name, "size": size, "seed": seed, "tau": 0.5 + seed / 10, "seconds": 2.0}
        for name in predictor_quality.OURS
        for size in (78, 156, 469)
        for seed in (0, 2)
    ]
    summary = predictor_quality.summarize(runs, [78, 156, 469])
    sizes = [78, 156, 469]
    return {"space": "nasbench201", "sizes": sizes, "seeds": 2, "cells": 15_625, "summary": summary}


def test_section_and_plot(tmp_path):
    record = made_up()
    unchanged = copy.deepcopy(record)
    section = predictor_quality.section(record)
    (table,) = section.tables
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert table.rows[0][1:] == ["0.600 ± 0.141"] * 3 + ["2.00"]
    assert any(row[0] == "published: PINAT" and row[1:4] == ["0.549", "0.631", "0.706"] for row in table.rows)
    assert "So far 2 of 10 seeds" in section.notes[-1]
    assert "78 cells: 0.600, published 0.549, target 0.60 reached" in section.notes[0]
    assert "156 cells: 0.600, published 0.631, target 0.66 missed" in section.notes[0]
    assert predictor_quality.draw(record, tmp_path) == section.plots
    assert (tmp_path / section.plots[0]).stat().st_size > 1000
    assert record == unchanged
