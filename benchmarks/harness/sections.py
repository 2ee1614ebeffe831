"""What a benchmark contributes to REPORT.md: a section made from its stored record alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Table:
    """Rows of a table; the first column names them.

    Attributes:
        caption: One line above it: what was measured, in which unit, over how many seeds.
        columns: Their names.
        rows: Cells as they are printed, as many per row as there are columns.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """One benchmark's part of the report.

    Attributes:
        title: Its heading.
        tables: Our figures, the paper's and those of strong baselines side by side.
        protocol: One line on how our protocol differs from the paper's.
        notes: Further remarks: which claims do not hold, and why.
        plots: Names of image files beside the record.
    """

    title: str
    tables: Sequence[Table]
    protocol: str
    notes: Sequence[str] = ()
    plots: Sequence[str] = ()


def counted(number: int, what: str) -> str:
    """``number what``, in the plural unless it is one."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation, which is 0 for a single value."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def spread(mean: float, deviation: float, digits: int = 2, *, seeds: int = 2) -> str:
    """``mean ± deviation`` as all tables print it; of one seed, its figure alone."""
    return f"{mean:.{digits}f}" + (f" ± {deviation:.{digits}f}" if seeds > 1 else "")


def mean_sd(values: Sequence[float], digits: int = 2) -> str:
    """Mean and standard deviation over seeds, as :func:`spread` prints them."""
    return spread(*mean_and_deviation(values), digits, seeds=len(values))


def by_arm(record: Mapping[str, Any], arms: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """The runs of each arm that has some, in the order of ``arms``."""
    runs = {arm: [run for run in record["runs"] if run["arm"] == arm] for arm in arms}
    return {arm: own for arm, own in runs.items() if own}


def printed(section: Section) -> str:
    """The section as lines for a terminal."""
    lines = ["", section.title]
    for table in section.tables:
        rows = [list(table.columns), *map(list, table.rows)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(table.columns))]
        lines += ["", table.caption]
        for row in rows:
            numbers = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            lines.append("  ".join([row[0].ljust(widths[0]), *numbers]))
    return "\n".join([*lines, "", section.protocol, *(f"- {note}" for note in section.notes)])
