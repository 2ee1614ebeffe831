"""What a pruner saves: the best value by epochs spent, with MedianPruner, with HyperbandPruner and without.

NAS-Bench-201 on three data sets. A trial reports its 12-epoch validation accuracy, after which the pruner
may end it; otherwise its value is the 200-epoch validation accuracy. A search without a pruner has 100
trials; one with a pruner goes on until it has had 100 trials and spent 70 % of the epochs that those without
cost. It can be stopped at any time: finished searches are kept in the record.

    python -m benchmarks.searches.pruning
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.harness.drawing import label, panels, save
from benchmarks.harness.records import publish, run_on_one_thread, script_parser, stored_runs, write_record
from benchmarks.harness.sections import Section, Table, counted, mean_and_deviation
from benchmarks.searches.opening import opened
from benchmarks.searches.runs import quiet
from graphnas.plots.style import colour
from optuna_graphnas import (
    GraphBOSampler,
    GraphPNASSampler,
    LatentBOSampler,
    RandomArchitectureSampler,
    suggest_architecture,
)
from search_spaces import NASBench201

SPACE = NASBench201()
DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16-120": "ImageNet16-120"}
SHORT, LONG = 12, 200
"""Epochs after which a trial reports, and those of a trial that is not pruned."""
SHARE = 0.7
MOST_TRIALS = 250
FLOOR = 2e-3
"""Height at which a regret of zero is drawn on the logarithmic axis."""

SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "GraphBOSampler": lambda seed: GraphBOSampler(SPACE, seed=seed),
    "GraphPNASSampler": lambda seed: GraphPNASSampler(SPACE, seed=seed),
    "LatentBOSampler": lambda seed: LatentBOSampler(SPACE, seed=seed),
    "Optuna TPE": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "random search": lambda seed: RandomArchitectureSampler(SPACE, seed=seed),
}
OURS = ("GraphBOSampler", "GraphPNASSampler", "LatentBOSampler")
NONE = "none"
PRUNERS: dict[str, Callable[[], optuna.pruners.BasePruner]] = {
    NONE: optuna.pruners.NopPruner,
    "median": optuna.pruners.MedianPruner,
    "hyperband": lambda: optuna.pruners.HyperbandPruner(SHORT, LONG, reduction_factor=4),
}
Values = Sequence[float | None]
"""The final value of each trial, None of a pruned one."""


def search(dataset: str, sampler: str, pruner: str, seed: int, trials: int) -> list[float | None]:
    """One study in memory: the value of each trial, None where it was pruned."""
    # A query's reported figure is no part of this; the rounded values are those of the table searches.
    short, long = (opened(f"nasbench201-{dataset}-{epochs}").measure for epochs in (SHORT, LONG))
    least = 0.0 if pruner == NONE else SHARE * LONG * trials

    def objective(trial: optuna.Trial) -> float:
        architecture = suggest_architecture(trial, SPACE)
        trial.report(short(architecture)[0], SHORT)
        if trial.should_prune():
            raise optuna.TrialPruned
        return long(architecture)[0]

    def stop(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if len(study.trials) >= trials and spent(values_of(study))[-1] >= least:
            study.stop()

    # Hyperband hashes the name to choose the bracket of a trial.
    name = f"{dataset}-{seed}"
    study = optuna.create_study(
        study_name=name, direction="maximize", sampler=SAMPLERS[sampler](seed), pruner=PRUNERS[pruner]()
    )
    study.optimize(objective, n_trials=max(trials, MOST_TRIALS), callbacks=[stop])
    return values_of(study)


def values_of(study: optuna.Study) -> list[float | None]:
    """The value of each trial, None where it was pruned."""
    return [None if trial.state == optuna.trial.TrialState.PRUNED else trial.value for trial in study.trials]


def spent(values: Values) -> NDArray[np.int64]:
    """Epochs spent up to and with each trial, ``(n,)``."""
    return np.cumsum([SHORT if value is None else LONG for value in values])


def best_so_far(values: Values) -> NDArray[np.float64]:
    """The best value after each trial, ``(n,)``; NaN before the first one that was not pruned."""
    known = np.array([np.nan if value is None else value for value in values])
    return np.asarray(np.fmax.accumulate(known))


def best_within(values: Values, epochs: float) -> float:
    """The best value of the trials that ended within so many epochs."""
    return float(best_so_far(values)[spent(values) <= epochs][-1])


def figures_of(runs: Sequence[dict[str, Any]], trials: int) -> dict[str, Any]:
    """What the report says of the runs of one sampler with one pruner on one data set."""
    first = [run["values"][:trials] for run in runs]
    return {
        "seeds": len(runs),
        "pruned": mean_and_deviation([sum(value is None for value in values) for values in first]),
        "share_of_epochs": mean_and_deviation(
            [float(spent(values)[-1]) / (LONG * trials) for values in first]
        ),
        "best": mean_and_deviation([float(best_so_far(values)[-1]) for values in first]),
        "best_within": mean_and_deviation(
            [best_within(run["values"], SHARE * LONG * trials) for run in runs]
        ),
    }


def by_case(runs: Sequence[dict[str, Any]]) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """The runs of each data set, sampler and pruner."""
    cases: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for run in runs:
        cases.setdefault((run["dataset"], run["sampler"], run["pruner"]), []).append(run)
    return cases


def section(record: dict[str, Any]) -> Section:
    """A table per data set, and one that compares ours with a pruner."""
    trials = record["trials"]
    rows = {case: figures_of(runs, trials) for case, runs in by_case(record["runs"]).items()}
    columns = (
        "sampler, pruner",
        "seeds",
        f"pruned of {trials}",
        "share of epochs",
        f"best, {trials} trials",
        f"best, {SHARE:.0%} of the epochs",
    )
    tables = []
    for dataset, title in DATASETS.items():
        cells = [
            [
                sampler if pruner == NONE else f"{sampler}, {pruner}",
                str(row["seeds"]),
                f"{row['pruned'][0]:.0f}",
                f"{row['share_of_epochs'][0]:.0%}",
                mean_of(row["best"]),
                mean_of(row["best_within"]),
            ]
            for sampler in SAMPLERS
            for pruner in PRUNERS
            if (row := rows.get((dataset, sampler, pruner)))
        ]
        if cells:
            caption = (
                f"{title}: {LONG}-epoch validation accuracy (%), the best of the table being "
                f"{record['optimum'][dataset]:.3f}; mean ± deviation over the seeds. Share of epochs: what "
                f"{counted(trials, 'trial')} cost of those without a pruner."
            )
            tables.append(Table(caption, columns, cells))
    tables.append(_compared(rows))
    return Section(
        "Searches with a pruner",
        tables,
        "none of the papers prunes. The table has networks trained for 12 epochs with a schedule of 12, "
        "rather than the first 12 of 200 epochs; a trial that is not pruned is counted as 200 epochs.",
        [
            f"A trial reports its {SHORT}-epoch validation accuracy. MedianPruner has Optuna's default "
            f"settings; HyperbandPruner a least resource of {SHORT}, a largest of {LONG} and a reduction "
            "factor of 4: its other brackets have no step at which a trial reports.",
        ],
        [_plot_name(pruner) for pruner in PRUNERS if pruner != NONE],
    )


def mean_of(figures: Sequence[float]) -> str:
    """Mean and deviation as the tables print them."""
    return f"{figures[0]:.3f} ± {figures[1]:.3f}"


def _compared(rows: dict[tuple[str, str, str], dict[str, Any]]) -> Table:
    """What ours reach with a pruner against what they reach without, and against TPE with the same."""
    cells = []
    for sampler, pruner in itertools.product(OURS, list(PRUNERS)[1:]):
        differences = []
        for dataset in DATASETS:
            cases = [(dataset, sampler, pruner), (dataset, sampler, NONE), (dataset, "Optuna TPE", pruner)]
            own, without, other = (rows.get(case) for case in cases)
            differences += [_difference(own, without, "best"), _difference(own, other, "best_within")]
        if any(differences):
            cells.append([f"{sampler}, {pruner}", *differences])
    titles = [f"{title}, {other}" for title in DATASETS.values() for other in ("itself", "TPE")]
    return Table(
        f"Best with a pruner at {SHARE:.0%} of the epochs, less that of the same sampler without one at all "
        "of them (itself), and less that of TPE with the same pruner at as many (TPE); means over the seeds.",
        ("sampler, pruner", *titles),
        cells,
    )


def _difference(own: dict[str, Any] | None, other: dict[str, Any] | None, at: str) -> str:
    return "" if own is None or other is None else f"{own['best_within'][0] - other[at][0]:+.3f}"


def _plot_name(pruner: str) -> str:
    return f"pruning_{pruner}.png"


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Mean regret (logarithmic) by epochs spent, a plot per pruner and a panel per data set."""
    cases, names = by_case(record["runs"]), []
    for pruner in PRUNERS:
        if pruner == NONE:
            continue
        figure, axes = panels(len(DATASETS), 4.4, 4.2)
        for panel, (dataset, title) in zip(axes, DATASETS.items(), strict=True):
            for (k, sampler), chosen in itertools.product(enumerate(SAMPLERS), (pruner, NONE)):
                runs = cases.get((dataset, sampler, chosen))
                if not runs:
                    continue
                end = min(spent(run["values"])[-1] for run in runs)
                grid = np.arange(5 * LONG, end + 1, LONG // 4)
                best = np.array([[best_within(run["values"], at) for at in grid] for run in runs])
                panel.plot(
                    grid,
                    np.maximum(record["optimum"][dataset] - best.mean(0), FLOOR),
                    color=colour(k),
                    linestyle="--" if chosen == NONE else "-",
                    linewidth=1.2 if chosen == NONE else 2.0,
                    label=sampler if chosen == NONE else f"{sampler}, {chosen}",
                )
            panel.set_yscale("log")
            panel.set_ylim(bottom=FLOOR)
            label(panel, "epochs spent", "mean regret (%)", title)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=5, frameon=False, fontsize=8)
        names.append(save(figure, folder, _plot_name(pruner)))
    return names


