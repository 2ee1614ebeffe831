"""Records: what the sampler notes on a trial, so that its end can be told where Optuna's states do not say.

Optuna leaves the trial of a killed process in state RUNNING for ever, or until its heartbeat gives it state
FAIL, which is also the state of a trial whose objective failed and of one that Ctrl-C ended. So a trial
carries the identity of its process and whether ``study.optimize`` runs it, and ``study.optimize`` has the
sampler note on a trial that fails which of these it was:

==============================  =====================================================================
FAIL, noted as a failure        FINISHED
FAIL, noted as stopped          STOPPED: a person pressed Ctrl-C, data are missing or damaged, or it was one
                                too many of a budget, which is no fault of the architecture
FAIL, not noted, by             INTERRUPTED: the heartbeat, or somebody who tidied up, found its worker
``study.optimize``              dead
FAIL, by ask-and-tell           FINISHED: a told FAIL is a failure, whichever process tells it. Optuna has
                                no heartbeat for such trials
FAIL, by a sampler without      FINISHED
notes
RUNNING                         OPEN, INTERRUPTED if its process is known to be dead, or STOPPED if the
                                trial came here with the copy of a study, where nobody will finish it
==============================  =====================================================================
"""

from __future__ import annotations

import dataclasses
import enum
import os
import sys
from typing import Any

from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from graphnas.errors import CorruptData, DataNotFound
from optuna_graphnas.worker import Worker, current_worker

WORKER = "graphnas:worker"
FAILURE = "graphnas:failed"
STOPPED = "graphnas:interrupted"


class NotNeeded(Exception):
    """Ends a trial before it is evaluated, because others do what is left of a budget."""


NOT_ITS_FAULT = (KeyboardInterrupt, CorruptData, DataNotFound, NotNeeded)
"""Errors that end a trial without saying anything of its architecture."""


class Fate(enum.Enum):
    """What became of a trial."""

    OPEN = "it runs or waits"
    FINISHED = "it was completed or pruned, or its objective failed"
    INTERRUPTED = "its worker was lost"
    STOPPED = "it was ended from outside, or lies in the copy of a study; it counts as never started"


def own_record(trial: FrozenTrial, attribute: str) -> dict[str, Any] | None:
    """The record in ``attribute``, if it was written for this trial.

    Optuna's retry of a failed trial copies all attributes to the new trial, so every record of ours names the
    trial that it belongs to.
    """
    record = trial.system_attrs.get(attribute)
    return record if isinstance(record, dict) and record.get("trial") == trial.number else None


def trials_of(study: Study) -> list[FrozenTrial]:
    """All trials of the study, as this thread read them when it last began a trial, or now if it did not."""
    whole: Study = getattr(study, "_study", study)  # Hyperband hands over a part of the study
    return whole._get_trials(deepcopy=False, use_cache=True)


# ---------------------------------------------------------------- writing


def record_worker(study: Study, trial: FrozenTrial) -> None:
    """Write on ``trial`` which process runs it, where, and whether in ``study.optimize``."""
    whole = getattr(study, "_study", study)  # Hyperband hands over a part of the study
    record = {
        "trial": trial.number,
        "id": trial._trial_id,
        "storage": place_of(study._storage),
        "optimize": bool(whole._thread_local.in_optimize_loop),
        **dataclasses.asdict(current_worker()),
    }
    study._storage.set_trial_system_attr(trial._trial_id, WORKER, record)


def record_failure(study: Study, trial: FrozenTrial) -> None:
    """Write on ``trial``, just before it ends in state FAIL, whether it failed or was stopped."""
    record = own_record(trial, WORKER)
    if record is None or not record.get("optimize"):  # then state FAIL says it all
        return
    if _ended_from_outside():
        study._storage.set_trial_system_attr(trial._trial_id, STOPPED, {"trial": trial.number})
    elif not _has_died(record):
        study._storage.set_trial_system_attr(trial._trial_id, FAILURE, {"trial": trial.number})


def _ended_from_outside() -> bool:
    """Whether ``study.optimize``, by which this is called, ends a trial because of Ctrl-C or of the data.

    Optuna tells the sampler the state alone, after it has handled the exception; the frame of its loop is
    the one place that still knows it.
    """
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "_run_trial" and frame.f_globals.get("__name__", "").startswith("optuna."):
            return any(_not_its_fault(value) for value in frame.f_locals.values())
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _not_its_fault(error: object) -> bool:
    met: list[BaseException] = []
    while isinstance(error, BaseException) and error not in met:
        if isinstance(error, NOT_ITS_FAULT):
            return True
        met.append(error)
        error = error.__cause__ or error.__context__
    return False


# ---------------------------------------------------------------- reading


def fate_of(trial: FrozenTrial, place: str) -> Fate:
    """What became of ``trial``, as read from the storage that ``place`` identifies."""
    record = own_record(trial, WORKER)
    if trial.state == TrialState.FAIL:
        if own_record(trial, STOPPED) is not None:
            return Fate.STOPPED
        failed = record is None or not record.get("optimize") or own_record(trial, FAILURE) is not None
        return Fate.FINISHED if failed else Fate.INTERRUPTED
    if trial.state.is_finished():
        return Fate.FINISHED
    if trial.state == TrialState.WAITING or record is None:
        return Fate.OPEN
    if _has_died(record):
        return Fate.INTERRUPTED
    return Fate.STOPPED if _is_copied(trial, record, place) else Fate.OPEN


def is_abandoned(trial: FrozenTrial, place: str) -> bool:
    """Whether ``trial`` is unfinished and known to remain so."""
    return not trial.state.is_finished() and fate_of(trial, place) is not Fate.OPEN


def place_of(storage: BaseStorage) -> str:
    """What tells ``storage`` from any other one, for the processes of one host; empty where nothing does.

    A copied file, or a study copied to another storage, keeps every number and name that it holds.
    """
    backend = getattr(storage, "_backend", None)
    rdb = backend if isinstance(backend, RDBStorage) else storage
    if isinstance(rdb, RDBStorage):
        url = rdb.engine.url
        if url.get_backend_name() != "sqlite":
            return f"{url.get_backend_name()} {url.database}"
        if url.database in (None, "", ":memory:"):
            return f"memory {os.getpid()} {id(rdb)}"
        return _file(str(url.database))
    if isinstance(storage, JournalStorage) and isinstance(backend, JournalFileBackend):
        return _file(backend._file_path)
    return f"memory {os.getpid()} {id(storage)}" if isinstance(storage, InMemoryStorage) else ""


def _file(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError:
        return ""
    return f"file {status.st_dev} {status.st_ino}"


def _worker_in(record: dict[str, Any]) -> Worker | None:
    try:
        return Worker(**{field.name: record[field.name] for field in dataclasses.fields(Worker)})
    except KeyError:  # written by another release
        return None


def _has_died(record: dict[str, Any]) -> bool:
    worker = _worker_in(record)
    return worker is not None and worker.is_dead


def _is_copied(trial: FrozenTrial, record: dict[str, Any], place: str) -> bool:
    """Whether the record was written on another trial, of which this one is a copy."""
    if record.get("id", trial._trial_id) != trial._trial_id:
        return True
    worker, written_in = _worker_in(record), record.get("storage")
    return bool(worker is not None and worker.is_near and place and written_in) and place != written_in
