"""How far the cell that NASGEM's predictor picks is from the best, with and without its embedding (Fig. 5).

A predictor learns from 200 to 2,000 random cells of NAS-Bench-101 and scores 50,000 others; the bias is the
accuracy of the best cell of the whole space minus that of the cell it picks. The paper's P reads the raw bits
of the cell, the code of a plain autoencoder, or that of the kernel-guided one; ridge regression, a Gaussian
process and extremely randomised trees read the raw bits. Beside them stand the best of the training cells,
which needs no predictor, and the best of the 50,000.

The mean test accuracy, which the table has for all cells, is both learned and reported. --target validation
uses only the 30,001 cells whose validation accuracy it has: that is learned, the test accuracy reported.

It can be stopped at any time: finished seeds are kept in the record.

    python -m benchmarks.nasgem.bias
    python -m benchmarks.nasgem.bias --seeds 2 --iterations 300 --sizes 200 500
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.records import RESULTS, run_on_one_thread
from benchmarks.harness.sections import Section, Table, mean_sd
from benchmarks.nasgem.arms import (
    AUTOENCODER,
    BASELINES,
    ENCODER_TEXT,
    ENCODERS,
    KERNEL,
    REGRESSORS,
    Cells,
    each_seed,
    judged,
    nasbench101_cells,
    paired,
    perceptron,
    seeds_parser,
    still_to_run,
    train_encoder,
)

SIZES = (200, 500, 1000, 1500, 2000)
CANDIDATES = 50_000
SEEDS = 20
BITS = "raw bits + P"
BEST_TRAINING = "best training cell"
BEST_CANDIDATE = "best candidate"
EMBEDDED = (AUTOENCODER, KERNEL)
DEPTHS = (3, 1)
ARMS = (BITS, *EMBEDDED, *BASELINES)
CLAIM = 0.2
"""Percentage points by which the embedding lowers the bias, read off the paper's Fig. 5."""


def one_seed(
    cells: Cells, targets: np.ndarray, seed: int, sizes: list[int], settings: dict[str, int]
) -> dict[str, Any]:
    """Test accuracy of what each arm picks after each number of samples."""
    rng = np.random.default_rng(seed)
    train = rng.permutation(len(targets))[: max(sizes)]
    candidates = np.sort(rng.permutation(len(targets))[:CANDIDATES])
    vectors = {}
    both = cells.batch[np.concatenate([train, candidates])]
    for name in EMBEDDED:
        encoder = train_encoder(cells, seed, ENCODERS[name], node_ops="onehot", **settings)
        vectors[name] = encoder.embed(both).numpy()
    kernel = kernel_values(cells, rng)
    bits = encoder.flatten(both)
    picked: dict[str, list[float]] = {}
    for arm in ARMS:
        x = vectors.get(arm, bits)
        regress = REGRESSORS.get(arm, perceptron)
        picked[arm] = []
        for size in sizes:
            predicted = regress(x[:size], targets[train[:size]], x[len(train) :], seed)
            choice = candidates[int(np.argmax(predicted))]
            picked[arm].append(round(float(cells.accuracy[choice]), 4))
    best = [train[:size][int(np.argmax(targets[train[:size]]))] for size in sizes]
    picked[BEST_TRAINING] = np.round(cells.accuracy[best], 4).tolist()
    limit = round(float(cells.accuracy[candidates].max()), 4)
    picked[BEST_CANDIDATE] = [limit] * len(sizes)
    return {"picked": picked, "kernel": kernel}


def kernel_values(cells: Cells, rng: np.random.Generator) -> dict[str, list[float]]:
    """Mean and deviation of the encoder's kernel between random cells, by its depth."""
    from graphnas.methods.nasgem import EncoderConfig, guiding_kernel, pair_up

    values = {}
    for depth in DEPTHS:
        kernel = guiding_kernel(EncoderConfig(kernel_iterations=depth))
        some = cells.batch[rng.integers(len(cells.batch), size=10_000)]
        similarity = pair_up(some, rng, kernel).target
        values[f"h = {depth}"] = [round(float(f(similarity)), 4) for f in (np.mean, np.std)]
    return values


def bias(record: dict[str, Any], arm: str, k: int) -> list[float]:
    """Percentage points below the best cell of the space, one per seed, at the ``k``-th sample size."""
    return [record["best"] - run["picked"][arm][k] for run in record["runs"]]


