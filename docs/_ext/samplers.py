"""The table of the page "Which sampler?": what each can, and what the stored records say of it."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.suite.figures import Compared, searches_of, shown
from benchmarks.suite.tasks import ONE

SUITE = "suite_validation.json"
SECONDS = "sampling_seconds.json"
BUDGETS = (30, 50, 100)
SIZES = (100, 500)
YES, NO, NOT_AGAIN = "yes", "no", "are not proposed again"


@dataclass(frozen=True)
class Sampler:
    """What a sampler can.

    Attributes:
        name: As it is imported.
        search: Its name in the record of the suite.
        seconds: Its name in the record of seconds.
        graph: Whether it sees the graph, not only its parameters.
        objectives: Several objectives.
        constraints: Constraints.
        pruned: Whether pruned trials teach it.
        batch: Whether it takes account of trials that still run.
        mixed: Who chooses other hyper-parameters.
    """

    name: str
    search: str
    seconds: str
    graph: str
    objectives: str
    constraints: str
    pruned: str
    batch: str
    mixed: str


SAMPLERS = (
    Sampler(
        "GraphBOSampler",
        "GraphBOSampler",
        "GraphBOSampler",
        YES,
        YES,
        YES,
        YES,
        YES,
        "itself, jointly",
    ),
    Sampler(
        "GraphPNASSampler",
        "GraphPNASSampler",
        "GraphPNASSampler",
        YES,
        YES,
        YES,
        YES,
        YES,
        "inner sampler",
    ),
    Sampler(
        "LatentBOSampler",
        "LatentBOSampler",
        "LatentBOSampler",
        YES,
        YES,
        YES,
        YES,
        YES,
        "inner sampler",
    ),
    Sampler(
        "NASGEMSampler",
        "NASGEMSampler",
        "NASGEMSampler",
        YES,
        YES,
        YES,
        YES,
        NOT_AGAIN,
        "inner sampler",
    ),
    Sampler(
        "RegularizedEvolutionSampler",
        "regularised evolution",
        "RegularizedEvolutionSampler",
        "its changes",
        YES,
        NO,
        YES,
        NOT_AGAIN,
        "inner sampler",
    ),
    Sampler(
        "LocalSearchSampler",
        "local search",
        "",
        "its changes",
        "the first",
        NO,
        YES,
        NOT_AGAIN,
        "inner sampler",
    ),
    Sampler(
        "RandomArchitectureSampler",
        "random search",
        "",
        NO,
        NO,
        NO,
        NO,
        NOT_AGAIN,
        "inner sampler",
    ),
    Sampler(
        "Optuna's GPSampler",
        "Optuna GP",
        "Optuna GP",
        NO,
        YES,
        YES,
        NO,
        YES,
        "itself, jointly",
    ),
    Sampler(
        "Optuna's TPESampler",
        "Optuna TPE",
        "Optuna TPE",
        NO,
        YES,
        YES,
        YES,
        YES,
        "itself, jointly",
    ),
)


def sampler_table(results: Path) -> str:
    """Two tables in Markdown.

    Args:
        results: The folder of the records.

    Raises:
        KeyError: A record does not hold a sampler that the table names.
    """
    record = json.loads((results / SUITE).read_text(encoding="utf-8"))
    names = [sampler.search for sampler in SAMPLERS]
    compared = Compared(searches_of(record), record["scale"], ONE, names)
    seconds = _seconds(json.loads((results / SECONDS).read_text(encoding="utf-8")))
    rows = [_able(sampler) for sampler in SAMPLERS]
    head = ["sampler", "sees the graph", "several objectives", "constraints", "pruned trials teach"]
    head += ["running trials count", "other parameters"]
    measured = [_measured(sampler, compared, seconds) for sampler in SAMPLERS]
    columns = ["sampler", "seeds", *(f"regret, {b}" for b in BUDGETS), *(f"seconds, {s}" for s in SIZES)]
    return "\n".join(
        [
            *_table(head, rows),
            "",
            f"Measured, from the stored records, on {len(compared.tasks)} tasks with one objective on which",
            "no setting was chosen (TransNAS-Bench-101 and NAS-Bench-Graph). Regret after so many different",
            "architectures: 0 is the best of the table, 1 what every second architecture reaches; the mean",
            "over tasks and seeds, with the 95 % interval of a bootstrap over both. Seconds: processor",
            "seconds of one more trial in a study that has so many. Empty: there is no record.",
            "",
            *_table(columns, measured),
            "",
        ]
    )


def _able(sampler: Sampler) -> list[str]:
    cells = [sampler.graph, sampler.objectives, sampler.constraints, sampler.pruned, sampler.batch]
    return [f"`{sampler.name}`", *cells, sampler.mixed]


def _measured(sampler: Sampler, compared: Compared, seconds: dict[str, dict[int, float]]) -> list[str]:
    own = seconds[sampler.seconds] if sampler.seconds else {}
    times = [f"{own[size]:.3f}" if size in own else "" for size in SIZES]
    if sampler.search not in compared.methods:
        return [f"`{sampler.name}`", "", *[""] * len(BUDGETS), *times]
    regrets = [shown(compared.mean(sampler.search, budget)) for budget in BUDGETS]
    return [f"`{sampler.name}`", compared.seeds(sampler.search), *regrets, *times]


def _seconds(record: dict[str, Any]) -> dict[str, dict[int, float]]:
    """Median seconds by sampler and number of trials."""
    found: dict[str, dict[int, float]] = {}
    for run in record["runs"]:
        found.setdefault(run["sampler"], {})[run["trials"]] = statistics.median(run["seconds"])
    return found


def _table(columns: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows)]
