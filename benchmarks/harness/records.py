"""The JSON record that every benchmark writes: its figures, and how they were made."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

from benchmarks.harness.sections import Section, printed
from graphnas.cli.arguments import add_dry_run
from graphnas.files import replacing

RESULTS = Path(__file__).parents[1] / "results"
PACKAGES = ("graphnas", "numpy", "scipy", "scikit-learn", "torch", "optuna")


def script_parser(
    description: str | None, record: str | None = None, *, dry_run: bool = False
) -> argparse.ArgumentParser:
    """The command line that every script has: ``--output``, by default the stored record of that name.

    Args:
        description: The script's docstring.
        record: Name of the record, without ``.json``; None where it depends on other arguments.
        dry_run: Whether the script has ``--dry-run``, which prints a :class:`graphnas.dry_run.DryRun`.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = RESULTS / f"{record}.json" if record else None
    parser.add_argument("--output", type=Path, metavar="FILE", default=default, help="the JSON record")
    if dry_run:
        add_dry_run(parser)
    return parser


def processor() -> str:
    """The processor's model name if the system gives one, otherwise its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Versions of Python and of those packages that are installed."""
    installed = {"python": platform.python_version()}
    for package in packages:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed


def to_json(record: dict[str, Any]) -> str:
    """JSON with one entry per line, but with every list of numbers on a single line."""
    text = json.dumps(record, indent=2)
    # A bracket at the end of a line opens a list: a string would be followed by its quotation mark.
    return re.sub(r"\[\n\s+([^][{}\"]+?)\s*\n\s*\]", lambda m: f"[{' '.join(m[1].split())}]", text)


def this_command() -> str:
    """The command that runs this script again, without ``--output``."""
    spec = sys.modules["__main__"].__spec__
    start = ["python", "-m", spec.name] if spec else ["python", sys.argv[0]]
    arguments = sys.argv[1:]
    if "--output" in arguments:
        at = arguments.index("--output")
        del arguments[at : at + 2]
    return shlex.join([*start, *arguments])


def write_record(
    path: Path, figures: dict[str, Any], packages: Sequence[str] = PACKAGES, *, quiet: bool = False
) -> None:
    """Store ``figures`` with the command, the versions and the machine they were made with."""
    record = {
        "command": this_command(),
        "machine": {"processor": processor(), "cores": os.cpu_count(), "threads": 1},
        "versions": versions(packages),
        **figures,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:  # an interrupted run leaves the previous record intact
        part.write_text(to_json(record) + "\n")
    if not quiet:
        print(f"written to {path}")


def publish(
    path: Path,
    figures: dict[str, Any],
    section: Callable[[dict[str, Any]], Section],
    packages: Sequence[str] = PACKAGES,
) -> None:
    """Store ``figures``, and print the section of the report that they make."""
    write_record(path, figures, packages)
    print(printed(section(json.loads(path.read_text()))))


def stored_runs(
    path: Path, settings: Mapping[str, Any], what: str | None, *, fresh: bool = False
) -> list[dict[str, Any]]:
    """The runs of an earlier record with the same settings, so that an interrupted benchmark continues.

    Args:
        path: The record.
        settings: Entries of the record that must be the same for its runs to count.
        what: Name of the runs in the message that they are kept; None prints nothing.
        fresh: Start again from nothing.
    """
    if fresh or not path.is_file():
        return []
    record = json.loads(path.read_text())
    if any(record.get(name) != value for name, value in settings.items()):
        return []
    if what:
        print(f"{len(record['runs'])} {what} of {path} are kept; --fresh runs them again")
    return list(record["runs"])


def missing_runs(runs: Iterable[Mapping[str, Any]], arms: Iterable[str], seeds: int) -> list[tuple[str, int]]:
    """Arms and seeds of which ``runs`` has none, seed by seed, so that an interrupted record has all arms."""
    done = {(run["arm"], run["seed"]) for run in runs}
    return [(arm, seed) for seed in range(seeds) for arm in arms if (arm, seed) not in done]


def run_on_one_thread(main: Callable[[], int]) -> NoReturn:
    """Run a script's ``main`` on one thread, as all figures here are measured, and exit with its code."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    with threadpool_limits(limits=1):
        sys.exit(main())
