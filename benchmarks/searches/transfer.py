"""How many queries prior data save: each task of TransNAS-Bench-101, searched with the six others known.

A search of each of the seven tasks goes through ``optuna.create_study(sampler=GraphBOSampler(...))``, without
prior data and with those of the other six tasks: an earlier study of each, or a large part of its table. Two
further arms show what misleading prior data cost: the tables with the sign of their values reversed, and with
their values shuffled. Nothing was chosen on these tables: settings come from NAS-Bench-201 and seeds from 100
on.

It can be stopped at any time: finished searches are kept in the record.

    python -m benchmarks.searches.transfer
"""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.drawing import label, legend_above, panels, save
from benchmarks.harness.records import publish, script_parser
from benchmarks.harness.sections import Section, Table, mean_sd
from benchmarks.searches.figures import best_so_far
from benchmarks.searches.opening import FunctionMeans
from benchmarks.searches.other_tasks import TRANSNAS as TASKS
from benchmarks.searches.runs import Run, run_all, search
from graphnas import Architecture
from graphnas.evaluate import TabularEvaluator
from graphnas.methods import PriorTask
from graphnas.plots.style import colour
from optuna_graphnas import GraphBOSampler
from search_spaces import TransNASBench101

SPACE = TransNASBench101()
NONE, STUDIES, TABLES, REVERSED, SHUFFLED = (
    "no prior data",
    "six studies",
    "six tables",
    "six tables, reversed",
    "six tables, shuffled",
)
ARMS = (NONE, STUDIES, TABLES, REVERSED, SHUFFLED)
QUERIES = 50
BUDGETS = (10, 20, 30, 50)
CLOSE = 0.1
"""How near to the best a search must come, where values are in percent or a hundred times the figure."""
POINTS = 500
"""Architectures drawn of each table, others for each seed: without a random start nothing else differs."""
EARLIER = 1000
"""Added to the seed of a search for the seeds of the earlier studies."""
FLOOR = 1e-2


@functools.cache
def values_of(task: str) -> FunctionMeans:
    """The values of ``task``, read once."""
    return FunctionMeans(TabularEvaluator(SPACE, task))


@functools.cache
def study_of(task: str, seed: int) -> PriorTask:
    """What a search of ``task`` without prior data evaluated."""
    values = values_of(task)
    evaluated: list[Architecture] = []

    def measure(cell: Architecture) -> tuple[float, float]:
        evaluated.append(cell)
        return values(cell)

    sampler = GraphBOSampler(SPACE, seed=seed)
    run = search(NONE, seed, sampler, SPACE, measure, QUERIES)
    return PriorTask(task, evaluated, run.values)


def prior_of(arm: str, task: str, seed: int) -> PriorTask:
    """What ``arm`` knows of ``task``."""
    if arm == STUDIES:
        return study_of(task, EARLIER + seed)
    values = values_of(task)
    rng = np.random.default_rng([seed, TASKS.index(task)])
    rows = rng.choice(len(values.cells), POINTS, replace=False)
    table = np.array(list(values.by_key.values()))[rows]
    if arm == REVERSED:
        table = -table
    elif arm == SHUFFLED:
        table = rng.permutation(table)
    return PriorTask(task, [values.cells[row] for row in rows], table)


def name_of(task: str, arm: str) -> str:
    """The name of a run."""
    return f"{task}: {arm}"


def run(name: str, seed: int, queries: int) -> Run:
    """One search."""
    task, arm = name.split(": ")
    prior = [] if arm == NONE else [prior_of(arm, other, seed) for other in TASKS if other != task]
    sampler = GraphBOSampler(SPACE, seed=seed, prior=prior)
    return replace(search(name, seed, sampler, SPACE, values_of(task), queries), reported=[])


def summarize(best: dict[str, float], runs: Sequence[Run]) -> dict[str, Any]:
    """The figures of each task and arm that was run."""
    summary: dict[str, Any] = {}
    for task in TASKS:
        for arm in ARMS:
            own = [run for run in runs if run.method == name_of(task, arm)]
            if own:
                summary[name_of(task, arm)] = figures_of(own, best[task])
    return summary


def figures_of(runs: Sequence[Run], best: float) -> dict[str, Any]:
    """Queries to within :data:`CLOSE` of ``best``, one for each run, and the mean regret by queries."""
    queries = min(run.queries for run in runs)
    regret = best - np.array([best_so_far(run.values, queries) for run in runs])
    close = regret <= CLOSE + 1e-9
    needed = np.where(close.any(1), close.argmax(1) + 1, queries)
    return {
        "seeds": len(runs),
        "queries": needed.tolist(),
        "found": float(close.any(1).mean()),
        "curve": [round(value, 5) for value in regret.mean(0).tolist()],
        "close": close.mean(0).tolist(),
    }


