"""The suite's parts, its figures from a record, its report, and a tiny run as a person starts it."""

from __future__ import annotations

import itertools
import re
import sys

import numpy as np
import pytest
from benchmark_run import run

from benchmarks.searches.methods import METHODS
from benchmarks.suite import search as suite
from benchmarks.suite.figures import Compared, Search
from benchmarks.suite.report import DEFAULT, SUITE_METHODS, TPE, report
from benchmarks.suite.tasks import ALL, LIMITED, ONE, PARTS, TWO, kind_of, scale_of
from graphnas.errors import MissingExtra

TASKS = ("nasbench201-cifar100-200", "enas6")
QUICK = ("random search", "regularised evolution")


# ---------------------------------------------------------------- tasks


def test_every_task_has_one_part():
    tuning, validation = (PARTS[part] for part in ("tuning", "validation"))
    assert not set(tuning) & set(validation)
    assert {*tuning, *validation} == set(ALL)
    assert {ALL[task].space for task in tuning} == {"nasbench201", "nasbench101", "enas6"}
    assert {ALL[task].space for task in validation} == {"transnasbench101", "nasbenchgraph"}
    assert (len(tuning), len(validation)) == (11, 16)


def test_methods_are_known():
    assert set(SUITE_METHODS) <= set(METHODS)
    for task in ("enas6", "nasbench201-latency", "nasbench201-latency-limit"):
        assert DEFAULT in suite.asked_methods(task, SUITE_METHODS)


@pytest.mark.usefixtures("table201")
def test_scales():
    """The best of the table and its median; with two objectives, of shares of the hypervolume."""
    best, typical = scale_of("nasbench201-cifar100-200")
    assert (best, typical) == pytest.approx((73.4933, 65.1667), abs=1e-4)
    best, typical = scale_of("nasbench201-latency-limit")
    assert 80 < typical < best < 91
    best, typical = scale_of("nasbench201-latency")
    assert best == 1
    assert 0 < typical < 0.9


# ---------------------------------------------------------------- figures of a made-up record


def searches(method: str, curves: dict[str, list[list[float]]]) -> list[Search]:
    """Searches from the best value after each query, a row for each seed."""
    made = []
    for task, rows in curves.items():
        for seed, row in enumerate(rows):
            at, best = suite.to_steps(np.array(row))
            made.append(Search(f"{task}: {method}", seed, len(row), at, best, 2 * len(row), 3.0))
    return made


def record_of(own: float, peer: float, queries: int = 150, seeds: int = 4) -> dict:
    """The default and two peers, which find a value at once and keep it."""
    made = []
    for method, value in ((DEFAULT, own), (TPE, peer), ("random search", 3.0)):
        rows = [[value + 0.02 * seed] * queries for seed in range(seeds)]
        made += searches(method, dict.fromkeys(TASKS, rows))
    runs = [vars(one) for one in made]
    return {"part": "tuning", "scale": dict.fromkeys(TASKS, (10.0, 0.0)), "runs": runs}


def test_figures_of_tasks_and_seeds():
    scale = {TASKS[0]: (10.0, 0.0), TASKS[1]: (-1.0, -3.0)}
    own = {TASKS[0]: [[0.0] * 19 + [5.0] * 11, [0.0] * 30], TASKS[1]: [[-9.0] * 10 + [-2.0] * 20]}
    made = [*searches("SMAC", own), *searches("BANANAS", {TASKS[0]: [[7.0] * 30]})]
    compared = Compared(made, scale, ONE, SUITE_METHODS)
    assert compared.tasks == list(TASKS)
    assert (compared.queries, compared.budgets) == (30, [20, 30])
    assert compared.methods == ["SMAC"]
    assert compared.missing == {"BANANAS": 1}
    mean, low, high = compared.mean("SMAC", 20)
    assert mean == pytest.approx(np.mean([0.75, 0.5]))  # tasks count once, though one has two seeds
    assert low <= mean <= high
    curve, _, _ = compared.curve("SMAC")
    assert curve[[0, 9, 10, 18, 19, 29]] == pytest.approx([1, 1, 0.75, 0.75, 0.625, 0.625])
    assert compared.seconds_per_trial("SMAC") == pytest.approx(3 / 60)
    assert compared.seeds("SMAC") == "1 to 2"
    assert not Compared(made, scale, TWO, SUITE_METHODS).methods


def test_kinds_of_tasks_are_not_averaged():
    kinds = {name: kind_of(task) for name, task in ALL.items()}
    assert [name for name, kind in kinds.items() if kind == TWO] == ["nasbench201-latency"]
    assert [name for name, kind in kinds.items() if kind == LIMITED] == ["nasbench201-latency-limit"]


