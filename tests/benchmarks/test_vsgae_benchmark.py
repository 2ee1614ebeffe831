"""The benchmark of performance prediction runs, keeps what is done, and its record holds what it prints."""

from __future__ import annotations

import pytest
from benchmark_run import needs_table, run

from search_spaces import NASBench101

SCRIPT = "vsgae_prediction.py"


@pytest.fixture
def table() -> None:
    needs_table(NASBench101())


@pytest.mark.usefixtures("table")
def test_prediction_benchmark_goes_on_where_it_stopped(tmp_path):
    sizes = ["--cells", "300", "--epochs", "2", "--hidden", "8", "--latent", "8", "--seeds", "2"]
    sizes += ["--folder", str(tmp_path / "runs")]
    output = tmp_path / "prediction.json"
    _, first = run(SCRIPT, *sizes, "--tasks", "zero-shot-7", output=output)
    (found,) = first["summary"].values()
    assert found["paper"] == 5.71
    assert found["cells"]["train"] + found["cells"]["validation"] + found["cells"]["test"] == 300
    assert found["mean"] > 0
    printed, both = run(
        SCRIPT, *sizes, "--tasks", "zero-shot-7", "sampling", "--shares", "0.3", output=output
    )
    assert both["runs"][:2] == first["runs"]  # not run again
    titles = ["zero-shot-7", "30% by sizes", "30% by edit distances", "30% by latent bins"]
    assert list(both["summary"]) == titles
    for title in titles[1:]:
        rows = [r["predictor"] for r in both["runs"] if title.endswith(f"by {r['sampling']}")]
        assert both["summary"][title]["predictor"] == pytest.approx(sum(rows) / 2)
        assert 50 <= both["summary"][title]["cells"]["train"] <= 80
        assert f"{sum(rows) / 2:10.3f}+-" in printed
    assert any("300 of the" in note for note in both["notes"])
