"""The table of the page "Which sampler?": what each can, and what the stored records say of it."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEARCH = "table_search_nasbench201-cifar10-200.json"
SECONDS = "sampling_seconds.json"
BUDGETS = (30, 50, 100)
SIZES = (100, 500)
YES, NO, NOT_AGAIN = "yes", "no", "are not proposed again"


@dataclass(frozen=True)
class Sampler:
    """What a sampler can.

    Attributes:
        name: As it is imported.
        search: Its name in the records of searches; empty where it has none.
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
    search = json.loads((results / SEARCH).read_text(encoding="utf-8"))
    seconds = _seconds(json.loads((results / SECONDS).read_text(encoding="utf-8")))
    rows = [_able(sampler) for sampler in SAMPLERS]
    head = ["sampler", "sees the graph", "several objectives", "constraints", "pruned trials teach"]
    head += ["running trials count", "other parameters"]
    measured = [_measured(sampler, search["summary"], seconds) for sampler in SAMPLERS]
    columns = ["sampler", "seeds", *(f"regret, {b}" for b in BUDGETS), "trials to the best"]
    columns += [f"seconds, {s}" for s in SIZES]
    return "\n".join(
        [
            *_table(head, rows),
            "",
            "Measured, from the stored records: the mean regret (distance to the best of the table, in",
            f"percent of accuracy) of {search['task']} after so many different architectures, the median",
            "number of them until the best of the table was found, and the processor seconds of one more",
            "trial in a study that has so many. All went through `study.optimize`; the best of the table",
            f"is {search['optimum']:.2f} %. Empty: there is no record.",
            "",
            *_table(columns, measured),
            "",
        ]
    )


def _able(sampler: Sampler) -> list[str]:
    cells = [sampler.graph, sampler.objectives, sampler.constraints, sampler.pruned, sampler.batch]
    return [f"`{sampler.name}`", *cells, sampler.mixed]


def _measured(sampler: Sampler, summary: dict[str, Any], seconds: dict[str, dict[int, float]]) -> list[str]:
    row = summary[sampler.search]
    regrets = [f"{row['curve'][b - 1]:.3f}" if b <= row["queries"] else "" for b in BUDGETS]
    own = seconds[sampler.seconds] if sampler.seconds else {}
    times = [f"{own[size]:.3f}" if size in own else "" for size in SIZES]
    needed = row["median_queries"]
    found = f">{row['queries']}" if needed is None else f"{needed:.0f}"
    return [f"`{sampler.name}`", str(row["seeds"]), *regrets, found, *times]


def _seconds(record: dict[str, Any]) -> dict[str, dict[int, float]]:
    """Median seconds by sampler and number of trials."""
    found: dict[str, dict[int, float]] = {}
    for run in record["runs"]:
        found.setdefault(run["sampler"], {})[run["trials"]] = statistics.median(run["seconds"])
    return found


def _table(columns: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows)]
