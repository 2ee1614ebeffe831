"""How long searches would take: what is left of them, by the record or by what is measured."""

from __future__ import annotations

import re
import sys

import pytest

from benchmarks.searches import dry_run, table_search
from benchmarks.searches.runs import Run

TASK = "nasbench201-cifar10-200"


def estimate(searches, known, **settings):
    return dry_run.estimate("searches", searches, known, place_of=lambda name: (TASK, name), **settings)


def test_an_estimate_is_that_of_the_searches_that_are_there(monkeypatch):
    def nothing(*arguments):
        raise AssertionError("nothing has to be timed")

    monkeypatch.setattr(dry_run, "seconds_of_search", nothing)
    searches = [("random search", seed, 50) for seed in range(5)]
    known = [Run("random search", seed, 50, [1.0], [1.0], 50, 10.0 + seed) for seed in range(3)]
    known.append(Run("random search", 3, 20, [1.0], [1.0], 20, 1.0))  # too short to count
    assert estimate(searches, known).seconds == pytest.approx(2 * 11)
    again = estimate(searches, known, fresh=True)
    assert again.seconds == pytest.approx(5 * 11)
    assert again.facts["searches still to run"] == 5
    assert "By the searches of the record" in str(again)
    assert estimate(searches[:3], known).seconds == 0


@pytest.mark.usefixtures("table201")
@pytest.mark.parametrize("method", ["regularised evolution", "Optuna TPE"])
def test_a_method_without_a_search_is_measured(method):
    found = estimate([(method, 0, 30), (method, 1, 30)], [])
    assert 0 < found.seconds < 60
    assert [(work.name, work.times) for work in found.work] == [(f"search, {method}", 2)]
    assert f"By some proposals or a search of 25 queries: {method}" in str(found)


@pytest.mark.usefixtures("table201")
def test_the_published_search_says_what_it_would_take(tmp_path, capsys, monkeypatch):
    output = tmp_path / "record.json"
    method = "GraphPNASSampler, preset=paper"
    line = ["--task", "nasbench201-cifar10-12", "--methods", method, "--output", str(output), "--dry-run"]
    monkeypatch.setattr(sys, "argv", ["table_search", *line])
    assert table_search.main() == 0
    printed = capsys.readouterr().out
    assert re.search(r"architectures +15,625\n", printed)
    assert re.search(r"searches still to run +10\n", printed)
    # The generator is trained for minutes in each of the searches; the first random proposals hide that.
    assert re.search(r"Estimate, measured on this machine as it is now: \d+ (min|h)", printed)
    assert not output.exists()
