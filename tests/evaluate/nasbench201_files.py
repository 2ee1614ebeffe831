"""Writes small NAS-Bench-201 files of the two layouts that our loaders read, with made-up numbers."""

from __future__ import annotations

import bz2
import gzip
import pickle
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from search_spaces import NASBench201

RELEASE = "NATS-tss-v1_0-3ffb9"
ACCURACIES = [
    f"{dataset}_{part}{epochs}"
    for epochs in ("", "_12")
    for dataset in ("c10", "c100", "in16")
    for part in ("val", "test")
]


@lru_cache(maxsize=1)
def official_strings(seed: int = 0) -> list[str]:
    """All cells in an order that is not ours, as in the benchmark."""
    space = NASBench201()
    strings = [space.to_string(cell) for cell in space.enumerate()]
    return [strings[k] for k in np.random.default_rng(seed).permutation(len(strings))]


def write_compact(path: Path, *, rows: int = 15625, seed: int = 0, **columns: list[Any]) -> dict[str, Any]:
    """A compact file; ``columns`` replaces whole columns. Returns the columns that were written."""
    rng = np.random.default_rng(seed)
    data: dict[str, Any] = {"index": list(range(rows)), "arch": official_strings()[:rows]}
    for name in ACCURACIES:
        data[name] = rng.uniform(10, 90, rows).round(3).tolist()
    data["c10_epoch_s"] = rng.uniform(5, 35, rows).round(3).tolist()
    data["in16_epoch_s"] = rng.uniform(15, 100, rows).round(3).tolist()
    data.update(columns)
    lines = [",".join(data), *(",".join(map(str, row)) for row in zip(*data.values(), strict=True))]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join(lines).encode(), 1, mtime=0))
    return data


def write_pickle(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bz2.compress(pickle.dumps(content, protocol=4), 1))


def release_meta(strings: list[str], arch2infos: dict[int, Any] | None = None) -> dict[str, Any]:
    return {
        "meta_archs": strings,
        "total_archs": len(strings),
        "arch2infos": arch2infos,
        "evaluated_indexes": set(arch2infos or ()),
    }


def release_cell(index: int, text: str, seed: int = 0) -> OrderedDict[str, Any]:
    """What the release stores of one cell: 12 epochs with one seed, 200 epochs with two or three."""
    rng = np.random.default_rng([seed, index])
    images = {
        "cifar10-valid": ["x-valid", "ori-test"],
        "cifar10": ["ori-test"],
        "cifar100": ["x-valid", "x-test", "ori-test"],
        "ImageNet16-120": ["x-valid", "x-test", "ori-test"],
    }
    seeds = {"12": [777], "200": [777, 888, 999] if index % 2 else [777, 888]}
    document: OrderedDict[str, Any] = OrderedDict()
    for budget in ("12", "200"):
        runs = {}
        for dataset, names in images.items():
            for run_seed in seeds[budget]:
                epochs = int(budget)
                at = [f"{name}@{epoch}" for name in names for epoch in range(epochs)]
                runs[dataset, run_seed] = {
                    "name": dataset,
                    "net_state_dict": None,
                    "train_acc1es": {e: float(rng.uniform(10, 99)) for e in range(epochs)},
                    "train_losses": dict.fromkeys(range(epochs), 1.0),
                    "train_times": OrderedDict((e, float(rng.uniform(5, 30))) for e in range(epochs)),
                    "arch_config": {"channel": 16, "num_cells": 5, "arch_str": text, "class_num": 10},
                    "params": np.float64(0.3),
                    "flop": np.float64(47.1),
                    "seed": run_seed,
                    "epochs": epochs,
                    "latency": [np.float64(0.02)],
                    "eval_names": names,
                    "eval_acc1es": {name: np.float64(rng.uniform(10, 99)) for name in at},
                    "eval_losses": {name: np.float32(1.5) for name in at},
                    "eval_times": {name: np.float64(0.5) for name in at},
                }
        document[budget] = {
            "arch_index": index,
            "arch_str": text,
            "all_results": runs,
            "dataset_seed": dict.fromkeys(images, seeds[budget]),
            "clear_net_done": True,
        }
    return document


def write_release(directory: Path, indices: list[int]) -> list[str]:
    """An unpacked release that holds some of the cells; returns the strings of all."""
    strings = official_strings()
    write_pickle(directory / "meta.pickle.pbz2", release_meta(strings))
    for index in indices:
        write_pickle(directory / f"{index:06d}.pickle.pbz2", release_cell(index, strings[index]))
    return strings
