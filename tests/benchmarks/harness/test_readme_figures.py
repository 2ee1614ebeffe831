"""The README's table of results holds what the records do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.harness.records import RESULTS
from benchmarks.harness.sections import mean_sd

README = Path(__file__).parents[3] / "README.md"
COLUMNS = (
    ("nasbench201-cifar10-200", 100),
    ("nasbench201-cifar100-200", 100),
    ("nasbench201-imagenet16-120-200", 100),
    ("nasbench101-validation", 150),
)
"""Task and queries of each column."""
METHODS = {
    "Optuna's GPSampler": "Optuna GP",
    "Optuna's TPESampler": "Optuna TPE",
    "extra-trees on the raw bits": "extra-trees",
}
"""Samplers that the records call otherwise."""


def rows() -> dict[str, list[str]]:
    """The cells of the README's table by the name of the sampler."""
    _, _, table = README.read_text().partition("\n| Sampler |")
    lines = table.partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]
    return {name: figures for name, *figures in cells}


@pytest.mark.parametrize(("column", "task", "queries"), [(k, *one) for k, one in enumerate(COLUMNS)])
def test_each_figure_is_the_records(column, task, queries):
    record = json.loads((RESULTS / f"table_search_{task}.json").read_text())
    table = rows()
    assert len(table) > 8
    assert table.pop("best of the table")[column] == f"{record['optimum']:.3f}"
    for name, figures in table.items():
        runs = [run for run in record["runs"] if run["method"] == METHODS.get(name, name)]
        best = [max(run["values"][:queries]) for run in runs]
        seeds = "" if len(best) == 10 else f" ({len(best)})"
        assert figures[column] == (mean_sd(best, 3) + seeds if best else "not run")
