"""Tables, notes and plots of a record of table_search.py, from the record alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.sections import Section, Table, spread
from benchmarks.searches.figures import FEW, who_leads
from benchmarks.searches.tasks import TASKS, Task
from graphnas.plots.style import INK, colour, new_figure

DEFAULT = "NASGEMSampler"
OURS = (DEFAULT, "GraphPNASSampler", "LatentBOSampler")
FIRST_LED = 50
"""Queries from which on the default is meant to lead."""
FLOOR = 2e-3
"""Where a regret of zero is drawn on the logarithmic axis."""


def section(record: dict[str, Any]) -> Section:
    """The part of the report on one task."""
    task = TASKS[record["task"]]
    several = "reference" in record
    table = _hypervolumes(task, record) if several else _values(task, record)
    return Section(
        title=task.title,
        tables=[table],
        protocol=task.protocol,
        notes=_notes(task, record, several),
        plots=[_plot_name(record)],
    )


def _budgets(record: dict[str, Any]) -> list[str]:
    return sorted({b for row in record["summary"].values() for b in row["budgets"]}, key=int)


def _values(task: Task, record: dict[str, Any]) -> Table:
    budgets = _budgets(record)
    # Below 100 queries the test accuracy would only widen the table.
    reported = [b for b in budgets if int(b) >= 100] or budgets if task.reported else []
    columns = ["method", "seeds", *(f"value, {b}" for b in budgets), *(f"test, {b}" for b in reported)]
    columns += ["optimum found", "median queries", "s per trial"]
    rows = []
    for name, row in record["summary"].items():
        at = row["budgets"]
        last = str(max(map(int, at)))
        cells = [_spread(at.get(b, {}).get("value"), 3, row) for b in budgets]
        cells += [_spread(at.get(b, {}).get("reported"), 2, row) for b in reported]
        needed = row["median_queries"]
        cells += [f"{at[last]['found']:.0%}", f">{row['queries']}" if needed is None else f"{needed:.0f}"]
        rows.append([name, str(row["seeds"]), *cells, f"{row['seconds_per_trial']:.3f}"])
    for known in task.known:
        cells = [known.value.get(int(b), "") for b in budgets]
        cells += [known.reported.get(int(b), "") for b in reported]
        if any(cells):
            rows.append([known.name, "", *cells, "", "", ""])
    also = f" Test: {task.reported} of the architecture with the best value." if task.reported else ""
    caption = (
        f"Best {task.value} (%) after so many queries, mean ± deviation over the seeds; the best of the "
        f"table is {record['optimum']:.3f}.{also} Optimum found: share of the runs within all of their "
        "queries. Seconds of the processor, evaluations left out."
    )
    return Table(caption, columns, rows)


def _hypervolumes(task: Task, record: dict[str, Any]) -> Table:
    budgets = _budgets(record)
    rows = []
    for name, row in record["summary"].items():
        cells = [_spread(row["budgets"].get(b, {}).get("hypervolume"), 4, row) for b in budgets]
        rows.append([name, str(row["seeds"]), *cells, f"{row['seconds_per_trial']:.3f}"])
    caption = (
        f"Hypervolume of {task.value} (%) and {task.reported} after so many queries, as a share of that of "
        "the true Pareto front, mean ± deviation over the seeds. Seconds of the processor, evaluations left "
        "out."
    )
    return Table(caption, ["method", "seeds", *(f"after {b}" for b in budgets), "s per trial"], rows)


def _spread(figures: Sequence[float] | None, digits: int, row: dict[str, Any]) -> str:
    """Mean and deviation; of a single seed only its figure, and nothing where nothing is known."""
    if figures is None:
        return ""
    return f"{figures[0]:.{digits}f}" if row["seeds"] == 1 else spread(*figures, digits)


def _notes(task: Task, record: dict[str, Any], several: bool) -> list[str]:
    summary = record["summary"]
    leaders = who_leads(summary, DEFAULT, FIRST_LED, larger=several)
    notes = [_leading(summary, leaders, several)]
    if task.why and any(leader != DEFAULT for _, _, leader in leaders):
        notes.append(task.why)
    fewer = [f"{name} ({row['seeds']})" for name, row in summary.items() if row["seeds"] < FEW]
    if 0 < len(fewer) < len(summary):
        notes.append(f"Too few runs to be compared with the others: {', '.join(fewer)}.")
    most = max(row["queries"] for row in summary.values())
    short = [f"{name} ({row['queries']})" for name, row in summary.items() if row["queries"] < most]
    if short:
        notes.append(f"Run for fewer queries, because they take long: {', '.join(short)}.")
    repeating = [
        f"{name} ({row['trials']:.0f} trials)"
        for name, row in summary.items()
        if row["trials"] > 1.05 * row["queries"]
    ]
    if repeating:
        notes.append(
            f"Repeat architectures, or miss the space, and so need more trials: {', '.join(repeating)}."
        )
    return notes


def _leading(summary: dict[str, Any], found: Sequence[tuple[int, int, str]], several: bool) -> str:
    what = "largest mean hypervolume" if several else "lowest mean regret"
    if not found:
        return f"{DEFAULT} was not run for {FIRST_LED} queries or more."
    by_leader: dict[str, list[str]] = {}
    for first, last, leader in found:
        by_leader.setdefault(leader, []).append(f"{first}" if first == last else f"{first} to {last}")
    said = [f"{name} at {', '.join(stretches)}" for name, stretches in by_leader.items()]
    if list(by_leader) == [DEFAULT]:
        return (
            f"{DEFAULT} has the {what}, alone or with others, at every number of queries from {FIRST_LED} on."
        )
    gap, error, leader = max(
        _behind(summary, first, last, leader) for first, last, leader in found if leader != DEFAULT
    )
    return (
        f"{DEFAULT} does not lead at every number of queries from {FIRST_LED} on. The {what} has: "
        f"{'; '.join(said)}. At most it is {gap:.3f} behind ({leader}; the standard error of that "
        f"difference is {error:.3f}" + (", so that it may be chance)." if gap < 2 * error else ").")
    )


def _behind(summary: dict[str, Any], first: int, last: int, leader: str) -> tuple[float, float, str]:
    """The most that the default is behind ``leader`` in a stretch of queries, with its standard error."""
    stretch = slice(first - 1, last)
    own, other = (summary[name] for name in (DEFAULT, leader))
    gaps = np.abs(np.array(own["curve"][stretch]) - np.array(other["curve"][stretch]))
    at = int(gaps.argmax())
    errors = [row["curve_error"][stretch][at] for row in (own, other)]
    return float(gaps[at]), float(np.hypot(*errors)), leader


def _plot_name(record: dict[str, Any]) -> str:
    return f"table_search_{record['task']}.png"


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Draw mean regret (logarithmic) or hypervolume by queries, with one standard error as a band.

    Args:
        record: As stored.
        folder: Where the plot is written.

    Returns:
        Its name.
    """
    several = "reference" in record
    figure = new_figure(8.5, 5.2)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    for k, (name, row) in enumerate(record["summary"].items()):
        mean, error = np.array(row["curve"]), np.array(row["curve_error"])
        queries = np.arange(1, len(mean) + 1)
        floor = 0.0 if several else FLOOR
        ours = name in OURS
        axes.plot(
            queries,
            np.maximum(mean, floor),
            color=colour(k),
            linewidth=2.2 if ours else 1.2,
            linestyle="-" if ours else ("--", ":")[k // 7 % 2],
            label=f"{name} ({row['seeds']})",
            drawstyle="steps-post",
            zorder=3 if ours else 2,
        )
        low, high = np.maximum(mean - error, floor), np.maximum(mean + error, floor)
        axes.fill_between(queries, low, high, step="post", color=colour(k), alpha=0.12, linewidth=0)
    if not several:
        axes.set_yscale("log")
        axes.set_ylim(bottom=FLOOR)
    axes.set_xlabel("queries", color=INK)
    axes.set_ylabel("share of the hypervolume" if several else "mean regret (%)", color=INK)
    axes.grid(color="#E3E3E3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / _plot_name(record), dpi=110)
    return [_plot_name(record)]


def printed(part: Section) -> str:
    """``part`` as lines for a terminal."""
    lines = ["", part.title]
    for table in part.tables:
        rows = [list(table.columns), *map(list, table.rows)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(table.columns))]
        lines += [table.caption, ""]
        for row in rows:
            numbers = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            lines.append("  ".join([row[0].ljust(widths[0]), *numbers]))
    return "\n".join([*lines, "", *part.notes, part.protocol])
