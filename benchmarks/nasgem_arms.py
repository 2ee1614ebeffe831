"""What the benchmarks of NASGEM share: cells, encoders trained on them, regressors, paired differences."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from common import write_record
from numpy.typing import NDArray
from sections import Section, spread
from tqdm import tqdm

if TYPE_CHECKING:
    from graphnas import ArchitectureBatch
    from graphnas.methods.nasgem import KernelGuidedEncoder

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
"""The arms that embed, by what their encoder's configuration changes."""
BASELINES = (RIDGE, PROCESS, TREES)

ENCODER_TEXT = (
    "Encoders: {iterations:,} updates of {batch_size} pairs out of {pairs:,} (the paper: 10,000 updates, "
    "50,000 pairs), two linear layers (hidden width 128) each way, d = {dimension}, h = 3 unless said "
    "otherwise; the autoencoder is the same network with the same first weights and graphs, without the "
    "kernel's term. One encoder per seed serves all sample sizes: it never sees an accuracy."
)


@dataclass(frozen=True)
class Cells:
    """Cells of NAS-Bench-101, pruned, with their figures.

    Attributes:
        batch: The cells.
        accuracy: Mean test accuracy of the three repeats at 108 epochs, in percent.
        validation: Validation accuracy of one repeat in percent, NaN where the table has none.
        macs: Multiply-accumulates.
    """

    batch: ArchitectureBatch
    accuracy: Vector
    validation: Vector
    macs: NDArray[np.int64]

    def select(self, rows: NDArray[np.int64]) -> Cells:
        """Some of them."""
        return Cells(self.batch[rows], self.accuracy[rows], self.validation[rows], self.macs[rows])


def nasbench101_cells() -> Cells:
    """All 423,624 cells of the table."""
    from graphnas import ArchitectureBatch
    from search_spaces.tables import open_nasbench101

    table = open_nasbench101()
    results = table.results
    return Cells(
        ArchitectureBatch.from_arrays(results.adjacency, results.operations, results.num_nodes),
        table.accuracy("cifar10", 108, "test_accuracy"),
        table.accuracy("cifar10", 108, "validation_accuracy"),
        results.macs,
    )


def conv3x3_rows(cells: Cells) -> NDArray[np.int64]:
    """The cells whose inner nodes are all conv3x3, so that only the adjacency tells them apart."""
    from search_spaces.nasbench101_cells import CONV1X1, MAXPOOL3X3

    operations = cells.batch.operations.numpy()
    other = (operations == CONV1X1) | (operations == MAXPOOL3X3)
    return np.flatnonzero(~other.any(1))


def train_encoder(
    batch: ArchitectureBatch, seed: int, changes: Mapping[str, Any], **settings: Any
) -> KernelGuidedEncoder:
    """An encoder of NAS-Bench-101's cells, trained on random pairs of ``batch``.

    Args:
        batch: The cells that pairs are drawn from, with replacement.
        seed: Of weights and pairs; the same for all arms of a seed.
        changes: One of :data:`ENCODERS`.
        **settings: Other fields of ``EncoderConfig``.
    """
    from graphnas.methods.nasgem import EncoderConfig, KernelGuidedEncoder, pair_up
    from search_spaces import NASBench101

    config = EncoderConfig(hidden=(128,), **settings, **changes)
    encoder = KernelGuidedEncoder(NASBench101(), config, seed=seed)
    rng = np.random.default_rng([seed, 1])
    drawn = batch[rng.integers(len(batch), size=2 * config.pairs)]
    return encoder.fit(pair_up(drawn, rng, encoder.kernel, config.target))


