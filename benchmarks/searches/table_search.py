"""Searches on tables: our samplers beside what a user would pick instead, by queries, over seeds.

Every method goes through ``optuna.create_study(sampler=...)`` and ``study.optimize``, and a query is an
architecture that was not evaluated before, up to isomorphism. Shown are the best value after so many queries,
its distance to the best of the table (regret), and what is reported of that architecture beside it; with two
objectives, the share of the hypervolume. The default configurations were chosen on some of these tables on
seeds from 100 on; the seeds here begin with 0 and chose nothing.

What the record holds is not run again, so an interrupted benchmark goes on. Methods that take minutes a run
get fewer seeds (``--slow-seeds``).

    python -m benchmarks.searches.table_search --task nasbench201-cifar10-200
    python -m benchmarks.searches.table_search --task nasbench101-validation --methods NASGEMSampler "random search"
"""

from __future__ import annotations

import argparse
import functools
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from benchmarks.harness.records import RESULTS
from benchmarks.searches.figures import hypervolume, one_objective, two_objectives
from benchmarks.searches.runs import Run, run_all
from benchmarks.searches.search_report import draw, printed, section
from benchmarks.searches.tasks import DEVICE, REFERENCE, TASKS, opened

__all__ = ["draw", "main", "section"]


def summarize(settings: dict[str, Any], runs: list[Run]) -> dict[str, Any]:
    """Figures of each method, in the order of the runs."""
    budgets = TASKS[settings["task"]].budgets
    by_method: dict[str, list[Run]] = {}
    for run in runs:
        by_method.setdefault(run.method, []).append(run)
    if "reference" not in settings:
        return {
            "summary": {m: one_objective(own, budgets, settings["optimum"]) for m, own in by_method.items()}
        }
    reference, whole = tuple(settings["reference"]), settings["hypervolume"]
    return {"summary": {m: two_objectives(own, budgets, reference, whole) for m, own in by_method.items()}}


def settings_of(name: str) -> dict[str, Any]:
    """What must be the same for stored runs to count: the task, and what it is measured against."""
    task = opened(name)
    settings: dict[str, Any] = {"task": name, "optimum": task.optimum}
    if len(task.task.objectives) > 1:
        whole = hypervolume(*task.every(), REFERENCE)
        settings |= {"latency_on": DEVICE, "reference": list(REFERENCE), "hypervolume": whole}
    return settings


def main() -> int:
    """Run, print and store."""
    from benchmarks.searches.methods import METHODS, methods_of, run

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", required=True, choices=list(TASKS))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), help="default: all of the task")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--slow-seeds", type=int, default=2, help="seeds of methods that take minutes")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--queries", type=int, help="fewer than the task has")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="run again what of this --output already holds")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    task = TASKS[given.task]
    output = given.output or RESULTS / f"table_search_{task.name}.json"

    possible = methods_of(len(task.objectives))
    methods = given.methods or possible
    if impossible := [method for method in methods if method not in possible]:
        parser.error(f"{', '.join(impossible)}: not run on {task.name}")
    longest = given.queries or task.budgets[-1]
    searches = []
    # Seed by seed, so that an interrupted benchmark has all methods.
    for k in range(given.seeds):
        for name in methods:
            method = METHODS[name]
            if k < (given.slow_seeds if method.slow else given.seeds):
                searches.append((name, given.first_seed + k, min(longest, method.most_queries or longest)))
    settings = settings_of(task.name)
    # Not the arguments that added the last runs, but those that make the whole.
    whole = ["python", "benchmarks/table_search.py", "--task", task.name]
    command = shlex.join(whole + (["--queries", str(given.queries)] if given.queries else []))
    run_all(
        functools.partial(run, task.name),
        searches,
        output,
        settings,
        lambda runs: {"command": command, **summarize(settings, runs)},
        order=list(METHODS),
        workers=given.workers,
        fresh=given.fresh,
    )
    print(printed(section(json.loads(output.read_text()))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
