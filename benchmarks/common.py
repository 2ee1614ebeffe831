"""What every benchmark shares: a JSON record of its figures that says how they were made."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("graphnas", "numpy", "scipy", "scikit-learn", "torch", "optuna")


def processor() -> str:
    """The processor's model name where the system tells, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Versions of Python and of the packages that are installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def to_json(record: dict[str, Any]) -> str:
    """JSON with an entry on each line, but with every list of numbers on one."""
    text = json.dumps(record, indent=2)
    # A bracket at the end of a line opens a list: a string would be followed by its quotation mark.
    return re.sub(r"\[\n\s+([^][{}\"]+?)\s*\n\s*\]", lambda m: f"[{' '.join(m[1].split())}]", text)


def write_record(
    path: Path, figures: dict[str, Any], packages: Sequence[str] = PACKAGES, *, quiet: bool = False
) -> None:
    """Store ``figures`` with the command, the versions and the machine they were made with."""
    record = {
        "command": shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "machine": {"processor": processor(), "cores": os.cpu_count(), "threads": 1},
        "versions": versions(packages),
        **figures,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside and then in place, so that who is interrupted keeps the record from before.
    beside = path.with_suffix(".part")
    beside.write_text(to_json(record) + "\n")
    beside.replace(path)
    if not quiet:
        print(f"written to {path}")


def run_on_one_thread(main: Callable[[], int]) -> NoReturn:
    """Run a script's ``main`` on one thread, as every figure here is meant, and exit with its code."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    with threadpool_limits(limits=1):
        sys.exit(main())