def seeds_parser(description: str | None, seeds: int, iterations: int = 4_000) -> argparse.ArgumentParser:
    """Arguments of a benchmark that trains encoders seed by seed; of training as in ``EncoderConfig``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--fresh", action="store_true", help="run again what the record holds")
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--iterations", type=int, default=iterations)
    parser.add_argument("--batch-size", type=int, default=128, help="pairs per update")
    parser.add_argument("--dimension", type=int, default=10)
    return parser


def encoder_settings(given: argparse.Namespace) -> dict[str, int]:
    """Those arguments, for the record and for :func:`train_encoder`."""
    return {name: getattr(given, name) for name in ("pairs", "iterations", "batch_size", "dimension")}


# ---------------------------------------------------------------- regressors


def perceptron(train: Matrix, targets: Vector, candidates: Matrix, seed: int) -> Vector:
    """The paper's P on vectors of any kind."""
    import torch

    from graphnas.methods.nasgem import MLPPredictor

    predictor = MLPPredictor(seed=seed).fit(torch.from_numpy(train), targets)
    return predictor.predict(torch.from_numpy(candidates))[:, 0]


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
        warnings.simplefilter("ignore", ConvergenceWarning)  # accuracies without noise: the lowest will do
        few = GaussianProcessRegressor(kernel, normalize_y=True).fit(train[:200], targets[:200])
    # From here on what scikit-learn does, but with matrix products: a third of its time for many candidates.
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
"""The baselines on raw bits; an arm that is not here is the perceptron."""

# ---------------------------------------------------------------- runs and their record


def each_seed(
    run: Callable[[int], dict[str, Any]],
    seeds: Sequence[int],
    output: Path,
    settings: Mapping[str, Any],
    *,
    fresh: bool,
) -> dict[str, Any]:
    """Run the seeds that ``output`` does not hold, writing the record after each, and return it.

    Args:
        run: Figures of one seed.
        seeds: Those that the record shall hold.
        output: The record.
        settings: What must be the same for an earlier run to count.
        fresh: Run again what is there.
    """
    runs: list[dict[str, Any]] = []
    if output.is_file() and not fresh:
        record = json.loads(output.read_text())
        if all(record.get(name) == value for name, value in settings.items()):
            runs = [found for found in record["runs"] if found["seed"] in seeds]
    if runs:
        print(f"{len(runs)} seeds of {output} are kept; --fresh runs them again")
    done = {found["seed"] for found in runs}
    todo = [seed for seed in seeds if seed not in done]
    for seed in tqdm(todo, unit="seed", disable=None):
        runs.append({"seed": seed, **run(seed)})
        runs.sort(key=lambda found: found["seed"])
        write_record(output, {**settings, "runs": runs}, quiet=True)
    write_record(output, {**settings, "runs": runs})
    return dict(json.loads(output.read_text()))


def mean_sd(values: Sequence[float], digits: int) -> str:
    """Mean and standard deviation over seeds as the tables print them."""
    return spread(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0, digits)


class Paired(NamedTuple):
    """A difference at equal seeds.

    Attributes:
        mean: Of the differences.
        error: Its standard error; 0 of a single seed.
        count: Number of seeds.
    """

    mean: float
    error: float
    count: int

    @property
    def verdict(self) -> str:
        """In words: which is larger, if Student's 95 % interval of the difference leaves out zero."""
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
    """Whether a claim holds that all differences are ``wanted``, and where each verdict was reached.

    Args:
        differences: One for each of ``labels``.
        labels: Such as sample sizes.
        wanted: ``"larger"`` or ``"smaller"``.
    """
    verdicts: dict[str, list[str]] = {}
    for difference, label in zip(differences, labels, strict=True):
        verdicts.setdefault(difference.verdict, []).append(label)
    against = {"larger": "smaller", "smaller": "larger"}[wanted]
    holds = "is not shown"  # a difference that the seeds do not tell from zero refutes nothing
    if wanted in verdicts:
        holds = "holds" if len(verdicts) == 1 else "holds in part"
    elif against in verdicts:
        holds = "does not hold"
    return holds, "; ".join(f"{verdict} at {', '.join(where)}" for verdict, where in verdicts.items())


def still_to_run(record: Mapping[str, Any], seeds: int) -> list[str]:
    """A note where a record has fewer seeds than the whole benchmark."""
    done = len(record["runs"])
    if done >= seeds:
        return []
    return [f"So far {done} of {seeds} seeds; `graphnas bench` with `--full` goes on with the rest."]


def show(section: Section) -> None:
    """Print a section's tables and notes."""
    for table in section.tables:
        lines = [list(table.columns), *map(list, table.rows)]
        widths = [max(len(line[k]) for line in lines) for k in range(len(table.columns))]
        print(f"\n{table.caption}")
        for line in lines:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))
    print(f"\n{section.protocol}")
    for note in section.notes:
        print(f"- {note}")
