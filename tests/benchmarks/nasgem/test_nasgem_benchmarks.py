"""NASGEM's experiments: paired differences, scripts that continue where they stopped, and their sections."""

from __future__ import annotations

import copy
import json
import re
import sys

import numpy as np
import pytest
from benchmark_run import check_section, run

from benchmarks.nasgem import arms, bias, correlation, embeddings, guidance, similarity_loss, trained_cells


def test_differences_at_equal_seeds():
    difference = arms.paired([1.0, 2.0, 3.0], [0.5, 1.0, 2.5])
    assert difference.mean == pytest.approx(2 / 3)
    assert difference.error == pytest.approx(np.std([0.5, 1.0, 0.5], ddof=1) / np.sqrt(3))
    assert difference.verdict.startswith("the same")  # 0.67 is within 4.3 standard errors of 0.17
    assert arms.paired([1.0, 2.0, 3.0, 4.0], [0.5, 1.0, 2.5, 3.0]).verdict == "larger"  # 3.2 of 0.14
    assert arms.paired([0.0, 0.1], [1.0, 1.2]).verdict == "smaller"
    assert arms.paired([0.0, 1.0], [1.0, 0.0]).verdict.startswith("the same")
    assert arms.paired([0.0], [1.0]).verdict.startswith("the same")  # one seed says nothing


def test_a_claim_is_judged_by_all_its_differences():
    up, down, same = arms.Paired(1.0, 0.1, 9), arms.Paired(-1.0, 0.1, 9), arms.Paired(0.1, 0.1, 9)
    assert arms.judged([up, up], ["a", "b"], "larger") == ("holds", "larger at a, b")
    assert arms.judged([up, same], ["a", "b"], "larger")[0] == "holds in part"
    assert arms.judged([down, same], ["a", "b"], "larger")[0] == "does not hold"
    assert arms.judged([down, same], ["a", "b"], "smaller")[0] == "holds in part"
    holds, where = arms.judged([same, same], ["a", "b"], "larger")
    assert holds == "is not shown"
    assert where == "the same within the 95 % interval at a, b"


@pytest.mark.parametrize("name", ["ridge", "Gaussian process", "extra-trees", "perceptron"])
def test_regressors_learn_a_linear_function(name):
    rng = np.random.default_rng(0)
    bits = rng.integers(2, size=(300, 8)).astype(np.float32)
    targets = 90 + bits.astype(float) @ np.arange(8)
    regress = arms.REGRESSORS.get(name, arms.perceptron)
    predicted = regress(bits[:200], targets[:200], bits[200:], 0)
    assert np.corrcoef(predicted, targets[200:])[0, 1] > 0.97
    np.testing.assert_array_equal(regress(bits[:200], targets[:200], bits[200:], 0), predicted)


def test_the_gaussian_process_is_scikit_learns():
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    rng = np.random.default_rng(1)
    bits = rng.integers(2, size=(400, 10)).astype(np.float32)
    targets = 90 + np.sin(bits.astype(float) @ np.arange(10)) + 0.1 * rng.standard_normal(400)
    kernel = ConstantKernel(1.0) * RBF(3.0, (0.3, 100.0)) + WhiteKernel(0.1, (1e-4, 10.0))
    few = GaussianProcessRegressor(kernel, normalize_y=True).fit(bits[:200], targets[:200])
    process = GaussianProcessRegressor(few.kernel_, normalize_y=True, optimizer=None)
    expected = process.fit(bits[:300], targets[:300]).predict(bits[300:])
    found = arms.gaussian_process(bits[:300], targets[:300], bits[300:], 0)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def correlation_record(kernel: float) -> dict:
    """Two seeds of made-up figures: the kernel's arm differs from all others by ``kernel``."""
    runs = []
    for seed in (0, 1):
        tau = {arm: [0.5 + 0.01 * seed, 0.6 + 0.01 * seed] for arm in correlation.ARMS}
        tau[correlation.KERNEL] = [value + kernel + 0.001 * seed for value in tau[correlation.KERNEL]]
        losses = {arm: {"similarity": 0.1, "reconstruction": 0.0} for arm in correlation.ENCODERS}
        runs.append({"seed": seed, "tau": tau, "pearson": copy.deepcopy(tau), "losses": losses})
    encoder = {"pairs": 10, "iterations": 10, "batch_size": 10, "dimension": 3}
    return {
        "name": "made_up",
        "cells": "nasbench101",
        "shares": [10, 100],
        "encoder": encoder,
        "known": 2494,
        "runs": runs,
    }


