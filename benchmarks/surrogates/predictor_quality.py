"""How well surrogates that learn from few cells rank all the others (Kendall's tau on whole tables).

NAS-Bench-101: 100, 172 and 424 training cells out of 423,624; accuracy is the mean test accuracy, because the
compact table has the validation accuracy of only 30,001 cells. NAS-Bench-201: 78, 156 and 469 out of 15,625;
200-epoch validation accuracy on CIFAR-10. Cells are drawn uniformly, seed by seed.

    python -m benchmarks.surrogates.predictor_quality --space nasbench101 --seeds 10

Seconds are CPU seconds of a fit on one thread, with the features of the training cells, without prediction.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from benchmarks.harness.records import (
    RESULTS,
    publish,
    run_on_one_thread,
    script_parser,
    stored_runs,
    write_record,
)
from benchmarks.harness.sections import Section, Table, mean_and_deviation, spread

SIZES = {"nasbench101": (100, 172, 424), "nasbench201": (78, 156, 469)}
TITLES = {"nasbench101": "NAS-Bench-101", "nasbench201": "NAS-Bench-201"}
OURS = ("features and boosted trees", "features", "kernel (WL and bits)")
BASELINES = (
    "GP on raw bits",
    "gradient boosting on raw bits",
    "extra-trees on raw bits",
    "ridge on raw bits",
)
ACCURACIES = {"nasbench101": "mean test accuracy", "nasbench201": "200-epoch CIFAR-10 validation accuracy"}
TARGETS = {"nasbench101": (0.73, 0.78, 0.82), "nasbench201": (0.60, 0.66, 0.74)}

PUBLISHED = {
    "nasbench101": {
        "PINAT, ranking loss": (0.717, 0.764, 0.812),
        "PINAT": (0.679, 0.715, 0.772),
        "TNASP, ranking loss": (0.676, 0.691, 0.747),
        "GMAE-NAS": (0.666, 0.697, 0.732),
        "GATES": (0.605, 0.659, 0.691),
        "NP": (0.391, 0.545, 0.679),
    },
    "nasbench201": {
        "PINAT": (0.549, 0.631, 0.706),
        "TNASP": (0.539, 0.589, 0.640),
        "Graphormer": (0.505, 0.630, 0.680),
        "arch2vec": (0.542, 0.573, 0.601),
        "NP": (0.343, 0.413, 0.584),
    },
}
"""Table 1 of PINAT (Lu et al., AAAI 2023) and its supplement's Table 9; the others as quoted there."""

SEEDS = 10
CHUNK = 20_000
Rows = NDArray[np.int64]


# -------------------------------------------------------------------- the record


def section(record: dict[str, Any]) -> Section:
    """Kendall's tau by number of training cells, ours, baselines and published."""
    space, sizes = record["space"], record["sizes"]
    rows = []
    for name, figures in record["summary"].items():
        cells = [figures["tau"].get(str(size)) for size in sizes]
        seconds = [s for s in figures["seconds"].values() if s is not None]
        rows.append(
            [
                name,
                *(spread(*cell, 3) if cell else "" for cell in cells),
                f"{max(seconds):.2f}" if seconds else "",
            ]
        )
    rows += [
        [f"published: {name}", *(f"{value:.3f}" for value in values), ""]
        for name, values in PUBLISHED[space].items()
    ]
    columns = ["predictor", *(f"{size} cells" for size in sizes), "CPU s per fit, at most"]
    caption = (
        f"Kendall's tau on all other cells of {TITLES[space]} ({record['cells']:,}), mean and deviation over "
        f"{record['seeds']} seeds."
    )
    return Section(
        title=f"Predictor quality on {TITLES[space]}",
        tables=[Table(caption, columns, rows)],
        protocol=(
            "The published predictors learn from validation accuracy and are tested on test accuracy; here "
            f"both are the {ACCURACIES[space]}."
        ),
        notes=verdicts(record),
        plots=[plot_name(record)],
    )


def verdicts(record: dict[str, Any]) -> list[str]:
    """Whether our two predictors beat the best published ones and our targets."""
    space, sizes = record["space"], record["sizes"]
    best = next(iter(PUBLISHED[space].values()))
    notes = []
    for name in OURS[:2]:
        tau = record["summary"].get(name, {}).get("tau", {})
        if any(str(size) not in tau for size in sizes):
            continue
        parts = []
        for size, target, published in zip(sizes, TARGETS[space], best, strict=True):
            mean = tau[str(size)][0]
            verdict = "reached" if mean >= target else "missed"
            parts.append(
                f"{size} cells: {mean:.3f}, published {published:.3f}, target {target:.2f} {verdict}"
            )
        notes.append(f"{name}: {'; '.join(parts)}.")
    notes.append(
        "The features were chosen on other training cells of the same table (seeds from 100 on). "
        f"{OURS[1]!r} is GraphBO's surrogate, here with a kernel fitted on all training cells; in a search "
        "it is fitted on at most 200 of them."
    )
    if record["seeds"] < SEEDS:
        notes.append(
            f"So far {record['seeds']} of {SEEDS} seeds; `graphnas bench` with `--full` runs the rest."
        )
    return notes


