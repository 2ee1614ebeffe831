"""Worker: which process runs a trial, and whether that process is known to be dead.

Optuna leaves the trial of a killed process in state RUNNING for ever, or until its heartbeat notices. So a
trial carries the identity of its process, by which others on the same host tell slow workers from dead ones.
"""

from __future__ import annotations

import functools
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

ATTRIBUTE = "graphnas:worker"


@dataclass(frozen=True)
class Worker:
    """The identity of one process.

    Attributes:
        host: Host name.
        boot: Identity of the host's last boot; empty where the system has none.
        namespace: The process-id namespace, in which two containers of the same host and boot differ.
        pid: Process id.
        started: Start of the process in clock ticks since boot, which distinguishes it from a later process
            with the same id; empty where the system does not say.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    started: str

    @property
    def is_dead(self) -> bool:
        """Whether the process is known to be dead; False where that is unknown, as on another host."""
        here = current_worker()
        if (self.host, self.boot, self.namespace) != (here.host, here.boot, here.namespace):
            return False
        if self.pid == here.pid:
            return bool(self.started) and self.started != here.started
        if self.started:
            return _state_and_start(self.pid) not in {("live", self.started), ("unknown", "")}
        return not _exists(self.pid)


def current_worker() -> Worker:
    """The identity of this process."""
    return _worker(os.getpid())


@functools.lru_cache(maxsize=2)
def _worker(pid: int) -> Worker:  # by id, because a forked child inherits this cache
    return Worker(
        host=socket.gethostname(),
        boot=_read("/proc/sys/kernel/random/boot_id").strip(),
        namespace=_link("/proc/self/ns/pid"),
        pid=pid,
        started=_state_and_start(pid)[1],
    )


def _state_and_start(pid: int) -> tuple[str, str]:
    """("live", start), ("dead", "") or, where the system does not say, ("unknown", "")."""
    if not Path("/proc/self/stat").exists():
        return "unknown", ""
    # The command name comes second, in brackets, and may itself hold spaces and brackets.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    if len(fields) < 20:  # gone, or hidden from this user
        return ("unknown" if _exists(pid) else "dead"), ""
    if fields[0] in "ZX":  # killed, but its parent has not asked for its exit status yet
        return "dead", ""
    return "live", fields[19]


def _exists(pid: int) -> bool:
    if os.name != "posix":  # there, signal 0 would not be a mere question
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


# ---------------------------------------------------------------- on trials


def record_worker(storage: BaseStorage, trial: FrozenTrial) -> None:
    """Write on ``trial`` that this process runs it."""
    record = {"trial": trial.number, **asdict(current_worker())}
    storage.set_trial_system_attr(trial._trial_id, ATTRIBUTE, record)


def worker_of(trial: FrozenTrial) -> Worker | None:
    """The process that runs ``trial``, if it is known."""
    record = own_record(trial, ATTRIBUTE)
    if record is None:
        return None
    try:
        return Worker(**{name: value for name, value in record.items() if name != "trial"})
    except TypeError:  # written by another release
        return None


def is_abandoned(trial: FrozenTrial) -> bool:
    """Whether the process that ran ``trial`` is known to be dead."""
    worker = worker_of(trial)
    return worker is not None and worker.is_dead


def own_record(trial: FrozenTrial, attribute: str) -> dict[str, Any] | None:
    """The record in ``attribute``, if it was written for this trial.

    Optuna's retry of a failed trial copies all attributes to the new trial, so every record of ours names the
    trial that it belongs to.
    """
    record = trial.system_attrs.get(attribute)
    return record if isinstance(record, dict) and record.get("trial") == trial.number else None
