"""The load of many workers: what it counts as lost and as twice, and that a killed worker leaves neither."""

from __future__ import annotations

import optuna
import pytest
from benchmark_run import run

from benchmarks.searches import many_workers
from benchmarks.searches.many_workers import Load, outcome


def test_what_is_lost_and_what_was_done_twice():
    study = optuna.create_study(direction="maximize")
    for value in (1.0, 2.0, 3.0):
        study.tell(study.ask(), value)
    study.ask()  # runs still
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    keys = ["a", "b", "a", "c", "d"]
    lines = [{"begun": k, "key": key, "seconds": float(k)} for k, key in enumerate(keys)]
    # Trial 2 is in the study with another value than was reported; trial 7 not at all.
    reported = {0: 1.0, 1: 2.0, 2: 5.0, 7: 9.0}
    lines += [{"ended": k, "value": value, "at": 10.0 + k} for k, value in reported.items()]
    found = outcome(study, lines)
    assert (found["complete"], found["running"], found["freed"]) == (3, 1, 1)
    assert (found["lost"], found["twice"]) == (2, 1)
    assert found["proposal_seconds"][0] == 2.0


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(tmp_path):
    found = many_workers.run(Load("random", 2, 30, 1), f"sqlite:///{tmp_path}/study.db", seed=0)
    assert (found["killed"], found["complete"], found["running"]) == (1, 30, 0)
    assert (found["lost"], found["twice"]) == (0, 0)
    assert found["per_second"] > 0


@pytest.mark.slow
def test_many_workers_benchmark(tmp_path, monkeypatch):
    monkeypatch.delenv("GRAPHNAS_POSTGRESQL", raising=False)
    arguments = ("--workers", "1", "--samplers", "random", "--trials", "12")
    printed, record = run("searches.many_workers", *arguments, output=tmp_path / "load.json")
    assert "Many workers on SQLite" in printed
    assert [search["complete"] for search in record["runs"]] == [12]
