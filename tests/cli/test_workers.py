"""``graphnas search --workers``: processes that share a study, are replaced if they die, stop together."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import optuna
import pytest
import torch

from graphnas.cli import processes, workers
from graphnas.cli.storages import GRACE_SECONDS, open_storage
from graphnas.errors import WorkersLost
from search_spaces import get_space

TABLE = ["search", "--space", "nasbench201", "--method", "random"]
Found = TypeVar("Found")
LONG = 500
"""Trials that are not done before a test has looked."""


def study_in(storage: str, name: str = "nasbench201-cifar10-random") -> optuna.Study:
    return optuna.load_study(study_name=name, storage=open_storage(storage))


def evaluated(study: optuna.Study) -> list[str]:
    """The keys of the networks that were evaluated."""
    space = get_space("nasbench201")
    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    return [space.key(space.from_parameters(trial.params)) for trial in complete]


def meanwhile(what: Callable[[], Found], then: Callable[[Found], object]) -> threading.Thread:
    """A thread that waits for something in the study and does what follows."""
    thread = threading.Thread(target=lambda: then(wait_for(what)))
    thread.start()
    return thread


def begun_by(database: Path, state: str = "%") -> set[int]:
    """The processes that have begun trials; read at one go, since a lingering reader locks others out."""
    if not database.exists():
        return set()
    query = (
        "SELECT value_json FROM trial_system_attributes JOIN trials USING (trial_id) "
        "WHERE key = 'graphnas:worker' AND state LIKE ?"
    )
    with contextlib.closing(sqlite3.connect(database)) as connection:
        try:
            rows = connection.execute(query, (state,)).fetchall()
        except sqlite3.OperationalError:  # no tables yet, or locked
            return set()
    return {json.loads(text)["pid"] for (text,) in rows}


def wait_for(what: Callable[[], Found], seconds: float = 120) -> Found:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.1)
    raise AssertionError("waited in vain")


def started(*arguments: object) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "graphnas", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# ---------------------------------------------------------------- together


@pytest.mark.slow
def test_two_workers_do_the_wanted_trials_none_twice(command, needs_table, tmp_path):
    run = [*TABLE, "--workers", 2, "--output", tmp_path]
    done = command(*run, "--trials", 16)
    assert done.code == 0, done.err
    assert "0 of 16 trials are done; 2 workers for the rest" in done.out
    assert (tmp_path / "results.json").is_file()
    study = study_in(f"sqlite:///{tmp_path}/study.db")
    keys = evaluated(study)
    assert len(keys) == len(set(keys)) == 16
    again = command(*run, "--trials", 16)  # the number is that of the study: there is nothing left to do
    assert again.code == 0
    assert "all 16 trials are done already; for more, raise --trials" in again.out
    assert len(study_in(f"sqlite:///{tmp_path}/study.db").trials) == len(study.trials)


@pytest.mark.slow
def test_they_train_compare_and_publish_drawings(command, tmp_path):
    done = command(
        *("search", "--space", "gemnet", "--nodes", 5, "--dataset", "digits", "--epochs", 1),
        *("--training", "train_fraction=0.1", "--method", "random", "--compare", "evolution"),
        *("--workers", 2, "--devices", "cpu", "--trials", 3, "--retrain-epochs", 0),
        *("--dashboard", "--output", tmp_path),
    )
    assert done.code == 0, done.err
    methods = json.loads((tmp_path / "results.json").read_text())["methods"]
    assert {name: len(found["values"]) for name, found in methods.items()} == {"random": 3, "evolution": 3}
    assert len(list((tmp_path / "artifacts").iterdir())) == 6  # a drawing of each trial


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_its_trial_freed(command, needs_table, tmp_path):
    storage = f"sqlite:///{tmp_path}/study.db"
    killed = meanwhile(
        lambda: begun_by(tmp_path / "study.db"), lambda pids: os.kill(min(pids), signal.SIGKILL)
    )
    done = command(*TABLE, "--workers", 2, "--trials", 40, "--storage", storage)
    killed.join()
    assert done.code == 0, done.err
    assert re.search(
        r"worker \d of 2 was ended by SIGKILL; started again \(1 of at most 10 times\)", done.err
    )
    study = study_in(storage)
    assert not study.get_trials(states=(optuna.trial.TrialState.RUNNING,))
    keys = evaluated(study)
    assert len(keys) == len(set(keys)) == 40


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_all_and_keeps_what_was_done(command, needs_table, tmp_path, number):
    storage = f"sqlite:///{tmp_path}/study.db"
    sent = meanwhile(
        lambda: begun_by(tmp_path / "study.db", "COMPLETE"), lambda _: os.kill(os.getpid(), number)
    )
    done = command(*TABLE, "--workers", 2, "--trials", LONG, "--output", tmp_path)
    sent.join()
    assert done.code == 130, done.err
    assert f"interrupted; the finished trials are kept in {storage}" in done.err
    study = study_in(storage)
    assert not any(map(exists, begun_by(tmp_path / "study.db")))
    assert not study.get_trials(states=(optuna.trial.TrialState.RUNNING,))
    assert 0 < len(evaluated(study)) < LONG


@pytest.mark.slow
def test_workers_end_when_the_process_that_started_them_is_killed(needs_table, tmp_path):
    search = started(*TABLE, "--workers", 2, "--trials", LONG, "--output", tmp_path)
    try:
        found = wait_for(lambda: begun_by(tmp_path / "study.db"))
    finally:
        search.kill()
        search.communicate(timeout=100)  # until the last worker has closed what it inherited
    wait_for(lambda: not any(map(exists, found)), 60)


# ---------------------------------------------------------------- the processes


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a worker be Python code, in place of the command."""
    original = processes._Worker.__init__

    def init(self: processes._Worker, number: int, command: list[str], of: int) -> None:
        original(self, number, command, of)
        self._command = [sys.executable, "-c", *command]

    monkeypatch.setattr(processes._Worker, "__init__", init)


