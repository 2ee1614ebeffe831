"""Exclusion: one worker at a time proposes, with nothing but Optuna's storage between the workers.

Workers that share a study may not share a machine, and Optuna's storages offer no lock and no
compare-and-swap. They do offer registers with one writer and many readers: the system attributes of a running
trial. That is what Lamport's bakery algorithm needs ("A New Solution of Dijkstra's Concurrent Programming
Problem", CACM 17(8), 1974). The processes of the algorithm are here the running trials:

1. write "choosing" on one's own trial;
2. read the tickets of all running trials, and write a ticket one larger than the largest;
3. wait until no running trial is choosing or has a smaller (ticket, trial number);
4. the critical section: read the history, propose, publish the claim (:mod:`optuna_graphnas.claims`);
5. write "done".

A trial that starts later chooses later, and so takes a larger ticket than every one that is waiting already:
the set of processes may grow while somebody waits.

A worker may die in steps 1 to 5. On the same host that is seen at once (:mod:`optuna_graphnas.worker`). For
the rest there is a lease: a worker in steps 2 to 5 changes a counter in its register a few times per lease,
and one whose register has not changed for a whole lease, by the clock of the worker that waits, is passed
over. A worker that was suspended for longer than the lease may therefore propose what another one does.
"""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Any

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from optuna_graphnas.worker import is_abandoned, own_record

ATTRIBUTE = "graphnas:ticket"
FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.25
"""Seconds between two looks at the storage, at first and at most."""

_logger = logging.getLogger(__name__)

LastSeen = dict[tuple[int, int], tuple[dict[str, Any], float]]
"""Per (study id, trial number): the register as last read, and when it was first read like that."""


class Turn:
    """A context manager whose body no two running trials of one study execute at the same time.

    Args:
        storage: The storage of the study.
        study_id: Its study.
        trial: The running trial on whose behalf the body is executed.
        lease_seconds: How long a worker that shows no sign of life holds up the others.
        last_seen: What earlier turns of this process observed; a dead worker is waited for only once.
    """

    def __init__(
        self,
        storage: BaseStorage,
        study_id: int,
        trial: FrozenTrial,
        *,
        lease_seconds: float,
        last_seen: LastSeen,
    ) -> None:
        self._storage = storage
        self._study_id = study_id
        self._trial = trial
        self._lease_seconds = lease_seconds
        self._last_seen = last_seen
        self._ticket = 0
        self._stop = threading.Event()
        self._beating: threading.Thread | None = None

    def __enter__(self) -> Turn:
        try:
            self._write(phase="choosing")
            self._ticket = 1 + max((record.get("ticket", 0) for _, record in self._others()), default=0)
            self._write(phase="waiting", ticket=self._ticket, beat=0)
            self._beating = threading.Thread(target=self._beat, daemon=True)
            self._beating.start()
            pause = FIRST_PAUSE
            while self._is_held_up():
                time.sleep(pause)
                pause = min(1.5 * pause, LONGEST_PAUSE)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        self._stop.set()
        if self._beating is not None:
            self._beating.join()
        self._write(phase="done")

    def _write(self, **record: str | int) -> None:
        record["trial"] = self._trial.number
        self._storage.set_trial_system_attr(self._trial._trial_id, ATTRIBUTE, record)

    def _beat(self) -> None:
        beat = 0
        while not self._stop.wait(self._lease_seconds / 4):
            beat += 1
            try:
                self._write(phase="waiting", ticket=self._ticket, beat=beat)
            except Exception as error:  # the next beat tries again; the lease covers what is lost
                _logger.debug("could not renew the ticket of trial %d: %r", self._trial.number, error)

    def _others(self) -> list[tuple[FrozenTrial, dict[str, Any]]]:
        """The other running trials that are in steps 1 to 5, with their registers."""
        running = self._storage.get_all_trials(self._study_id, deepcopy=False, states=(TrialState.RUNNING,))
        registers = ((trial, own_record(trial, ATTRIBUTE)) for trial in running)
        return [
            (trial, record)
            for trial, record in registers
            if record is not None and record["phase"] != "done" and trial.number != self._trial.number
        ]

    def _is_held_up(self) -> bool:
        mine = (self._ticket, self._trial.number)
        return any(
            (record["phase"] == "choosing" or (record["ticket"], trial.number) < mine)
            and not self._is_lost(trial, record)
            for trial, record in self._others()
        )

    def _is_lost(self, trial: FrozenTrial, record: dict[str, Any]) -> bool:
        if is_abandoned(trial):
            return True
        now = time.monotonic()
        place = (self._study_id, trial.number)
        last, since = self._last_seen.get(place, (None, now))
        if last != record:
            since = now
        self._last_seen[place] = (record, since)
        return now - since > self._lease_seconds
