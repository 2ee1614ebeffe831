"""The benchmark scripts of the graph autoencoders run, and their records hold what they print."""

from __future__ import annotations

import numpy as np
import pytest
from benchmark_run import run


@pytest.mark.slow
def test_speed_benchmark(tmp_path):
    sizes = [
        "--models",
        "DVAE",
        "SVAE",
        "VSGAE-nasbench101",
        "--hidden",
        "8",
        "--batch-sizes",
        "4",
        "--graphs",
        "10",
        "--repeats",
        "2",
    ]
    printed, record = run("autoencoders.latent_speed", *sizes, output=tmp_path / "speed.json")
    assert set(record["seconds"]) == {"DVAE", "SVAE", "VSGAE-nasbench101"}
    for found in record["seconds"].values():
        assert len(found) == 5
        assert all(len(times) == 2 and min(times) > 0 for times in found.values())
    assert record["times_as_fast"] == {}  # only at the published size
    times = record["seconds"]["VSGAE-nasbench101"]["update of 4 graphs, float32"]
    rate = record["graphs_per_second"]["VSGAE-nasbench101"]["update of 4 graphs, float32"]
    assert rate == pytest.approx(4 / (sum(times) / 2))  # the median of two
    assert f"{rate:,.0f}" in printed
    assert f"{sorted(record['seconds']['SVAE']['generation of 10 graphs'])[0]:.3f}" in printed


@pytest.mark.slow
@pytest.mark.usefixtures("enas_table")
def test_training_benchmark_goes_on_where_it_stopped(tmp_path):
    sizes = ["--epochs", "2", "--hidden", "8", "--graphs", "60", "--latents", "20", "--gp-seeds", "2"]
    sizes += ["--gpytorch-seeds", "0", "--folder", str(tmp_path / "runs")]
    output = tmp_path / "training.json"
    script = "autoencoders.enas6_autoencoders"
    _, first = run(script, *sizes, "--arms", "S-VAE", "--seeds", "1", output=output)
    (found,) = first["runs"]
    assert [row["number"] for row in found["curve"]] == [1, 2]
    assert (
        0
        < found["curve"][0]["cpu_seconds"]
        < found["curve"][1]["cpu_seconds"]
        == found["rounds"][0]["cpu_seconds"]
    )
    (measured,) = found["rounds"]
    assert set(measured["sampled"]) == {"accuracy", "validity", "well_formed", "uniqueness", "novelty"}
    assert measured["likeliest"]["accuracy"] == found["curve"][-1]["exact"]
    assert len(measured["sparse_process"]["rmse_of_seeds"]) == 2
    printed, both = run(script, *sizes, "--arms", "DVAE-EMB", "S-VAE", "--seeds", "1", output=output)
    assert both["runs"][0] == found  # neither trained nor measured again, and in the order of the report
    assert [r["arm"] for r in both["runs"]] == ["S-VAE", "DVAE-EMB"]
    assert [r["round"] for r in both["runs"][1]["rounds"]] == [1, 2, 3, 4]
    assert len(both["runs"][1]["curve"]) == 8
    last = both["runs"][1]["rounds"][3]["sparse_process"]["rmse"]
    (row,) = [x for x in printed.splitlines() if x.startswith("DVAE-EMB, T = 4")]
    assert f"  {last:.3f}  " in row  # of one seed, without a deviation


@pytest.mark.slow
@pytest.mark.usefixtures("table101")
def test_abilities_benchmark(tmp_path):
    sizes = ["--cells", "200", "--test-cells", "15", "--epochs", "2", "--hidden", "8", "--decodings", "2"]
    sizes += ["--seeds", "1", "--folder", str(tmp_path / "runs"), "--arms", "as printed"]
    printed, record = run("autoencoders.vsgae_abilities", *sizes, output=tmp_path / "abilities.json")
    (found,) = record["runs"]
    assert (record["train"], record["test"]) == (180, 15)
    assert found["likeliest"]["accuracy"] == found["curve"][-1]["exact"]
    assert len(found["curve"]) == 2
    assert len(found["spectrum"]) == 56
    assert found["spectrum"] == sorted(found["spectrum"], reverse=True)
    assert sum(found["histogram"]) * 0.1 == pytest.approx(1)
    assert f"  {found['sampled']['well_formed']:.2f}  " in printed


@pytest.mark.slow
@pytest.mark.usefixtures("enas_table")
def test_regression_benchmark(tmp_path):
    arguments = ["--graphs", "120", "--seeds", "2", "--baseline-seeds", "1"]
    printed, record = run(
        "autoencoders.enas6_latent_regression", *arguments, output=tmp_path / "regression.json"
    )
    for name, runs in record["runs"].items():
        errors = np.array(list(runs.values()))
        assert record["summary"][name]["rmse"] == pytest.approx(errors[:, 0].mean())
        assert name in printed
    assert len(record["runs"]["500-point GP on FeatureVAE, supervised"]) == 2
    assert set(record["models"]) == {"supervised", "unsupervised"}
    assert record["summary"]["predict the mean"]["pearson"] == 0


@pytest.mark.slow
@pytest.mark.usefixtures("table101")
def test_prediction_benchmark_goes_on_where_it_stopped(tmp_path):
    sizes = ["--cells", "300", "--epochs", "2", "--hidden", "8", "--latent", "8", "--seeds", "2"]
    sizes += ["--autoencoder-hidden", "8", "--updates", "4", "--folder", str(tmp_path / "runs")]
    output, script = tmp_path / "prediction.json", "autoencoders.vsgae_prediction"
    _, first = run(script, *sizes, "--tasks", "zero-shot-7", output=output)
    assert [(r["task"], r["seed"]) for r in first["runs"]] == [("zero-shot-7", 0), ("zero-shot-7", 1)]
    found = first["runs"][0]
    assert sum(found["cells"].values()) == 300
    assert found["mean"] > 0
    errors = [np.square(found["sorted"]["rmse"]), found["sorted"]["truth"]]
    assert errors[1] == sorted(errors[1])
    assert len(errors[1]) == 50
    assert np.sqrt(errors[0].mean()) == pytest.approx(found["predictor"], rel=0.05)  # groups differ by a cell
    assert set(found["curve"][0]) >= {"train_rmse", "validation_rmse", "test_rmse", "cpu_seconds"}
    printed, both = run(
        script, *sizes, "--tasks", "zero-shot-7", "sampling", "--shares", "0.3", output=output
    )
    assert [one for one in both["runs"] if one["task"] == "zero-shot-7"] == first["runs"]  # not run again
    assert "5.71" in printed
    for method in ("sizes", "edit distances", "latent bins"):
        rows = [one for one in both["runs"] if one["sampling"] == method]
        assert [one["seed"] for one in rows] == [0, 1]
        assert all(len(one["curve"]) == 4 for one in rows)  # one update in each epoch
        assert all(50 <= one["cells"]["train"] <= 80 for one in rows)
        assert f"{sum(one['predictor'] for one in rows) / 2:.2f} ±" in printed
    assert any("300 of the" in note for note in both["notes"])
