"""Queries until the best of a table: the quartiles, the verdict, and a tiny run."""

from __future__ import annotations

import numpy as np
import pytest
from benchmark_run import run

from benchmarks.suite import optimum
from benchmarks.suite.figures import Search
from benchmarks.suite.optimum import DEFAULT, FIRST_SEED, METHODS, WANTED
from benchmarks.suite.search import SUITE_METHODS


def searches(task: str, method: str, found_at: list[int | None]) -> list[Search]:
    """Searches of a task whose best is 10, each of which finds it after so many queries, or never."""
    return [
        Search(
            f"{task}: {method}", FIRST_SEED + seed, 150, [1, at or 9], [3.0, 10.0 if at else 9.9], 150, 1.0
        )
        for seed, at in enumerate(found_at)
    ]


def test_methods_are_those_of_the_suite():
    assert set(METHODS) <= set(SUITE_METHODS)


def test_a_search_that_never_finds_it_counts_as_infinite():
    counts = optimum.needed(searches("enas6", "random search", [7, None, 30]), 10.0)
    assert counts.tolist() == [7, np.inf, 30]


def test_the_section_says_first_where_it_takes_too_long():
    first, second, third = WANTED
    runs = [
        *searches(first, DEFAULT, [20, 30, 34, 36]),
        *searches(second, DEFAULT, [20, 34, 37, None]),
        *searches(third, DEFAULT, [70, None, None, None]),
        *searches(first, "random search", [None] * 4),
    ]
    scale = dict.fromkeys(WANTED, (10.0, 0.0))
    section = optimum.section({"scale": scale, "queries": 150, "runs": [vars(one) for one in runs]})
    assert section.notes[:-1] == [
        f"{DEFAULT} is not as quick as it is meant to be: {second} in 35.5 queries (at most 35), "
        f"{third} in > 150 queries (at most 75).",
        f"{DEFAULT} is as quick as it is meant to be: {first} in 32 queries (at most 35).",
    ]
    assert section.notes[-1].startswith("Methods that were not run: GraphPNASSampler, LatentBOSampler, ")
    rows = {row[0]: row for row in section.tables[0].rows}
    assert rows[DEFAULT][1:4] == ["4", "32 [27.5, 34.5]", "100%"]
    assert rows[DEFAULT][4:6] == ["35.5 [30.5, > 150]", "75%"]
    assert rows["random search"][2:] == ["> 150 [> 150, > 150]", "0%", "", "", "", ""]


@pytest.mark.slow
@pytest.mark.usefixtures("table201")
def test_it_counts_on_seeds_of_its_own(tmp_path):
    task = "nasbench201-cifar100-200"
    arguments = ["--tasks", task, "--methods", "local search", "--seeds", "2", "--queries", "20"]
    printed, record = run("suite.optimum", *arguments, output=tmp_path / "optimum.json")
    assert "queries until the best of NAS-Bench-201" in printed
    assert [one["seed"] for one in record["runs"]] == [FIRST_SEED, FIRST_SEED + 1]
    assert all(max(one["best"]) <= record["scale"][task][0] for one in record["runs"])
