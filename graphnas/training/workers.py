"""Worker processes: whether there can be any, how many, and what they can be given."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch

MOST_CORES = 2**16

MOST_WORKERS = 16
"""Worker processes that are started unless a number is given, however many cores there are."""


def can_fork() -> bool:
    """Whether worker processes can be had without asking anything of the user's program.

    Started in any other way, each imports the main module again, which an unguarded script does not survive.
    """
    return (
        sys.platform == "linux"
        and "fork" in multiprocessing.get_all_start_methods()
        and not multiprocessing.current_process().daemon
    )


def usable_cores() -> int:
    """Cores that this process may use; its part of them if torchrun has started several."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    beside = os.environ.get("LOCAL_WORLD_SIZE", "1")
    return max(min(cores, _quota()) // max(int(beside) if beside.isdigit() else 1, 1), 1)


def _quota(path: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Whole cores' worth of time that a container has."""
    try:
        quota, period = path.read_text().split()
        return MOST_CORES if quota == "max" else max(int(quota) // int(period), 1)
    except (OSError, ValueError, ZeroDivisionError):  # no container, or another kind of one
        return MOST_CORES


def worth_starting(read: Any) -> int:
    """Number of worker processes for a long pass over items that ``read`` returns."""
    workers = min(usable_cores(), MOST_WORKERS)
    return workers if workers > 1 and can_fork() and shareable(read) else 0


def ignore_interrupts(_worker: int) -> None:
    """Have a worker process leave Ctrl-C, which all processes of a terminal get, to the one that reads."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def shareable(thing: Any) -> bool:
    """Whether a forked process can use a copy of ``thing`` beside the original.

    An open file, database or connection is shared with its position rather than copied, and CUDA does not
    work after a fork. None of these can be pickled, so that is what is tried, without copying arrays.
    """
    try:
        _Probe(_Nowhere()).dump(thing)
    except Exception:  # objects raise whatever they like where they cannot be pickled
        return False
    return True


class _Nowhere:
    def write(self, data: bytes) -> int:
        return len(data)


class _Probe(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, torch.Tensor):
            if obj.device.type != "cpu":
                raise pickle.PicklingError("a tensor on a device")
            return "tensor"
        if isinstance(obj, np.ndarray) and obj.dtype != object:
            return "array"
        # Local classes and functions cannot be pickled, but survive a fork.
        if isinstance(obj, type | types.FunctionType | types.ModuleType):
            return "code"
        return "text" if isinstance(obj, bytes | str) and len(obj) > 100 else None