def plot_name(record: dict[str, Any]) -> str:
    """The file that :func:`draw` writes."""
    return f"predictor_quality_{record['space']}.png"


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Kendall's tau by number of training cells; published ones are dashed."""
    from benchmarks.harness.drawing import label, panels, save
    from graphnas.plots.style import FAINT, INK, colour

    sizes = record["sizes"]
    figure, (axes,) = panels(1, 7.5, 4.2)
    for number, (name, figures) in enumerate(record["summary"].items()):
        known = [size for size in sizes if figures["tau"].get(str(size))]
        means, deviations = zip(*(figures["tau"][str(size)] for size in known), strict=True)
        axes.errorbar(known, means, yerr=deviations, color=colour(number), marker="o", ms=3, label=name)
    for number, (name, values) in enumerate(PUBLISHED[record["space"]].items()):
        tint = INK if number == 0 else FAINT
        axes.plot(sizes, values, color=tint, ls="--", lw=1, label=f"published: {name}")
    axes.set_xscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    label(axes, "training cells", "Kendall's tau on all other cells")
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return [save(figure, folder, plot_name(record))]


def summarize(runs: list[dict[str, Any]], sizes: list[int]) -> dict[str, Any]:
    """Mean and deviation of tau, and mean seconds, by predictor and size."""
    summary: dict[str, Any] = {}
    for name in (*OURS, *BASELINES):
        mine = [run for run in runs if run["predictor"] == name]
        if not mine:
            continue
        tau, seconds = {}, {}
        for size in sizes:
            fits = [run for run in mine if run["size"] == size]
            if fits:
                values = [run["tau"] for run in fits]
                tau[str(size)] = list(mean_and_deviation(values))
                seconds[str(size)] = float(np.mean([run["seconds"] for run in fits]))
        summary[name] = {"tau": tau, "seconds": seconds}
    return summary


# -------------------------------------------------------------------- the measurement


class Cells:
    """All cells of a space's table, with everything that predictors read of them computed once."""

    def __init__(self, name: str) -> None:
        from graphnas import ArchitectureBatch
        from graphnas.evaluate import TabularEvaluator
        from search_spaces import get_space
        from search_spaces.tables import open_table

        self.space = get_space(name)
        if name == "nasbench101":
            table = open_table(self.space)
            results = table.results
            self.batch = ArchitectureBatch.from_arrays(
                results.adjacency.copy(), results.operations.copy(), results.num_nodes.copy()
            )
            self.accuracy = table.figures("cifar10", 108, "test_accuracy")
        else:
            self.batch = ArchitectureBatch.from_architectures(list(self.space.enumerate()))
            self.accuracy = TabularEvaluator(self.space).values(self.batch)
        self._chunks: list[Any] = []

    def prepare(self, training: Rows) -> None:
        """Compute the features of all cells.

        The Weisfeiler-Lehman columns are the labels of the cells that will be trained on, since those of
        other cells match nothing.
        """
        from tqdm import tqdm

        from graphnas.surrogate import GraphKernels

        self.features = GraphKernels(self.space).fit(self.batch[training])
        starts = range(0, len(self.accuracy), CHUNK)
        self._chunks = [
            self.features(self.batch[s : s + CHUNK]) for s in tqdm(starts, desc="features", disable=None)
        ]

    def parts(self) -> Iterator[Any]:
        """The features of all cells, in parts."""
        yield from self._chunks


def fit(name: str, cells: Cells, rows: Rows, targets: NDArray[np.float64]) -> dict[str, tuple[Any, float]]:
    """Fit a predictor on the cells of ``rows``.

    Returns:
        By name, a function that predicts from the features of other cells, and the CPU seconds of its fit.
        The ensemble contains the process on features, which is therefore measured with it.
    """
    from graphnas.surrogate import FeatureEnsemble, GaussianProcess, GraphKernels

    start = time.process_time()
    known = cells.features(cells.batch[rows])
    if name in OURS[:2]:
        ensemble = FeatureEnsemble(cells.features)
        ensemble.process.fit(known, targets)
        alone = time.process_time() - start
        ensemble.fit_forests(known, targets)
        both = time.process_time() - start
        return {OURS[1]: (ensemble.process.mean, alone), OURS[0]: (ensemble.forest_mean, both)}
    if name == OURS[2]:
        kernel = GraphKernels(cells.space, operations=False).kernel()
        plain = GaussianProcess(kernel).fit(known[:-1], targets)
        return {name: (lambda features: plain.mean(features[:-1]), time.process_time() - start)}
    model = baseline(name).fit(known[0], targets)
    return {name: (lambda features: model.predict(features[0]), time.process_time() - start)}


