"""What NASGEM's benchmarks share: cells, encoders trained on them, regressors, paired differences."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.harness.records import publish, script_parser, stored_runs, write_record
from benchmarks.harness.sections import Section
from benchmarks.nasgem.dry_run import encoder_work
from graphnas.dry_run import DryRun, Work, measured_seconds

if TYPE_CHECKING:
    from graphnas import ArchitectureBatch, GraphSpace
    from graphnas.methods.nasgem import KernelGuidedEncoder, MLPPredictor, Pairs

Matrix = NDArray[np.float32]
Vector = NDArray[np.float64]

ADJACENCY = "adjacency + P"
AUTOENCODER = "autoencoder + P"
KERNEL = "kernel-guided + P"
SHALLOW = "kernel-guided, depth 1 + P"
RIDGE, PROCESS, TREES = "ridge", "Gaussian process", "extra-trees"

ENCODERS: dict[str, dict[str, Any]] = {
    AUTOENCODER: {"kernel_guided": False},
    KERNEL: {},
    SHALLOW: {"kernel_iterations": 1},
}
"""The arms that embed, and what each changes in the encoder's configuration."""
BASELINES = (RIDGE, PROCESS, TREES)

ENCODER_TEXT = (
    "Encoders: {iterations:,} updates of {batch_size} pairs out of {pairs:,} (the paper: 10,000 updates, "
    "50,000 pairs), two linear layers (hidden width 128) each way, d = {dimension}, h = 3 unless said "
    "otherwise; the autoencoder is the same network with the same first weights and graphs, without the "
    "kernel's term. One encoder per seed serves all sample sizes: it never sees an accuracy."
)


@dataclass(frozen=True)
class Cells:
    """Cells of a space, pruned, with their figures.

    Attributes:
        space: The space.
        batch: The cells.
        accuracy: In percent; of NAS-Bench-101 the mean test accuracy of three repeats at 108 epochs.
        validation: Validation accuracy of one repeat in percent, NaN where the table has none.
        macs: Multiply-accumulates.
    """

    space: GraphSpace
    batch: ArchitectureBatch
    accuracy: Vector
    validation: Vector
    macs: NDArray[np.int64]

    def select(self, rows: NDArray[np.int64]) -> Cells:
        """Some of them."""
        figures = (self.batch, self.accuracy, self.validation, self.macs)
        return Cells(self.space, *(part[rows] for part in figures))


def nasbench101_cells() -> Cells:
    """All 423,624 cells of NAS-Bench-101."""
    from graphnas import ArchitectureBatch
    from search_spaces import NASBench101
    from search_spaces.tables import open_table

    space = NASBench101()
    table = open_table(space)
    results = table.results
    return Cells(
        space,
        ArchitectureBatch.from_arrays(results.adjacency, results.operations, results.num_nodes),
        table.figures("cifar10", 108, "test_accuracy"),
        table.figures("cifar10", 108, "validation_accuracy"),
        results.macs,
    )


def conv3x3_rows(cells: Cells) -> NDArray[np.int64]:
    """The cells whose inner nodes are all conv3x3, so that only the adjacency tells them apart."""
    from search_spaces import NASBench101

    other = [k for k, name in enumerate(NASBench101.node_ops) if name.startswith(("conv1x1", "maxpool"))]
    return np.flatnonzero(~np.isin(cells.batch.operations.numpy(), other).any(1))


def train_encoder(
    cells: Cells, seed: int, changes: Mapping[str, Any], **settings: Any
) -> KernelGuidedEncoder:
    """An encoder trained on random pairs of ``cells``.

    Args:
        cells: What pairs are drawn from, with replacement.
        seed: Seed of weights and pairs; the same for all arms.
        changes: A value of :data:`ENCODERS`.
        **settings: Other fields of ``EncoderConfig``.
    """
    encoder, make = untrained_encoder(cells, seed, changes, **settings)
    return encoder.fit(make(encoder.config.pairs))


def untrained_encoder(
    cells: Cells, seed: int, changes: Mapping[str, Any], **settings: Any
) -> tuple[KernelGuidedEncoder, Callable[[int], Pairs]]:
    """An encoder, and what draws so many pairs of ``cells`` for it; as for :func:`train_encoder`."""
    from graphnas.methods.nasgem import EncoderConfig, KernelGuidedEncoder, pair_up

    config = EncoderConfig(hidden=(128,), **settings, **changes)
    encoder = KernelGuidedEncoder(cells.space, config, seed=seed)

    def make(count: int) -> Pairs:
        rng = np.random.default_rng([seed, 1])
        drawn = cells.batch[rng.integers(len(cells.batch), size=2 * count)]
        return pair_up(drawn, rng, encoder.kernel, config.target)

    return encoder, make


