"""Running the searches of a record of the suite, whichever script asks for them."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.searches.runs import run_all
from benchmarks.suite.figures import Search
from benchmarks.suite.tasks import scale_of


def run_searches(
    job: Callable[[str, int, int], Search],
    searches: Sequence[tuple[str, int, int]],
    output: Path,
    settings: dict[str, Any],
    options: argparse.Namespace,
    *,
    command: Sequence[str],
    order: Sequence[str],
    beside: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Run what ``output`` does not hold, see :func:`.run_all`; the figures of the record.

    Args:
        job: Runs one search, whose name is that of the task and of the method.
        searches: Name, seed and queries of each.
        output: The record.
        settings: Entries of the record that must be the same for an earlier run to count.
        options: The script's: ``workers`` and ``fresh``.
        command: What makes the whole record, rather than the arguments that added the last runs.
        order: The names in the order of the record.
        beside: Further entries of the record.
    """

    def summarize(runs: list[Search]) -> dict[str, Any]:
        present = dict.fromkeys(one.place[0] for one in runs)
        scale = {task: scale_of(task) for task in present}
        return {"command": shlex.join(command), "scale": scale, **(beside or {})}

    return run_all(
        Search,
        job,
        searches,
        output,
        settings,
        summarize,
        order=order,
        workers=options.workers,
        fresh=options.fresh,
    )
