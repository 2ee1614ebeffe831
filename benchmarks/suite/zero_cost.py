"""Whether scores of untrained networks pay: GraphBO with and without them as prior tasks.

Which scores, and of how many architectures, was chosen on NAS-Bench-201 with seeds from 100 on (``tuning``),
and is judged on TransNAS-Bench-101 with seeds from 0 on (``validation``). The scores are those of small
networks of the spaces' own builders, of architectures that the seed of the search draws. They are kept in
``--scores``, so that an interrupted run does not compute them again.

    python -m benchmarks.suite.zero_cost
    python -m benchmarks.suite.zero_cost --tasks transnasbench101-jigsaw --seeds 2 --queries 30 --fresh
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.drawing import label, legend_above, panels, save
from benchmarks.harness.records import publish, script_parser
from benchmarks.harness.sections import Section, Table
from benchmarks.searches.figures import best_so_far
from benchmarks.searches.opening import opened
from benchmarks.searches.other_tasks import TRANSNAS
from benchmarks.searches.runs import quiet, search
from benchmarks.suite.figures import Compared, Interval, Search, name_of, place_of, searches_of, shown
from benchmarks.suite.running import run_searches
from benchmarks.suite.statistics import to_steps
from benchmarks.suite.tasks import ONE, TUNING, VALIDATION
from graphnas.evaluate import ZeroCostFeatures
from graphnas.plots.style import colour
from graphnas.surrogate import PriorTask, prior_of_features
from optuna_graphnas import GraphBOSampler
from search_spaces import get_space

QUERIES = 100
BUDGETS = (20, 30, 50, 100)
SCORES = ("synflow", "naswot")
COUNT = 200
"""Random architectures that are scored before a search."""
WITHOUT, WITH, SHUFFLED = "without scores", "with scores", "shuffled scores"
ARMS = (WITHOUT, WITH, SHUFFLED)
"""Shuffled scores say nothing: what they change is the work of the other start and the other kernel."""
TASKS = {
    TUNING: tuple(f"nasbench201-{data}-200" for data in ("cifar10", "cifar100", "imagenet16-120")),
    VALIDATION: tuple(f"transnasbench101-{data}" for data in TRANSNAS),
}
FIRST_SEED = {TUNING: 100, VALIDATION: 0}
NETWORKS: dict[str, dict[str, Any]] = {
    "nasbench201": {"shape": {"channels": 16, "cells_per_stage": 1}, "image_shape": (3, 16, 16)},
    "transnasbench101": {"shape": {"channels": 16, "cells_per_module": 1}, "image_shape": (3, 64, 64)},
}
"""The networks that are scored: one cell in each stage, and small images."""
TIMED = 20
"""Random architectures whose scores are timed."""


@functools.cache
def scores_of(space: str, kept: Path | None) -> ZeroCostFeatures:
    """The scores of a space's architectures, in the folder ``kept``."""
    file = None if kept is None else kept / f"{space}.json"
    return ZeroCostFeatures(get_space(space), SCORES, file=file, **NETWORKS[space])


def run(name: str, seed: int, queries: int, *, kept: Path | None = None) -> Search:
    """One search; ``name`` is that of the task and of the arm."""
    task, arm = place_of(name)
    table, prior = opened(task), []
    if arm != WITHOUT:
        prior = prior_of_features(table.space, scores_of(table.task.space, kept), COUNT, seed=seed)
    if arm == SHUFFLED:
        rng = np.random.default_rng(seed)
        prior = [PriorTask(one.name, one.architectures, rng.permutation(one.values)) for one in prior]
    sampler = GraphBOSampler(table.space, seed=seed, prior=prior)
    found = search(name, seed, sampler, table.space, table.measure, queries)
    at, best = to_steps(best_so_far(found.values, queries))
    return Search(name, seed, queries, at, best, found.trials, found.seconds)


def seconds_per_network(space: str) -> float:
    """Processor seconds for the scores of one architecture, on average over random ones."""
    drawn = get_space(space).sample_batch(np.random.default_rng(0), TIMED).to_architectures()
    scores = ZeroCostFeatures(get_space(space), SCORES, **NETWORKS[space])
    started = time.process_time()
    scores(drawn)
    return round((time.process_time() - started) / TIMED, 4)


def parts_of(record: dict[str, Any]) -> dict[str, Compared]:
    """The searches of each part that has some, with and without scores, on each of its tasks."""
    searches = searches_of(record)
    own = {part: [one for one in searches if one.place[0] in tasks] for part, tasks in TASKS.items()}
    compared = {part: Compared(some, record["scale"], ONE, ARMS) for part, some in own.items()}
    return {part: one for part, one in compared.items() if {WITHOUT, WITH} <= {*one.methods}}


def budgets_of(compared: Compared) -> list[int]:
    """Those of :data:`BUDGETS` that all searches have reached; at least one."""
    return [budget for budget in BUDGETS if budget <= compared.queries] or [compared.queries]