def main() -> int:
    """Run what the record does not hold, and store it after each search."""
    parser = script_parser(__doc__, "pruning")
    parser.add_argument("--samplers", nargs="+", choices=list(SAMPLERS), default=list(SAMPLERS))
    parser.add_argument("--datasets", nargs="+", choices=list(DATASETS), default=list(DATASETS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--fresh", action="store_true", help="run again what the record holds")
    options = parser.parse_args()
    settings = {"trials": options.trials}
    optimum = {name: opened(f"nasbench201-{name}-{LONG}").optimum for name in DATASETS}
    runs = stored_runs(options.output, settings, "searches", fresh=options.fresh)
    done = set(map(_place, runs))
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    # Seed by seed, so that an interrupted benchmark has all samplers.
    wanted = itertools.product(seeds, options.samplers, PRUNERS, options.datasets)
    todo = [case for case in wanted if case not in done]
    for seed, sampler, pruner, dataset in tqdm(todo, unit="search", disable=None):
        values = search(dataset, sampler, pruner, seed, options.trials)
        runs.append(
            {"dataset": dataset, "sampler": sampler, "pruner": pruner, "seed": seed, "values": values}
        )
        write_record(options.output, {**settings, "optimum": optimum, "runs": runs}, quiet=True)
    publish(options.output, {**settings, "optimum": optimum, "runs": runs}, section)
    return 0


def _place(run: dict[str, Any]) -> tuple[int, str, str, str]:
    return run["seed"], run["sampler"], run["pruner"], run["dataset"]


if __name__ == "__main__":
    quiet()
    run_on_one_thread(main)
