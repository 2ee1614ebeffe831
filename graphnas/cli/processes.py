"""Processes that do parts of one command: kept running, started again if they die, and stopped together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import graphnas
from graphnas.errors import WorkersLost

RESTARTS = 10
"""How often a worker is started again before it is given up."""
LOOK_SECONDS = 0.2
"""Time between two looks at the processes."""
SHOW_SECONDS = 2.0
"""Time between two looks at how far they are."""
STOP_SECONDS = 30.0
"""How long a worker may take to end its trial after Ctrl-C, before it is killed."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
BAD_ARGUMENTS = 2  # the exit code after which another start would end in the same way


def run_processes(
    commands: Sequence[Sequence[str]], *, show: Callable[[], None], after_death: Callable[[], object]
) -> None:
    """Run ``graphnas`` once with each of ``commands``, until each has ended with exit code 0 or is given up.

    Args:
        commands: The arguments of each worker.
        show: Called from time to time.
        after_death: Called when a worker has died, before it is started again.

    Raises:
        WorkersLost: Each of them was given up: it died more than :data:`RESTARTS` times, or refuses its
            arguments.
        KeyboardInterrupt: By Ctrl-C or SIGTERM. As with any error, all of them have ended.
    """
    workers = [_Worker(number, command, len(commands)) for number, command in enumerate(commands, start=1)]
    with _Signals() as signals:
        try:
            for worker in workers:
                worker.start()
            shown = time.monotonic()
            while any(worker.process is not None for worker in workers):
                time.sleep(LOOK_SECONDS)
                if signals.came:
                    raise KeyboardInterrupt
                died = [worker for worker in workers if worker.has_died()]
                if died:
                    after_death()
                for worker in died:
                    worker.start_again()
                if time.monotonic() - shown > SHOW_SECONDS:
                    show()
                    shown = time.monotonic()
        finally:
            _stop(workers, signals)
    if all(worker.given_up for worker in workers):
        raise WorkersLost(f"none of the {len(workers)} workers can run; see above why they ended")


class _Worker:
    """One worker, in one process after another."""

    def __init__(self, number: int, command: Sequence[str], of: int) -> None:
        self._name = f"worker {number} of {of}"
        # -P: not what happens to lie in the current folder.
        self._command = [sys.executable, "-P", "-m", "graphnas", *command]
        self._environment = _environment(of)
        self._restarts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.given_up = False

    def start(self) -> None:
        # A session of its own: Ctrl-C on a terminal reaches this process alone, which passes it on once.
        self.process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def has_died(self) -> bool:
        """Whether it ended since it was last asked, though not because nothing was left to do."""
        if self.process is None or self.process.poll() is None:
            return False
        if self.process.returncode == 0:
            self.forget()
            return False
        return True

    def start_again(self) -> None:
        assert self.process is not None
        code = self.process.returncode
        self.forget()
        how = f"was ended by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        if code == BAD_ARGUMENTS or self._restarts == RESTARTS:
            self.given_up = True
            print(f"graphnas: {self._name} {how} and is not started again", file=sys.stderr, flush=True)
            return
        self._restarts += 1
        print(
            f"graphnas: {self._name} {how}; started again ({self._restarts} of at most {RESTARTS} times)",
            file=sys.stderr,
            flush=True,
        )
        self.start()

    def forget(self) -> None:
        """Let go of the process that has ended."""
        if self.process is not None and self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        self.process = None


class _Signals:
    """Counts Ctrl-C and SIGTERM, by which Slurm and Kubernetes end a job, while the body runs.

    They are looked for between the steps: an interrupted reader of an SQLite file would lock it for the
    workers.
    """

    def __init__(self) -> None:
        self.came = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._count)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _count(self, *_: object) -> None:
        self.came += 1


def _stop(workers: Sequence[_Worker], signals: _Signals) -> None:
    """End all that still run: let them end their trials, and kill those that do not, or on another Ctrl-C."""
    running = [worker for worker in workers if worker.process is not None]
    processes = [worker.process for worker in running if worker.process is not None]
    came = signals.came
    for process in processes:
        process.send_signal(signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    while any(process.poll() is None for process in processes):
        if signals.came > came or time.monotonic() > deadline:
            break
        time.sleep(LOOK_SECONDS)
    for process in processes:
        process.kill()  # does nothing to one that has ended
        process.wait()
    for worker in running:
        worker.forget()


def _environment(workers: int) -> dict[str, str]:
    """A worker's environment: this process's, its share of the cores as threads, and this graphnas."""
    threads = str(max(1, usable_cores() // workers))
    home = str(Path(graphnas.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, **dict.fromkeys(THREADS, threads), "PYTHONPATH": path}


def usable_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
