"""Worker: the identity of a process, by which others on its host tell whether it is slow or dead."""

from __future__ import annotations

import functools
import os
import socket
from dataclasses import dataclass
from pathlib import Path


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
    def is_near(self) -> bool:
        """Whether the process is, or was, on this host, since its last boot and in this namespace."""
        here = current_worker()
        return (self.host, self.boot, self.namespace) == (here.host, here.boot, here.namespace)

    @property
    def is_dead(self) -> bool:
        """Whether the process is known to be dead; False where that is unknown, as on another host."""
        here = current_worker()
        if not self.is_near:
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
