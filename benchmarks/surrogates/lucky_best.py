"""Which of NAS-Bench-101's best cells are good networks, and which owe their place to luck.

The table has the mean test accuracy of three trainings of each of 423,624 cells; the single ones are not in
it. GraphBO's process learns from random cells, without the best ones, and predicts all others: where a cell
is better by its structure, cells that are like it show it.

    python -m benchmarks.surrogates.lucky_best
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.harness.drawing import label, panels, save
from benchmarks.harness.records import publish, run_on_one_thread, script_parser
from benchmarks.harness.sections import Section, Table, counted
from benchmarks.surrogates.predictor_quality import Cells, drawn
from graphnas.plots.style import colour

SIZES = (300, 1000)
"""Cells that are learned from."""
SEEDS = 20
BEST = 6
"""How many of the table's best cells are looked at."""


def ranks(predicted: NDArray[np.float64], rows: NDArray[np.int64]) -> list[int]:
    """The place of each of ``rows`` among all predictions ``(N,)``: 1 is the best, ties take the worse."""
    return [int((predicted >= predicted[row]).sum()) for row in rows]


def measure(cells: Cells, best: NDArray[np.int64], training: NDArray[np.int64]) -> list[int]:
    """The places that a process fitted on ``training`` gives to the cells ``best``."""
    from graphnas.surrogate import FeatureEnsemble, normal_scores

    process = FeatureEnsemble(cells.features).process
    process.fit(cells.features(cells.batch[training]), normal_scores(cells.accuracy[training]))
    return ranks(np.concatenate([process.mean(part) for part in cells.parts()]), best)


def ahead_of_the_best(runs: Sequence[dict[str, Any]]) -> list[float]:
    """Of each cell but the best: in what share of the runs it has the better predicted place."""
    places = np.array([run["ranks"] for run in runs])
    return [float(share) for share in (places[:, 1:] < places[:, :1]).mean(0)]


def section(record: dict[str, Any]) -> Section:
    """Places of the best cells by process, and how they put the two best."""
    rows, notes = [], []
    for number, value in enumerate(record["best"]):
        row = [f"{value:.3f}"]
        for size in record["sizes"]:
            runs = [run for run in record["runs"] if run["size"] == size]
            places = [run["ranks"][number] for run in runs]
            share = f"{ahead_of_the_best(runs)[number - 1]:.0%}" if number else ""
            row += [f"{np.median(places):,.0f}", f"{min(places):,} to {max(places):,}", share]
        rows.append(row)
    for size in record["sizes"]:
        runs = [run for run in record["runs"] if run["size"] == size]
        share = ahead_of_the_best(runs)[0]
        places = [np.median([run["ranks"][number] for run in runs]) for number in (0, 1)]
        first, second = (
            f"{value:.3f}, median place {place:,.0f}"
            for value, place in zip(record["best"][:2], places, strict=True)
        )
        notes.append(
            f"From {size:,} random cells, {share:.0%} of the processes put the second best cell ({second}) "
            f"before the best ({first})."
        )
    columns = ["test accuracy (%)"]
    for size in record["sizes"]:
        columns += [f"place, {size:,} cells", "least to most", "before the best"]
    return Section(
        title="NAS-Bench-101: does its best cell deserve its place?",
        tables=[
            Table(
                f"The table's best cells, and their place among {record['cells']:,} by the mean that a "
                "process predicts from random cells without them: median and range over "
                f"{counted(record['seeds'], 'seed')}, and the share of the processes that put a cell before "
                "the best one.",
                columns,
                rows,
            )
        ],
        protocol=(
            "no paper asks this. The table holds the mean of three trainings, so that the best of so many "
            "cells is also one of the luckiest; a search that learns from structure cannot find luck."
        ),
        notes=notes,
        plots=_plot_names(record),
    )


def _plot_names(record: dict[str, Any]) -> list[str]:
    return ["lucky_best.png"] if record["runs"] else []


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """The places of each of the best cells, a point for each process."""
    figure, panes = panels(len(record["sizes"]), 4.6, 3.6)
    names = [f"{value:.3f}" for value in record["best"]]
    for axes, size in zip(panes, record["sizes"], strict=True):
        for number in range(len(names)):
            places = [run["ranks"][number] for run in record["runs"] if run["size"] == size]
            axes.plot([number] * len(places), places, "o", ms=4, alpha=0.6, color=colour(number > 0))
            axes.plot(number, np.median(places), "_", ms=18, mew=2, color=colour(number > 0))
        axes.set_yscale("log")
        axes.set_xticks(range(len(names)), names)
        axes.set_title(f"{size:,} random cells", fontsize=10)
        label(axes, "test accuracy of the best cells (%)", f"predicted place of {record['cells']:,}")
    return [save(figure, folder, name) for name in _plot_names(record)]


def main() -> int:
    """Fit all processes, print and store."""
    parser = script_parser(__doc__, "lucky_best")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=list(SIZES), help="cells that are learned from"
    )
    options = parser.parse_args()
    cells = Cells("nasbench101")
    count = len(cells.accuracy)
    best = np.argsort(-cells.accuracy, kind="stable")[:BEST]
    fits = {
        (size, seed): np.setdiff1d(drawn(count, size, seed), best)
        for seed in range(options.seeds)
        for size in options.sizes
    }
    cells.prepare(np.unique(np.concatenate(list(fits.values()))))
    runs = [
        {"size": size, "seed": seed, "ranks": measure(cells, best, training)}
        for (size, seed), training in tqdm(fits.items(), unit="fit", disable=None)
    ]
    record = {
        "sizes": options.sizes,
        "seeds": options.seeds,
        "cells": count,
        "best": [round(float(value), 4) for value in cells.accuracy[best]],
        "runs": runs,
    }
    publish(options.output, record, section)
    return 0


if __name__ == "__main__":
    sys.exit(run_on_one_thread(main))
