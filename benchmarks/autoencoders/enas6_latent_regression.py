"""How well accuracy is predicted from our latent space, from raw bits and from published ones (ENAS-6).

A sparse Gaussian process with 500 inducing points on the latent means predicts the weight-sharing accuracy of
the 1,902 published test architectures; errors are in units of the training targets' standard deviation. Its
seeds differ in the inducing points; there is one trained autoencoder, as in the published tables. The
"supervised" latent space is that of FeatureVAE with estimates: it has seen the accuracies of the training
set, as the process has, and none of the test set. Our process is fitted to all data at once; beside it stands
GPyTorch's, trained in minibatches like the published one but for fewer passes.

    python -m benchmarks.autoencoders.enas6_latent_regression --seeds 10
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge

from benchmarks.autoencoders.enas6_data import Data
from benchmarks.autoencoders.variational_gp import VariationalGP
from benchmarks.harness.records import PACKAGES, publish, run_on_one_thread, script_parser, write_record
from benchmarks.harness.sections import Section, Table, mean_and_deviation, spread
from graphnas.autoencoders import FeatureVAE, FeatureVAEConfig
from graphnas.autoencoders.measures import abilities, errors_of
from graphnas.surrogate import SparseGP

Matrix = NDArray[np.float64]
PLOT = "enas6_latent_regression.png"
PUBLISHED = {
    "D-VAE": (0.384, 0.920),
    "DVAE-EMB": (0.371, 0.925),
    "GCN": (0.485, 0.870),
    "GCN-EMB": (0.441, 0.892),
    "S-VAE": (0.478, 0.873),
    "GraphRNN": (0.726, 0.669),
    "PACE (its authors' log)": (0.2477, 0.9678),
}
"""RMSE and Pearson's r; the first six from the tables of D-VAE and DVAE-EMB, the last from PACE's log."""


def sparse_process(x: Matrix, y: Matrix, test_x: Matrix, seed: int, *, ard: bool = True) -> Matrix:
    """The 500-point process."""
    return SparseGP(500, ard=ard, seed=seed).fit([x], y).predict([test_x])[0]


def ridge(data: Data, seed: int) -> Matrix:
    """Linear regression with a penalty."""
    return np.asarray(Ridge(1.0).fit(data.bits, data.train_targets).predict(data.test_bits))


def nystroem(components: int) -> Callable[[Data, int], Matrix]:
    """Ridge regression on Nystroem features of an isotropic squared exponential kernel."""

    def predict(data: Data, seed: int) -> Matrix:
        features = Nystroem(gamma=0.03, n_components=components, random_state=seed)
        model = Ridge(0.03).fit(features.fit_transform(data.bits), data.train_targets)
        return np.asarray(model.predict(features.transform(data.test_bits)))

    return predict


BASELINES: dict[str, tuple[Callable[[Data, int], Matrix], bool]] = {
    "predict the mean": (
        lambda data, seed: np.full(len(data.test_targets), data.train_targets.mean()),
        False,
    ),
    "ridge on bits": (ridge, False),
    "500-point GP on bits": (
        lambda data, seed: sparse_process(data.bits, data.train_targets, data.test_bits, seed, ard=False),
        True,
    ),
    "500-point GP (ARD) on bits": (
        lambda data, seed: sparse_process(data.bits, data.train_targets, data.test_bits, seed),
        True,
    ),
    "Nystroem-1000 on bits": (nystroem(1000), True),
    "Nystroem-2000 on bits": (nystroem(2000), True),
    "600 boosted trees on bits": (
        lambda data, seed: (
            HistGradientBoostingRegressor(max_iter=600, learning_rate=0.1, random_state=seed)
            .fit(data.bits, data.train_targets)
            .predict(data.test_bits)
        ),
        False,
    ),
}
"""How to predict, and whether the seed matters."""


class Record:
    """Figures by name and seed, written after each, so that an interrupted run continues."""

    def __init__(self, path: Path, fresh: bool, passes: int) -> None:
        self.path, self.passes = path, passes
        self.runs: dict[str, dict[str, list[float]]] = {}
        self.models: dict[str, Any] = {}
        if path.is_file() and not fresh:
            stored = json.loads(path.read_text())
            self.runs, self.models = stored["runs"], stored["models"]

    def measure(self, name: str, seed: int, data: Data, predict: Callable[[], Matrix]) -> None:
        """Predict, unless this was done before."""
        known = self.runs.setdefault(name, {})
        if str(seed) in known:
            return
        start = time.perf_counter()
        rmse, pearson = errors_of(predict(), data.test_targets)
        seconds = time.perf_counter() - start
        known[str(seed)] = [rmse, pearson, seconds]
        print(f"{name}, seed {seed}: RMSE {rmse:.4f}, r {pearson:.4f} ({seconds:.1f} s)", flush=True)
        self.write()

    def summary(self) -> dict[str, dict[str, float]]:
        """Mean and deviation over the seeds."""
        summary = {}
        for name, runs in self.runs.items():
            errors, correlations, _ = zip(*runs.values(), strict=True)
            rmse, rmse_sd = mean_and_deviation(errors)
            pearson, pearson_sd = mean_and_deviation(correlations)
            summary[name] = {
                "rmse": rmse,
                "rmse_sd": rmse_sd,
                "pearson": pearson,
                "pearson_sd": pearson_sd,
                "seeds": len(runs),
            }
        return summary

    def figures(self) -> dict[str, Any]:
        """Everything."""
        return {
            "gpytorch_passes": self.passes,
            "summary": self.summary(),
            "published": {name: {"rmse": a, "pearson": b} for name, (a, b) in PUBLISHED.items()},
            "models": self.models,
            "runs": self.runs,
        }

    def write(self) -> None:
        """Store everything."""
        write_record(self.path, self.figures(), (*PACKAGES, "gpytorch"), quiet=True)


def latent_space(
    record: Record, data: Data, name: str, supervised: bool, options: argparse.Namespace
) -> None:
    """Train FeatureVAE, measure its abilities, and regress on its latents."""
    label = f"500-point GP on FeatureVAE, {name}"
    variational = f"GPyTorch, {label}"
    done = {key: len(record.runs.get(key, {})) for key in (label, variational)}
    if name in record.models and done[label] >= options.seeds and done[variational] >= options.gpytorch_seeds:
        return
    start = time.process_time()
    model = FeatureVAE(data.space, FeatureVAEConfig()).fit(
        data.train, data.train_targets if supervised else None
    )
    seconds = time.process_time() - start
    x, test_x = (model.encode(graphs)[0].double().numpy() for graphs in (data.train, data.test))
    if name not in record.models:
        measured = abilities(model, data.train, data.test)
        record.models[name] = {
            "config": model.config.to_dict(),
            "training_cpu_seconds": seconds,
            **measured.to_dict(),
        }
        print(f"{name}: trained in {seconds:.0f} CPU seconds; {measured}", flush=True)
    for seed in range(options.seeds):
        record.measure(
            label, seed, data, lambda seed=seed: sparse_process(x, data.train_targets, test_x, seed)
        )
    for seed in range(options.gpytorch_seeds):
        record.measure(
            variational,
            seed,
            data,
            lambda seed=seed: (
                VariationalGP(500, seed=seed, passes=options.gpytorch_passes)
                .fit([x], data.train_targets)
                .predict([test_x])[0]
            ),
        )


def ranked(record: dict[str, Any]) -> list[tuple[str, dict[str, float], bool]]:
    """Name, figures and whether they are published, best first."""
    everything = [(name, row, False) for name, row in record["summary"].items()]
    everything += [(name, row, True) for name, row in record["published"].items()]
    return sorted(everything, key=lambda entry: entry[1]["rmse"])


def section(record: dict[str, Any]) -> Section:
    """All errors, the published ones among them, and the abilities of the latent spaces."""
    rows = [
        [
            f"published: {name}" if published else name,
            *(
                spread(row[key], row.get(f"{key}_sd", 0.0), 4, seeds=row.get("seeds", 1))
                for key in ("rmse", "pearson")
            ),
            "" if published else f"{row['seeds']:.0f}",
        ]
        for name, row, published in ranked(record)
    ]
    errors = Table(
        "Root mean squared error in standard deviations, and Pearson's r, on the published test set.",
        ("", "RMSE", "r", "seeds"),
        rows,
    )
    keys = ("accuracy", "validity", "uniqueness", "novelty")
    abilities_of = Table(
        "FeatureVAE's abilities in percent, by D-VAE's protocol; one training each.",
        ("", "reconstructed exactly", "valid", "unique", "novel", "training, CPU seconds"),
        [
            [name, *(f"{model[key]:.2f}" for key in keys), f"{model['training_cpu_seconds']:.0f}"]
            for name, model in record["models"].items()
        ],
    )
    bits, error = next((name, row["rmse"]) for name, row, _ in ranked(record) if name.endswith(" on bits"))
    notes = [
        "Supervised: the latent space has seen the accuracies of the training set, as the process has.",
        "Targets: RMSE at most .25, r at least .968 with 500 points, 99.9 % reconstructed exactly.",
        f"Easy to predict: the best on the raw bits of an architecture ({bits}) has RMSE {error:.3f}.",
    ]
    if "gpytorch_passes" in record:
        notes.append(
            f"GPyTorch's process is trained in minibatches, as the published one, for "
            f"{record['gpytorch_passes']} passes."
        )
    return Section(
        "ENAS-6: regression on a latent space",
        [errors, abilities_of],
        "the same split, standardisation and number of inducing points; the papers train their process in "
        "minibatches, ours is fitted to all data at once; seeds are those of the process, as in the papers.",
        notes,
        [PLOT],
    )


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Root mean squared errors, ours and published."""
    from benchmarks.harness.drawing import label, panels, save
    from graphnas.plots.style import colour

    entries = ranked(record)[::-1]
    figure, (axes,) = panels(1, 7.0, 0.26 * len(entries) + 0.9)
    for height, (_, row, published) in enumerate(entries):
        tint = colour(1 if published else 0)
        axes.barh(height, row["rmse"], xerr=row.get("rmse_sd", 0.0), color=tint, ecolor="#222222")
        axes.text(row["rmse"] + 0.015, height, f"{row['rmse']:.3f}", va="center", fontsize=8)
    names = [f"published: {name}" if published else name for name, _, published in entries]
    axes.set_yticks(range(len(entries)), names, fontsize=8)
    label(axes, "root mean squared error (standard deviations)", "")
    return [save(figure, folder, PLOT)]


def main() -> int:
    """Run, print and store."""
    parser = script_parser(__doc__, "enas6_latent_regression")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--baseline-seeds", type=int, help="by default as many as --seeds")
    parser.add_argument(
        "--gpytorch-seeds", type=int, default=3, help="of GPyTorch's process; 0: leave it out"
    )
    parser.add_argument("--gpytorch-passes", type=int, default=20, help="over the training graphs")
    parser.add_argument("--graphs", type=int, help="only so many of each set, for a trial run")
    parser.add_argument("--fresh", action="store_true", help="run again what --output already holds")
    options = parser.parse_args()
    data, record = Data(options.graphs), Record(options.output, options.fresh, options.gpytorch_passes)
    latent_space(record, data, "supervised", True, options)
    baseline_seeds = options.seeds if options.baseline_seeds is None else options.baseline_seeds
    for name, (predict, seeded) in BASELINES.items():
        for seed in range(baseline_seeds if seeded else 1):
            record.measure(name, seed, data, lambda predict=predict, seed=seed: predict(data, seed))
    latent_space(record, data, "unsupervised", False, options)
    publish(record.path, record.figures(), section, (*PACKAGES, "gpytorch"))
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
