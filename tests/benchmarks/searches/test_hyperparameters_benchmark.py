"""The benchmark of hyper-parameters: what their effect is, and that it continues its record."""

from __future__ import annotations

import numpy as np
import pytest
from benchmark_run import run

from benchmarks.searches.hyperparameters import JOINT, SPACE, effect


def test_larger_cells_want_larger_rates():
    small, large = (
        SPACE.at(0),
        SPACE.from_string(
            "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
        ),
    )
    rates = np.geomspace(1e-4, 1, 401)
    best = [rates[np.argmax([effect(cell, rate, "sgd") for rate in rates])] for cell in (small, large)]
    assert np.log10(best) == pytest.approx([-2.3, -1.4])
    assert effect(large, best[1], "sgd") == pytest.approx(1)
    assert effect(large, best[1], "adam") == pytest.approx(0.98)


@pytest.mark.slow
@pytest.mark.usefixtures("table201")
def test_it_goes_on_where_it_stopped(tmp_path):
    output = tmp_path / "hyperparameters.json"
    arguments = ("searches.hyperparameters", "--samplers", JOINT, "random search", "--datasets", "cifar10")
    _, first = run(*arguments, "--seeds", "1", "--trials", "12", output=output)
    _, second = run(*arguments, "--seeds", "2", "--trials", "12", output=output)
    assert second["runs"][:2] == first["runs"]
    assert [(r["sampler"], r["seed"]) for r in second["runs"]][2:] == [(JOINT, 1), ("random search", 1)]
    assert all(len(r["values"]) == 12 for r in second["runs"])
