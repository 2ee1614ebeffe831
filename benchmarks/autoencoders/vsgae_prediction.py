"""How well VS-GAE's encoder predicts accuracy on NAS-Bench-101, beside baselines and the paper's figures.

Three tasks of the paper (Friede et al., 2019, Table 1) and its experiment on sampling:

- interpolation: 70 % training, 10 % validation, 20 % test cells;
- zero-shot-6, zero-shot-7: train on all other sizes, test on the cells of 6 or of 7 vertices;
- sampling: train on a share of the interpolation's training cells, drawn evenly over sizes, over edit
  distances, or over bins of a latent space (Fig. 8).

Root mean squared errors are in percentage points of accuracy. Differences from the paper are printed and
stored: by default the test accuracy is predicted, because the compact table has it for all cells and the
validation accuracy for only 30,001. Beside the predictor stand a constant, the training cells' mean, and
gradient-boosted trees on the raw bits of the cell.

It can be stopped at any time: finished runs are kept in ``--folder``, and an interrupted run continues from
its checkpoint.

    python -m benchmarks.autoencoders.vsgae_prediction --cells 20000 --seeds 3
    python -m benchmarks.autoencoders.vsgae_prediction --preset paper --device cuda --tasks interpolation
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.autoencoders.subsets import (
    Split,
    by_edit_distance,
    edit_distances,
    latent_bins,
    random_split,
    uniform_over_sizes,
    zero_shot_split,
)
from benchmarks.harness.records import publish, run_on_one_thread, script_parser
from benchmarks.harness.sections import Section, Table, counted, mean_and_deviation, mean_sd
from graphnas import ArchitectureBatch
from graphnas.autoencoders import (
    FeatureVAE,
    FeatureVAEConfig,
    PerformancePredictor,
    PredictorConfig,
    TrainingConfig,
)
from graphnas.files import replacing
from search_spaces import NASBench101
from search_spaces.tables import open_table

PUBLISHED = {"interpolation": 4.87, "zero-shot-6": 5.26, "zero-shot-7": 5.71}
"""Root mean squared errors of the paper in percentage points of validation accuracy."""

METHODS = ("sizes", "edit distances", "latent bins")
TASKS = (*PUBLISHED, "sampling")
CURVES = "vsgae_prediction_curves.png"
STABILITY = "vsgae_prediction_sampling.png"


class Data:
    """The pruned cells in a random order, and what is predicted of them."""

    def __init__(self, cells: int | None, metric: str) -> None:
        self.space = NASBench101()
        table = open_table(self.space)
        values = table.figures("cifar10", 108, metric)
        rows = np.random.default_rng(0).permutation(np.flatnonzero(~np.isnan(values)))
        self.known = len(rows)
        rows = np.sort(rows[:cells])
        self.cells = ArchitectureBatch.from_architectures(table.architectures(rows), 7)
        self.targets: NDArray[np.float64] = values[rows]
        self.sizes: NDArray[np.int64] = self.cells.num_nodes.numpy()
        whole = self.space.max_nodes
        edges = self.cells.adjacency.numpy()[:, *np.triu_indices(whole, 1)]
        kinds = self.cells.operations.numpy()[:, :, None] == np.arange(len(self.space.node_ops))
        real = self.cells.mask.numpy()[:, :, None]
        self.bits = np.concatenate([edges, (kinds & real).reshape(len(edges), -1)], 1).astype(np.float32)

    def split(self, task: str, seed: int) -> Split:
        """The rows of a task; sampling starts from those of the interpolation."""
        if task.startswith("zero-shot"):
            return zero_shot_split(self.sizes, int(task[-1]), seed)
        return random_split(len(self.sizes), seed)

    def sample(self, method: str, train: NDArray[np.int64], share: float, seed: int) -> NDArray[np.int64]:
        """Part of the training rows. No method sees more targets than those of the training rows."""
        if method == "sizes":
            return train[uniform_over_sizes(self.sizes[train], share, seed)]
        part = self.cells[train]
        if method == "edit distances":
            distances = np.zeros(len(train), np.int64)
            for size in np.unique(self.sizes[train]).tolist():  # to the best cell of the same size
                rows = np.flatnonzero(self.sizes[train] == size)
                best = rows[np.argmax(self.targets[train][rows])]
                distances[rows] = edit_distances(part[rows], part.architecture(int(best)))
            return train[by_edit_distance(distances, share, seed)]
        # A space that takes a second: its means are principal components of the features of 2,000 cells.
        model = FeatureVAE(
            self.space, FeatureVAEConfig(latent=8, estimates=0, training=TrainingConfig(epochs=1))
        )
        latents = model.fit(part[: min(len(part), 2000)]).encode(part)[0].cpu().numpy()
        return train[latent_bins(latents, share, seed)]


def boosted_trees(data: Data, split: Split, seed: int) -> float:
    """Root mean squared error of gradient-boosted trees on the bits of the padded, pruned cell."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = HistGradientBoostingRegressor(max_iter=300, random_state=seed)
    predicted = trees.fit(data.bits[split.train], data.targets[split.train]).predict(data.bits[split.test])
    return float(np.sqrt(np.mean((predicted - data.targets[split.test]) ** 2)))


