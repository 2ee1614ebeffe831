"""What each ingredient of GraphBO is worth: the suite's tasks searched with it left out.

The whole method and each form without one ingredient search the tasks with one objective of both parts, with
the same seeds. Nothing is chosen by this record: it says what the choices made on the tuning tasks are worth
there, and on tasks that had no part in them.

    python -m benchmarks.suite.ingredients
    python -m benchmarks.suite.ingredients --tasks enas6 transnasbench101-jigsaw --seeds 2 --queries 30
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness.drawing import legend_above, panels, save
from benchmarks.harness.records import publish, script_parser
from benchmarks.harness.sections import Section, Table
from benchmarks.searches.figures import best_so_far
from benchmarks.searches.opening import opened
from benchmarks.searches.runs import quiet
from benchmarks.searches.runs import search as run_search
from benchmarks.suite.figures import Compared, Search, name_of, place_of, searches_of, shown
from benchmarks.suite.plots import draw_regret
from benchmarks.suite.running import run_searches
from benchmarks.suite.statistics import to_steps
from benchmarks.suite.tasks import ALL, BUDGETS, ONE, PARTS, kind_of
from graphnas.methods import GraphBOConfig
from optuna_graphnas import GraphBOSampler

QUERIES = 100
SEEDS = 5
PACKAGES = ("graphnas", "numpy", "scipy", "optuna")

WHOLE = "as it is"
ARMS: Mapping[str, GraphBOConfig] = {
    WHOLE: GraphBOConfig(),
    "no operation features": GraphBOConfig(operation_features=False),
    "no refined labels": GraphBOConfig(depths=(0,)),
    "neither of these": GraphBOConfig(operation_features=False, depths=(0,)),
    "noise always included": GraphBOConfig(noise="included"),
    "noise always excluded": GraphBOConfig(noise="excluded"),
    "no changed copies": GraphBOConfig(local_candidates=0),
    "10 random ones first": GraphBOConfig(n_startup_trials=10),
}
"""The forms that are compared, by their names in the report."""
TASKS = tuple(task for part in PARTS.values() for task in part if kind_of(ALL[task]) == ONE)


def run(name: str, seed: int, queries: int) -> Search:
    """One search; ``name`` is that of the task and of the form."""
    task_name, arm = place_of(name)
    task = opened(task_name)
    sampler = GraphBOSampler(task.space, config=ARMS[arm], seed=seed)
    found = run_search(arm, seed, sampler, task.space, task.measure, queries)
    at, best = to_steps(best_so_far(found.values, queries))
    return Search(name, seed, queries, at, best, found.trials, found.seconds)


def _compared(record: Mapping[str, Any], part: str) -> Compared:
    own = [one for one in searches_of(record) if one.place[0] in PARTS[part]]
    return Compared(own, record["scale"], ONE, tuple(ARMS))


def _table(compared: Compared, part: str) -> Table:
    rows = []
    for arm in compared.methods:
        cells = [shown(compared.mean(arm, budget)) for budget in compared.budgets]
        if arm != WHOLE and WHOLE in compared.methods:
            cells += [shown(compared.difference(arm, WHOLE, budget), "+") for budget in compared.budgets]
        else:
            cells += [""] * len(compared.budgets)
        rows.append([arm, compared.seeds(arm), *cells])
    return Table(
        f"The {part} tasks with {ONE} ({len(compared.tasks)}): mean normalised regret after so many queries, "
        f"and less that of the method {WHOLE}, on the same seeds, each with its 95 % interval; a positive "
        "difference: the ingredient helps.",
        [
            "form",
            "seeds",
            *(str(budget) for budget in compared.budgets),
            *(f"difference, {budget}" for budget in compared.budgets),
        ],
        rows,
    )


def _notes(record: Mapping[str, Any]) -> list[str]:
    """Which ingredients pay beyond chance, and which do harm, after every number of queries."""
    notes = []
    for part in PARTS:
        compared = _compared(record, part)
        found: dict[str, list[str]] = {"do worse": [], "do better": []}
        for arm in compared.methods if WHOLE in compared.methods else ():
            for budget in compared.budgets:
                difference = compared.difference(arm, WHOLE, budget) if arm != WHOLE else None
                if difference is not None and difference[1] > 0:
                    found["do worse"].append(f"{arm} ({budget})")
                elif difference is not None and difference[2] < 0:
                    found["do better"].append(f"{arm} ({budget})")
        for what, which in found.items():
            listed = ", ".join(which) or "none"
            if compared.methods:
                notes.append(f"On the {part} tasks these {what} than the whole beyond chance: {listed}.")
    return notes


def section(record: dict[str, Any]) -> Section:
    """The part of the report on the ingredients."""
    parts = [(part, _compared(record, part)) for part in PARTS]
    return Section(
        title="The suite: what each ingredient of GraphBO is worth",
        tables=[_table(compared, part) for part, compared in parts if compared.methods],
        protocol="no paper has this comparison; tasks and regret are those of the suite.",
        notes=_notes(record),
        plots=_plot_names(record),
    )


def _plot_names(record: Mapping[str, Any]) -> list[str]:
    return ["suite_ingredients.png"] if record["runs"] else []


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Regret by queries of every form, a panel for each part."""
    names = _plot_names(record)
    parts = [(part, compared) for part in PARTS if (compared := _compared(record, part)).methods]
    if names:
        figure, panes = panels(len(parts), 6.0, 4.6)
        for axes, (part, compared) in zip(panes, parts, strict=True):
            draw_regret(axes, compared, (WHOLE,))
            axes.set_title(f"{part} tasks", fontsize=10)
        legend_above(figure, 5)
        save(figure, folder, names[0])
    return names


def main() -> int:
    """Run, store and print."""
    parser = script_parser(__doc__, "suite_ingredients")
    parser.add_argument("--tasks", nargs="+", metavar="TASK", choices=TASKS, default=list(TASKS))
    parser.add_argument("--arms", nargs="+", metavar="FORM", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--queries", type=int, default=QUERIES, help=f"of {', '.join(map(str, BUDGETS))}")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="run again what the record holds")
    options = parser.parse_args()

    figures = run_searches(
        run,
        [
            (name_of(task, arm), seed, options.queries)
            for seed in range(options.seeds)
            for task in options.tasks
            for arm in options.arms
        ],
        options.output,
        {"queries": options.queries},
        options,
        command=["python", "-m", "benchmarks.suite.ingredients"],
        order=[name_of(task, arm) for task in TASKS for arm in ARMS],
    )
    publish(options.output, figures, section, PACKAGES)
    return 0


if __name__ == "__main__":
    quiet()
    sys.exit(main())
