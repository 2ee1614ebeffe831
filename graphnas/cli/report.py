"""What a search leaves: the table on the screen, and the files in the output directory."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import graphnas
from graphnas.cli.studies import Outcome
from graphnas.cli.text import count, figure, table
from graphnas.files import replacing
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace

TOP = 5
"""Architectures in the table."""


def print_comparison(outcomes: Sequence[Outcome], *, title: str, unit: str, top: int = TOP) -> None:
    """Print the best architectures of each method side by side.

    Args:
        outcomes: One for each method.
        title: The line above.
        unit: Unit of the values; empty where it is not known.
        top: How many architectures.
    """
    print(f"\n{title}\n")
    length = min(top, max(len(outcome.best) for outcome in outcomes))
    ranks = [str(rank + 1) for rank in range(length)]
    blocks = [["", *table(["#"], [[rank] for rank in [*ranks, "mean"]], right=[True]).split("\n")]]
    for outcome in outcomes:
        blocks.append(
            [f"{outcome.method}, {len(outcome.values)} evaluations", *_block(outcome, length, unit)]
        )
    widths = [max(map(len, block)) for block in blocks]
    for line in zip(*blocks, strict=True):
        print("   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    for outcome in outcomes:
        if outcome.failed:
            print(f"{outcome.method}: {outcome.failed} evaluations failed; the last: {outcome.reason}")


def _block(outcome: Outcome, length: int, unit: str) -> list[str]:
    """The lines of one method: a header, ``length`` architectures, and the mean of all values."""
    rows = [
        [figure(best.value, unit), count(best.parameters), count(best.macs), str(best.trial)]
        for best in outcome.best[:length]
    ]
    rows += [[""] * 4] * (length - len(rows))
    rows.append([figure(float(np.nanmean(outcome.values)), unit) if outcome.best else "-", "", "", ""])
    heading = {"%": "accuracy", "": "value"}.get(unit, unit)
    return table([heading, "parameters", "MACs", "trial"], rows, right=[True] * 4).split("\n")


def write_results(
    path: Path, outcomes: Sequence[Outcome], settings: dict[str, Any], extra: dict[str, Any]
) -> None:
    """Write ``results.json``: settings, versions, every value, and the best architectures."""
    content = {
        "format": "graphnas.results",
        "version": 1,
        "graphnas": graphnas.__version__,
        "python": platform.python_version(),
        "settings": settings,
        "methods": {
            outcome.method: {
                "study": outcome.study,
                # JSON has no NaN: a failed evaluation is null.
                "values": [None if math.isnan(value) else value for value in outcome.values],
                "best": [
                    {
                        "trial": best.trial,
                        "value": best.value,
                        "parameters": best.parameters,
                        "macs": best.macs,
                        "seconds": best.seconds,
                        "metrics": {name: m for name, m in best.metrics.items() if not math.isnan(m)},
                        "architecture": best.architecture.to_dict(),
                    }
                    for best in outcome.best[:10]
                ],
            }
            for outcome in outcomes
        },
        **extra,
    }
    with replacing(path) as part:  # the same search may run twice
        part.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def draw(
    directory: Path, space: GraphSpace, best: Architecture, outcomes: Sequence[Outcome], value_name: str
) -> None:
    """Write ``best_cell.png`` and ``search_curve.png``.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    from graphnas.plots import plot_architecture, plot_search_curve

    plot_architecture(best, space).savefig(directory / "best_cell.png", dpi=150)
    values = {outcome.method: outcome.values for outcome in outcomes if outcome.values}
    plot_search_curve(values, value_name=value_name).savefig(directory / "search_curve.png", dpi=150)
