"""How well NASGEM's predictor ranks cells, with and without its embedding, by share of training cells.

The protocol of the paper's Tables 3-4, 1,000 cells of one operation, of which 600 are learned from and 400
ranked: on cells of NAS-Bench-101 whose inner operations are all conv3x3, of which each seed draws its own,
or on those of benchmarks.nasgem.trained_cells. Three arms of the paper and three baselines:

- adjacency + P: the perceptron P on the flattened upper triangle of the adjacency;
- autoencoder + P: on the code of a plain autoencoder of the adjacency;
- kernel-guided + P: on the code of the same autoencoder whose cosine follows the graph kernel;
- ridge regression, a Gaussian process and extremely randomised trees on the flattened upper triangle.

It can be stopped at any time: finished seeds are kept in the record.

    python -m benchmarks.nasgem.correlation
    python -m benchmarks.nasgem.correlation --cells nasgem_bench
    python -m benchmarks.nasgem.correlation --seeds 2 --iterations 300 --shares 10 100
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.records import RESULTS, run_on_one_thread
from benchmarks.harness.sections import Section, Table, mean_sd
from benchmarks.nasgem.arms import (
    ADJACENCY,
    AUTOENCODER,
    BASELINES,
    ENCODER_TEXT,
    ENCODERS,
    KERNEL,
    REGRESSORS,
    SHALLOW,
    Cells,
    conv3x3_rows,
    each_seed,
    judged,
    nasbench101_cells,
    paired,
    perceptron,
    seeds_parser,
    still_to_run,
    train_encoder,
)
from benchmarks.nasgem.trained_cells import bench_space, stored_cells

SHARES = (10, 20, 30, 50, 70, 100)
TRAIN_SHARE, CELLS = 0.6, 1000
SOURCES = ("nasbench101", "nasgem_bench")
SEEDS = 20
ARMS = (ADJACENCY, *ENCODERS, *BASELINES)
MEASURES = {"tau": "Kendall's tau", "pearson": "Pearson's r"}
PUBLISHED = {
    "tau": {
        ADJACENCY: (0.42, 0.45, 0.44, 0.44, 0.46, 0.46),
        AUTOENCODER: (0.45, 0.47, 0.44, 0.45, 0.46, 0.47),
        KERNEL: (0.48, 0.53, 0.53, 0.55, 0.54, 0.55),
    },
    "pearson": {
        ADJACENCY: (0.47, 0.64, 0.62, 0.66, 0.67, 0.66),
        AUTOENCODER: (0.57, 0.58, 0.66, 0.63, 0.62, 0.71),
        KERNEL: (0.76, 0.82, 0.84, 0.85, 0.85, 0.85),
    },
}
"""The paper's Tables 3 and 4, one figure per share of :data:`SHARES`."""


