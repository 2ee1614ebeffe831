"""Whether the motifs that ``graphnas explain`` names do in a whole table what it says (NAS-Bench-201).

100 trials by random search and by GraphBO, 200-epoch validation accuracy on CIFAR-10. The effect of every
operation and sub-graph that an explanation names is compared with the same figure computed from all 15,625
cells: by how much the accuracy changes with one more of it, which for a motif that is there or not is the
mean of the cells that have it less the mean of the others.

    python -m benchmarks.surrogates.motif_effects --seeds 5
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.harness.records import (
    missing_runs,
    publish,
    run_on_one_thread,
    script_parser,
    stored_runs,
    write_record,
)
from benchmarks.harness.sections import Section, Table, by_arm, mean_and_deviation, mean_sd

ARMS = ("random search", "GraphBO")
EFFECT = "effect (graphnas explain)"
POSTERIOR = "effect, interval of the posterior alone"
TRIALS_ONLY = "difference among the trials"
GRADIENT = "derivative in counts"
COUNTS_ALONE = "derivative, kernel of counts alone"
ESTIMATES = (EFFECT, POSTERIOR, TRIALS_ONLY, GRADIENT, COUNTS_ALONE)
TITLES = {TRIALS_ONLY: f"{TRIALS_ONLY} (plot_motifs)", COUNTS_ALONE: f"{COUNTS_ALONE} (Ru et al.)"}

SEEDS = 5
TRIALS = 100
DEPTHS = (0, 1)
Vector = NDArray[np.float64]


# -------------------------------------------------------------------- the record


def section(record: dict[str, Any]) -> Section:
    """Agreement of each estimate with the table, by what chose the trials."""
    rows = []
    for arm, runs in by_arm(record, ARMS).items():
        for name in ESTIMATES:
            figures = [run["estimates"][name] for run in runs]
            inside = [entry["inside"] for entry in figures if entry["inside"] is not None]
            rows.append(
                [
                    f"{arm}: {TITLES.get(name, name)}",
                    mean_sd([entry["rank"] for entry in figures]),
                    mean_sd([entry["rank_linear"] for entry in figures]),
                    mean_sd([entry["error"] for entry in figures]),
                    mean_sd([100 * share for share in inside], 0) if inside else "",
                ]
            )
    columns = [
        "trials: estimate",
        "rank correlation",
        "the same with a linear model",
        "median error",
        "within the 95 % interval",
    ]
    caption = (
        f"Effects of operations and sub-graphs after {record['trials']} trials beside those in all "
        f"{record['cells']:,} cells, mean and deviation over {record['seeds']} seeds. Spearman's "
        "correlation; errors in percentage points of accuracy; the share of motifs in % whose true effect is "
        "within the interval. The linear model is fitted to the counts of all motifs of a depth in all cells."
    )
    return Section(
        title="What graphnas explain says, beside the whole table",
        tables=[Table(caption, columns, rows)],
        protocol=(
            "Ru et al. (NAS-BOWL, ICLR 2021, section 3.3) find motifs by derivatives of a process whose "
            "kernel is of Weisfeiler-Lehman counts alone; the last row of each search is that idea with our "
            "counts and normalisation, not their code."
        ),
        notes=verdicts(record),
        plots=["motif_effects.png"],
    )


def verdicts(record: dict[str, Any]) -> list[str]:
    """Which estimate agrees best with the table, and how honest its intervals are."""
    notes = []
    different = [name for name in ESTIMATES if name != POSTERIOR]
    for arm, runs in by_arm(record, ARMS).items():
        ranks, linear = (
            {name: np.mean([run["estimates"][name][key] for run in runs]) for name in different}
            for key in ("rank", "rank_linear")
        )
        best = max(ranks, key=lambda name: ranks[name])
        others = ", ".join(f"{TITLES.get(n, n)} {ranks[n]:.2f}" for n in different if n != EFFECT)
        verdict = "agrees best with the table" if best == EFFECT else f"agrees less than {best}"
        motifs = np.mean([run["motifs"] for run in runs])
        inside = {run["seed"]: 100 * run["estimates"][EFFECT]["inside"] for run in runs}
        held = np.mean(list(inside.values()))
        before = 100 * np.mean([run["estimates"][POSTERIOR]["inside"] for run in runs])
        least = min(runs, key=lambda run: inside[run["seed"]])
        clear = sum(run["clear"] for run in runs)
        wrong = sum(run["wrong_sign"] for run in runs)
        closest = max(linear, key=lambda name: linear[name])
        notes += [
            f"{arm}: on {motifs:.0f} motifs a seed the {EFFECT} {verdict} ({ranks[EFFECT]:.2f}; {others}). "
            f"Of {clear:,} effects whose interval is on one side of 0, {wrong} have the wrong sign.",
            f"{arm}: the 95 % intervals hold {held:.0f} % of the true effects, those of the posterior alone "
            f"{before:.0f} %. Fewest are held ({inside[least['seed']]:.0f} %) at the seed whose worst trial "
            f"has {least['worst']:.1f} %; the worst cells have {record['lowest']:.1f} %.",
            f"{arm}: with the linear model the closest is {TITLES.get(closest, closest)} "
            f"({linear[closest]:.2f}). Its coefficients are of counts that determine each other, every node "
            "being in the middle of one sub-graph, so that they say little of a single one.",
        ]
    if record["seeds"] < SEEDS:
        notes.append(f"So far {record['seeds']} of {SEEDS} seeds.")
    return notes


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """The effects of the first seed with their intervals, over those of the whole table."""
    from benchmarks.harness.drawing import label, panels, save
    from graphnas.plots.style import FAINT, colour

    arms = by_arm(record, ARMS)
    figure, axes = panels(len(arms))
    for number, (axis, (arm, runs)) in enumerate(zip(axes, arms.items(), strict=True)):
        first = {name: np.array(column) for name, column in runs[0]["first"].items()}
        ends = np.stack([first["effect"] - first["low"], first["high"] - first["effect"]])
        axis.errorbar(
            first["truth"],
            first["effect"],
            yerr=np.maximum(ends, 0),
            fmt="o",
            ms=3,
            lw=0.6,
            color=colour(number),
        )
        limits = [min(first["truth"].min(), 0) - 1, first["truth"].max() + 1]
        axis.plot(limits, limits, color=FAINT, lw=1)
        label(axis, "in the whole table", "by graphnas explain", f"{arm}, {record['trials']} trials")
    return [save(figure, folder, "motif_effects.png")]


# -------------------------------------------------------------------- the measurement


class Truth:
    """All cells of NAS-Bench-201, and what each motif does among them."""

    def __init__(self) -> None:
        from graphnas import ArchitectureBatch
        from graphnas.evaluate import TabularEvaluator
        from graphnas.graph.wl_motifs import Motifs
        from graphnas.surrogate.effects import slopes
        from search_spaces import NASBench201

        self.space = NASBench201()
        self.table = TabularEvaluator(self.space)
        batch = ArchitectureBatch.from_architectures(list(self.space.enumerate()))
        values = np.asarray(self.table.values(batch), float)
        motifs = Motifs(self.space, batch, max(DEPTHS))
        self.cells, self.lowest = len(values), float(values.min())
        self.alone: dict[str, float] = {}
        self.linear: dict[str, float] = {}
        for depth in DEPTHS:
            labels = motifs.of_round(depth)
            counts = motifs.counts(depth, labels)
            varied = np.flatnonzero(counts.std(0) > 0)
            names = motifs.names(depth, labels[varied])
            ones = np.ones((len(values), 1))
            model = np.linalg.lstsq(np.concatenate([ones, counts[:, varied]], axis=1), values, rcond=None)[0]
            self.alone.update(zip(names, slopes(counts[:, varied], values).tolist(), strict=True))
            self.linear.update(zip(names, model[1:].tolist(), strict=True))


def trials(arm: str, truth: Truth, count: int, seed: int) -> tuple[list[Any], Vector]:
    """The architectures that a search evaluates, and their accuracies."""
    from graphnas.methods import GraphBO, RandomSearch

    method = (GraphBO if arm == "GraphBO" else RandomSearch)(truth.space, seed=seed)
    architectures, values = [], []
    for _ in range(count):
        (architecture,) = method.ask(1)
        value = truth.table.evaluate(architecture).value
        method.tell(architecture, value)
        architectures.append(architecture)
        values.append(value)
    return architectures, np.array(values)


def other_estimates(
    truth: Truth, architectures: list[Any], values: Vector, names: list[str]
) -> tuple[Vector, Vector, Vector]:
    """The slope among the trials; the derivative where the kernel has counts alone, and its deviation."""
    from graphnas import ArchitectureBatch
    from graphnas.graph.wl_motifs import Motifs
    from graphnas.surrogate import GaussianProcess, GraphKernels, Kernel
    from graphnas.surrogate.effects import count_gradients, slopes
    from graphnas.surrogate.kernels import Linear

    batch = ArchitectureBatch.from_architectures(architectures, truth.space.max_nodes)
    motifs = Motifs(truth.space, batch, max(DEPTHS))
    by_name: dict[str, tuple[int, Vector]] = {}
    for depth in DEPTHS:
        labels = motifs.of_round(depth)
        columns = zip(labels.tolist(), motifs.counts(depth, labels).T, strict=True)
        by_name.update(zip(motifs.names(depth, labels), columns, strict=True))
    labels = np.array([by_name[name][0] for name in names], np.uint64)
    counts = np.stack([by_name[name][1] for name in names], axis=1)
    kernels = GraphKernels(truth.space, DEPTHS, operations=False).fit(batch)
    inputs, unit = kernels(batch)[1:], values.std()
    process = GaussianProcess(Kernel(*(Linear() for _ in DEPTHS))).fit(
        inputs, (values - values.mean()) / unit
    )
    mean, deviation = count_gradients(process, kernels, batch, inputs, labels, counts, first=0)
    return slopes(counts, values), unit * mean, unit * deviation


def measure(arm: str, truth: Truth, count: int, seed: int) -> dict[str, Any]:
    """How the effects that are found after ``count`` trials agree with the table."""
    from graphnas.surrogate import explain

    architectures, values = trials(arm, truth, count, seed)
    found = explain(architectures, values, truth.space, depths=DEPTHS).effects
    unwidened = explain(architectures, values, truth.space, depths=DEPTHS, refits=0).effects
    names = [effect.name for effect in found]
    alone = np.array([truth.alone[name] for name in names])
    linear = np.array([truth.linear[name] for name in names])
    columns = {key: np.array([getattr(e, key) for e in found]) for key in ("effect", "low", "high")}
    plain, derivative, deviation = other_estimates(truth, architectures, values, names)
    gradient = np.array([effect.gradient for effect in found])
    half = 1.96 * np.array([effect.gradient_error for effect in found])
    estimates: dict[str, tuple[Vector, Vector | None, Vector | None]] = {
        EFFECT: (columns["effect"], columns["low"], columns["high"]),
        POSTERIOR: (
            columns["effect"],
            np.array([effect.low for effect in unwidened]),
            np.array([effect.high for effect in unwidened]),
        ),
        TRIALS_ONLY: (plain, None, None),
        GRADIENT: (gradient, gradient - half, gradient + half),
        COUNTS_ALONE: (derivative, derivative - 1.96 * deviation, derivative + 1.96 * deviation),
    }
    clear = (columns["low"] > 0) | (columns["high"] < 0)
    return {
        "arm": arm,
        "seed": seed,
        "best": float(values.max()),
        "mean": float(values.mean()),
        "worst": float(values.min()),
        "motifs": len(names),
        "clear": int(clear.sum()),
        "wrong_sign": int((clear & (np.sign(columns["effect"]) != np.sign(alone))).sum()),
        "estimates": {
            name: {
                "rank": float(spearmanr(estimate, alone).statistic),
                "rank_linear": float(spearmanr(estimate, linear).statistic),
                "error": float(np.median(np.abs(estimate - alone))),
                "inside": None
                if low is None or high is None
                else float(np.mean((low <= alone) & (alone <= high))),
            }
            for name, (estimate, low, high) in estimates.items()
        },
        "first": {
            **{key: np.round(column, 4).tolist() for key, column in columns.items()},
            "truth": np.round(alone, 4).tolist(),
        },
    }


def main() -> int:
    """Run what is missing, store it run by run, and print."""
    from tqdm import tqdm

    parser = script_parser(__doc__, "motif_effects")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--fresh", action="store_true", help="run again what the record holds")
    options = parser.parse_args()
    output = options.output
    settings = {"trials": options.trials}
    runs = stored_runs(output, settings, "runs", fresh=options.fresh)
    truth = Truth()
    for arm, seed in tqdm(missing_runs(runs, options.arms, options.seeds), unit="run", disable=None):
        runs.append(measure(arm, truth, options.trials, seed))
        write_record(output, _figures(settings, truth, runs), quiet=True)
    publish(output, _figures(settings, truth, runs), section)
    return 0


def _figures(settings: dict[str, Any], truth: Truth, runs: list[dict[str, Any]]) -> dict[str, Any]:
    ranks = {
        f"{arm}: {name}": list(mean_and_deviation([run["estimates"][name]["rank"] for run in own]))
        for arm, own in by_arm({"runs": runs}, ARMS).items()
        for name in ESTIMATES
    }
    return {
        **settings,
        "seeds": len({run["seed"] for run in runs}),
        "cells": truth.cells,
        "lowest": truth.lowest,
        "rank_correlations": ranks,
        "runs": runs,
    }


if __name__ == "__main__":
    run_on_one_thread(main)
