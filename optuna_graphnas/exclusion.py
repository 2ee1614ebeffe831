"""Exclusion: one worker at a time proposes, with nothing but Optuna's storage between the workers.

Workers that share a study may not share a machine, and Optuna's storages offer no lock and no
compare-and-swap. They do offer registers with one writer and many readers: the system attributes of a running
trial. That is enough for the one-bit algorithm of Burns and Lynch ("Bounds on Shared Memory for Mutual
Exclusion", Information and Computation 107(2), 1993), in which the earlier trial goes first:

1. Write "entering" on one's own trial, then read the others.
2. If an earlier trial wants to enter too, write "waiting" until none does, then begin again.
3. Wait until no later trial is "entering".
4. The critical section: propose, and write the claim, which says what the trial will evaluate.

The claim also ends the section. It is needed because the parameters of a trial reach the storage one by one,
while the objective asks for them, after the next worker may already have proposed. A worker that meets no
other one writes twice and reads once, and what it read is the history that it proposes from.

All this needs a storage that shows every reader what was written before it read, as Optuna's do on one
database, file or server; replicas that lag behind do not.

A worker may die in any step. On the same host that is seen at once, as is a register that came here with the
copy of a study (:mod:`optuna_graphnas.records`). For the rest there is a lease: a worker in steps 1 to 4
changes a counter in its register a few times per lease, and one whose register has not changed for a whole
lease, by the clock of the worker that waits, is passed over. So a worker that was suspended for longer than
the lease may propose the same architecture as another one.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
import time
from types import TracebackType
from typing import Any

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from graphnas.errors import InvalidArchitecture
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Proposal
from optuna_graphnas.records import is_abandoned, own_record, place_of

TURN = "graphnas:turn"
CLAIM = "graphnas:architecture"
FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.5
"""Seconds between two looks at the storage, at least and at most; see :class:`_Pauses`."""

_logger = logging.getLogger(__name__)

LastSeen = dict[tuple[int, int], tuple[dict[str, Any], float]]
"""Per (study id, trial number): the register as last read, and when it was first read in that state."""


class Turn:
    """A context manager whose body no two running trials of one study execute at the same time.

    Args:
        storage: The storage of the study.
        study_id: Its study.
        trial: The running trial on whose behalf the body is executed.
        lease_seconds: Time for which a worker that shows no sign of life holds up the others.
        last_seen: Registers seen in earlier turns of this process; a dead worker is waited for only once.

    Attributes:
        trials: All trials of the study, as they are while the body is executed.
    """

    trials: list[FrozenTrial]

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
        self._place = place_of(storage)
        self._trial = trial
        self._lease_seconds = lease_seconds
        self._last_seen = last_seen
        # The name tells this turn's claim from that of an earlier turn of the same trial.
        self._record: dict[str, Any] = {"trial": trial.number, "turn": secrets.token_hex(4), "phase": "done"}
        self._ahead = 0
        self._writing = threading.Lock()
        self._stop = threading.Event()
        self._beating = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Turn:
        try:
            self._write(phase="entering")
            self._beating.start()
            pauses = _Pauses()
            while not self._is_first():
                time.sleep(pauses.next(self._ahead, time.monotonic()))
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

    def claim(self, proposal: Proposal) -> None:
        """Write on the trial what it evaluates, which ends the turn."""
        content = {name: self._record[name] for name in ("trial", "turn")}
        content["architecture"] = proposal.architecture.to_dict()
        if proposal.settings:
            content["settings"] = dict(proposal.settings)
        self._storage.set_trial_system_attr(self._trial._trial_id, CLAIM, content)
        self._record["phase"] = "done"

    def _leave(self) -> None:
        self._stop.set()
        if self._beating.ident is not None:
            self._beating.join()
        if self._record["phase"] != "done":  # no claim: an error ended the body
            self._write(phase="done")

    def _write(self, **changes: str | int) -> None:
        with self._writing:
            self._record |= changes
            self._storage.set_trial_system_attr(self._trial._trial_id, TURN, dict(self._record))

    def _beat(self) -> None:
        for beat in itertools.count(1):
            if self._stop.wait(self._lease_seconds / 4):
                return
            try:
                self._write(beat=beat)
            except Exception as error:  # the next beat tries again; the lease covers what is lost
                _logger.debug("could not show that trial %d is alive: %r", self._trial.number, error)

    def _is_first(self) -> bool:
        """Whether the body may be executed; writes the phase that follows from what the others do."""
        # Before the storage is read, which may take long: a register is not older than that for the lease.
        self._read_at = time.monotonic()
        self.trials = self._storage.get_all_trials(self._study_id, deepcopy=False)
        phases = self._phases_of_others()
        self._ahead = sum(number < self._trial.number for number in phases)
        if self._ahead:
            if self._record["phase"] == "entering":
                self._write(phase="waiting")
            return False
        if self._record["phase"] == "waiting":
            self._write(phase="entering")
            return self._is_first()
        return "entering" not in phases.values()

    def _phases_of_others(self) -> dict[int, str]:
        """The phase of every other trial that is in steps 1 to 4, by trial number."""
        phases = {}
        for trial in self.trials:
            if trial.state != TrialState.RUNNING or trial.number == self._trial.number:
                continue
            record = own_record(trial, TURN)
            if record is None or record["phase"] == "done" or _has_claimed(trial, record):
                continue
            if not self._is_lost(trial, record):
                phases[trial.number] = record["phase"]
        return phases

    def _is_lost(self, trial: FrozenTrial, record: dict[str, Any]) -> bool:
        if is_abandoned(trial, self._place):
            return True
        place = (self._study_id, trial.number)
        last, since = self._last_seen.get(place, (None, 0.0))
        if last != record:
            since = time.monotonic()
        self._last_seen[place] = (record, since)
        return self._read_at - since > self._lease_seconds


class _Pauses:
    """How long to wait until the next look: half of the time that the others before one seem to need.

    How long a turn takes shows in how their number falls. As long as that does not, pauses grow: a look costs
    the storage time, in which the others would get on.
    """

    def __init__(self) -> None:
        self._ahead, self._since, self._turn = 0, 0.0, 2 * FIRST_PAUSE
        self._pause = FIRST_PAUSE

    def next(self, ahead: int, now: float) -> float:
        """Seconds to wait.

        Args:
            ahead: How many there are before one.
            now: The time, in seconds.
        """
        if ahead == self._ahead:
            self._pause *= 1.5
        else:
            if ahead < self._ahead:
                self._turn = (now - self._since) / (self._ahead - ahead)
            self._ahead, self._since = ahead, now
            self._pause = self._turn * max(ahead, 1) / 2
        return min(max(self._pause, FIRST_PAUSE), LONGEST_PAUSE)


def _has_claimed(trial: FrozenTrial, record: dict[str, Any]) -> bool:
    """Whether the turn that ``record`` is about has ended with a claim."""
    claim = own_record(trial, CLAIM)
    return claim is not None and claim.get("turn") == record["turn"]


def read_claim(trial: FrozenTrial) -> Proposal | None:
    """What ``trial`` claims to evaluate; None without a readable claim of its own."""
    claim = own_record(trial, CLAIM) or {}
    try:
        architecture = Architecture.from_dict(claim.get("architecture"))
    except InvalidArchitecture:
        return None
    return Proposal(architecture, tuple(sorted(claim.get("settings", {}).items())))
