"""The best cells of NAS-Bench-101: the script with few cells, and what its section says."""

from __future__ import annotations

import numpy as np
import pytest
from benchmark_run import run

from benchmarks.surrogates import lucky_best


def test_places():
    predicted = np.array([0.5, 3.0, 1.0, 1.0, 2.0])
    assert lucky_best.ranks(predicted, np.array([1, 0, 2])) == [1, 5, 4]


def test_the_section_says_how_often_the_second_is_put_first(tmp_path):
    def record(*ranks):
        runs = [{"size": 300, "seed": seed, "ranks": list(own)} for seed, own in enumerate(ranks)]
        return {"sizes": [300], "seeds": len(ranks), "cells": 1000, "best": [94.3, 94.2, 94.1], "runs": runs}

    made = record((500, 20, 900), (400, 30, 100), (9, 5, 30))
    section = lucky_best.section(made)
    assert section.tables[0].rows == [
        ["94.300", "400", "9 to 500", ""],
        ["94.200", "20", "5 to 30", "100%"],
        ["94.100", "100", "30 to 900", "33%"],
    ]
    assert section.notes == [
        "From 300 random cells, 100% of the processes put the second best cell (94.200, median place 20) "
        "before the best (94.300, median place 400)."
    ]
    assert lucky_best.draw(made, tmp_path) == section.plots
    assert (tmp_path / section.plots[0]).stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.usefixtures("table101")
def test_script(tmp_path):
    output = tmp_path / "record.json"
    text, record = run("surrogates.lucky_best", "--seeds", "1", "--sizes", "60", output=output)
    assert record["best"][:2] == pytest.approx([94.3176, 94.2341], abs=1e-4)
    (only,) = record["runs"]
    assert len(only["ranks"]) == lucky_best.BEST
    assert all(1 <= rank <= record["cells"] for rank in only["ranks"])
    assert np.median(only["ranks"]) < record["cells"] / 10  # it has learned: these are good cells
    assert "From 60 random cells" in text