@pytest.mark.usefixtures("program")
def test_each_has_its_share_of_the_cores(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "usable_cores", lambda: 7)
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    write = "import os, sys; open(sys.argv[1], 'w').write(os.environ['OMP_NUM_THREADS'])"
    files = [str(tmp_path / name) for name in "ab"]
    processes.run_processes([[write, file] for file in files], show=lambda: None, after_death=lambda: None)
    assert [Path(file).read_text() for file in files] == ["3", "3"]
    assert os.environ["OMP_NUM_THREADS"] == "64"


@pytest.mark.usefixtures("program")
def test_one_that_dies_again_and_again_is_given_up(monkeypatch, capfd):
    monkeypatch.setattr(processes, "RESTARTS", 2)
    deaths = []
    with pytest.raises(WorkersLost, match="none of the 1 workers can run"):
        processes.run_processes(
            [["raise SystemExit(3)"]], show=lambda: None, after_death=lambda: deaths.append(1)
        )
    assert len(deaths) == 3
    lines = capfd.readouterr().err.splitlines()
    assert lines[-1] == "graphnas: worker 1 of 1 ended with exit code 3 and is not started again"
    assert len(lines) == 3


@pytest.mark.usefixtures("program")
def test_the_others_do_the_work_of_one_that_refuses_its_arguments(tmp_path, capfd):
    write = f"open({str(tmp_path / 'done')!r}, 'w').close()"
    processes.run_processes([["raise SystemExit(2)"], [write]], show=lambda: None, after_death=lambda: None)
    assert (tmp_path / "done").exists()
    assert "worker 1 of 2 ended with exit code 2 and is not started again" in capfd.readouterr().err


def test_devices_are_given_in_turn(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    args = argparse.Namespace(workers=3, devices=["cpu", "cuda:1"], device="cpu")
    assert workers.devices_of(args, trains=True) == ["cpu", "cuda:1", "cpu"]
    args = argparse.Namespace(workers=3, devices=None, device=None)
    assert workers.devices_of(args, trains=True) == ["cuda:0", "cuda:1", "cuda:0"]
    assert workers.devices_of(args, trains=False) == [None, None, None]


def test_a_database_gets_a_heartbeat_that_frees_killed_workers_only(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    backend = open_storage(url, heartbeat=True)._backend
    assert 0 < backend.get_heartbeat_interval() * 3 <= backend.grace_period == GRACE_SECONDS
    assert open_storage(url)._backend.get_heartbeat_interval() is None


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--workers", "0"], "at least 1, got '0'"),
        (["--workers", "2", "--n-jobs", "2"], "--workers 2 and --n-jobs 2: give one"),
        (["--workers", "2"], "--workers 2 needs a study on disk: --output DIR or --storage URL"),
        (["--workers", "2", "--storage", "sqlite:///:memory:"], "needs a study on disk"),
        (["--workers", "2", "--evaluator", "supernet"], "shares weights in one process"),
        (["--devices", "cpu"], "--devices cpu is for --workers above 1; use --device"),
        (["--workers", "2", "--devices", "cpu,,"], "devices with commas between, such as cpu, got 'cpu,,'"),
        (["--workers", "2", "--devices", "gpu0"], "got 'gpu0'"),
        (["--workers", "2", "--devices", "cuda:99"], "cuda:99"),
        (["--workers", "2", "--devices", "cpu", "--device", "cpu"], "give one"),
    ],
)
def test_bad_values_are_refused_before_any_work(command, tmp_path, arguments, said):
    stored = ["--storage", f"sqlite:///{tmp_path}/study.db"] if "study on disk" not in said else []
    done = command("search", "--space", "gemnet", "--nodes", "4", *stored, *arguments)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_devices_are_no_matter_of_a_table(command, needs_table, tmp_path):
    done = command(*TABLE, "--workers", 2, "--devices", "cpu", "--output", tmp_path)
    assert done.code == 2
    assert "--devices is for training, but the values come from the table" in done.err
