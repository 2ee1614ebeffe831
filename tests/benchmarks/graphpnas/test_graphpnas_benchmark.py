"""The benchmark of GraphPNAS's speed runs, and its record holds what it prints."""

from __future__ import annotations

import pytest
from benchmark_run import run


@pytest.mark.slow
def test_graph_generator_speed_benchmark(tmp_path):
    arguments = ["--hidden-size", "16", "--repeats", "2", "--samples", "4", "--queries", "0"]
    printed, record = run("graphpnas.speed", *arguments, output=tmp_path / "speed.json")
    assert set(record["updates"]) == {
        f"{space}, {size} graphs" for space in ("nasbench101", "nasbench201", "randwire") for size in (2, 16)
    }
    row = record["updates"]["nasbench101, 16 graphs"]
    assert row["processor_ms_per_graph"] == pytest.approx(row["processor_ms_lowest"] / 16)
    assert row["times_faster_per_graph"] == pytest.approx(30 / row["processor_ms_per_graph"])
    assert 0 < row["processor_ms_lowest"] <= row["processor_ms"]
    assert list(record["samples"]) == [
        "nasbench101, 7 nodes, untrained, float32",
        *(f"randwire, 32 nodes, {w}, {p}" for w in ("fitted", "untrained") for p in ("float32", "bfloat16")),
    ]
    assert {sample["samples"] for sample in record["samples"].values()} == {4}
    assert "search" not in record
    assert f"{row['times_faster_per_graph']:.1f}" in printed


@pytest.mark.usefixtures("table101")
def test_graph_generator_search_benchmark(tmp_path):
    _, record = run("graphpnas.speed", "--only-search", "--queries", "9", output=tmp_path / "speed.json")
    assert "updates" not in record
    assert record["search"]["queries"] == 9
    assert record["search"]["preset"] == "nasbench101"
    assert record["search"]["processor"] > 0
