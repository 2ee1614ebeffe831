"""Storages of the command line: names of every kind, races, full and read-only disks, and memory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys

import optuna
import pytest
from small_search import TINY

from graphnas.cli import search as search_command
from graphnas.cli.storages import file_url, in_memory, open_storage, storage_errors, url_of
from graphnas.errors import InvalidArgument, StorageFailed
from search_spaces import NASBench201

RANDOM = ["search", *TINY, "--method", "random", "--retrain-epochs", 0]


def one_error(done, code, *said):
    assert done.code == code
    lines = done.err.splitlines()
    assert "Traceback" not in done.err
    assert sum(line.startswith("graphnas: error") for line in lines) == 1
    for words in said:
        assert words in lines[-1]


@pytest.mark.parametrize("name", ["q?x=1", "lr?1e-3", "a b#c", "50%", "a%20b", "{x}", "ü;&=+@:,'\"", "plain"])
def test_any_path_can_hold_a_study(command, tmp_path, name):
    directory = tmp_path / name
    done = command(*RANDOM, "--trials", 1, "--output", directory)
    assert done.code == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (directory / "study.db").is_file()
    again = command(*RANDOM, "--trials", 0, "--output", directory)
    assert "random, 1 evaluations" in again.out
    for what in (directory, directory / "study.db"):
        shown = command("show", what)
        assert shown.code == 0
        assert "random, 1 evaluations" in shown.out


def test_relative_paths_too(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("lr?1e-3", "lr?1e-2"):
        assert command(*RANDOM, "--trials", 1, "--output", name).code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lr?1e-2", "lr?1e-3"]


# ---------------------------------------------------------------- show


@pytest.mark.parametrize("kind", ["file", "url", "journal", "journal url"])
def test_a_users_own_study_is_shown(command, tmp_path, kind):
    path = tmp_path / "mine.db"
    url = f"journal://{path}" if kind.startswith("journal") else f"sqlite:///{path}"
    space = NASBench201()
    study = optuna.create_study(storage=open_storage(url), study_name="mine", direction="minimize")
    names = space.parameters()
    study.optimize(
        lambda trial: sum(names[n].index(trial.suggest_categorical(n, names[n])) for n in names), n_trials=6
    )
    done = command("show", url if kind.endswith("url") else path)
    assert done.code == 0
    assert "Best architectures of nasbench201 by value" in done.out
    assert "mine, 6 evaluations" in done.out
    assert f"The best, {study.best_value:.4f} in trial {study.best_trial.number}:" in done.out
    assert "node  inputs" in done.out


def test_what_cannot_be_shown_of_a_study_says_why(command, tmp_path):
    url = f"sqlite:///{tmp_path / 'mine.db'}"
    study = optuna.create_study(storage=url, study_name="mine")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    one_error(command("show", tmp_path / "mine.db"), 2, "add --space")
    many = optuna.create_study(storage=url, study_name="many", directions=["maximize"] * 2)
    many.optimize(lambda trial: (0.0, 1.0), n_trials=1)
    done = command("show", url, "--study-name", "many", "--space", "nasbench201")
    one_error(done, 2, "has 2 objectives")
    (tmp_path / "notes.txt").write_text("nothing of ours")
    assert url_of(str(tmp_path / "notes.txt")) is None
    assert command("show", f"sqlite:///{tmp_path / 'absent.db'}").code == 2
    assert not (tmp_path / "absent.db").exists()


# ---------------------------------------------------------------- memory


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite+pysqlite:///:memory:"])
def test_a_storage_in_memory_is_not_said_to_be_kept(command, url):
    done = command(*RANDOM, "--trials", 1, "--storage", url)
    assert done.code == 0
    assert f"--storage {url} is in memory; it is not kept" in done.err
    assert "is not kept" in done.out
    assert "continues from there" not in done.out


def test_a_storage_on_disk_is_not_in_memory(tmp_path):
    assert not in_memory(file_url(tmp_path / "memory"))
    assert not in_memory("postgresql://host/db")
    assert in_memory(None)


# ---------------------------------------------------------------- disks


def limited(arguments: list[object], size: int) -> subprocess.CompletedProcess[str]:
    """``graphnas`` in a process that can write no file of more than ``size`` bytes."""
    return subprocess.run(
        [sys.executable, "-m", "graphnas", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )


@pytest.mark.parametrize("room", [0, 20_000])
def test_a_disk_that_fills_up_costs_one_line(command, tmp_path, room):
    assert command(*RANDOM, "--trials", 1, "--output", tmp_path).code == 0
    size = (tmp_path / "study.db").stat().st_size
    done = limited([*RANDOM, "--trials", 60, "--output", tmp_path], size + room)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"graphnas: error: the study in sqlite:///{tmp_path}/study.db cannot be written: ")
    assert "the finished trials are kept in" in last
    assert command("show", tmp_path).code == 0
    assert command(*RANDOM, "--trials", 1, "--output", tmp_path).code == 0


def test_a_new_study_on_a_full_disk(tmp_path):
    done = limited([*RANDOM, "--trials", 1, "--output", tmp_path], 4096)
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert "cannot" in done.stderr


@pytest.mark.parametrize("trials", [0, 2])
def test_a_read_only_database_costs_one_line(command, tmp_path, monkeypatch, trials):
    first = command(*RANDOM, "--trials", 1, "--storage", f"sqlite:///{tmp_path / 'study.db'}")
    assert first.code == 0
    # What a read-only file gives to a user that is not root.
    url = f"sqlite:///file:{tmp_path / 'study.db'}?mode=ro&uri=true"
    done = command(*RANDOM, "--trials", trials, "--storage", url)
    if trials == 0 and done.code == 0:
        assert "random, 1 evaluations" in done.out
    else:
        one_error(done, 1, "attempt to write a readonly database", "the finished trials are kept")
    assert "random, 1 evaluations" in command("show", "--storage", url).out


@pytest.mark.parametrize("name", ["best_cell.png", "search_curve.png", "results.json", "study.db"])
def test_a_directory_in_the_place_of_a_file_is_seen_before_any_work(command, tmp_path, name):
    (tmp_path / name).mkdir()
    done = command(*RANDOM, "--trials", 1, "--output", tmp_path)
    one_error(done, 2, f"{name} is a directory")
    assert done.out == ""
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_in_the_place_of_the_model_is_seen_before_any_work(command, tmp_path):
    (tmp_path / "best").write_text("")
    one_error(command(*RANDOM, "--trials", 1, "--output", tmp_path), 2, "best is a file")


def test_drawings_that_cannot_be_written_cost_no_result(command, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(search_command, "draw", full)
    done = command(*RANDOM, "--trials", 1, "--output", tmp_path)
    one_error(done, 1, "No space left on device", "the finished trials are kept")
    assert len(json.loads((tmp_path / "results.json").read_text())["methods"]["random"]["values"]) == 1


def test_ctrl_c_in_the_final_training_keeps_the_results(command, tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(search_command, "_retrain", interrupted)
    run = ["search", *TINY, "--method", "random", "--trials", 2, "--output", tmp_path]
    done = command(*run)
    assert done.code == 130
    assert "without the best model: results.json" in done.out
    assert len(json.loads((tmp_path / "results.json").read_text())["methods"]["random"]["values"]) == 2
    monkeypatch.undo()
    assert command(*run[:-4], "--trials", 0, "--output", tmp_path).code == 0
    assert "retrained" in json.loads((tmp_path / "results.json").read_text())


# ---------------------------------------------------------------- two at once


def test_a_search_started_three_times_at_once_is_one_study(tmp_path):
    arguments = [*RANDOM, "--trials", 2, "--output", tmp_path / "new"]
    command = [sys.executable, "-m", "graphnas", *map(str, arguments)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(3)
    ]
    for process in started:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    (summary,) = optuna.get_all_study_summaries(f"sqlite:///{tmp_path / 'new' / 'study.db'}")
    assert summary.n_trials == 6
    assert not list((tmp_path / "new").glob("*.part"))


def test_storages_that_are_made_at_the_same_moment_all_open(tmp_path):
    """Without the searches around it, so that the processes do meet."""
    program = (
        "import sys, time\n"
        "import sqlalchemy, optuna\n"
        "from graphnas.cli.storages import open_storage\n"
        "open_storage('sqlite:///' + sys.argv[2])\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "open_storage('sqlite:///' + sys.argv[1]).get_all_studies()\n"
    )
    for round_ in range(3):
        path = tmp_path / f"{round_}.db"
        started = [
            subprocess.Popen(
                [sys.executable, "-c", program, str(path), str(tmp_path / f"warm{round_}{k}.db")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for k in range(3)
        ]
        for process in started:
            assert process.stdout.readline() == "ready\n"
        for process in started:
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in started:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors


# ---------------------------------------------------------------- errors of other kinds


def test_only_errors_of_storages_are_turned_into_theirs():
    with pytest.raises(OSError, match="no such image") as raised, storage_errors("x", "y"):
        raise FileNotFoundError(2, "no such image")
    assert not isinstance(raised.value, StorageFailed)
    with pytest.raises(StorageFailed, match=r"the study cannot be written: .*disk is full; nothing is kept"):
        _write_and_stumble()


def _write_and_stumble():
    """As ``study.optimize`` does when the storage fails while a trial ends."""
    with storage_errors("the study", "nothing is kept"):
        try:
            raise optuna.exceptions.StorageInternalError("disk is full")
        finally:
            raise AssertionError("Should not reach.")


def test_an_unknown_database_is_refused_in_one_line(tmp_path):
    for url in ("study.db", "nosql://host/db", f"sqlite:///{tmp_path}/absent/study.db"):
        with pytest.raises(InvalidArgument, match="cannot open the storage"):
            open_storage(url)
    assert os.listdir(tmp_path) == []