def test_the_section_says_whether_the_claims_hold(tmp_path):
    better, worse = correlation_record(0.1), correlation_record(-0.1)
    for record, words in ((better, "holds here"), (worse, "does not hold here")):
        assert correlation.draw(record, tmp_path) == ["made_up.png"]
        section = correlation.section(record)
        check_section("benchmarks.nasgem.correlation", record, tmp_path)
        claims = [note for note in section.notes if note.startswith("The paper's claim")]
        assert len(claims) == 2
        assert all(words in claim for claim in claims)
    rows = {row[0]: row[1:] for row in correlation.section(better).tables[0].rows}
    assert rows[f"paper, {correlation.KERNEL}"] == ["0.48", "0.55"]
    assert rows[correlation.ADJACENCY][0] == "0.505 ± 0.007"
    difference = correlation.section(better).tables[2].rows[0]
    assert difference[1].startswith("+0.1")
    few = correlation.section({**better, "cells": "nasgem_bench", "known": 400})
    assert "on 160 test cells by share of the 240 training cells" in few.tables[0].caption
    assert "240/160" in few.protocol


def test_cells_of_the_bench_have_different_graphs_and_come_back_from_their_bits(tmp_path):
    space, cells = trained_cells.bench_space(), trained_cells.different_cells(50)
    assert len({space.key(cell) for cell in cells}) == 50
    assert trained_cells.different_cells(20) == cells[:20]
    runs = [
        {"cell": trained_cells.bits_of(cell), "value": float(k), "macs": k} for k, cell in enumerate(cells)
    ]
    runs[3]["value"] = None  # a training that failed
    path = tmp_path / "cells.json"
    path.write_text(json.dumps({"runs": runs}))
    batch, values, _ = trained_cells.stored_cells(path)
    assert batch.to_architectures() == cells[:3] + cells[4:]
    assert values.tolist() == [0.0, 1.0, 2.0, *map(float, range(4, 50))]
    with pytest.raises(SystemExit, match="trained_cells makes it"):
        trained_cells.stored_cells(tmp_path / "none.json")


