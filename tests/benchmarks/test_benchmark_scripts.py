"""The benchmark scripts run, and their records hold what their tables print."""

from __future__ import annotations

import pytest
from benchmark_run import needs_table, run

from search_spaces import NASBench101, NASBench201, space_names


@pytest.fixture
def table() -> None:
    needs_table(NASBench201())


@pytest.fixture
def table101() -> None:
    needs_table(NASBench101())


@pytest.mark.usefixtures("table")
def test_sampling_benchmark(tmp_path):
    _, record = run(
        "sampling_seconds.py", "--sizes", "12", "--repeats", "2", output=tmp_path / "sampling.json"
    )
    assert set(record["seconds"]) == {"NASGEMSampler", "Optuna TPE", "Optuna GP"}
    assert all(len(times["12"]) == 2 for times in record["seconds"].values())


def test_speed_benchmark(tmp_path):
    sizes = ["--nodes", "6", "--pairs", "200", "--iterations", "20", "--candidates", "300", "--repeats", "1"]
    printed, record = run("nasgem_speed.py", *sizes, output=tmp_path / "speed.json")
    assert record["training"]["iteration"] == 20
    assert len(record["seconds"]) == 4
    assert "one bootstrap over 300" in printed


def test_kernel_benchmark(tmp_path):
    pytest.importorskip("grakel")
    sizes = ["--graphs", "30", "--nodes", "8", "--repeats", "1"]
    printed, record = run("wl_kernel.py", *sizes, output=tmp_path / "kernel.json")
    assert record["largest_difference_from_grakel"] < 1e-12
    assert record["versions"]["grakel"]
    assert all(name in printed and row["lowest"] > 0 for name, row in record["seconds"].items())


def test_sampling_speed_benchmark(tmp_path):
    printed, record = run("sampling_speed.py", "--size", "100", output=tmp_path / "speed.json")
    for name in space_names():
        rows = [row for row in record["spaces"] if row == name or row.startswith(f"{name}, ")]
        assert len(rows) == (3 if name == "randwire" else 1)
        assert all(row in printed and record["spaces"][row]["distinct"] > 90 for row in rows)


def test_graph_generator_speed_benchmark(tmp_path):
    arguments = ["--hidden-size", "16", "--repeats", "2", "--samples", "4", "--queries", "0"]
    printed, record = run("graphpnas_speed.py", *arguments, output=tmp_path / "speed.json")
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
    assert f"{row['times_faster_per_graph']:.1f}x" in printed


@pytest.mark.usefixtures("table101")
def test_graph_generator_search_benchmark(tmp_path):
    _, record = run("graphpnas_speed.py", "--only-search", "--queries", "9", output=tmp_path / "speed.json")
    assert "updates" not in record
    assert record["search"]["queries"] == 9
    assert record["search"]["preset"] == "nasbench101"
    assert record["search"]["processor"] > 0
