"""The suite's section of the report: tables, and what they say, derived from the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.harness.sections import Section, Table, counted, mean_sd
from benchmarks.searches.published import FLAN_CLASS_SCENE
from benchmarks.suite.figures import Compared, Search, searches_of, shown
from benchmarks.suite.statistics import from_steps
from benchmarks.suite.tasks import ALL, LIMITED, ONE, PARTS, REASONS, TWO

DEFAULT = "GraphBOSampler"
OURS = (DEFAULT, "GraphPNASSampler", "LatentBOSampler", "NASGEMSampler")
TPE = "Optuna TPE"
SUITE_METHODS = (
    *OURS,
    TPE,
    "Optuna GP",
    "Optuna NSGA-II",
    "BoTorch",
    "SMAC",
    "BANANAS",
    "predictor as in FLAN",
    "extra-trees",
    "regularised evolution",
    "local search",
    "random search",
)
"""In the order of the tables: those of this project, then their peers."""

PUBLISHED = {"transnasbench101-class_scene": FLAN_CLASS_SCENE}
"""Searches of the same tables that others have published."""
COMPARED_AT = (30, 100)
"""Queries after which ranks are drawn."""
JUDGED_AT = (30, 50, 100, 150)
"""Queries after which the default is meant to be ahead of every peer."""
CLEAR_AT = (50, 100)
"""Queries after which its lead over the best peer is meant to be beyond chance."""
EARLY = 20
"""Queries after which it is meant not to be behind TPE."""


def report(record: dict[str, Any]) -> Section:
    """The part of the report on one part of the suite."""
    searches, scale = searches_of(record), record["scale"]
    compared = {kind: Compared(searches, scale, kind, SUITE_METHODS) for kind in (ONE, LIMITED, TWO)}
    tables = [_regrets(one, kind) for kind, one in compared.items() if one.methods]
    main = compared[ONE]
    if main.methods:
        tables += [_ranks_and_differences(main), _by_task(main)]
    tables += [_beside_published(searches, name) for name in PUBLISHED if name in main.tasks]
    return Section(
        title=f"The suite: {record['part']} tasks",
        tables=tables,
        protocol=(
            "no paper has this suite. Regret is normalised by task, (best - found) / (best - median of the "
            "table), and at most 1: 0 is the best of the table, 1 what every second architecture reaches. "
            "With two objectives the figure is the hypervolume, its median that of one architecture. A "
            "query is an architecture not evaluated before, up to isomorphism. Optuna's samplers, BoTorch "
            "and SMAC choose single parameters; where the table lacks most of what they may choose, the cell "
            "that differs in the fewest parameters is evaluated instead."
        ),
        notes=[*_verdicts(main), *_remarks(record, compared)],
        plots=plot_names(record),
    )


def plot_names(record: dict[str, Any]) -> list[str]:
    """The plots of a record: none without tasks of one objective, and ranks from three methods on."""
    main = Compared(searches_of(record), record["scale"], ONE, SUITE_METHODS)
    ranked = len(main.methods) > 2 and any(budget in main.budgets for budget in COMPARED_AT)
    names = [f"suite_{record['part']}_regret.png"] if main.methods else []
    return names + [f"suite_{record['part']}_ranks.png"] * ranked


# ---------------------------------------------------------------- tables


def _regrets(compared: Compared, kind: str) -> Table:
    rows = [
        [
            method,
            compared.seeds(method),
            *(shown(compared.mean(method, budget)) for budget in compared.budgets),
            f"{compared.seconds_per_trial(method):.3f}",
        ]
        for method in compared.methods
    ]
    return Table(
        f"Tasks with {kind} ({len(compared.tasks)}): mean normalised regret after so many queries, with the "
        "95 % interval of a bootstrap over tasks and, within them, seeds. Processor seconds, without "
        "evaluations.",
        ["method", "seeds", *(str(budget) for budget in compared.budgets), "s per trial"],
        rows,
    )


def _ranks_and_differences(compared: Compared) -> Table:
    rankings = [compared.ranking(budget) for budget in compared.budgets]
    rows = [
        [
            method,
            *(f"{ranking.ranks[method]:.1f}" for ranking in rankings),
            *(
                ""
                if method == DEFAULT or DEFAULT not in compared.methods
                else shown(compared.difference(method, DEFAULT, budget), "+")
                for budget in compared.budgets
            ),
        ]
        for method in compared.methods
    ]
    tests = [
        f"{ranking.critical_difference:.1f} after {budget} (p = {ranking.p_value:.1g})"
        for ranking, budget in zip(rankings, compared.budgets, strict=True)
        if ranking.critical_difference is not None
    ]
    apart = (
        f" Ranks that differ by less than this are not told apart (Nemenyi, 5 %; p of Friedman's test): "
        f"{', '.join(tests)}."
        if tests
        else ""
    )
    return Table(
        f"Tasks with {ONE}: mean rank by the mean regret of each task (1 is best), and mean normalised "
        f"regret less that of {DEFAULT} on the same seeds, with its interval; positive: the method is "
        f"behind.{apart}",
        [
            "method",
            *(f"rank, {budget}" for budget in compared.budgets),
            *(f"less the default, {budget}" for budget in compared.budgets),
        ],
        rows,
    )


def _by_task(compared: Compared) -> Table:
    budgets = [budget for budget in COMPARED_AT if budget in compared.budgets] or compared.budgets[-1:]
    rows = []
    for task in compared.tasks:
        cells = []
        for method in compared.methods:
            means = (float(compared.by_task(method, budget)[task].mean()) for budget in budgets)
            cells.append(" / ".join(f"{mean:.3f}" for mean in means))
        rows.append([task, *cells])
    return Table(
        f"Mean normalised regret of each task after {' / '.join(map(str, budgets))} queries.",
        ["task", *compared.methods],
        rows,
    )


def _beside_published(searches: Sequence[Search], task: str) -> Table:
    known = PUBLISHED[task]
    rows = []
    for method in SUITE_METHODS:
        runs = [one for one in searches if one.place == (task, method) and one.queries >= max(known.value)]
        if runs:
            best = [from_steps(one.at, one.best, one.queries) for one in runs]
            found = [mean_sd([curve[queries - 1] for curve in best], 3) for queries in known.value]
            rows.append([method, str(len(runs)), *found])
    rows.append([known.name, "" if known.runs is None else str(known.runs), *known.value.values()])
    return Table(
        f"{task}: the best value after so many queries, mean ± deviation over the seeds, beside the figures "
        f"of {known.source}.",
        ["method", "seeds", *map(str, known.value)],
        rows,
    )


# ---------------------------------------------------------------- what they say


def _peers(compared: Compared) -> list[str]:
    return [method for method in compared.methods if method not in OURS]


def _verdicts(compared: Compared) -> list[str]:
    """Whether the default is ahead where it is meant to be; what does not hold comes first."""
    peers = _peers(compared)
    if DEFAULT not in compared.methods or not peers:
        return []
    failed: list[str] = []
    held: list[str] = []
    for budget in (b for b in JUDGED_AT if b in compared.budgets):
        own = compared.mean(DEFAULT, budget)[0]
        best = min(peers, key=lambda peer: compared.mean(peer, budget)[0])
        theirs = compared.mean(best, budget)[0]
        difference = compared.difference(DEFAULT, best, budget)
        text = f"after {budget} queries {own:.3f}, the best peer ({best}) {theirs:.3f}"
        if difference is not None:
            text += f", difference {shown(difference, '+')}"
        lead = own < theirs
        clear = budget not in CLEAR_AT or (difference is not None and difference[2] < 0)
        (held if lead and clear else failed).append(
            text + ("" if not lead or clear else ", which may be chance")
        )
    if EARLY in compared.budgets and TPE in peers:
        own, theirs = (compared.mean(method, EARLY)[0] for method in (DEFAULT, TPE))
        text = f"after {EARLY} queries {own:.3f}, {TPE} {theirs:.3f}"
        (held if own <= theirs else failed).append(text)
    notes = []
    if failed:
        notes.append(f"{DEFAULT} is not ahead as it is meant to be: {'; '.join(failed)}.")
    if held:
        notes.append(f"{DEFAULT} is ahead as it is meant to be: {'; '.join(held)}.")
    return notes


def _remarks(record: dict[str, Any], compared: dict[str, Compared]) -> list[str]:
    main = compared[ONE]
    notes = [REASONS[record["part"]]]
    left = [task for task in PARTS[record["part"]] if not any(task in one.tasks for one in compared.values())]
    if left:
        notes.append(f"Not run yet: {', '.join(left)}.")
    absent = [
        method
        for method in SUITE_METHODS
        if main.methods and method not in main.methods and method not in main.missing
    ]
    absent = [method for method in absent if method != "Optuna NSGA-II"]  # for several objectives only
    if absent:
        notes.append(f"Methods that were not run: {', '.join(absent)}.")
    if main.missing:
        parts = [f"{method} ({number})" for method, number in main.missing.items()]
        notes.append(
            f"Run on some of the {counted(len(main.tasks), 'task')} only, and not compared: "
            f"{', '.join(parts)}."
        )
    repeating = _repeating(record)
    if repeating:
        notes.append(
            f"Need more trials because they repeat architectures or leave the space: {', '.join(repeating)}."
        )
    notes += [
        f"{task}: the best cell of the table owes much to the luck of its three repeats, as the benchmark "
        "lucky_best shows, so that no method is expected to find it."
        for task in main.tasks
        if ALL[task].supported is not None
    ]
    return notes


def _repeating(record: dict[str, Any]) -> Sequence[str]:
    found = []
    for method in SUITE_METHODS:
        own = [one for one in searches_of(record) if one.place[1] == method]
        if own and (ratio := float(np.mean([one.trials / one.queries for one in own]))) > 1.05:
            found.append(f"{method} ({ratio:.1f} for each query)")
    return found
