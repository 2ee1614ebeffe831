"""NASGEM's experiments: paired differences, scripts that go on where they stopped, sections from records."""

from __future__ import annotations

import copy
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from graphnas.errors import DataNotFound
from search_spaces import NASBench101
from search_spaces.tables import open_table

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """A benchmark's script as a module."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def table() -> None:
    try:
        open_table(NASBench101())
    except DataNotFound as error:
        pytest.skip(str(error))


def run(script: str, *arguments: str, output: Path) -> tuple[str, dict]:
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments, "--output", str(output)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(output.read_text())


def check_section(section, record, folder) -> None:
    """Rectangular tables, and plots that are drawn where it says."""
    assert section.tables
    for table in section.tables:
        assert all(len(row) == len(table.columns) for row in table.rows)
    assert section.protocol
    for name in section.plots:
        assert (folder / name).stat().st_size > 1000


def test_differences_at_equal_seeds(load):
    arms = load("nasgem_arms")
    difference = arms.paired([1.0, 2.0, 3.0], [0.5, 1.0, 2.5])
    assert difference.mean == pytest.approx(2 / 3)
    assert difference.error == pytest.approx(np.std([0.5, 1.0, 0.5], ddof=1) / np.sqrt(3))
    assert difference.verdict == "larger"
    assert arms.paired([0.0, 0.1], [1.0, 1.2]).verdict == "smaller"
    assert arms.paired([0.0, 1.0], [1.0, 0.0]).verdict.startswith("the same")
    assert arms.paired([0.0], [1.0]).verdict.startswith("the same")  # one seed says nothing


@pytest.mark.parametrize("name", ["ridge", "Gaussian process", "extra-trees", "perceptron"])
def test_regressors_learn_a_linear_function(load, name):
    arms = load("nasgem_arms")
    rng = np.random.default_rng(0)
    bits = rng.integers(2, size=(300, 8)).astype(np.float32)
    targets = 90 + bits.astype(float) @ np.arange(8)
    regress = arms.REGRESSORS.get(name, arms.perceptron)
    predicted = regress(bits[:200], targets[:200], bits[200:], 0)
    assert np.corrcoef(predicted, targets[200:])[0, 1] > 0.97
    np.testing.assert_array_equal(regress(bits[:200], targets[:200], bits[200:], 0), predicted)


def correlation_record(load, kernel: float) -> dict:
    """Two seeds of made-up figures: the kernel's arm differs from all others by ``kernel``."""
    script = load("nasgem_correlation")
    runs = []
    for seed in (0, 1):
        tau = {arm: [0.5 + 0.01 * seed, 0.6 + 0.01 * seed] for arm in script.ARMS}
        tau[script.KERNEL] = [value + kernel + 0.001 * seed for value in tau[script.KERNEL]]
        losses = {arm: {"similarity": 0.1, "reconstruction": 0.0} for arm in script.ENCODERS}
        runs.append({"seed": seed, "tau": tau, "pearson": copy.deepcopy(tau), "losses": losses})
    encoder = {"pairs": 10, "iterations": 10, "batch_size": 10, "dimension": 3}
    return {"name": "made_up", "shares": [10, 100], "encoder": encoder, "known": 2494, "runs": runs}


def test_the_section_says_whether_the_claims_hold(load, tmp_path):
    script = load("nasgem_correlation")
    better, worse = correlation_record(load, 0.1), correlation_record(load, -0.1)
    for record, words in ((better, "holds here"), (worse, "does not hold here")):
        assert script.draw(record, tmp_path) == ["made_up.png"]
        section = script.section(record)
        check_section(section, record, tmp_path)
        claims = [note for note in section.notes if note.startswith("The paper's claim")]
        assert len(claims) == 2
        assert all(words in claim for claim in claims)
    rows = {row[0]: row[1:] for row in script.section(better).tables[0].rows}
    assert rows[f"paper, {script.KERNEL}"] == ["0.48", "0.55"]
    assert rows[script.ADJACENCY][0] == "0.505 ± 0.007"
    difference = script.section(better).tables[2].rows[0]
    assert difference[1].startswith("+0.1")


def test_stored_records_make_sections(load):
    found = 0
    for path in sorted((BENCHMARKS / "results").glob("nasgem_*.json")):
        script = load(
            next(
                p.stem
                for p in sorted(BENCHMARKS.glob("nasgem_*.py"), reverse=True)
                if path.stem.startswith(p.stem)
            )
        )
        if hasattr(script, "section"):
            record = json.loads(path.read_text())
            check_section(script.section(record), record, path.parent)
            found += 1
    assert found


@pytest.mark.usefixtures("table")
def test_correlation_benchmark_goes_on_where_it_stopped(tmp_path):
    sizes = ["--iterations", "20", "--pairs", "200", "--shares", "10"]
    output = tmp_path / "correlation.json"
    _, first = run("nasgem_correlation.py", *sizes, "--seeds", "1", output=output)
    assert first["known"] == 2494
    printed, record = run("nasgem_correlation.py", *sizes, "--seeds", "2", output=output)
    assert "1 seeds of" in printed
    assert record["runs"][0] == first["runs"][0]
    assert [r["seed"] for r in record["runs"]] == [0, 1]
    for arm, values in record["runs"][1]["tau"].items():
        assert len(values) == 1
        mean = np.mean([r["tau"][arm][0] for r in record["runs"]])
        assert f"{mean:.3f} ±" in printed