def baseline(name: str) -> Any:
    """A regression of scikit-learn."""
    from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
    from sklearn.linear_model import RidgeCV

    if name == BASELINES[0]:
        kernel = ConstantKernel() * Matern(3.0, nu=2.5) + WhiteKernel(0.1)
        return GaussianProcessRegressor(kernel, random_state=0)
    if name == BASELINES[1]:
        return GradientBoostingRegressor(
            n_estimators=300, learning_rate=0.05, max_depth=4, subsample=0.5, random_state=0
        )
    if name == BASELINES[2]:
        return ExtraTreesRegressor(100, random_state=0)
    return RidgeCV(np.logspace(-2, 3, 11))


def measure(name: str, cells: Cells, size: int, seed: int) -> list[dict[str, Any]]:
    """Kendall's tau of one fit on all cells except the training cells."""
    from graphnas.surrogate import normal_scores

    rows = drawn(len(cells.accuracy), size, seed)
    rest = np.ones(len(cells.accuracy), bool)
    rest[rows] = False
    runs, before, passed = [], 0.0, 0.0
    for fitted, (predict, seconds) in fit(name, cells, rows, normal_scores(cells.accuracy[rows])).items():
        start = time.process_time()
        predicted = np.concatenate([predict(part) for part in cells.parts()]) + before
        passed += time.process_time() - start
        tau = kendalltau(predicted[rest], cells.accuracy[rest]).statistic
        runs.append(
            {
                "predictor": fitted,
                "size": size,
                "seed": seed,
                "tau": float(tau),
                "seconds": seconds,
                "prediction_seconds": passed,
            }
        )
        before = predicted  # the ensemble is the sum of the process and of its trees
    return runs


def drawn(count: int, size: int, seed: int) -> Rows:
    """The training cells of a seed."""
    return np.random.default_rng(seed).choice(count, size, replace=False)


def main() -> int:
    """Run what is missing, store it fit by fit, and print."""
    from tqdm import tqdm

    parser = script_parser(__doc__)
    parser.add_argument("--space", default="nasbench201", choices=sorted(SIZES))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--predictors", nargs="+", default=[*OURS, *BASELINES], choices=[*OURS, *BASELINES])
    parser.add_argument("--fresh", action="store_true", help="run again what the record holds")
    options = parser.parse_args()
    output = options.output or RESULTS / f"predictor_quality_{options.space}.json"
    sizes = list(SIZES[options.space])
    settings = {"space": options.space, "sizes": sizes}
    runs = stored_runs(output, settings, "fits", fresh=options.fresh)
    done = {(run["predictor"], run["size"], run["seed"]) for run in runs}
    # Seed by seed, so that an interrupted benchmark has all predictors.
    wanted = [(p, n, s) for s in range(options.seeds) for p in options.predictors for n in sizes]
    if OURS[0] in options.predictors:  # which has the process on features as a part
        wanted = [one for one in wanted if one[0] != OURS[1]]
    todo = [one for one in wanted if one not in done]
    cells = Cells(options.space)
    training = np.unique(
        np.concatenate([drawn(len(cells.accuracy), n, s) for n in sizes for s in range(options.seeds)])
    )
    if todo:
        cells.prepare(training)
    for name, size, seed in tqdm(todo, unit="fit", disable=None):
        new = measure(name, cells, size, seed)
        kept = {(run["predictor"], run["size"], run["seed"]) for run in new}
        runs = [run for run in runs if (run["predictor"], run["size"], run["seed"]) not in kept] + new
        write_record(output, _figures(settings, cells, runs), quiet=True)
    publish(output, _figures(settings, cells, runs), section)
    return 0


def _figures(settings: dict[str, Any], cells: Cells, runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        **settings,
        "seeds": len({run["seed"] for run in runs}),
        "cells": len(cells.accuracy),
        "summary": summarize(runs, settings["sizes"]),
        "runs": runs,
    }


if __name__ == "__main__":
    warnings.filterwarnings("ignore", module="sklearn")
    run_on_one_thread(main)