def run(data: Data, split: Split, options: argparse.Namespace, seed: int, checkpoint: Path) -> dict[str, Any]:
    """Train and test the predictor and the baselines."""
    train, validation, test = split
    mean = data.targets[train].mean()
    figures: dict[str, Any] = {
        "cells": {"train": len(train), "validation": len(validation), "test": len(test)},
        "mean": float(np.sqrt(np.mean((data.targets[test] - mean) ** 2))),
        "trees": boosted_trees(data, split, seed),
    }
    config = PredictorConfig.preset(options.preset)
    changes = {"epochs": options.epochs, "precision": options.precision}
    training = replace(config.training, **{key: value for key, value in changes.items() if value is not None})
    sizes = {"hidden": options.hidden, "latent": options.latent}
    config = replace(
        config, training=training, **{key: value for key, value in sizes.items() if value is not None}
    )
    predictor = PerformancePredictor(data.space, config, seed=seed, device=options.device)
    start = time.perf_counter()
    predictor.fit(
        data.cells[train],
        data.targets[train],
        validation=(data.cells[validation], data.targets[validation]),
        progress=True,
        checkpoint=checkpoint,
    )
    figures["seconds_since_last_start"] = time.perf_counter() - start
    figures["predictor"] = predictor.rmse(data.cells[test], data.targets[test])
    figures["history"] = predictor.history
    return figures


def kept(path: Path, settings: dict[str, Any], make: Any) -> dict[str, Any]:
    """What ``make`` returns, or returned at an earlier start if its file is there."""
    if path.exists():
        stored = json.loads(path.read_text())
        if stored["settings"] != settings:
            raise SystemExit(f"{path} has other settings: name another --folder")
        return dict(stored["found"])
    result = make()
    with replacing(path) as part:
        part.write_text(json.dumps({"settings": settings, "found": result}))
    return dict(result)


def differences(data: Data, options: argparse.Namespace) -> list[str]:
    """How this protocol differs from the paper's."""
    notes = [
        f"{len(data.sizes):,} of the {data.known:,} cells whose {options.metric.replace('_', ' ')} is known; "
        "the paper has all 423,624",
        "the paper's 70/20/10 split was drawn over edit distances and is not published, ours is random; its "
        "zero-shot figures come with unknown validation cells, ours are a tenth of the other sizes",
        "latent bins are those of FeatureVAE's space, not of a trained VS-GAE",
        "trees and mean use the same training cells, but not the validation cells",
    ]
    if options.metric == "test_accuracy":
        notes.append(
            "predicted is the test accuracy, a mean of three repeats; the paper predicts validation accuracy"
        )
    if options.preset == "default":
        notes.append("default training (one cycle, standardised targets, best epoch), not the paper's")
    return notes


def by_share(record: dict[str, Any]) -> dict[float, dict[str, list[dict[str, Any]]]]:
    """The runs of the sampling experiment by share and method."""
    shares: dict[float, dict[str, list[dict[str, Any]]]] = {}
    for one in record["runs"]:
        if one["task"] == "sampling":
            shares.setdefault(one["share"], {}).setdefault(one["sampling"], []).append(one)
    return dict(sorted(shares.items()))


