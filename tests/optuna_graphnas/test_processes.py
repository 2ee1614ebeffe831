"""Several worker processes on one storage, and workers that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from sampler_cases import keys_of, make_sampler, real_objective, real_space, recording_sampler
from storage_cases import create_study, open_storage, postgresql_binaries, postgresql_server

HERE = Path(__file__).parent
SCRIPT = HERE / "worker_process.py"


# In how they meet a storage the methods do not differ.
on_each_storage = pytest.mark.parametrize(
    ("method", "url"),
    [("graphbo", "sqlite"), ("graphbo", "journal"), ("graphbo", "postgresql"), ("graphpnas", "sqlite")],
    indirect=["url"],
)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    binaries = postgresql_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed (initdb, pg_ctl, postgres)")
    pytest.importorskip("psycopg2", reason="the PostgreSQL driver psycopg2-binary is not installed")
    with postgresql_server(binaries) as url:
        yield url


@pytest.fixture(params=["sqlite", "journal", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        found: str = request.getfixturevalue("postgresql")
        return found
    return (
        f"sqlite:///{tmp_path}/study.db" if request.param == "sqlite" else f"journal://{tmp_path}/study.log"
    )


def start_worker(*arguments: object) -> subprocess.Popen[str]:
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=_with_our_folder())
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _with_our_folder() -> str:
    return os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])


def finish(workers: list[subprocess.Popen[str]]) -> None:
    try:
        for worker in workers:
            output, _ = worker.communicate(timeout=400)
            assert worker.returncode == 0, output
    finally:
        for worker in workers:
            worker.kill()


def new_study(url: str) -> tuple[optuna.Study, str]:
    name = f"study-{uuid.uuid4().hex[:12]}"
    return create_study(url, name), name


@on_each_storage
def test_workers_never_evaluate_an_architecture_twice(method: str, url: str) -> None:
    study, name = new_study(url)
    # The same seed: without exclusion all three would begin with the same architecture.
    finish([start_worker(url, name, method, 0, 13) for _ in range(3)])
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 39
    keys = keys_of(study, real_space())
    assert len(keys) == len(set(keys)) == 39


@on_each_storage
def test_a_killed_worker_leaves_no_trace_in_what_is_proposed(method: str, url: str, tmp_path: Path) -> None:
    uninterrupted = optuna.create_study(
        direction="maximize", sampler=make_sampler(method, 3, space=real_space())
    )
    uninterrupted.optimize(real_objective, n_trials=10)

    study, name = new_study(url)
    marker = tmp_path / "evaluating"
    worker = start_worker(url, name, method, 3, 10, 6, marker)
    deadline = time.monotonic() + 300
    while not marker.exists() and worker.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert marker.exists(), worker.communicate()[0]
    worker.send_signal(signal.SIGKILL)
    assert worker.wait(timeout=60) == -signal.SIGKILL

    finish([start_worker(url, name, method, 3, 4)])
    states = [trial.state for trial in study.trials]
    assert states.count(TrialState.COMPLETE) == 10
    assert states.count(TrialState.RUNNING) == 1
    assert states[6] == TrialState.RUNNING
    keys = keys_of(study, real_space())
    assert keys[6] == keys[7]  # the lost one is proposed again,
    del keys[6]
    assert keys == keys_of(uninterrupted, real_space())  # and then all goes on as without the crash


def test_a_worker_killed_while_it_proposes_does_not_hold_up_the_others(url: str) -> None:
    """A process dies in its turn: the others, on the same host, see that and go on."""
    study, name = new_study(url)
    program = (
        "import os, signal, sys\n"
        "import optuna\n"
        "from sampler_cases import RandomSearch, real_space, real_objective\n"
        "from storage_cases import open_storage\n"
        "from optuna_graphnas import GraphSampler\n"
        "class Dying(RandomSearch):\n"
        "    def ask(self, n=1, pending=()):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "sampler = GraphSampler(real_space(), lambda seed: Dying(real_space(), seed=seed), seed=0)\n"
        f"study = optuna.load_study(study_name={name!r}, storage=open_storage({url!r}), sampler=sampler)\n"
        "study.optimize(real_objective, n_trials=1)\n"
    )
    environment = dict(os.environ, PYTHONPATH=_with_our_folder())
    done = subprocess.run([sys.executable, "-c", program], env=environment, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert study.trials[0].system_attrs["graphnas:turn"]["phase"] == "entering"

    started = time.monotonic()
    study.sampler = recording_sampler([], real_space(), lease_seconds=1000.0)
    study.optimize(real_objective, n_trials=2)
    assert time.monotonic() - started < 60
    assert [trial.state.name for trial in study.trials] == ["RUNNING", "COMPLETE", "COMPLETE"]


@on_each_storage
def test_a_study_reopened_from_its_file_goes_on(method: str, url: str) -> None:
    study, name = new_study(url)
    for _ in range(3):
        study = optuna.load_study(
            study_name=name,
            storage=open_storage(url),
            sampler=make_sampler(method, 3, space=real_space()),
        )
        study.optimize(real_objective, n_trials=3)
    whole = optuna.create_study(direction="maximize", sampler=make_sampler(method, 3, space=real_space()))
    whole.optimize(real_objective, n_trials=9)
    assert keys_of(study, real_space()) == keys_of(whole, real_space())
