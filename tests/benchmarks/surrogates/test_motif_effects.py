"""Motif effects: the script with few trials, its figures against plain ones, and its section."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from benchmark_run import run
from scipy.stats import spearmanr

from benchmarks.surrogates import motif_effects
from graphnas import ArchitectureBatch
from graphnas.surrogate import explain


@pytest.mark.slow
@pytest.mark.usefixtures("table201")
def test_script(tmp_path):
    """What is recorded are the effects of an explanation beside plain means of the table."""
    output = tmp_path / "record.json"
    arguments = ("--arms", "random search", "--seeds", "1", "--trials", "40")
    text, record = run("surrogates.motif_effects", *arguments, output=output)
    assert "So far 1 of 5 seeds" in text
    (only,) = record["runs"]
    truth = motif_effects.Truth()
    architectures, values = motif_effects.trials("random search", truth, 40, 0)
    found = explain(architectures, values, truth.space)
    assert only["motifs"] == len(found.effects)
    assert only["first"]["effect"] == pytest.approx([e.effect for e in found.effects], abs=1e-3)
    inside = [e.low <= truth.alone[e.name] <= e.high for e in found.effects]
    figures = only["estimates"][motif_effects.EFFECT]
    assert figures["inside"] == pytest.approx(np.mean(inside))
    expected = spearmanr([e.effect for e in found.effects], [truth.alone[e.name] for e in found.effects])
    assert figures["rank"] == pytest.approx(expected.statistic)
    # One sub-graph by hand: cells in which all that reaches the output goes through one convolution at first.
    batch = ArchitectureBatch.from_architectures(list(truth.space.enumerate()))
    values = truth.table.values(batch)
    convolution = truth.space.node_labelled_ops.index("nor_conv_3x3")
    having = np.array(
        [
            graph.operations[np.flatnonzero(graph.adjacency[0])].tolist() == [convolution]
            for graph in truth.space.active_batch(batch).to_architectures()
        ]
    )
    expected = values[having].mean() - values[~having].mean()
    assert truth.alone["input → nor_conv_3x3"] == pytest.approx(expected, abs=1e-3)
    text, again = run("surrogates.motif_effects", *arguments, output=output)
    assert "1 runs of" in text
    assert again == record


def made_up() -> dict:
    estimates = {
        name: {"rank": 0.2, "rank_linear": 0.1, "error": 2.0, "inside": 0.5}
        for name in motif_effects.ESTIMATES
    }
    estimates[motif_effects.TRIALS_ONLY]["inside"] = None
    runs = []
    for arm, rank in zip(motif_effects.ARMS, (0.9, 0.1), strict=True):
        for seed in (0, 1):
            own = copy.deepcopy(estimates)
            own[motif_effects.EFFECT] |= {"rank": rank, "inside": 0.8 + seed / 10}
            first = {"effect": [1.0, -1.0], "low": [0.5, -2.0], "high": [1.5, 0.0], "truth": [1.2, -0.5]}
            runs.append(
                {
                    "arm": arm,
                    "seed": seed,
                    "motifs": 2,
                    "clear": 2,
                    "wrong_sign": seed,
                    "worst": 20.0 + seed,
                    "estimates": own,
                    "first": first,
                }
            )
    return {"trials": 100, "seeds": 2, "cells": 15_625, "lowest": 10.0, "runs": runs}


def test_section_and_plot(tmp_path):
    record = made_up()
    unchanged = copy.deepcopy(record)
    section = motif_effects.section(record)
    (table,) = section.tables
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert table.rows[0][1:] == ["0.90 ± 0.00", "0.10 ± 0.00", "2.00 ± 0.00", "85 ± 7"]
    assert table.rows[2][-1] == ""
    assert len(section.notes) == 7
    assert "agrees best with the table (0.90;" in section.notes[0]
    assert "Of 4 effects whose interval is on one side of 0, 1 have the wrong sign" in section.notes[0]
    assert "hold 85 % of the true effects, those of the posterior alone 50 %" in section.notes[1]
    assert (
        "held (80 %) at the seed whose worst trial has 20.0 %; the worst cells have 10.0" in section.notes[1]
    )
    assert "agrees less than difference among the trials (0.10;" in section.notes[3]
    assert "So far 2 of 5 seeds" in section.notes[-1]
    assert motif_effects.draw(record, tmp_path) == section.plots
    assert (tmp_path / section.plots[0]).stat().st_size > 1000
    assert record == unchanged