def by_task(record: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The runs of the other tasks."""
    tasks = dict.fromkeys(one["task"] for one in record["runs"] if one["task"] != "sampling")
    return {task: [one for one in record["runs"] if one["task"] == task] for task in tasks}


def mean_error(runs: list[dict[str, Any]], key: str) -> str:
    """Mean of an error over seeds, with its deviation if there are several."""
    values = [one[key] for one in runs]
    return mean_sd(values) if len(values) > 1 else f"{values[0]:.2f}"


def section(record: dict[str, Any]) -> Section:
    """Errors of the tasks beside the paper's, and of the sampling experiment."""
    tasks, shares = by_task(record), by_share(record)
    seeds = counted(len({one["seed"] for one in record["runs"]}), "seed")
    tables, plots, titles = [], [], []
    if tasks:
        titles.append("predicting accuracy with VS-GAE's encoder")
        plots.append(CURVES)
        rows = [
            [
                task,
                f"{runs[0]['cells']['train']:,}",
                f"{runs[0]['cells']['test']:,}",
                mean_error(runs, "predictor"),
                f"{PUBLISHED[task]:.2f}",
                mean_error(runs, "trees"),
                mean_error(runs, "mean"),
                str(len(runs[0]["history"])),
            ]
            for task, runs in tasks.items()
        ]
        columns = ("", "training cells", "test cells", "ours", "paper", "trees on bits", "constant", "epochs")
        tables.append(Table(f"RMSE in percentage points of accuracy, {seeds}.", columns, rows))
    if shares:
        titles.append("stability by the sampling of training cells (Fig. 8)")
        plots.append(STABILITY)
        methods = list(dict.fromkeys(method for by_method in shares.values() for method in by_method))
        rows = [
            [
                f"{share:.0%}",
                f"{by_method[methods[0]][0]['cells']['train']:,}",
                *(mean_error(by_method[method], "predictor") for method in methods),
                *(mean_error(by_method[method], "trees") for method in methods),
            ]
            for share, by_method in shares.items()
        ]
        columns = ("share", "cells", *methods, *(f"trees, {method}" for method in methods))
        caption = f"RMSE in percentage points by how the training cells are drawn, {seeds}."
        tables.append(Table(caption, columns, rows))
    notes = ["The paper publishes Fig. 8 as a plot only, without numbers."] if shares else []
    if tasks:
        notes.append(
            "The paper's predictor is trained for 100 epochs, the default of its code; the constant is the "
            "training cells' mean."
        )
    return Section(
        "NAS-Bench-101: " + "; ".join(titles), tables, "; ".join(record["notes"]) + ".", notes, plots
    )


def draw(record: dict[str, Any], folder: Path) -> list[str]:
    """Errors over the epochs of each task, and over the share of training cells (Fig. 8)."""
    from benchmarks.harness.drawing import label, legend_above, panels, save, whole_numbers
    from graphnas.plots.style import colour

    names = []
    if tasks := by_task(record):
        figure, axes = panels(len(tasks), width=3.6)
        for panel, (task, runs) in zip(axes, tasks.items(), strict=True):
            for k, (key, text) in enumerate((("train_rmse", "training"), ("validation_rmse", "validation"))):
                curves = np.array([[epoch[key] for epoch in one["history"]] for one in runs])
                epochs = np.arange(1, curves.shape[1] + 1)
                panel.plot(epochs, curves.mean(0), color=colour(k), label=text)
                panel.fill_between(epochs, curves.min(0), curves.max(0), color=colour(k), alpha=0.2)
            label(panel, "epoch", "RMSE (percentage points)", task)
            whole_numbers(panel)
        legend_above(figure)
        names.append(save(figure, folder, CURVES))
    if shares := by_share(record):
        figure, axes = panels(2, height=3.6)
        for panel, (key, text) in zip(
            axes, (("predictor", "VS-GAE's encoder"), ("trees", "trees on bits")), strict=True
        ):
            for k, method in enumerate(METHODS):
                points = [(s, [one[key] for one in by_method[method]]) for s, by_method in shares.items()]
                x, values = [100 * share for share, _ in points], [errors for _, errors in points]
                low, high = [min(errors) for errors in values], [max(errors) for errors in values]
                panel.plot(x, [np.mean(e) for e in values], "o-", color=colour(k), markersize=4, label=method)
                panel.fill_between(x, low, high, color=colour(k), alpha=0.15)
            panel.set_xscale("log")
            panel.set_xticks([100 * share for share in shares], [f"{share:.0%}" for share in shares])
            panel.minorticks_off()
            label(panel, "training cells used", "test RMSE (percentage points)", text)
        legend_above(figure)
        names.append(save(figure, folder, STABILITY))
    return names


def main() -> int:
    """Run the tasks, print and store."""
    parser = script_parser(__doc__, "vsgae_prediction")
    parser.add_argument("--tasks", nargs="+", default=list(PUBLISHED), choices=TASKS)
    parser.add_argument("--cells", type=int, help="a random subset of so many cells; by default all")
    parser.add_argument("--metric", default="test_accuracy", choices=("test_accuracy", "validation_accuracy"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.01, 0.05, 0.1, 0.3, 0.9])
    parser.add_argument("--preset", default="default", choices=("default", "paper"))
    parser.add_argument("--epochs", type=int, help="other than the preset's")
    parser.add_argument("--precision", choices=("float32", "bfloat16"))
    parser.add_argument("--hidden", type=int, help="other than the paper's 250")
    parser.add_argument("--latent", type=int, help="other than the paper's 56")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, default=Path("runs/vsgae_prediction"))
    parser.add_argument("--fresh", action="store_true", help="train again what --folder already holds")
    options = parser.parse_args()

    options.folder.mkdir(parents=True, exist_ok=True)
    data = Data(options.cells, options.metric)
    inert = ("tasks", "seeds", "shares", "device", "folder", "fresh", "output")
    settings = {key: value for key, value in vars(options).items() if key not in inert}
    runs: list[dict[str, Any]] = []
    for task in options.tasks:
        variants: list[tuple[str, float]] = [("all", 1.0)]
        if task == "sampling":
            variants = [(method, share) for method in METHODS for share in options.shares]
        for method, share in variants:
            for seed in range(options.seeds):
                name = f"{task}-{method.replace(' ', '-')}-{share:g}-{seed}"

                def make(
                    task: str = task,
                    method: str = method,
                    share: float = share,
                    seed: int = seed,
                    name: str = name,
                ) -> dict[str, Any]:
                    # One split for all samples, so that only the sampling differs.
                    split = data.split(task, 0 if task == "sampling" else seed)
                    if method != "all":
                        split = split._replace(train=data.sample(method, split.train, share, seed))
                    return run(data, split, options, seed, options.folder / f"{name}.pt")

                if options.fresh:
                    for end in ("json", "pt"):
                        (options.folder / f"{name}.{end}").unlink(missing_ok=True)
                figures = kept(options.folder / f"{name}.json", settings, make)
                runs.append({"task": task, "sampling": method, "share": share, "seed": seed, **figures})
                print(
                    f"{name}: predictor {figures['predictor']:.3f}, trees {figures['trees']:.3f}", flush=True
                )
    summary: dict[str, Any] = {}
    for task, method, share in dict.fromkeys((r["task"], r["sampling"], r["share"]) for r in runs):
        rows = [r for r in runs if (r["task"], r["sampling"], r["share"]) == (task, method, share)]
        means = {key: float(np.mean([r[key] for r in rows])) for key in ("predictor", "trees", "mean")}
        summary[task if task != "sampling" else f"{share:.0%} by {method}"] = {
            **means,
            "predictor_sd": mean_and_deviation([r["predictor"] for r in rows])[1],
            "paper": PUBLISHED.get(task),
            "cells": rows[0]["cells"],
        }
    notes = differences(data, options)
    figures = {"settings": settings, "notes": notes, "summary": summary, "runs": runs}
    publish(options.output, figures, section)
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