def section(record: dict[str, Any]) -> Section:
    """Queries and regrets by task and arm."""
    summary = record["summary"]
    arms = [arm for arm in ARMS if rows_of(summary, arm)]
    own = {task: [summary.get(name_of(task, arm)) for arm in arms] for task in TASKS}
    columns = [f"{arm} ({min(row['seeds'] for row in rows_of(summary, arm))})" for arm in arms]
    needed = [[f"{task} ({record['best'][task]:.2f})", *map(_queries, own[task])] for task in TASKS]
    means = [np.mean([np.mean(row["queries"]) for row in rows_of(summary, arm)]) for arm in arms]
    needed.append(["mean", *(f"{mean:.1f}" for mean in means)])
    regrets = [
        [str(budget), *(f"{mean_regret(summary, arm, budget):.3f}" for arm in arms)]
        for budget in BUDGETS
        if all(len(row["curve"]) >= budget for row in summary.values())
    ]
    by_task = [[task, *map(_regrets, own[task])] for task in TASKS]
    budgets = ", ".join(map(str, BUDGETS))
    return Section(
        title="Search on TransNAS-Bench-101 with the other tasks as prior data",
        tables=[
            Table(
                f"Queries to within {CLOSE} of the best of the task (in brackets), mean ± deviation over the "
                f"seeds (number in brackets); a search that does not get there counts as {QUERIES}, and the "
                "share of those that do is given.",
                ["task (best)", *columns],
                needed,
            ),
            Table("Mean regret of the seven tasks after so many queries.", ["queries", *columns], regrets),
            Table(f"Mean regret of each task after {budgets} queries.", ["task", *columns], by_task),
        ],
        protocol=(
            "no paper has this task. Values are in percent; SSIM (normal, autoencoder) and the negative loss "
            f"(room_layout) are multiplied by 100, so that within {CLOSE} means within {CLOSE / 100} of the "
            "figure. The cells of one function count as one architecture, whose value is the mean of its "
            f"trainings. Six studies: GraphBO's searches of each other task, of {QUERIES} queries, with "
            f"other seeds. Six tables: {POINTS} random architectures of each other task; reversed and "
            "shuffled ones are misleading on purpose."
        ),
        notes=_notes(summary, arms),
        plots=["transfer.png"],
    )


def _notes(summary: dict[str, Any], arms: Sequence[str]) -> list[str]:
    """What misleading prior data cost, and how much of a gain is not theirs."""
    notes: list[str] = []
    budget = 30
    if NONE not in arms or any(len(row["curve"]) < budget for row in summary.values()):
        return notes
    without = mean_regret(summary, NONE, budget)
    for arm in (REVERSED, SHUFFLED):
        if arm in arms:
            notes.append(
                f"{arm.capitalize()}: mean regret {mean_regret(summary, arm, budget):.3f} after {budget} "
                f"queries, {without:.3f} without prior data."
            )
    if SHUFFLED in arms and mean_regret(summary, SHUFFLED, budget) < without:
        notes.append(
            "Shuffled values say nothing about a task. As a search with them is ahead, a part of every gain "
            "here may not come from the prior data: such a search has no random start, and another kernel."
        )
    return notes


def rows_of(summary: dict[str, Any], arm: str) -> list[dict[str, Any]]:
    """The figures of an arm, a row for each task that was run."""
    return [row for name, row in summary.items() if name.endswith(f": {arm}")]


def mean_regret(summary: dict[str, Any], arm: str, budget: int) -> float:
    """The mean regret of an arm over the tasks, after ``budget`` queries."""
    return float(np.mean([row["curve"][budget - 1] for row in rows_of(summary, arm)]))


def _queries(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    share = "" if row["found"] == 1 else f" ({row['found']:.0%})"
    return mean_sd(row["queries"], 1) + share


def _regrets(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    return " / ".join(f"{row['curve'][b - 1]:.2f}" for b in BUDGETS if b <= len(row["curve"]))


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Share of the searches that are close to the best, and mean regret, by queries."""
    figure, (share, regret) = panels(2, 4.6, 3.8)
    for k, arm in enumerate(ARMS):
        rows = rows_of(record["summary"], arm)
        if not rows:
            continue
        length = min(len(row["curve"]) for row in rows)
        queries = np.arange(1, length + 1)
        for axes, entry in ((share, "close"), (regret, "curve")):
            mean = np.mean([row[entry][:length] for row in rows], axis=0)
            shown = mean if entry == "close" else np.maximum(mean, FLOOR)
            style = "-" if arm in (NONE, STUDIES, TABLES) else "--"
            axes.plot(queries, shown, style, color=colour(k), label=arm, drawstyle="steps-post")
    regret.set_yscale("log")
    label(share, "queries", f"share within {CLOSE} of the best")
    label(regret, "queries", "mean regret")
    legend_above(figure, 3)
    return [save(figure, folder, "transfer.png")]


def main() -> int:
    """Run, store and print."""
    parser = script_parser(__doc__, "transfer")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="run again what the record holds")
    options = parser.parse_args()
    order = [name_of(task, arm) for task in TASKS for arm in ARMS]
    asked = [name_of(task, arm) for task in options.tasks for arm in options.arms]
    searches = [(name, seed, options.queries) for seed in range(options.seeds) for name in asked]
    best = {task: values_of(task).best for task in TASKS}
    command = ["python", "-m", "benchmarks.searches.transfer"]
    figures = run_all(
        Run,
        run,
        searches,
        options.output,
        {"best": best},
        lambda runs: {"command": shlex.join(command), "summary": summarize(best, runs)},
        order=order,
        workers=options.workers,
        fresh=options.fresh,
    )
    publish(options.output, figures, section)
    return 0


if __name__ == "__main__":
    sys.exit(main())
