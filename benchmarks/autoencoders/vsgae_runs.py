"""The trainings that benchmarks.autoencoders.vsgae_prediction compares: cells, samples, one predictor."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.autoencoders.noted_training import train_with_notes
from benchmarks.autoencoders.subsets import (
    Split,
    by_edit_distance,
    edit_distances,
    latent_bins,
    random_split,
    uniform_over_sizes,
    zero_shot_split,
)
from graphnas import ArchitectureBatch
from graphnas.autoencoders import VSGAE, PerformancePredictor, PredictorConfig, TrainingConfig, VSGAEConfig
from graphnas.graph.flatten import Flattener
from graphnas.graph.operation_features import OperationFeatures
from search_spaces import NASBench101
from search_spaces.tables import open_table

LOOKED_AT = 5000
"""Test cells whose error is measured after each epoch."""
GROUPS = 50
"""Of equally many test cells, by their accuracy, for the plots of truth and error."""
AUTOENCODER_CELLS = 60_000
"""Training cells that the autoencoder of the latent bins reads, twice."""
CHUNK = 20_000


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

    @cached_property
    def bits(self) -> NDArray[np.float32]:
        """Edges and one-hot operations of the padded cells."""
        return Flattener(self.space)(self.cells)

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """GraphBO's features of operations and paths."""
        compute = OperationFeatures(self.space)
        starts = range(0, len(self.cells), CHUNK)
        return np.concatenate([compute(self.cells[s : s + CHUNK]) for s in starts]).astype(np.float32)

    def split(self, task: str, seed: int) -> Split:
        """The rows of a task; sampling starts from those of the interpolation."""
        if task.startswith("zero-shot"):
            return zero_shot_split(self.sizes, int(task[-1]), seed)
        return random_split(len(self.sizes), seed)

    def sample(
        self, method: str, train: NDArray[np.int64], share: float, seed: int, options: argparse.Namespace
    ) -> NDArray[np.int64]:
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
        return train[latent_bins(vsgae_latents(part, self.space, options), share, seed)]


def vsgae_latents(
    cells: ArchitectureBatch, space: NASBench101, options: argparse.Namespace
) -> NDArray[np.float64]:
    """Latents of a VS-GAE that is trained on a part of these cells, once for a folder."""
    training = TrainingConfig(epochs=2, batch_size=128, precision="bfloat16")
    config = VSGAEConfig(hidden=options.autoencoder_hidden, training=training)
    model = VSGAE(space, config, device=options.device)
    rows = np.sort(np.random.default_rng(0).permutation(len(cells))[:AUTOENCODER_CELLS])
    model.fit(cells[rows], progress=True, checkpoint=options.folder / "vsgae.checkpoint.pt")
    latents: NDArray[np.float64] = model.encode(cells)[0].double().cpu().numpy()
    return latents


def boosted_trees(
    columns: NDArray[np.float32], targets: NDArray[np.float64], split: Split, seed: int
) -> float:
    """Root mean squared error of gradient-boosted trees on one row of columns per cell."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = HistGradientBoostingRegressor(max_iter=300, random_state=seed)
    predicted = trees.fit(columns[split.train], targets[split.train]).predict(columns[split.test])
    return float(np.sqrt(np.mean((predicted - targets[split.test]) ** 2)))


def run(
    data: Data, split: Split, options: argparse.Namespace, seed: int, stem: Path, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Train and test the predictor and the baselines.

    Args:
        data: The cells.
        split: Their rows.
        options: Of the command line.
        seed: Of weights and order.
        stem: Beginning of the names of the training's files.
        changes: Of the training's settings, such as ``epochs``.
    """
    train, validation, test = split
    targets = data.targets
    config = PredictorConfig.preset(options.preset)
    sizes = {name: getattr(options, name) for name in ("hidden", "latent")}
    config = replace(
        config,
        training=replace(config.training, **changes),
        **{name: value for name, value in sizes.items() if value is not None},
    )
    predictor = PerformancePredictor(data.space, config, seed=seed, device=options.device)
    looked_at = test[:: max(len(test) // LOOKED_AT, 1)]

    def look(trained: PerformancePredictor) -> dict[str, float]:
        return {"test_rmse": trained.rmse(data.cells[looked_at], targets[looked_at])}

    fit = partial(
        predictor.fit,
        data.cells[train],
        targets[train],
        validation=(data.cells[validation], targets[validation]),
    )
    curve = train_with_notes(predictor, fit, stem, look, fresh=options.fresh)
    predicted = predictor.predict(data.cells[test])
    return {
        "cells": {"train": len(train), "validation": len(validation), "test": len(test)},
        "mean": float(np.sqrt(np.mean((targets[test] - targets[train].mean()) ** 2))),
        "trees": boosted_trees(data.bits, targets, split, seed),
        "trees_on_features": boosted_trees(data.features, targets, split, seed),
        "predictor": float(np.sqrt(np.mean((predicted - targets[test]) ** 2))),
        "training": config.to_dict()["training"],
        "curve": curve,
        "sorted": by_truth(targets[test], predicted),
    }


def by_truth(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[str, list[float]]:
    """Predictions in groups of equally many cells, in the order of their true accuracy (Figs. 4 to 6).

    Returns:
        Mean truth, the predictions' mean and 10th and 90th percentile, and the root mean squared error of
        each group.
    """
    rows: dict[str, list[float]] = {"truth": [], "mean": [], "low": [], "high": [], "rmse": []}
    for group in np.array_split(np.argsort(truth, kind="stable"), min(GROUPS, len(truth))):
        rows["truth"].append(float(truth[group].mean()))
        rows["mean"].append(float(predicted[group].mean()))
        rows["low"].append(float(np.percentile(predicted[group], 10)))
        rows["high"].append(float(np.percentile(predicted[group], 90)))
        rows["rmse"].append(float(np.sqrt(np.mean((predicted[group] - truth[group]) ** 2))))
    return rows
