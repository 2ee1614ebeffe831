"""The benchmark scripts of the graph autoencoders run, and their records hold what they print."""

from __future__ import annotations

import pytest
from benchmark_run import needs_table, run

from search_spaces import ENASMacro6


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
    printed, record = run("latent_speed.py", *sizes, output=tmp_path / "speed.json")
    assert set(record["seconds"]) == {"DVAE", "SVAE", "VSGAE-nasbench101"}
    for found in record["seconds"].values():
        assert len(found) == 5
        assert all(len(times) == 2 and min(times) > 0 for times in found.values())
    assert record["times_as_fast"] == {}  # only at the published size
    times = record["seconds"]["VSGAE-nasbench101"]["update of 4 graphs, float32"]
    rate = record["graphs_per_second"]["VSGAE-nasbench101"]["update of 4 graphs, float32"]
    assert rate == pytest.approx(4 / (sum(times) / 2))  # the median of two
    assert f"{rate:,.0f} graphs/s (update of 4 graphs, float32)" in printed
    assert f"{sorted(record['seconds']['SVAE']['generation of 10 graphs'])[0]:8.3f}" in printed


@pytest.fixture
def table() -> None:
    needs_table(ENASMacro6())


@pytest.mark.usefixtures("table")
def test_training_benchmark_goes_on_where_it_stopped(tmp_path):
    sizes = ["--epochs", "2", "--hidden", "8", "--latent", "3", "--graphs", "60", "--every", "1"]
    sizes += ["--latents", "20", "--gp-seeds", "2", "--folder", str(tmp_path / "runs")]
    output = tmp_path / "training.json"
    _, first = run("enas6_autoencoders.py", *sizes, "--models", "SVAE", output=output)
    found = first["models"]["SVAE"]
    assert [row["number"] for row in found["curve"]] == [1, 2]
    assert {"loss", "reconstruction", "kl", "test_accuracy"} <= set(found["curve"][0])
    assert set(found["measures"]) >= {"accuracy", "validity", "uniqueness", "novelty", "rmse", "pearson"}
    assert len(found["measures"]["rmse_of_seeds"]) == 2
    assert found["published"]["rmse"] == 0.478
    printed, both = run("enas6_autoencoders.py", *sizes, "--models", "SVAE", "GCN", output=output)
    assert both["models"]["SVAE"] == found  # neither trained nor measured again
    assert set(both["models"]) == {"SVAE", "GCN"}
    assert f"{both['models']['GCN']['measures']['rmse']:12.3f}" in printed