def seeds_parser(description: str | None, record: str | None, seeds: int) -> argparse.ArgumentParser:
    """Arguments of a benchmark that trains encoders seed by seed, with those of their training."""
    parser = script_parser(description, record, dry_run=True)
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--fresh", action="store_true", help="run again what the record holds")
    parser.add_argument("--pairs", type=int, default=50_000)
    parser.add_argument("--iterations", type=int, default=10_000)
    parser.add_argument("--batch-size", type=int, default=128, help="pairs per update")
    parser.add_argument("--dimension", type=int, default=10)
    return parser


# ---------------------------------------------------------------- regressors


def trained_perceptron(train: Matrix, targets: Vector, seed: int) -> MLPPredictor:
    """The paper's P, fitted to vectors of any kind."""
    import torch

    from graphnas.methods.nasgem import MLPPredictor, PredictorConfig

    return MLPPredictor(PredictorConfig.preset("paper"), seed=seed).fit(torch.from_numpy(train), targets)


def perceptron(train: Matrix, targets: Vector, candidates: Matrix, seed: int) -> Vector:
    """What the paper's P predicts."""
    import torch

    return trained_perceptron(train, targets, seed).predict(torch.from_numpy(candidates))[:, 0]


def ridge(train: Matrix, targets: Vector, candidates: Matrix, seed: int) -> Vector:
    """Linear regression whose penalty minimises the leave-one-out error."""
    from sklearn.linear_model import RidgeCV

    return np.asarray(RidgeCV(np.logspace(-2, 3, 11)).fit(train, targets).predict(candidates), float)


