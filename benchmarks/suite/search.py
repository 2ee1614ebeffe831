"""Who finds good architectures on many tables: the suite, its peers, and one figure for each method.

Each part of the suite is a record: ``tuning``, on which settings may be chosen, and ``validation``, on which
none may. Every method goes through ``optuna.create_study(sampler=...)``; a query is an architecture that was
not evaluated before, up to isomorphism. It can be stopped at any time: finished searches are kept in the
record. Searches with a pruner count epochs rather than queries and have a benchmark of their own,
``benchmarks.searches.pruning``.

    python -m benchmarks.suite.search --part validation
    python -m benchmarks.suite.search --part tuning --dry-run
    python -m benchmarks.suite.search --part tuning --tasks enas6 --methods GraphBOSampler --seeds 3
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.drawing import legend_above, panels, save
from benchmarks.harness.records import RESULTS, publish, script_parser, stored_runs
from benchmarks.searches.dry_run import estimate
from benchmarks.searches.figures import best_so_far, hypervolume_so_far, within_limit
from benchmarks.searches.methods import METHODS, possible_methods
from benchmarks.searches.methods import run as run_search
from benchmarks.searches.runs import quiet
from benchmarks.searches.tasks import REFERENCE
from benchmarks.suite.figures import Compared, Search, name_of, place_of, searches_of
from benchmarks.suite.plots import draw_ranks, draw_regret
from benchmarks.suite.report import COMPARED_AT, OURS, SUITE_METHODS, plot_names, report
from benchmarks.suite.running import run_searches
from benchmarks.suite.statistics import to_steps
from benchmarks.suite.tasks import ALL, ONE, PARTS, QUERIES, TWO, kind_of, whole_of
from graphnas.errors import MissingExtra

PACKAGES = ("graphnas", "numpy", "scipy", "scikit-learn", "torch", "optuna", "smac", "botorch")

section = report


def run(name: str, seed: int, queries: int) -> Search:
    """One search; ``name`` is that of the task and of the method."""
    task, method = place_of(name)
    found = run_search(task, method, seed, queries)
    kind, limit = kind_of(ALL[task]), ALL[task].limit
    if kind == TWO:
        curve = np.round(hypervolume_so_far(found, REFERENCE, queries) / whole_of(task), 6)
    else:
        curve = best_so_far((found if limit is None else within_limit(found, limit)).values, queries)
    at, best = to_steps(curve)
    return Search(name, seed, queries, at, best, found.trials, found.seconds)


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Regret by queries, and mean ranks with the critical difference."""
    compared = Compared(searches_of(record), record["scale"], ONE, SUITE_METHODS)
    names = plot_names(record)
    if not names:
        return []
    figure, (axes,) = panels(1, 8.5, 5.4)
    draw_regret(axes, compared, OURS)
    legend_above(figure, 5)
    save(figure, folder, names[0])
    if len(names) > 1:
        budgets = [budget for budget in COMPARED_AT if budget in compared.budgets]
        figure, panes = panels(len(budgets), 5.6, 0.6 + 0.3 * len(compared.methods))
        for axes, budget in zip(panes, budgets, strict=True):
            draw_ranks(axes, compared.ranking(budget), f"mean ranks after {budget} queries")
        save(figure, folder, names[1])
    return names


def asked_methods(task: str, methods: Sequence[str]) -> list[str]:
    """Those of ``methods`` that can be run on a task."""
    possible = possible_methods(ALL[task])
    return [method for method in methods if method in possible]


def main() -> int:
    """Run, store and print."""
    parser = script_parser(__doc__, dry_run=True)
    parser.add_argument("--part", required=True, choices=list(PARTS))
    parser.add_argument("--tasks", nargs="+", metavar="TASK", help="default: those of the part")
    parser.add_argument("--methods", nargs="+", metavar="METHOD", choices=SUITE_METHODS, help="default: all")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--queries", type=int, help=f"fewer than {QUERIES}")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="run again what the record holds")
    options = parser.parse_args()
    tasks = options.tasks or list(PARTS[options.part])
    if strangers := [task for task in tasks if task not in PARTS[options.part]]:
        parser.error(f"{strangers[0]} is no {options.part} task; these are {', '.join(PARTS[options.part])}")
    methods = []
    for method in options.methods or SUITE_METHODS:
        try:
            METHODS[method].check()
            methods.append(method)
        except MissingExtra as error:
            if options.methods:
                parser.error(f"{method}: {error}")
            print(f"{method} is left out: {error}")
    output = options.output or RESULTS / f"suite_{options.part}.json"
    queries = options.queries or QUERIES
    searches = [
        (name_of(task, method), options.first_seed + k, queries)
        for k in range(options.seeds)
        for task in tasks
        for method in asked_methods(task, methods)
    ]
    settings = {"part": options.part}
    if options.dry_run:
        known = [Search(**one) for one in stored_runs(output, settings, None)]
        print(
            estimate(
                f"the suite's {options.part} tasks",
                searches,
                known,
                place_of=place_of,
                fresh=options.fresh,
                facts={"tasks": len(tasks)},
            )
        )
        return 0
    # Not the arguments that added the last runs, but those that make the whole.
    command = ["python", "-m", "benchmarks.suite.search", "--part", options.part]
    if options.queries:
        command += ["--queries", str(options.queries)]
    figures = run_searches(
        run,
        searches,
        output,
        settings,
        options,
        command=command,
        order=[name_of(task, method) for task in PARTS[options.part] for method in SUITE_METHODS],
    )
    publish(output, figures, section, PACKAGES)
    return 0


if __name__ == "__main__":
    quiet()
    sys.exit(main())
