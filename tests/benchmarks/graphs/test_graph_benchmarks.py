"""The benchmarks of graphs and spaces run, and their records hold what they print."""

from __future__ import annotations

import numpy as np
import pytest
from benchmark_run import run

from search_spaces import space_names


def test_kernel_benchmark(tmp_path):
    pytest.importorskip("grakel")
    sizes = ["--graphs", "30", "--nodes", "8", "--repeats", "1"]
    printed, record = run("graphs.wl_kernel", *sizes, output=tmp_path / "kernel.json")
    assert record["largest_difference_from_grakel"] < 1e-12
    assert record["versions"]["grakel"]
    assert all(name in printed and row["lowest"] > 0 for name, row in record["seconds"].items())


def test_sampling_speed_benchmark(tmp_path):
    printed, record = run("graphs.sampling_speed", "--size", "100", output=tmp_path / "speed.json")
    for name in space_names():
        rows = [row for row in record["spaces"] if row == name or row.startswith(f"{name}, ")]
        assert len(rows) == (3 if name == "randwire" else 1)
        assert all(row in printed and record["spaces"][row]["distinct"] > 90 for row in rows)


@pytest.mark.usefixtures("table101", "enas_table")
def test_properties_benchmark(tmp_path):
    printed, record = run("graphs.graph_properties", output=tmp_path / "properties.json")
    enas = record["enas6"]
    for name, paper in enas["paper"].items():
        assert enas["pearson_r"][name] == pytest.approx(paper, abs=0.006)
        assert f"{enas['pearson_r'][name]:+.3f}" in printed
        rows = enas["by_value"][name]
        assert sum(count for _, count, _, _ in rows) == enas["architectures"] == 19_020
        # The groups tell the correlation, but for the spread within them.
        values, counts, means, _ = zip(*rows, strict=True)
        assert np.cov(values, means, fweights=counts)[0, 1] * enas["pearson_r"][name] > 0