def section(record: dict[str, Any]) -> Section:
    """Regrets with and without scores on both parts, and what follows."""
    tables, notes = [], []
    for part, compared in parts_of(record).items():
        budgets, arms = budgets_of(compared), compared.methods
        rows = []
        for budget in budgets:
            difference = compared.difference(WITH, WITHOUT, budget)
            means = [shown(compared.mean(arm, budget)) for arm in arms]
            rows.append([str(budget), *means, shown(difference, "+")])
            if part == VALIDATION and difference is not None:
                notes.append(_verdict(difference, budget) + _of_nothing(compared, budget))
        tables.append(
            Table(
                f"{part.capitalize()} tasks ({len(compared.tasks)}, seeds of each: {compared.seeds(WITH)}): "
                "mean normalised regret and its 95 % interval over tasks and seeds.",
                ["queries", *arms, f"{WITH} less {WITHOUT}"],
                rows,
            )
        )
        by_task = [[task, *(_curve(compared, arm, task, budgets) for arm in arms)] for task in compared.tasks]
        after = ", ".join(map(str, budgets))
        tables.append(
            Table(f"{part.capitalize()} tasks, one by one, after {after} queries.", ["task", *arms], by_task)
        )
    costs = ", ".join(f"{space} {seconds * 1e3:.0f} ms" for space, seconds in record["seconds"].items())
    return Section(
        title="GraphBO with scores of untrained networks as prior tasks",
        tables=tables,
        protocol=(
            f"no paper has these tasks. A search with scores has {', '.join(record['scores'])} of "
            f"{record['count']} random architectures (others for each seed) as prior tasks, and no random "
            "start. The scored networks have one cell in each stage, a first width of 16, and images of "
            "noise of 16 x 16 (NAS-Bench-201) or 64 x 64 pixels (TransNAS-Bench-101); the tables hold "
            "results of the full networks. What is scored was chosen on the tuning tasks, whose figures "
            "therefore judge nothing. Regret is normalised by task, (best - found) / (best - median of the "
            "table)."
        ),
        notes=[*notes, f"The scores of one architecture take: {costs} of one core."],
        plots=["suite_zero_cost.png"] if tables else [],
    )


def _verdict(difference: Interval, budget: int) -> str:
    """Whether scores pay on the validation tasks after so many queries."""
    mean, low, high = difference
    if high < 0:
        return f"After {budget} queries the scores lower the regret on the validation tasks."
    if low > 0:
        return f"After {budget} queries the scores raise the regret on the validation tasks."
    side = "lower" if mean < 0 else "higher"
    return (
        f"After {budget} queries the regret on the validation tasks is {side} with the scores, but the "
        "interval of the difference holds zero."
    )


def _of_nothing(compared: Compared, budget: int) -> str:
    """How much scores that say nothing change."""
    if SHUFFLED not in compared.methods:
        return ""
    difference = compared.difference(SHUFFLED, WITHOUT, budget)
    return "" if difference is None else f" Shuffled scores change it by {shown(difference, '+')}."


def _curve(compared: Compared, arm: str, task: str, budgets: Sequence[int]) -> str:
    return " / ".join(f"{compared.by_task(arm, budget)[task].mean():.3f}" for budget in budgets)


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Mean normalised regret by queries, with its interval, on both parts."""
    parts = parts_of(record)
    if not parts:
        return []
    figure, panes = panels(len(parts), 4.6, 3.8)
    for axes, (part, compared) in zip(panes, parts.items(), strict=True):
        for k, arm in enumerate(compared.methods):
            mean, low, high = compared.curve(arm)
            queries = np.arange(1, len(mean) + 1)
            axes.plot(queries, mean, color=colour(k), label=arm)
            axes.fill_between(queries, low, high, color=colour(k), alpha=0.2, linewidth=0)
        axes.set_title(f"{part} tasks")
        label(axes, "queries", "mean normalised regret")
    legend_above(figure, 3)
    return [save(figure, folder, "suite_zero_cost.png")]


def main() -> int:
    """Run, store and print."""
    every = [task for tasks in TASKS.values() for task in tasks]
    parser = script_parser(__doc__, "suite_zero_cost")
    parser.add_argument("--tasks", nargs="+", choices=every, metavar="TASK", default=every)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--scores", type=Path, metavar="DIR", help="where scores are kept between runs")
    parser.add_argument("--fresh", action="store_true", help="run again what the record holds")
    options = parser.parse_args()
    if options.scores is not None:
        options.scores.mkdir(parents=True, exist_ok=True)
    part_of = {task: part for part, tasks in TASKS.items() for task in tasks}
    searches = [
        (name_of(task, arm), FIRST_SEED[part_of[task]] + k, options.queries)
        for k in range(options.seeds)
        for task in options.tasks
        for arm in options.arms
    ]
    spaces = dict.fromkeys(opened(task).task.space for task in options.tasks)

    figures = run_searches(
        functools.partial(run, kept=options.scores),
        searches,
        options.output,
        {"scores": list(SCORES), "count": COUNT},
        options,
        command=["python", "-m", "benchmarks.suite.zero_cost"],
        order=[name_of(task, arm) for task in every for arm in ARMS],
        beside={"seconds": {space: seconds_per_network(space) for space in spaces}},
    )
    publish(options.output, figures, section)
    return 0


if __name__ == "__main__":
    quiet()
    sys.exit(main())
