"""Exit codes and messages: what is wrong is one line on stderr and exit code 2."""

from __future__ import annotations

import subprocess
import sys

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

import graphnas
from graphnas.cli import main as entry
from graphnas.cli import spaces


def test_version(command):
    assert command("--version").out == f"graphnas {graphnas.__version__}\n"


def test_python_m_graphnas_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "graphnas", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"graphnas {graphnas.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["dance"], "'dance'"),
        (["search"], "--space"),
        (["search", "--space", "nowhere"], "unknown search space 'nowhere'; known: "),
        (["search", "--space", "gemnet", "--trials", "-1"], "at least 0, got '-1'"),
        (["search", "--space", "gemnet", "--trials", "many"], "got 'many'"),
        (["search", "--space", "gemnet", "--n-jobs", "0"], "at least 1, got '0'"),
        (["search", "--space", "gemnet", "--method", "luck"], "'luck'"),
        (["search", "--space", "gemnet", "--method", "random", "--compare", "random"], "--compare random"),
        (["search", "--space", "gemnet", "--method", "random", "--preset", "paper"], "--preset paper"),
        (["search", "--space", "gemnet", "--method", "random", "--startup", "3"], "--startup 3"),
        (["search", "--space", "gemnet", "--preset", "best"], "'best'"),
        (["search", "--space", "gemnet", "--model", "dvae"], "--model dvae is for latentbo"),
        (["search", "--space", "gemnet", "--method", "latentbo", "--model", "dvea"], "model must be one of"),
        (["search", "--space", "gemnet", "--method", "latentbo", "--preset", "best"], "'best'"),
        (["search", "--space", "gemnet", "--nodes", "1"], "num_nodes must be at least 2"),
        (["search", "--space", "nasbench201", "--nodes", "4"], "--nodes 4"),
        (["search", "--space", "gemnet", "--space-option", "colour=red"], "colour"),
        (["search", "--space", "gemnet", "--space-option", "colour"], "NAME=VALUE, got 'colour'"),
        (["search", "--space", "gemnet", "--training", "epoch=3"], "did you mean 'epochs'?"),
        (["search", "--space", "gemnet", "--training", "train_fraction=2"], "train_fraction"),
        (["search", "--space", "gemnet", "--shape", "depth=3"], "'depth'"),
        (["search", "--space", "gemnet", "--dataset", "cats"], "'cats'"),
        (["search", "--space", "gemnet", "--dataset", "imagefolder:/no/such/folder"], "/no/such/folder"),
        (["search", "--space", "gemnet", "--device", "abacus"], "'abacus'"),
        (["search", "--space", "gemnet", "--budget", "12"], "--budget is for values from a table"),
        (["search", "--space", "gemnet", "--evaluator", "table"], "no table of results"),
        (["search", "--space", "nasbench201", "--epochs", "3"], "--evaluator train"),
        (["search", "--space", "nasbench101", "--data-dir", "/no/such"], "/no/such"),
        (["search", "--space", "gemnet", "--storage", "study.db"], "'study.db'"),
        (["search", "--space", "gemnet", "--storage", "sqlite:////no/such/s.db"], "sqlite:////no/such/s.db"),
        (["search", "--space", "gemnet", "--output", "/dev/null/here"], "--output /dev/null/here"),
        (["show"], "--storage"),
        (["show", "x", "--storage", "sqlite:///x.db"], "--storage"),
        (["show", "/no/such/thing"], "/no/such/thing"),
        (["show", "--storage", "sqlite:////no/such/s.db"], "/no/such/s.db"),
        (["show", "{}", "--space", "gemnet"], "format None"),
        (["show", "{", "--space", "gemnet"], "not JSON"),
        (["show", "|conv~0|", "--space", "nasbench201"], "expected 3 nodes"),
        (["show", "|conv~0|", "--space", "gemnet"], "no string form"),
        (["show", "|conv~0|"], "--space"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_code_2(command, arguments, said):
    done = command(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("graphnas: error: ")
    assert done.err.count("\n") == (2 if "not found; run: " in done.err else 1)
    assert said in done.err


def test_a_password_is_not_printed(command):
    done = command("search", "--space", "gemnet", "--storage", "postgresql://me:secret@127.0.0.1:1/none")
    assert done.code == 2
    assert "secret" not in done.err
    assert "me:***@" in done.err


def test_help_is_no_error(command):
    done = command("search", "--help")
    assert done.code == 0
    assert "--storage" in done.out


def test_an_interrupt_is_exit_code_130(command, monkeypatch):
    def interrupted(space):
        raise KeyboardInterrupt

    monkeypatch.setattr(spaces, "_table", interrupted)
    done = command("spaces")
    assert done.code == entry.INTERRUPTED == 130
    assert "interrupted" in done.err


def test_a_reader_that_goes_away_is_no_crash():
    script = f"{sys.executable} -m graphnas spaces | true"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_without_optuna_the_message_says_how_to_get_it(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    done = command("search", "--space", "gemnet")
    assert done.code == 2
    assert 'pip install "graphnas[optuna]"' in done.err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "runs/x.json"), "runs/x.json: Permission denied"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("the device is gone"), "the device is gone"),
        (TimeoutError(), "TimeoutError"),
        (SQLAlchemyError("server closed the connection\nand more"), "server closed the connection"),
        (StorageInternalError("no answer"), "no answer"),
    ],
)
def test_errors_of_disks_and_databases_are_one_line(command, monkeypatch, error, said):
    def fails(space):
        raise error

    monkeypatch.setattr(spaces, "_table", fails)
    done = command("spaces")
    assert done.code == 1
    assert done.err == f"graphnas: error: {said}\n"


@pytest.mark.parametrize("arguments", [["--verbose", "show", "/no/such"], ["show", "--verbose", "/no/such"]])
def test_verbose_shows_where_it_went_wrong(command, arguments):
    done = command(*arguments)
    assert done.code == 2
    assert done.err.startswith("Traceback (most recent call last)")
    assert done.err.splitlines()[-1].startswith("graphnas: error: '/no/such' is no file")
    assert "Traceback" not in command("show", "/no/such").err


def test_a_fault_of_the_program_is_shown_whole(command, monkeypatch):
    def fails(space):
        raise KeyError("a bug")

    monkeypatch.setattr(spaces, "_table", fails)
    with pytest.raises(KeyError, match="a bug"):
        command("spaces")
