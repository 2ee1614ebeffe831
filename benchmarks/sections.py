"""What a benchmark contributes to REPORT.md: a section made from its stored record, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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
        tables: Ours, the paper's and the strong baselines side by side.
        protocol: One line on how our protocol differs from the paper's.
        notes: What a reader must know besides: claims that do not hold, and why.
        plots: Files beside the record, by name.
    """

    title: str
    tables: Sequence[Table]
    protocol: str
    notes: Sequence[str] = ()
    plots: Sequence[str] = ()


def counted(number: int, what: str) -> str:
    """``number what``, in the plural unless it is one."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def spread(mean: float, deviation: float, digits: int = 2) -> str:
    """``mean ± deviation`` as all tables print it."""
    return f"{mean:.{digits}f} ± {deviation:.{digits}f}"