def gaussian_process(train: Matrix, targets: Vector, candidates: Matrix, seed: int) -> Vector:
    """A Gaussian process with a squared-exponential kernel; its likelihood is maximised on 200 points."""
    import warnings

    from scipy.linalg import cho_factor, cho_solve
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    kernel = ConstantKernel(1.0) * RBF(3.0, (0.3, 100.0)) + WhiteKernel(0.1, (1e-4, 10.0))
    with warnings.catch_warnings():
        # Accuracies without noise may end at the lower bound of the noise, which is fine.
        warnings.simplefilter("ignore", ConvergenceWarning)
        few = GaussianProcessRegressor(kernel, normalize_y=True).fit(train[:200], targets[:200])
    # From here on as scikit-learn does, but with matrix products: a third of its time for many candidates.
    amplitude = few.kernel_.k1.k1.constant_value
    length, noise = few.kernel_.k1.k2.length_scale, few.kernel_.k2.noise_level
    mean, scale = float(targets.mean()), max(float(targets.std()), 1e-12)

    def kernel_to(rows: Matrix) -> NDArray[np.float64]:
        a, b = rows.astype(float) / length, train.astype(float) / length
        squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
        return np.asarray(amplitude * np.exp(-0.5 * np.maximum(squares, 0)))

    covariance = kernel_to(train)
    covariance[np.diag_indices_from(covariance)] += noise + 1e-10
    weights = cho_solve(cho_factor(covariance, lower=True), (targets - mean) / scale)
    parts = np.array_split(candidates, max(1, len(candidates) // 4096))
    return np.concatenate([mean + scale * (kernel_to(part) @ weights) for part in parts])


def extra_trees(train: Matrix, targets: Vector, candidates: Matrix, seed: int) -> Vector:
    """A hundred extremely randomised trees."""
    from sklearn.ensemble import ExtraTreesRegressor

    trees = ExtraTreesRegressor(100, random_state=seed, n_jobs=1).fit(train, targets)
    return np.asarray(trees.predict(candidates), float)


REGRESSORS: dict[str, Callable[[Matrix, Vector, Matrix, int], Vector]] = {
    RIDGE: ridge,
    PROCESS: gaussian_process,
    TREES: extra_trees,
}
"""The baselines on raw bits; every other arm is the perceptron."""

# ---------------------------------------------------------------- runs and their record


def each_seed(
    run: Callable[[int, dict[str, int]], dict[str, Any]],
    cells: Cells,
    options: argparse.Namespace,
    settings: Mapping[str, Any],
    section: Callable[[dict[str, Any]], Section],
    *,
    encoders: int,
    node_ops: str,
) -> None:
    """Run the seeds that the record does not hold, store it after each, and print its section.

    Args:
        run: Figures of a seed, with the settings of its encoders.
        cells: What the encoders are trained on.
        options: The arguments of :func:`seeds_parser`.
        settings: Entries of the record that must be the same for an earlier run to count.
        section: Makes the section of the record.
        encoders: Encoders that a seed trains.
        node_ops: How they read operations.
    """
    encoder = {name: getattr(options, name) for name in ("pairs", "iterations", "batch_size", "dimension")}
    settings = {"name": options.output.stem, "encoder": encoder, "known": len(cells.batch), **settings}
    if options.dry_run:
        print(_dry_run(run, cells, options.seeds, encoder, encoders, node_ops))
        return
    runs = stored_runs(options.output, settings, "seeds", fresh=options.fresh)
    runs = [one for one in runs if one["seed"] < options.seeds]
    done = {one["seed"] for one in runs}
    for seed in tqdm([seed for seed in range(options.seeds) if seed not in done], unit="seed", disable=None):
        runs.append({"seed": seed, **run(seed, encoder)})
        runs.sort(key=lambda one: one["seed"])
        write_record(options.output, {**settings, "runs": runs}, quiet=True)
    publish(options.output, {**settings, "runs": runs}, section)


def _dry_run(
    run: Callable[[int, dict[str, int]], dict[str, Any]],
    cells: Cells,
    seeds: int,
    settings: dict[str, int],
    encoders: int,
    node_ops: str,
) -> DryRun:
    """All seeds: their encoders, from a few updates, and the rest, from one seed with hardly any."""
    encoder, make = untrained_encoder(cells, 0, {}, node_ops=node_ops, **settings)
    work = encoder_work(encoder, make, seeds * encoders)
    short = {**settings, "pairs": settings["batch_size"], "iterations": 1}
    rest = measured_seconds(lambda: run(0, short), calls=1, warm_up=False)
    work.append(Work("all else of a seed", seeds, rest))
    facts = {
        "cells": len(cells.batch),
        "seeds": seeds,
        "encoders of a seed": encoders,
        "pairs": settings["pairs"],
        "updates": f"{settings['iterations']:,} of {settings['batch_size']} pairs",
        "dimensions": settings["dimension"],
    }
    return DryRun("encoders and what is learned from their codes, seed by seed", facts, work)


class Paired(NamedTuple):
    """A difference at equal seeds.

    Attributes:
        mean: Mean of the differences.
        error: Its standard error; 0 of a single seed.
        count: Number of seeds.
    """

    mean: float
    error: float
    count: int

    @property
    def verdict(self) -> str:
        """In words: which is larger, if Student's 95 % interval of the difference excludes zero."""
        from scipy.stats import t

        if self.count < 2 or abs(self.mean) <= t.ppf(0.975, self.count - 1) * self.error:
            return "the same within the 95 % interval"
        return "larger" if self.mean > 0 else "smaller"


def paired(first: Sequence[float], second: Sequence[float]) -> Paired:
    """``first`` minus ``second``, seed by seed."""
    differences = np.asarray(first, float) - np.asarray(second, float)
    count = len(differences)
    error = float(differences.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0
    return Paired(float(differences.mean()), error, count)


def judged(differences: Sequence[Paired], labels: Sequence[str], wanted: str) -> tuple[str, str]:
    """Whether the claim that all differences are ``wanted`` holds, and where each verdict was reached.

    Args:
        differences: One for each of ``labels``.
        labels: Such as sample sizes.
        wanted: ``"larger"`` or ``"smaller"``.
    """
    verdicts: dict[str, list[str]] = {}
    for difference, label in zip(differences, labels, strict=True):
        verdicts.setdefault(difference.verdict, []).append(label)
    against = {"larger": "smaller", "smaller": "larger"}[wanted]
    holds = "is not shown"  # a difference that the seeds cannot tell from zero refutes nothing
    if wanted in verdicts:
        holds = "holds" if len(verdicts) == 1 else "holds in part"
    elif against in verdicts:
        holds = "does not hold"
    return holds, "; ".join(f"{verdict} at {', '.join(where)}" for verdict, where in verdicts.items())


def still_to_run(record: Mapping[str, Any], seeds: int) -> list[str]:
    """A note if a record has fewer seeds than the full benchmark."""
    done = len(record["runs"])
    if done >= seeds:
        return []
    return [f"So far {done} of {seeds} seeds; `graphnas bench` with `--full` runs the rest."]