@pytest.mark.slow
@pytest.mark.usefixtures("cifar10")
def test_trained_cells_go_on_where_they_stopped(tmp_path):
    sizes = ["--epochs", "1", "--train-fraction", "0.01", "--width", "2", "--repeats", "1"]
    sizes += ["--image-size", "16"]
    output = tmp_path / "cells.json"
    _, first = run("nasgem.trained_cells", *sizes, "--cells", "1", output=output)
    printed, record = run("nasgem.trained_cells", *sizes, "--cells", "2", "--workers", "2", output=output)
    assert "1 cells of" in printed
    assert record["runs"][0] == first["runs"][0]
    assert record["repeats"] == first["repeats"]
    oracle = trained_cells.evaluator((1, 0.01, 2, 16, 128, 0.05), 0, "cpu", None)
    (cell,) = trained_cells.different_cells(1)
    assert oracle.data.train.shape == (3, 16, 16)
    # The multiply-accumulates of images with a quarter of the pixels.
    assert first["runs"][0]["macs"] == oracle.evaluate(cell).macs
    assert [run["cell"] for run in record["runs"]] == [
        trained_cells.bits_of(cell) for cell in trained_cells.different_cells(2)
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("table101")
def test_correlation_benchmark_goes_on_where_it_stopped(tmp_path):
    sizes = ["--iterations", "20", "--pairs", "200", "--shares", "10"]
    output = tmp_path / "correlation.json"
    _, first = run("nasgem.correlation", *sizes, "--seeds", "1", output=output)
    assert first["known"] == 2494
    printed, record = run("nasgem.correlation", *sizes, "--seeds", "2", output=output)
    assert "1 seeds of" in printed
    assert record["runs"][0] == first["runs"][0]
    assert [r["seed"] for r in record["runs"]] == [0, 1]
    for arm, values in record["runs"][1]["tau"].items():
        assert len(values) == 1
        mean = np.mean([r["tau"][arm][0] for r in record["runs"]])
        assert f"{mean:.3f} ±" in printed


@pytest.mark.slow
@pytest.mark.usefixtures("table101")
def test_bias_benchmark_reports_what_was_picked(tmp_path):
    sizes = ["--iterations", "10", "--pairs", "100", "--sizes", "40", "60", "--seeds", "1"]
    output = tmp_path / "bias.json"
    printed, record = run("nasgem.bias", *sizes, "--target", "validation", output=output)
    assert record["known"] == 30_001
    assert bias.draw(record, tmp_path) == ["bias.png"]
    check_section("benchmarks.nasgem.bias", record, tmp_path)
    (only,) = record["runs"]
    for arm in bias.ARMS:
        assert all(picked <= record["best"] for picked in only["picked"][arm])
        regret = record["best"] - only["picked"][arm][1]
        (row,) = [line for line in printed.splitlines() if line.startswith(f"{arm}  ")]
        assert f"  {regret:.3f}" in row  # of one seed, without a deviation
        assert "±" not in row
    # All 30,001 cells are candidates, so the best of them is the best there is.
    assert only["picked"][bias.BEST_CANDIDATE] == [record["best"]] * 2


def test_smoothing_leaves_the_point_itself_out():
    rng = np.random.default_rng(0)
    points, values = rng.standard_normal((20, 2)), rng.random(20)
    width = points.std(0) * 20 ** (-1 / 6)
    found = embeddings.smoothed(points, values)
    for k in range(20):
        others = np.arange(20) != k
        weights = np.exp(-0.5 * (((points[others] - points[k]) / width) ** 2).sum(1))
        assert found[k] == pytest.approx((weights * values[others]).sum() / weights.sum(), abs=1e-6)


def test_numbers_in_a_record_come_back():
    values = np.array([0.12345, -6.0, 1e-9, 81.2345])
    np.testing.assert_allclose(embeddings.unpacked(embeddings.packed(values, 4)), values, rtol=1e-3)


def test_the_plane_holds_the_largest_variance():
    rng = np.random.default_rng(0)
    table = rng.standard_normal((100, 4)) * [0.1, 3.0, 0.2, 2.0]
    points, share = embeddings.plane(table)
    variances = table.var(0)
    assert share == pytest.approx((variances[1] + variances[3]) / variances.sum(), abs=0.02)
    assert abs(np.corrcoef(points[:, 0], table[:, 1])[0, 1]) > 0.97


@pytest.mark.slow
def test_similarity_loss_benchmark_goes_on_where_it_stopped(tmp_path):
    output = tmp_path / "loss.json"
    sizes = ["--nodes", "5", "8", "--dimensions", "3", "6", "--iterations", "30", "--pairs", "80"]
    sizes += ["--test", "40"]
    _, first = run("nasgem.similarity_loss", *sizes, output=output)
    printed, record = run("nasgem.similarity_loss", *sizes, "--targets", "raw", "centred", output=output)
    assert "4 encoders of" in printed
    assert record["runs"][:4] == first["runs"]
    assert similarity_loss.draw(record, tmp_path) == ["loss.png"]
    section = similarity_loss.section(record)
    check_section("benchmarks.nasgem.similarity_loss", record, tmp_path)
    for target, table in zip(("raw", "centred"), section.tables, strict=False):
        for row, nodes in zip(table.rows, (5, 8), strict=True):
            losses = [similarity_loss.find(record, target, nodes, d)["loss"] for d in (3, 6)]
            assert row[1:3] == [f"{loss:.5f}" for loss in losses]


def test_trends_of_the_loss():
    runs = [
        {"target": "raw", "nodes": n, "dimension": d, "loss": n - d / 100}
        for n in (10, 30, 50)
        for d in (10, 20)
    ]
    record = {"nodes": [10, 30, 50], "dimensions": [10, 20], "runs": runs}
    assert similarity_loss.trend(record, "raw") == (pytest.approx(1), pytest.approx(-1))
    record = {**record, "targets": ["raw"], "runs": runs[:-1]}  # one encoder of 50 nodes is missing
    assert similarity_loss.finished(record)["nodes"] == [10, 30]


def test_speed_benchmark(tmp_path):
    sizes = ["--nodes", "6", "--pairs", "200", "--iterations", "20", "--candidates", "300", "--repeats", "1"]
    printed, record = run("nasgem.speed", *sizes, output=tmp_path / "speed.json")
    assert record["training"]["iteration"] == 20
    assert len(record["seconds"]) == 4
    assert "one proposal among 300" in printed


@pytest.mark.usefixtures("cifar10")
def test_the_published_cells_say_what_they_would_take(tmp_path, capsys, monkeypatch):
    output = tmp_path / "record.json"
    monkeypatch.setattr(sys, "argv", ["trained_cells", "--output", str(output), "--dry-run"])
    assert trained_cells.main() == 0
    printed = capsys.readouterr().out
    assert re.search(r"  cells +1,000\n", printed)
    assert re.search(r"  images trained on +45,000\n", printed)
    steps = 1040 * 30 * 352  # 1,000 cells and 40 again, of 30 epochs, of 45,000 images by 128
    assert re.search(rf"  training step of 128 images +{steps:,} ", printed)
    assert not output.exists()


@pytest.mark.usefixtures("table101")
@pytest.mark.parametrize(
    ("script", "work"),
    [
        (embeddings, {"pair": 5 * 3 * 50_000, "update": 5 * 3 * 10_000, "all else of a seed": 5}),
        (correlation, {"pair": 20 * 3 * 50_000, "update": 20 * 3 * 10_000, "all else of a seed": 20}),
        (bias, {"pair": 20 * 2 * 50_000, "update": 20 * 2 * 10_000, "all else of a seed": 20}),
    ],
    ids=lambda value: value.__name__.rpartition(".")[2] if hasattr(value, "main") else "",
)
def test_a_published_experiment_says_what_it_would_take(script, work, tmp_path, capsys, monkeypatch):
    output = tmp_path / "record.json"
    monkeypatch.setattr(sys, "argv", [script.__name__, "--output", str(output), "--dry-run"])
    assert script.main() == 0
    printed = capsys.readouterr().out
    for name, times in work.items():
        assert re.search(rf"  {name} +{times:,} ", printed)
    assert "Estimate, measured on this machine" in printed
    assert not output.exists()


def test_guidance_is_measured_beside_the_best_constant(tmp_path, capsys, monkeypatch):
    output = tmp_path / "record.json"
    sizes = ["--spaces", "nasbench201", "--iterations", "400", "--pairs", "4000"]
    run("nasgem.guidance", *sizes, "--dimensions", "30", "--seeds", "1", output=output)
    printed, record = run("nasgem.guidance", *sizes, "--dimensions", "30", "2", "--seeds", "2", output=output)
    assert "1 encoders" in printed
    runs = {(one["arm"], one["seed"]): one for one in record["runs"]}
    assert set(runs) == {(f"nasbench201, d = {d}", seed) for d in (30, 2) for seed in (0, 1)}
    for seed in (0, 1):
        large, small = (runs[f"nasbench201, d = {d}", seed] for d in (30, 2))
        assert min(large["spearman"], small["spearman"]) > 0.3
        assert large["bits"] > small["bits"]
        assert large["constant"] == small["constant"] > 0  # the same unseen pairs
    record["runs"] = [
        {**one, "loss": one["constant"] * (2 if one["arm"][-1] == "2" else 0.5)} for one in runs.values()
    ]
    better, worse = guidance.section(record).notes
    assert better == "On every seed better than the best constant: nasbench201, d = 30."
    assert worse.startswith("Not on every seed: nasbench201, d = 2: ")
    monkeypatch.setattr(sys, "argv", ["guidance", "--output", str(tmp_path / "none.json"), "--dry-run"])
    assert guidance.main() == 0
    assert re.search(r"update of gemnet +60,000 ", capsys.readouterr().out)


def test_the_figure_of_sizes_says_what_it_would_take(tmp_path, capsys, monkeypatch):
    output = tmp_path / "record.json"
    monkeypatch.setattr(sys, "argv", ["similarity_loss", "--output", str(output), "--dry-run"])
    assert similarity_loss.main() == 0
    printed = capsys.readouterr().out
    assert re.search(r"encoders +35\n", printed)
    for nodes in similarity_loss.NODES:
        assert re.search(rf"pair of {nodes} nodes +50,500 ", printed)
        assert re.search(rf"update of {nodes} nodes +50,000 ", printed)
    assert not output.exists()
