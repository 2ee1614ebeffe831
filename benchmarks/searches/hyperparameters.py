"""An architecture with hyper-parameters beside it: chosen together by one model, or apart.

NAS-Bench-201's tables have one setting of the training. Here a learning rate and an optimizer with a known,
made-up effect are added: the value of a trial is the validation accuracy times

    1 - 0.03 (log10(rate) - best)^2 - 0.02 [optimizer is "adam"],  best = -2 + 0.15 (c - 2),

with c the number of 3x3 convolutions of the cell, so that larger cells want larger rates. The best value is
that of the table. It can be stopped at any time: finished searches are kept in the record.

    python -m benchmarks.searches.hyperparameters
"""

from __future__ import annotations

import itertools
import math
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
from graphnas import Architecture
from graphnas.plots.style import colour
from optuna_graphnas import GraphBOSampler, suggest_architecture
from search_spaces import NASBench201

SPACE = NASBench201()
DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16-120": "ImageNet16-120"}
CHECKPOINTS = (30, 50, 100)
FLOOR = 1e-3
"""Height at which a regret of zero is drawn on the logarithmic axis."""

CONV3X3 = SPACE.edge_ops.index("nor_conv_3x3")

JOINT, APART = "GraphBOSampler", "GraphBOSampler, joint=False"
SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    JOINT: lambda seed: GraphBOSampler(SPACE, seed=seed),
    APART: lambda seed: GraphBOSampler(SPACE, seed=seed, joint=False),
    "Optuna GP": lambda seed: optuna.samplers.GPSampler(seed=seed),
    "Optuna TPE": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "random search": lambda seed: optuna.samplers.RandomSampler(seed=seed),
}


def effect(cell: Architecture, rate: float, optimizer: str) -> float:
    """The factor of the accuracy: at most 1, at the best rate of the cell with ``"sgd"``."""
    best = -2 + 0.15 * (int((cell.adjacency == CONV3X3).sum()) - 2)
    return 1 - 0.03 * (math.log10(rate) - best) ** 2 - 0.02 * (optimizer == "adam")


def search(dataset: str, sampler: str, seed: int, trials: int) -> list[float]:
    """The value of each trial of one study in memory."""
    measure = opened(f"nasbench201-{dataset}-200").measure

    def objective(trial: optuna.Trial) -> float:
        cell = suggest_architecture(trial, SPACE)
        rate = trial.suggest_float("rate", 1e-4, 1.0, log=True)
        optimizer = trial.suggest_categorical("optimizer", ["sgd", "adam"])
        return float(measure(cell)[0] * effect(cell, rate, optimizer))

    study = optuna.create_study(direction="maximize", sampler=SAMPLERS[sampler](seed))
    study.optimize(objective, n_trials=trials)
    return [round(trial.value or math.nan, 6) for trial in study.trials]


def by_case(runs: Sequence[dict[str, Any]]) -> dict[tuple[str, str], NDArray[np.float64]]:
    """The best value so far ``(seeds, trials)`` for each data set and sampler."""
    cases: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
    for run in runs:
        cases.setdefault((run["dataset"], run["sampler"]), []).append(np.maximum.accumulate(run["values"]))
    return {case: np.array(curves) for case, curves in cases.items()}


def section(record: dict[str, Any]) -> Section:
    """A table per data set."""
    cases, tables = by_case(record["runs"]), []
    points = [at for at in CHECKPOINTS if at <= record["trials"]]
    for dataset, title in DATASETS.items():
        cells = [
            [sampler, str(len(curves))]
            + ["{:.3f} ± {:.3f}".format(*mean_and_deviation(curves[:, at - 1].tolist())) for at in points]
            for sampler in SAMPLERS
            if (curves := cases.get((dataset, sampler))) is not None
        ]
        if cells:
            best = record["optimum"][dataset]
            caption = (
                f"{title}: best value after so many trials (of {best:.3f}), mean ± deviation over seeds."
            )
            tables.append(Table(caption, ["sampler", "seeds", *map(str, points)], cells))
    return Section(
        "An architecture and hyper-parameters",
        tables,
        "no paper searches both. The effect of the hyper-parameters is made up, since no table has one.",
        [
            "A value is the 200-epoch validation accuracy times 1 - 0.03 (log10(rate) - best)^2 - 0.02 "
            "[adam], with best = -2 + 0.15 (c - 2) and c the number of 3x3 convolutions. The rate is "
            f"searched from 1e-4 to 1. With joint=False Optuna's TPE chooses rate and optimizer, and no "
            f"architecture is evaluated twice. {counted(record['trials'], 'trial')}.",
            *_notes(cases, points),
        ],
        [PLOT],
    )


