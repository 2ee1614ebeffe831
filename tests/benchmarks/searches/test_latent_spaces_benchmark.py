"""The comparison of latent spaces: bits tell architectures apart, and it continues where it stopped."""

from __future__ import annotations

import numpy as np
import pytest
from benchmark_run import run

from benchmarks.searches.latent_spaces import Bits
from search_spaces import ENASMacro6, NASBench101, NASBench201


@pytest.mark.parametrize("space", [ENASMacro6(), NASBench101(), NASBench201()], ids=lambda s: s.name)
def test_bits_are_equal_for_equal_architectures_only(space):
    cells = list(dict.fromkeys(space.sample_batch(np.random.default_rng(0), 60)))
    rows, _ = Bits(space).encode([*cells, cells[3]])
    assert set(rows.flatten().tolist()) == {0, 1}
    assert len(rows.unique(dim=0)) == len(cells)
    assert rows[-1].equal(rows[3])


@pytest.mark.slow
@pytest.mark.usefixtures("enas_table")
def test_searches_go_on_where_they_stopped(tmp_path):
    sizes = ["--tasks", "enas6", "--queries", "12", "--hidden", "8", "--graphs", "40"]
    sizes += ["--folder", str(tmp_path / "models")]
    output, script = tmp_path / "latent.json", "searches.latent_spaces"
    _, first = run(script, *sizes, "--arms", "raw bits", "S-VAE", "--seeds", "1", output=output)
    assert [one["method"] for one in first["runs"]] == ["enas6: S-VAE", "enas6: raw bits"]
    assert (tmp_path / "models" / "enas6-svae.pt").is_file()
    printed, both = run(script, *sizes, "--arms", "raw bits", "GraphBO", "--seeds", "2", output=output)
    assert [one for one in both["runs"] if one in first["runs"]] == first["runs"]  # not run again
    assert len(both["runs"]) == 5
    best = [max(one["values"]) for one in both["runs"] if one["method"] == "enas6: raw bits"]
    assert max(best) <= both["optimum"]["enas6"]
    assert "raw bits" in printed
