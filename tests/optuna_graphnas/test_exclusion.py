"""One at a time in the critical section, with nothing but the storage in between."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

from graphnas.graph.evaluation import Proposal
from optuna_graphnas.exclusion import FIRST_PAUSE, LONGEST_PAUSE, LastSeen, Turn, _Pauses, read_claim
from optuna_graphnas.records import is_abandoned, place_of
from optuna_graphnas.worker import current_worker
from search_spaces import GEMNet

LARGE = GEMNet(num_nodes=60).sample(np.random.default_rng(0))
ARCHITECTURE = GEMNet(num_nodes=6).sample(np.random.default_rng(0))


def new_trial(storage: BaseStorage, study_id: int, **worker: Any) -> FrozenTrial:
    trial = storage.get_trial(storage.create_new_trial(study_id))
    record = {"trial": trial.number, **current_worker().__dict__, **worker}
    storage.set_trial_system_attr(trial._trial_id, "graphnas:worker", record)
    return trial


def new_study(storage: BaseStorage) -> int:
    return optuna.create_study(storage=storage)._study_id


def turn(storage: BaseStorage, study_id: int, trial: FrozenTrial, lease_seconds: float = 300.0) -> Turn:
    return Turn(storage, study_id, trial, lease_seconds=lease_seconds, last_seen={})


@pytest.mark.parametrize("kind", ["memory", "journal"])
def test_no_two_inside_at_once(kind: str, tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    memory = InMemoryStorage()

    def storage() -> BaseStorage:  # each thread its own, as each process would have
        return memory if kind == "memory" else JournalStorage(JournalFileBackend(path))

    study_id = new_study(storage())
    inside: list[int] = []
    counter = [0]

    def worker(_: int) -> None:
        mine = storage()
        for _ in range(5):
            trial = new_trial(mine, study_id)
            with turn(mine, study_id, trial) as mine_now:
                inside.append(trial.number)
                assert inside == [trial.number]
                seen = counter[0]
                time.sleep(0.002)  # lets another thread in, if anything does
                counter[0] = seen + 1
                assert inside == [trial.number]
                inside.clear()
                if trial.number % 2:  # a turn ends with a claim, or without one
                    mine_now.claim(Proposal(ARCHITECTURE))

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(worker, range(4)))
    assert counter[0] == 20


def put(storage: BaseStorage, trial: FrozenTrial, phase: str, **record: Any) -> None:
    record = {"trial": trial.number, "turn": "0", "phase": phase, **record}
    storage.set_trial_system_attr(trial._trial_id, "graphnas:turn", record)


def phase_of(storage: BaseStorage, trial: FrozenTrial) -> str:
    phase: str = storage.get_trial(trial._trial_id).system_attrs["graphnas:turn"]["phase"]
    return phase


@pytest.mark.parametrize(("place", "phase"), [(0, "entering"), (0, "waiting"), (2, "entering")])
def test_waits_for_earlier_trials_and_for_a_later_one_inside(place: int, phase: str) -> None:
    storage = InMemoryStorage()
    study_id = new_study(storage)
    trials = [new_trial(storage, study_id) for _ in range(3)]
    mine, other = trials[1], trials[place]
    put(storage, other, phase)
    entered = threading.Event()

    def enter() -> None:
        with turn(storage, study_id, mine):
            entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    assert not entered.wait(0.3)
    assert phase_of(storage, mine) == ("waiting" if place == 0 else "entering")
    put(storage, other, "done")
    assert entered.wait(10)
    thread.join()
    assert phase_of(storage, mine) == "done"


def test_a_claim_ends_the_turn_it_was_made_in_and_no_other() -> None:
    storage = InMemoryStorage()
    study_id = new_study(storage)
    first, second = new_trial(storage, study_id), new_trial(storage, study_id)
    with turn(storage, study_id, first) as held:
        held.claim(Proposal(ARCHITECTURE))
    assert phase_of(storage, first) == "entering"  # the claim is the only thing written
    with turn(storage, study_id, second):
        pass
    again = turn(storage, study_id, first)
    with again:  # the claim of before does not stand for this turn
        assert not turn(storage, study_id, second)._is_first()


def test_waits_for_no_later_trial_that_waits_no_finished_one_and_no_copied_record() -> None:
    storage = InMemoryStorage()
    study_id = new_study(storage)
    finished, copied, mine, later = (new_trial(storage, study_id) for _ in range(4))
    put(storage, finished, "entering")
    storage.set_trial_state_values(finished._trial_id, optuna.trial.TrialState.FAIL)
    record = {"trial": finished.number, "turn": "0", "phase": "entering"}
    storage.set_trial_system_attr(copied._trial_id, "graphnas:turn", record)
    put(storage, later, "waiting")
    with turn(storage, study_id, mine):
        pass


def test_passes_over_a_dead_process_at_once() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    storage = InMemoryStorage()
    study_id = new_study(storage)
    dead, mine = new_trial(storage, study_id, pid=gone.pid), new_trial(storage, study_id)
    put(storage, dead, "entering")
    assert is_abandoned(storage.get_trial(dead._trial_id), place_of(storage))
    started = time.monotonic()
    with turn(storage, study_id, mine):
        pass
    assert time.monotonic() - started < 5


def test_a_killed_process_is_dead_before_its_parent_has_noticed() -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system has no /proc")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    storage = InMemoryStorage()
    study_id = new_study(storage)
    started = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
    trial = new_trial(storage, study_id, pid=child.pid, started=started)
    assert not is_abandoned(storage.get_trial(trial._trial_id), place_of(storage))
    os.kill(child.pid, 9)
    deadline = time.monotonic() + 30
    while (
        not is_abandoned(storage.get_trial(trial._trial_id), place_of(storage))
        and time.monotonic() < deadline
    ):
        time.sleep(0.01)
    assert is_abandoned(storage.get_trial(trial._trial_id), place_of(storage))
    child.wait()


def test_passes_over_another_host_after_the_lease_but_only_if_it_shows_no_life() -> None:
    storage = InMemoryStorage()
    study_id = new_study(storage)
    silent = new_trial(storage, study_id, host="elsewhere")
    put(storage, silent, "entering")
    last_seen: LastSeen = {}

    def enter(lease_seconds: float) -> float:
        started = time.monotonic()
        with Turn(
            storage,
            study_id,
            new_trial(storage, study_id),
            lease_seconds=lease_seconds,
            last_seen=last_seen,
        ):
            return time.monotonic() - started

    assert enter(1.5) >= 1.5
    assert enter(1.5) < 1.2  # what was waited for once is not waited for again

    put(storage, silent, "entering", beat=1)
    assert enter(1.5) >= 1.5  # it had been alive after all


def test_shows_life_while_it_is_inside() -> None:
    storage = InMemoryStorage()
    study_id = new_study(storage)
    slow, other = new_trial(storage, study_id, host="elsewhere"), new_trial(storage, study_id)
    entered = threading.Event()

    def enter() -> None:
        with turn(storage, study_id, other, lease_seconds=1.5):
            entered.set()

    with turn(storage, study_id, slow, lease_seconds=1.5):
        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(3.5)  # more than two leases
    assert entered.wait(10)
    thread.join()


def test_an_error_inside_leaves() -> None:
    storage = InMemoryStorage()
    study_id = new_study(storage)
    trial = new_trial(storage, study_id)
    with pytest.raises(RuntimeError, match="inside"), turn(storage, study_id, trial):
        raise RuntimeError("inside")
    with turn(storage, study_id, new_trial(storage, study_id)):
        pass
    assert phase_of(storage, trial) == "done"


def test_time_spent_reading_the_storage_is_not_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that stops between reading the registers and the clock must not take the others for dead."""
    clock = [0.0]

    class SlowStorage(InMemoryStorage):
        def get_all_trials(self, *args: Any, **kwargs: Any) -> list[FrozenTrial]:
            trials = super().get_all_trials(*args, **kwargs)
            clock[0] += 400.0
            return trials

    storage = SlowStorage()
    study_id = new_study(storage)
    alive, mine = new_trial(storage, study_id, host="elsewhere"), new_trial(storage, study_id)
    waiting = turn(storage, study_id, mine, lease_seconds=300.0)
    monkeypatch.setattr("optuna_graphnas.exclusion.time.monotonic", lambda: clock[0])
    put(storage, alive, "entering", beat=1)
    assert not waiting._is_first()
    clock[0] += 1.0
    assert not waiting._is_first()
    assert waiting._is_first()  # unchanged for 401 seconds by now