def one_seed(cells: Cells, seed: int, shares: list[int], settings: dict[str, int]) -> dict[str, Any]:
    """Both correlations of every arm at every share, and what the encoders reached."""
    from scipy.stats import kendalltau, pearsonr

    chosen = np.random.default_rng(seed).permutation(len(cells.accuracy))[:CELLS]
    cut = round(TRAIN_SHARE * len(chosen))
    train, test = chosen[:cut], chosen[cut:]
    vectors, losses = {}, {}
    for name, changes in ENCODERS.items():
        encoder = train_encoder(cells, seed, changes, node_ops="none", **settings)
        vectors[name] = encoder.embed(cells.batch).numpy()
        last = encoder.history[-1]
        losses[name] = {key: round(last[key], 5) for key in ("similarity", "reconstruction")}
    bits = encoder.flatten(cells.batch)
    figures: dict[str, Any] = {key: {} for key in MEASURES}
    for arm in ARMS:
        x = vectors.get(arm, bits)
        regress = REGRESSORS.get(arm, perceptron)
        rows = []
        for share in shares:
            part = train[: cut * share // 100]
            predicted = regress(x[part], cells.accuracy[part], x[test], seed)
            actual = cells.accuracy[test]
            # A constant prediction orders nothing.
            varies = predicted.std() > 0
            rows.append(
                [f(predicted, actual)[0] if varies else 0.0 for f in (kendalltau, pearsonr)],
            )
        for key, values in zip(MEASURES, np.transpose(rows), strict=True):
            figures[key][arm] = np.round(values, 4).tolist()
    return {**figures, "losses": losses}


def published(measure: str, arm: str, share: int) -> float | None:
    """The paper's figure, None where it has none."""
    return PUBLISHED[measure][arm][SHARES.index(share)] if share in SHARES else None


def section(record: dict[str, Any]) -> Section:
    """The part of the report that this record makes."""
    shares, runs = record["shares"], record["runs"]
    drawn = min(record["known"], CELLS)
    train = round(TRAIN_SHARE * drawn)
    columns = ["", *(f"{share} %" for share in shares)]

    def values(measure: str, arm: str, k: int) -> list[float]:
        return [run[measure][arm][k] for run in runs]

    tables = []
    for measure, title in MEASURES.items():
        rows = [[arm, *(mean_sd(values(measure, arm, k), 3) for k in range(len(shares)))] for arm in ARMS]
        for arm in PUBLISHED[measure]:
            printed = [published(measure, arm, share) for share in shares]
            rows.append([f"paper, {arm}", *("" if v is None else f"{v:.2f}" for v in printed)])
        caption = f"{title} on {drawn - train} test cells by share of the {train} training cells, "
        tables.append(Table(f"{caption}mean ± standard deviation over {len(runs)} seeds", columns, rows))
    pairs = [(KERNEL, ADJACENCY), (KERNEL, AUTOENCODER), (SHALLOW, AUTOENCODER)]
    rows = []
    for first, second in pairs:
        cells = []
        for k in range(len(shares)):
            difference = paired(values("tau", first, k), values("tau", second, k))
            cells.append(f"{difference.mean:+.3f} ± {difference.error:.3f}")
        rows.append([f"{first} minus {second}", *cells])
        if first in PUBLISHED["tau"]:
            gaps = [(published("tau", first, s), published("tau", second, s)) for s in shares]
            texts = [f"{a - b:+.2f}" if a is not None and b is not None else "" for a, b in gaps]
            rows.append([f"paper, {first} minus {second}", *texts])
    tables.append(
        Table("Kendall's tau, difference at equal seeds ± its standard error (not deviation)", columns, rows)
    )
    of_table = record["cells"] == "nasbench101"
    ours = f"{record['known']:,} cells " + (
        "of NAS-Bench-101 of at most 7 nodes, all inner operations conv3x3, with the mean test accuracy of "
        "three repeats at 108 epochs"
        if of_table
        else "of benchmarks.nasgem.trained_cells"
    )
    return Section(
        "NASGEM, Tables 3-4: does the embedding help the predictor?"
        + ("" if of_table else " On cells trained here"),
        tables,
        protocol=(
            "The paper trains 1,000 cells of at most 6 nodes with one operation for 30 epochs (NASGEM-Bench, "
            f"not published). Ours are {ours}; each seed draws {drawn:,} of them and splits them "
            f"{train}/{drawn - train}. " + ENCODER_TEXT.format(**record["encoder"])
        ),
        notes=[*notes(record), *still_to_run(record, SEEDS)],
        plots=[plot_name(record)] if len(shares) > 1 else [],
    )


def notes(record: dict[str, Any]) -> list[str]:
    """What the figures say about the paper's claims."""
    shares, runs = record["shares"], record["runs"]
    lines = []
    paper = "The paper's claim that the kernel-guided embedding beats"
    for first, second, claim in (
        (KERNEL, ADJACENCY, f"{paper} the raw adjacency"),
        (KERNEL, AUTOENCODER, f"{paper} a plain autoencoder"),
        (SHALLOW, AUTOENCODER, "That one guided by a kernel of depth 1 beats a plain autoencoder"),
    ):
        differences = [
            paired([run["tau"][first][k] for run in runs], [run["tau"][second][k] for run in runs])
            for k in range(len(shares))
        ]
        holds, where = judged(differences, [f"{share} %" for share in shares], "larger")
        lines.append(f"{claim} {holds} here: its tau is {where}.")
    best = max(ARMS, key=lambda arm: np.mean([run["tau"][arm][-1] for run in runs]))
    top = np.mean([run["tau"][best][-1] for run in runs])
    lines.append(f"Best of all at {shares[-1]} %: {best}, tau {top:.3f}.")
    guided, plain = (
        np.mean([run["losses"][arm]["similarity"] for run in runs]) for arm in (KERNEL, AUTOENCODER)
    )
    lines.append(
        f"The guidance is learned: similarity loss {guided:.3f} with the kernel's term, {plain:.3f} without."
    )
    return lines


def plot_name(record: dict[str, Any]) -> str:
    """The file that :func:`draw` writes."""
    return f"{record['name']}.png"


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Both correlations by share: ours with the standard error of the mean, the paper's dashed."""
    from benchmarks.harness.drawing import label, panels, save
    from graphnas.plots.style import colour

    shares, runs = record["shares"], record["runs"]
    if len(shares) < 2:
        return []
    figure, parts = panels(len(MEASURES), 4.0, 3.7)
    for axes, (measure, title) in zip(parts, MEASURES.items(), strict=True):
        for number, arm in enumerate(ARMS):
            values = np.array([run[measure][arm] for run in runs])
            error = values.std(0, ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else None
            axes.errorbar(
                shares, values.mean(0), yerr=error, color=colour(number), marker="o", ms=3, lw=1.4, label=arm
            )
            if arm in PUBLISHED[measure]:
                paper = np.array([published(measure, arm, share) for share in shares], float)
                axes.plot(shares, paper, color=colour(number), ls="--", lw=1, label=f"paper, {arm}")
        label(axes, "share of the training cells (%)", title)
    handles, labels = parts[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return [save(figure, folder, plot_name(record))]


def main() -> int:
    """Run the missing seeds, store and print."""
    parser = seeds_parser(__doc__, None, SEEDS)
    parser.add_argument("--cells", choices=SOURCES, default=SOURCES[0])
    parser.add_argument("--shares", type=int, nargs="+", default=list(SHARES), help="percent, ascending")
    options = parser.parse_args()
    options.output = options.output or RESULTS / f"nasgem_correlation_{options.cells}.json"

    if options.cells == "nasbench101":
        everything = nasbench101_cells()
        cells = everything.select(conv3x3_rows(everything))
    else:
        batch, accuracy, macs = stored_cells()
        cells = Cells(bench_space(), batch, accuracy, np.full(len(accuracy), np.nan), macs)
    each_seed(
        lambda seed, encoder: one_seed(cells, seed, options.shares, encoder),
        cells,
        options,
        {"cells": options.cells, "shares": options.shares},
        section,
        encoders=len(ENCODERS),
        node_ops="none",
    )
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
