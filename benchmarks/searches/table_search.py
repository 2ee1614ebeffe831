"""How fast our samplers and those that a user would otherwise pick find the best architecture of a table.

Every method goes through ``optuna.create_study(sampler=...)`` and ``study.optimize``. A query is an
architecture that was not evaluated before, up to isomorphism. The report shows the best value after so many
queries, its distance to the best of the table (regret), and what is reported of that architecture; with two
objectives, the share of the hypervolume. The default configurations were chosen on some of these tables, on
seeds from 100 on; the seeds here begin with 0 and had no part in any choice.

It can be stopped at any time: finished searches are kept in the record. Methods that take minutes for a run
may get fewer seeds (``--slow-seeds``).

    python -m benchmarks.searches.table_search --task nasbench201-cifar10-200
    python -m benchmarks.searches.table_search --task nasbench101-validation --methods GraphBOSampler
"""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.drawing import label, panels, save
from benchmarks.harness.records import RESULTS, publish, script_parser, stored_runs
from benchmarks.harness.sections import Section, Table, spread
from benchmarks.searches.dry_run import estimate
from benchmarks.searches.figures import (
    FEW,
    hypervolume,
    one_objective,
    reached,
    two_objectives,
    who_leads,
    within_limit,
)
from benchmarks.searches.methods import METHODS, default_methods, possible_methods, run
from benchmarks.searches.opening import opened
from benchmarks.searches.runs import Run, quiet, run_all
from benchmarks.searches.tasks import DEVICE, REFERENCE, TASKS, Task
from graphnas.plots.style import colour

DEFAULT = "GraphBOSampler"
OURS = (DEFAULT, "GraphPNASSampler", "LatentBOSampler")
FIRST_LED = 50
"""The number of queries from which on the default is meant to lead."""
SECONDS = (
    "Processor seconds, without evaluations; rows were run on different days, on processors whose speed "
    "differs by up to a factor of two."
)
FLOOR = 2e-3
"""Height at which a regret of zero is drawn on the logarithmic axis."""


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
    # Below 100 queries the test accuracy would only widen the table, unless the paper prints it.
    printed = {b for known in task.known for b in known.reported}
    reported = [b for b in budgets if int(b) >= 100 or int(b) in printed] or budgets if task.reported else []
    beside = "test" if task.limit is None else "latency"
    columns = ["method", "seeds", *(f"value, {b}" for b in budgets), *(f"{beside}, {b}" for b in reported)]
    # Validation after all epochs, where the searched value is of fewer.
    later = reported if any(known.validation for known in task.known) else []
    columns += [f"validation, {b}" for b in later]
    columns += ["optimum reached", "median queries"]
    if task.supported is not None:
        columns += [f"{task.supported:.3f} reached", "median queries to it"]
    columns.append("s per trial")
    rows = []
    for name, row in record["summary"].items():
        at = row["budgets"]
        last = str(max(map(int, at)))
        cells = [_spread(at.get(b, {}).get("value"), 3, row) for b in budgets]
        cells += [_spread(at.get(b, {}).get("reported"), 2, row) for b in reported]
        cells += [_spread(at.get(b, {}).get("validation"), 2, row) for b in later]
        cells += [f"{at[last]['found']:.0%}", _needed(row["median_queries"], row)]
        if task.supported is not None:
            supported = row["supported"]
            cells += [f"{supported['found']:.0%}", _needed(supported["median_queries"], row)]
        rows.append([name, str(row["seeds"]), *cells, f"{row['seconds_per_trial']:.3f}"])
    for known in task.known:
        cells = [known.value.get(int(b), "") for b in budgets]
        cells += [known.reported.get(int(b), "") for b in reported]
        cells += [known.validation.get(int(b), "") for b in later]
        if any(cells):
            cells += [""] * (len(columns) - 2 - len(cells))
            rows.append([known.name, "", *cells])
    also = (
        f" {beside.capitalize()}: {task.reported} of the architecture with the best value."
        if task.reported
        else ""
    )
    sources = sorted({known.source for known in task.known})
    also += f" Published rows: {', '.join(sources)}." if sources else ""
    if later:
        also += " Validation: after all epochs, of the same architecture."
    caption = (
        f"Best {task.value} (%) after so many queries, mean ± deviation over the seeds; the best of the "
        f"table is {record['optimum']:.3f}.{also} Optimum reached: share of the runs that reach it within "
        f"all of their queries. {SECONDS}"
    )
    return Table(caption, columns, rows)


def _needed(queries: float | None, row: dict[str, Any]) -> str:
    return f">{row['queries']}" if queries is None else f"{queries:.0f}"