def test_the_report_says_first_what_does_not_hold():
    ahead = report(record_of(own=8.0, peer=7.0)).notes[0]
    assert ahead.startswith(f"{DEFAULT} is ahead as it is meant to be: after 30 queries 0.197, the best peer")
    assert ahead.count("after") == 5
    behind = report(record_of(own=7.0, peer=8.0)).notes
    assert behind[0].startswith(f"{DEFAULT} is not ahead as it is meant to be: after 30 queries 0.297")
    assert "after 20 queries 0.297, Optuna TPE 0.197" in behind[0]
    assert "is ahead" not in behind[1]
    tables = report(record_of(own=8.0, peer=7.0)).tables
    rows = {row[0]: row for row in tables[1].rows}
    assert [rows[method][1] for method in (DEFAULT, TPE, "random search")] == ["1.0", "2.0", "3.0"]
    assert rows[TPE][-1] == "+0.100 [+0.100, +0.100]"
    assert rows[DEFAULT][-1] == ""


def test_published_searches_of_a_task_stand_beside_ours():
    task = "transnasbench101-class_scene"
    made = [
        *searches(DEFAULT, {task: [[50.0] * 63 + [54.0] * 87, [52.0] * 150]}),
        *searches(TPE, {task: [[51.0] * 100]}),  # too short
    ]
    runs = [vars(one) for one in made]
    record = {"part": "validation", "scale": {task: (54.936, 40.0)}, "runs": runs}
    (table,) = [one for one in report(record).tables if "FLAN" in one.caption]
    assert table.rows == [
        [DEFAULT, "2", "51.000 ± 1.414", "53.000 ± 1.414", "53.000 ± 1.414"],
        ["published: FLAN", "3", "54.62", "54.89", "54.936"],
    ]
    assert table.columns[2:] == ["32", "64", "128"]


def test_a_lead_that_may_be_chance_is_said_to_be():
    record = record_of(own=8.0, peer=7.9)
    for one in record["runs"]:
        if one["method"].endswith(DEFAULT) and one["seed"] == 0:
            one["best"] = [7.7]
    assert "which may be chance" in report(record).notes[0]


# ---------------------------------------------------------------- the script


@pytest.mark.slow
@pytest.mark.usefixtures("table201", "enas_table")
def test_searches_go_on_where_they_stopped(tmp_path):
    output = tmp_path / "suite.json"
    arguments = ["--part", "tuning", "--tasks", *TASKS, "--queries", "22"]
    _, first = run("suite.search", *arguments, "--methods", QUICK[0], "--seeds", "1", output=output)
    assert first["command"] == "python -m benchmarks.suite.search --part tuning --queries 22"
    printed, both = run(
        "suite.search", *arguments, "--methods", *QUICK, "--seeds", "1", "--first-seed", "1", output=output
    )
    assert f"2 searches of {output} are kept" in printed
    assert [one for one in both["runs"] if one["seed"] == 0] == first["runs"]  # seconds too: not run again
    found = {(one["method"], one["seed"]) for one in both["runs"]}
    asked = itertools.product(TASKS, [(QUICK[0], 0), (QUICK[0], 1), (QUICK[1], 1)])
    assert found == {(f"{task}: {method}", seed) for task, (method, seed) in asked}
    for one in both["runs"]:
        best, typical = both["scale"][one["method"].split(": ")[0]]
        assert typical < max(one["best"]) <= best
        assert one["queries"] == 22 <= one["trials"]
    again = suite.run(f"{TASKS[0]}: {QUICK[1]}", 1, 22)
    stored = next(one for one in both["runs"] if one["method"] == again.method and one["seed"] == 1)
    assert (again.at, again.best) == (stored["at"], stored["best"])  # in another process


@pytest.mark.usefixtures("table201")
def test_a_dry_run_counts_what_is_left(tmp_path, capsys, monkeypatch):
    arguments = ["--part", "tuning", "--tasks", TASKS[0], "--methods", QUICK[0], "--queries", "20"]
    output = ["--output", str(tmp_path / "suite.json")]
    monkeypatch.setattr(sys, "argv", ["suite", *arguments, "--seeds", "3", *output, "--dry-run"])
    assert suite.main() == 0
    printed = capsys.readouterr().out
    assert re.search(r"searches still to run +3\n", printed)
    assert f"By some proposals or a search of 25 queries: {QUICK[0]}" in printed
    assert not (tmp_path / "suite.json").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--part", "tuning", "--tasks", "nasbenchgraph-cora"], "nasbenchgraph-cora is no tuning task"),
        (["--part", "tests"], "invalid choice: 'tests'"),
        (["--part", "tuning", "--methods", "magic"], "invalid choice: 'magic'"),
    ],
)
def test_what_is_wrong_is_said(arguments, said, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["suite", *arguments])
    with pytest.raises(SystemExit):
        suite.main()
    assert said in capsys.readouterr().err


def test_a_peer_whose_package_is_missing_is_refused_by_the_command_that_installs_it(capsys, monkeypatch):
    def missing(self):
        if self.needs:
            raise MissingExtra('smac is not installed; run: pip install "graphnas[peers]"')

    monkeypatch.setattr(type(METHODS["SMAC"]), "check", missing)
    monkeypatch.setattr(sys, "argv", ["suite", "--part", "tuning", "--methods", "SMAC"])
    with pytest.raises(SystemExit):
        suite.main()
    assert 'pip install "graphnas[peers]"' in capsys.readouterr().err
