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
    assert difference.verdict.startswith("the same")  # 0.67 is within 4.3 standard errors of 0.17
    assert arms.paired([1.0, 2.0, 3.0, 4.0], [0.5, 1.0, 2.5, 3.0]).verdict == "larger"  # 3.2 of 0.14
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


def test_the_gaussian_process_is_scikit_learns(load):
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    rng = np.random.default_rng(1)
    bits = rng.integers(2, size=(400, 10)).astype(np.float32)
    targets = 90 + np.sin(bits.astype(float) @ np.arange(10)) + 0.1 * rng.standard_normal(400)
    kernel = ConstantKernel(1.0) * RBF(3.0, (0.3, 100.0)) + WhiteKernel(0.1, (1e-4, 10.0))
    few = GaussianProcessRegressor(kernel, normalize_y=True).fit(bits[:200], targets[:200])
    process = GaussianProcessRegressor(few.kernel_, normalize_y=True, optimizer=None)
    expected = process.fit(bits[:300], targets[:300]).predict(bits[300:])
    found = load("nasgem_arms").gaussian_process(bits[:300], targets[:300], bits[300:], 0)
    np.testing.assert_allclose(found, expected, atol=1e-6)


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


@pytest.mark.usefixtures("table")
def test_bias_benchmark_reports_what_was_picked(load, tmp_path):
    sizes = ["--iterations", "10", "--pairs", "100", "--sizes", "40", "60", "--seeds", "1"]
    output = tmp_path / "bias.json"
    printed, record = run("nasgem_bias.py", *sizes, "--target", "validation", output=output)
    assert record["known"] == 30_001
    script = load("nasgem_bias")
    assert script.draw(record, tmp_path) == ["bias.png"]
    check_section(script.section(record), record, tmp_path)
    (only,) = record["runs"]
    for arm in script.ARMS:
        assert all(picked <= record["best"] for picked in only["picked"][arm])
        assert f"{record['best'] - only['picked'][arm][1]:.3f} ±" in printed
    # All 30,001 cells are candidates, so the best of them is the best there is.
    assert only["picked"][script.BEST_CANDIDATE] == [record["best"]] * 2


def test_smoothing_leaves_the_point_itself_out(load):
    script = load("nasgem_embeddings")
    rng = np.random.default_rng(0)
    points, values = rng.standard_normal((20, 2)), rng.random(20)
    width = points.std(0) * 20 ** (-1 / 6)
    found = script.smoothed(points, values)
    for k in range(20):
        others = np.arange(20) != k
        weights = np.exp(-0.5 * (((points[others] - points[k]) / width) ** 2).sum(1))
        assert found[k] == pytest.approx((weights * values[others]).sum() / weights.sum(), abs=1e-6)


def test_numbers_in_a_record_come_back(load):
    script = load("nasgem_embeddings")
    values = np.array([0.12345, -6.0, 1e-9, 81.2345])
    np.testing.assert_allclose(script.unpacked(script.packed(values, 4)), values, rtol=1e-3)


def test_the_plane_holds_the_largest_variance(load):
    script = load("nasgem_embeddings")
    rng = np.random.default_rng(0)
    table = rng.standard_normal((100, 4)) * [0.1, 3.0, 0.2, 2.0]
    points, share = script.plane(table)
    variances = table.var(0)
    assert share == pytest.approx((variances[1] + variances[3]) / variances.sum(), abs=0.02)
    assert abs(np.corrcoef(points[:, 0], table[:, 1])[0, 1]) > 0.97


def test_similarity_loss_benchmark_goes_on_where_it_stopped(load, tmp_path):
    output = tmp_path / "loss.json"
    sizes = ["--nodes", "5", "8", "--dimensions", "3", "6", "--iterations", "30", "--pairs", "80"]
    sizes += ["--test", "40"]
    _, first = run("nasgem_similarity_loss.py", *sizes, "--targets", "raw", output=output)
    printed, record = run("nasgem_similarity_loss.py", *sizes, output=output)
    assert "4 encoders of" in printed
    assert record["runs"][:4] == first["runs"]
    script = load("nasgem_similarity_loss")
    assert script.draw(record, tmp_path) == ["loss.png"]
    section = script.section(record)
    check_section(section, record, tmp_path)
    for target, table in zip(("raw", "centred"), section.tables, strict=False):
        for row, nodes in zip(table.rows, (5, 8), strict=True):
            losses = [script.find(record, target, nodes, d)["loss"] for d in (3, 6)]
            assert row[1:3] == [f"{loss:.5f}" for loss in losses]


def test_trends_of_the_loss(load):
    script = load("nasgem_similarity_loss")
    runs = [
        {"target": "raw", "nodes": n, "dimension": d, "loss": n - d / 100}
        for n in (10, 30, 50)
        for d in (10, 20)
    ]
    record = {"nodes": [10, 30, 50], "dimensions": [10, 20], "runs": runs}
    assert script.trend(record, "raw") == (pytest.approx(1), pytest.approx(-1))
    record = {**record, "targets": ["raw"], "runs": runs[:-1]}  # one encoder of 50 nodes is missing
    assert script.finished(record)["nodes"] == [10, 30]