def _hypervolumes(task: Task, record: dict[str, Any]) -> Table:
    budgets = _budgets(record)
    rows = []
    for name, row in record["summary"].items():
        cells = [_spread(row["budgets"].get(b, {}).get("hypervolume"), 4, row) for b in budgets]
        rows.append([name, str(row["seeds"]), *cells, f"{row['seconds_per_trial']:.3f}"])
    caption = (
        f"Hypervolume of {task.value} (%) and {task.reported} after so many queries, as a share of that of "
        f"the true Pareto front, mean ± deviation over the seeds. {SECONDS}"
    )
    return Table(caption, ["method", "seeds", *(f"after {b}" for b in budgets), "s per trial"], rows)


def _spread(figures: Sequence[float] | None, digits: int, row: dict[str, Any]) -> str:
    """Mean and deviation; nothing if nothing is known."""
    return "" if figures is None else spread(*figures, digits, seeds=row["seeds"])


def _notes(task: Task, record: dict[str, Any], several: bool) -> list[str]:
    summary = record["summary"]
    leaders = who_leads(summary, DEFAULT, FIRST_LED, larger=several)
    notes = [_leading(summary, leaders, several)]
    notes += _behind_published(task, summary)
    if task.supported is not None:
        notes.append(_supported(task, record))
    if missing := [name for name in default_methods(task) if name not in summary]:
        notes.append(f"Not run yet: {', '.join(missing)}.")
    fewer = [f"{name} ({row['seeds']})" for name, row in summary.items() if row["seeds"] < FEW]
    if 0 < len(fewer) < len(summary):
        notes.append(f"Too few runs to compare with the others: {', '.join(fewer)}.")
    most = max(row["queries"] for row in summary.values())
    short = [f"{name} ({row['queries']})" for name, row in summary.items() if row["queries"] < most]
    if short:
        notes.append(f"Run for fewer queries because they are slow: {', '.join(short)}.")
    repeating = [
        f"{name} ({row['trials']:.0f} trials)"
        for name, row in summary.items()
        if row["trials"] > 1.05 * row["queries"]
    ]
    if repeating:
        notes.append(
            f"Need more trials because they repeat architectures or leave the space: {', '.join(repeating)}."
        )
    return notes


def _leading(summary: dict[str, Any], stretches: Sequence[tuple[int, int, str]], several: bool) -> str:
    what = "largest mean hypervolume" if several else "lowest mean regret"
    if not stretches:
        return f"{DEFAULT} was not run for {FIRST_LED} queries or more."
    by_leader: dict[str, list[str]] = {}
    for first, last, leader in stretches:
        by_leader.setdefault(leader, []).append(f"{first}" if first == last else f"{first} to {last}")
    parts = [f"{name} at {', '.join(where)}" for name, where in by_leader.items()]
    if list(by_leader) == [DEFAULT]:
        return (
            f"{DEFAULT} has the {what}, alone or with others, at every number of queries from {FIRST_LED} on."
        )
    gap, error, leader = max(
        _behind(summary, first, last, leader) for first, last, leader in stretches if leader != DEFAULT
    )
    return (
        f"{DEFAULT} does not lead at every number of queries from {FIRST_LED} on. {what.capitalize()}: "
        f"{'; '.join(parts)}. It is at most {gap:.3f} behind ({leader}; the standard error of that "
        f"difference is {error:.3f}" + (", so it may be chance)." if gap < 2 * error else ").")
    )


def _behind_published(task: Task, summary: dict[str, Any]) -> list[str]:
    """Where the default finds less than others have published."""
    at = summary.get(DEFAULT, {}).get("budgets", {})
    figures = [
        (known.name.removeprefix("published: "), queries, printed.split()[0])
        for known in task.known
        for queries, printed in known.value.items()
        if str(queries) in at
    ]
    behind = []
    for name, queries, figure in figures:
        # As many decimals as are printed there.
        own = f"{at[str(queries)]['value'][0]:.{len(figure.partition('.')[2])}f}"
        if float(own) < float(figure):
            behind.append(f"{name} {figure} after {queries} queries, {DEFAULT} {own}")
    return [f"{DEFAULT} is behind published searches: {'; '.join(behind)}."] if behind else []


def _supported(task: Task, record: dict[str, Any]) -> str:
    """What the searches find where the table's best is luck."""
    text = (
        f"The table's best, {record['optimum']:.3f}, owes much to the luck of its three repeats: processes "
        "that learn from other cells place it far behind (benchmark lucky_best), and no search of so few "
        f"queries is meant to find it. The best that they support is {task.supported:.3f}"
    )
    row = record["summary"].get(DEFAULT)
    if row is None:
        return f"{text}."
    last = max(row["budgets"], key=int)
    regret = max(0.0, task.supported - row["budgets"][last]["value"][0])
    return f"{text}: after {last} queries {DEFAULT} has a mean regret of {regret:.3f} against it."