def test_a_claim_comes_back_from_the_trial_that_made_it_alone() -> None:
    storage = InMemoryStorage()
    study_id = new_study(storage)
    trial, retried = new_trial(storage, study_id), new_trial(storage, study_id)
    for architecture in (LARGE, ARCHITECTURE):  # the later claim replaces the earlier one
        with turn(storage, study_id, trial) as held:
            held.claim(Proposal(architecture, (("rate", 0.1),)))
        assert read_claim(storage.get_trial(trial._trial_id)) == Proposal(architecture, (("rate", 0.1),))
    claim = storage.get_trial(trial._trial_id).system_attrs["graphnas:architecture"]
    storage.set_trial_system_attr(retried._trial_id, "graphnas:architecture", claim)  # as Optuna's retry does
    assert read_claim(storage.get_trial(retried._trial_id)) is None
    storage.set_trial_system_attr(trial._trial_id, "graphnas:architecture", {**claim, "architecture": {}})
    assert read_claim(storage.get_trial(trial._trial_id)) is None
    assert read_claim(new_trial(storage, study_id)) is None


def test_pauses_follow_how_fast_the_others_get_on():
    pauses = _Pauses()
    first = pauses.next(4, now=10.0)
    assert first >= FIRST_PAUSE
    assert pauses.next(4, now=10.1) == pytest.approx(min(1.5 * first, LONGEST_PAUSE))
    # Two turns in .4 seconds: two are left, which take another .4, and half of that is waited.
    assert pauses.next(2, now=10.4) == pytest.approx(0.2)
    assert pauses.next(1, now=10.402) == FIRST_PAUSE
    assert pauses.next(30, now=99.0) <= LONGEST_PAUSE
    for _ in range(20):
        longest = pauses.next(30, now=99.0)
    assert longest == LONGEST_PAUSE