def section(record: dict[str, Any]) -> Section:
    """The part of the report that this record makes."""
    sizes, runs = record["sizes"], record["runs"]
    columns = ["", *(f"{size:,}" for size in sizes)]
    rows = [
        [arm, *(mean_sd(bias(record, arm, k), 3) for k in range(len(sizes)))]
        for arm in (*ARMS, BEST_TRAINING, BEST_CANDIDATE)
    ]
    differences = []
    for first, second in ((KERNEL, BITS), (KERNEL, AUTOENCODER), (KERNEL, BEST_TRAINING)):
        gaps = [paired(bias(record, first, k), bias(record, second, k)) for k in range(len(sizes))]
        differences.append([f"{first} minus {second}", *(f"{d.mean:+.3f} ± {d.error:.3f}" for d in gaps)])
    differences.append(["paper, with minus without embedding", *[f"about -{CLAIM}"] * len(sizes)])
    candidates = min(CANDIDATES, record["known"])
    test = record["target"] == "test"
    return Section(
        "NASGEM, Fig. 5: Global Prediction Bias on NAS-Bench-101"
        + ("" if test else ", cells with validation accuracy"),
        [
            Table(
                "Global Prediction Bias, percentage points of test accuracy (lower is better), by number of "
                f"training cells; best cell {record['best']:.3f} %; {len(runs)} seeds",
                columns,
                rows,
            ),
            Table("Bias, difference at equal seeds ± its standard error", columns, differences),
        ],
        protocol=(
            "The paper does not say which accuracy it means, what its fixed operation list is, nor how often "
            f"it repeats. Ours: {record['known']:,} cells, "
            + (
                "mean test accuracy of three repeats both as what is learned and as what is reported, "
                if test
                else "validation accuracy of one repeat is learned, mean test accuracy reported, "
            )
            + f"the best of {candidates:,} cells drawn without replacement, all operations, one-hot in every "
            "arm. " + ENCODER_TEXT.format(**record["encoder"])
        ),
        notes=[*notes(record), *still_to_run(record, SEEDS)],
        plots=[plot_name(record)] if len(sizes) > 1 else [],
    )


def notes(record: dict[str, Any]) -> list[str]:
    """What the figures say about the paper's claim."""
    sizes, runs = record["sizes"], record["runs"]
    lines = []
    for second, words in ((BITS, "the raw bits"), (AUTOENCODER, "a plain autoencoder")):
        differences = [paired(bias(record, KERNEL, k), bias(record, second, k)) for k in range(len(sizes))]
        holds, where = judged(differences, [f"{size:,}" for size in sizes], "smaller")
        claim = "The paper's claim of a lower bias than" if second == BITS else "A lower bias than"
        lines.append(f"{claim} with {words} {holds} here: the bias is {where}.")
    means = {arm: float(np.mean(bias(record, arm, len(sizes) - 1))) for arm in (*ARMS, BEST_TRAINING)}
    best = min(means, key=lambda arm: means[arm])
    lines.append(f"Lowest bias at {sizes[-1]:,} cells: {best}, {means[best]:.3f}.")
    means_of = {depth: np.mean([run["kernel"][f"h = {depth}"] for run in runs], axis=0) for depth in DEPTHS}
    texts = [f"{mean:.3f} ± {deviation:.3f} at h = {depth}" for depth, (mean, deviation) in means_of.items()]
    lines.append(f"The kernel between random cells with operations: S_g {', '.join(texts)}.")
    return lines


def plot_name(record: dict[str, Any]) -> str:
    """The file that :func:`draw` writes."""
    return f"{record['name']}.png"


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Bias by number of training cells, with the standard error of the mean."""
    from benchmarks.harness.drawing import label, panels, save
    from graphnas.plots.style import INK, colour

    sizes, runs = record["sizes"], record["runs"]
    if len(sizes) < 2:
        return []
    figure, (axes,) = panels(1, 7.0, 4.2)
    for number, arm in enumerate((*ARMS, BEST_TRAINING, BEST_CANDIDATE)):
        values = np.array([bias(record, arm, k) for k in range(len(sizes))])
        error = values.std(1, ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else None
        tint = colour(number) if arm in ARMS else INK
        line = {BEST_TRAINING: "--", BEST_CANDIDATE: ":"}.get(arm, "-")
        axes.errorbar(sizes, values.mean(1), yerr=error, color=tint, ls=line, marker="o", ms=3, label=arm)
    label(axes, "training cells", "Global Prediction Bias (percentage points)")
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return [save(figure, folder, plot_name(record))]


def main() -> int:
    """Run the missing seeds, store and print."""
    parser = seeds_parser(__doc__, None, SEEDS)
    parser.add_argument("--target", default="test", choices=("test", "validation"))
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="ascending")
    options = parser.parse_args()
    options.output = options.output or RESULTS / f"nasgem_bias_{options.target}.json"

    cells = nasbench101_cells()
    if options.target == "validation":
        cells = cells.select(np.flatnonzero(~np.isnan(cells.validation)))
    targets = cells.accuracy if options.target == "test" else cells.validation
    best = round(float(cells.accuracy.max()), 4)
    each_seed(
        lambda seed, encoder: one_seed(cells, targets, seed, options.sizes, encoder),
        cells,
        options,
        {"target": options.target, "sizes": options.sizes, "best": best},
        section,
        encoders=len(EMBEDDED),
        node_ops="onehot",
    )
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