def _behind(summary: dict[str, Any], first: int, last: int, leader: str) -> tuple[float, float, str]:
    """How far at most the default is behind ``leader`` in a stretch of queries, with its standard error."""
    stretch = slice(first - 1, last)
    own, other = (summary[name] for name in (DEFAULT, leader))
    gaps = np.abs(np.array(own["curve"][stretch]) - np.array(other["curve"][stretch]))
    at = int(gaps.argmax())
    errors = [row["curve_error"][stretch][at] for row in (own, other)]
    return float(gaps[at]), float(np.hypot(*errors)), leader


def _plot_name(record: dict[str, Any]) -> str:
    return f"table_search_{record['task']}.png"


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Mean regret (logarithmic) or hypervolume by queries, with one standard error as a band."""
    several = "reference" in record
    figure, (axes,) = panels(1, 8.5, 5.2)
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
    label(axes, "queries", "share of the hypervolume" if several else "mean regret (%)")
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8)
    return [save(figure, folder, _plot_name(record))]


def summarize(settings: dict[str, Any], runs: list[Run]) -> dict[str, Any]:
    """The figures of each method, in the order of the runs."""
    budgets = TASKS[settings["task"]].budgets
    by_method: dict[str, list[Run]] = {}
    limit = settings.get("limit")
    for one in runs if limit is None else [within_limit(one, limit) for one in runs]:
        by_method.setdefault(one.method, []).append(one)
    if "reference" not in settings:
        summary = {m: one_objective(own, budgets, settings["optimum"]) for m, own in by_method.items()}
        supported = TASKS[settings["task"]].supported
        if supported is not None:
            for method, own in by_method.items():
                summary[method]["supported"] = reached(own, supported)
        return {"summary": summary}
    reference, whole = tuple(settings["reference"]), settings["hypervolume"]
    return {"summary": {m: two_objectives(own, budgets, reference, whole) for m, own in by_method.items()}}


def settings_of(name: str) -> dict[str, Any]:
    """Entries of a record that must be the same for its runs to count: the task and its reference values."""
    task = opened(name)
    settings: dict[str, Any] = {"task": name, "optimum": task.optimum}
    if task.task.limit is not None:
        settings |= {"latency_on": DEVICE, "limit": task.task.limit}
    if len(task.task.objectives) > 1:
        whole = hypervolume(*task.every(), REFERENCE)
        settings |= {"latency_on": DEVICE, "reference": list(REFERENCE), "hypervolume": whole}
    return settings


def main() -> int:
    """Run, store and print."""
    parser = script_parser(__doc__, dry_run=True)
    parser.add_argument("--task", required=True, choices=list(TASKS))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), help="default: those of the task")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--slow-seeds", type=int, help="seeds of methods that take minutes (default: all)")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--queries", type=int, help="fewer than the task has")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="run again what the record holds")
    options = parser.parse_args()
    task = TASKS[options.task]
    output = options.output or RESULTS / f"table_search_{task.name}.json"

    methods = options.methods or default_methods(task)
    if impossible := [method for method in methods if method not in possible_methods(task)]:
        parser.error(f"{', '.join(impossible)}: not run on {task.name}")
    longest = options.queries or task.budgets[-1]
    slow_seeds = options.seeds if options.slow_seeds is None else options.slow_seeds
    searches = []
    # Seed by seed, so that an interrupted benchmark has all methods.
    for k in range(options.seeds):
        for name in methods:
            method = METHODS[name]
            if k < (slow_seeds if task.space in method.slow_on else options.seeds):
                searches.append((name, options.first_seed + k, min(longest, method.most_queries or longest)))
    settings = settings_of(task.name)
    if options.dry_run:
        known = [Run(**one) for one in stored_runs(output, settings, None)]
        print(
            estimate(
                task.title,
                searches,
                known,
                place_of=lambda method: (task.name, method),
                fresh=options.fresh,
                facts={"architectures": opened(task.name).space.size()},
            )
        )
        return 0
    # Not the arguments that added the last runs, but those that make the whole.
    command = ["python", "-m", "benchmarks.searches.table_search", "--task", task.name]
    for name in ("queries", "slow_seeds"):
        if getattr(options, name) is not None:
            command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    figures = run_all(
        Run,
        functools.partial(run, task.name),
        searches,
        output,
        settings,
        lambda runs: {"command": shlex.join(command), **summarize(settings, runs)},
        order=list(METHODS),
        workers=options.workers,
        fresh=options.fresh,
    )
    publish(output, figures, section)
    return 0


if __name__ == "__main__":
    quiet()
    sys.exit(main())