def _notes(cases: dict[tuple[str, str], NDArray[np.float64]], points: Sequence[int]) -> list[str]:
    """How far the joint model is ahead of each other sampler, with the deviation of the mean difference."""
    notes = []
    for other in SAMPLERS:
        parts = []
        for dataset, title in DATASETS.items():
            ours, theirs = cases.get((dataset, JOINT)), cases.get((dataset, other))
            if other == JOINT or ours is None or theirs is None or len(ours) != len(theirs):
                continue
            leads = [(ours - theirs)[:, at - 1] for at in points]
            error = [lead.std(ddof=1) / math.sqrt(len(lead)) if len(lead) > 1 else 0.0 for lead in leads]
            figures = (f"{lead.mean():+.3f} ± {e:.3f}" for lead, e in zip(leads, error, strict=True))
            parts.append(f"{title} {', '.join(figures)}")
        if parts:
            at = ", ".join(map(str, points))
            notes.append(f"{JOINT} less {other} after {at} trials (± standard error): {'; '.join(parts)}.")
    return notes


PLOT = "hyperparameters.png"


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Mean regret (logarithmic) by trials, a panel per data set."""
    cases = by_case(record["runs"])
    figure, axes = panels(len(DATASETS), 4.4, 4.2)
    for panel, (dataset, title) in zip(axes, DATASETS.items(), strict=True):
        for k, sampler in enumerate(SAMPLERS):
            curves = cases.get((dataset, sampler))
            if curves is not None:
                regret = np.maximum(record["optimum"][dataset] - curves.mean(0), FLOOR)
                panel.plot(np.arange(1, len(regret) + 1), regret, color=colour(k), label=sampler)
        panel.set_yscale("log")
        panel.set_ylim(bottom=FLOOR)
        label(panel, "trials", "mean regret (%)", title)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5, frameon=False, fontsize=8)
    return [save(figure, folder, PLOT)]


def main() -> int:
    """Run what the record does not hold, and store it after each search."""
    parser = script_parser(__doc__, "hyperparameters")
    parser.add_argument("--samplers", nargs="+", choices=list(SAMPLERS), default=list(SAMPLERS))
    parser.add_argument("--datasets", nargs="+", choices=list(DATASETS), default=list(DATASETS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--fresh", action="store_true", help="run again what the record holds")
    options = parser.parse_args()
    settings = {"trials": options.trials}
    optimum = {name: opened(f"nasbench201-{name}-200").optimum for name in DATASETS}
    runs = stored_runs(options.output, settings, "searches", fresh=options.fresh)
    done = {(run["seed"], run["sampler"], run["dataset"]) for run in runs}
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    # Seed by seed, so that an interrupted benchmark has all samplers.
    todo = [c for c in itertools.product(seeds, options.samplers, options.datasets) if c not in done]
    for seed, sampler, dataset in tqdm(todo, unit="search", disable=None):
        values = search(dataset, sampler, seed, options.trials)
        runs.append({"dataset": dataset, "sampler": sampler, "seed": seed, "values": values})
        write_record(options.output, {**settings, "optimum": optimum, "runs": runs}, quiet=True)
    publish(options.output, {**settings, "optimum": optimum, "runs": runs}, section)
    return 0


if __name__ == "__main__":
    quiet()
    run_on_one_thread(main)
