"""The official release of NATS-Bench's topology space, read without its own package.

Dong et al., "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size" (TPAMI 2021). The
directory ``NATS-tss-v1_0-3ffb9-simple`` holds ``meta.pickle.pbz2`` with the official strings in the order of
their index, and one file per cell, ``000000.pickle.pbz2`` and so on: bz2-compressed pickles. A cell's file
maps "12" and "200" (epochs) to its results: ``dataset_seed`` (data set to seeds) and ``all_results`` (data
set and seed to one run), where a run has ``epochs``, ``eval_acc1es`` ("x-valid@199" to percent) and
``train_times`` (epoch to seconds). The single file ``NATS-tss-v1_0-3ffb9.pickle.pbz2`` holds all of that at
once under ``arch2infos``.
"""

from __future__ import annotations

import bz2
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from graphnas.errors import CorruptData, DataNotFound
from search_spaces.nasbench201 import SIZE
from search_spaces.tables.nasbench201 import NASBench201Table, official_strings
from search_spaces.tables.restricted_pickle import load_plain

_RUNS = {
    ("cifar10", "validation_accuracy"): ("cifar10-valid", "x-valid"),
    ("cifar10", "test_accuracy"): ("cifar10", "ori-test"),
    ("cifar100", "validation_accuracy"): ("cifar100", "x-valid"),
    ("cifar100", "test_accuracy"): ("cifar100", "x-test"),
    ("imagenet16-120", "validation_accuracy"): ("ImageNet16-120", "x-valid"),
    ("imagenet16-120", "test_accuracy"): ("ImageNet16-120", "x-test"),
}
"""For each data set and metric: the release's name of the run, and of the images it was measured on.

CIFAR-10's validation accuracy is that of networks trained on half of the training images ("cifar10-valid"),
its test accuracy that of networks trained on all of them: what the benchmark's papers report.
"""

_Result = tuple[float, float | None]


class NATSBenchTable(NASBench201Table):
    """The official files; a cell's file is read on first use.

    Accuracies are the mean over the recorded seeds, seconds the mean of the runs' training times.

    Args:
        path: The unpacked directory, or the single file (which takes minutes and several GB of memory).
        data_dir: Directory that holds the file of latencies.

    Raises:
        DataNotFound: ``path`` is neither a directory nor a file.
        CorruptData: The list of cells is truncated or not that of the topology space.
    """

    def __init__(self, path: str | os.PathLike[str], data_dir: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path)
        meta_path = self.path / "meta.pickle.pbz2" if self.path.is_dir() else self.path
        meta = _load(meta_path)
        strings = meta.get("meta_archs") if isinstance(meta, dict) else None
        if not isinstance(strings, list) or len(strings) != SIZE:
            content = "no list" if not isinstance(strings, list) else f"{len(strings)} cells"
            raise CorruptData(
                f"{meta_path} is not of NATS-Bench's topology space: {content} under 'meta_archs', "
                f"expected {SIZE} cells"
            )
        index = {text: k for k, text in enumerate(strings)}
        self._strings = official_strings()
        missing = next((text for text in self._strings if text not in index), None)
        if missing is not None:
            raise CorruptData(f"{meta_path} is not of NATS-Bench's topology space: it lacks {missing!r}")
        self._all_at_once: Mapping[Any, Any] | None = None if self.path.is_dir() else meta.get("arch2infos")
        self._results: dict[int, dict[tuple[str, int, str], _Result]] = {}
        super().__init__(np.array([index[text] for text in self._strings]), data_dir)

    def figures(
        self, dataset: str, budget: int, metric: str, rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Accuracy in percent; reading all 15,625 files takes minutes, shown by a progress bar."""
        wanted = range(SIZE) if rows is None else rows.tolist()
        # disable=None: no bar where the output is not a terminal.
        steps = tqdm(wanted, "reading NATS-Bench", disable=None if len(wanted) > 1000 else True, leave=False)
        return np.array([self._row(row)[dataset, budget, metric][0] for row in steps])

    def seconds(self, dataset: str, budget: int, metric: str, row: int) -> float | None:
        """Seconds of training, as the release gives them."""
        return self._row(row)[dataset, budget, metric][1]

    def _row(self, row: int) -> dict[tuple[str, int, str], _Result]:
        if row not in self._results:
            index = int(self._index()[row])
            if self._all_at_once is not None:
                source: object = f"{self.path}, cell {index}"
                document = self._all_at_once.get(index)
            else:
                source = self.path / f"{index:06d}.pickle.pbz2"
                document = _load(self.path / f"{index:06d}.pickle.pbz2")
            self._results[row] = _results(document, self._strings[row], source)
        return self._results[row]


def _load(path: Path) -> Any:
    if not path.is_file():
        raise DataNotFound(
            f"{path} not found: the release is incomplete; unpack NATS-tss-v1_0-3ffb9-simple.tar (1.1 GB, "
            "https://github.com/D-X-Y/NATS-Bench) again"
        )
    with bz2.BZ2File(path) as stream:
        return load_plain(stream, path)  # type: ignore[arg-type]  # BZ2File reads like any binary file


def _results(document: Any, text: str, source: object) -> dict[tuple[str, int, str], _Result]:
    """What the table needs of one cell's file; NaN where no run is recorded."""
    results: dict[tuple[str, int, str], _Result] = {}
    try:
        for budget in (12, 200):
            info = document[str(budget)]
            if info["arch_str"] != text:
                raise CorruptData(f"{source} is of the cell {info['arch_str']!r}, expected {text!r}")
            for (dataset, metric), (run_name, images) in _RUNS.items():
                seeds = info["dataset_seed"].get(run_name, ())
                runs = [info["all_results"][run_name, seed] for seed in seeds]
                accuracies = [float(run["eval_acc1es"][f"{images}@{run['epochs'] - 1}"]) for run in runs]
                times = [sum(run["train_times"].values()) for run in runs if run.get("train_times")]
                results[dataset, budget, metric] = (
                    sum(accuracies) / len(accuracies) if accuracies else float("nan"),
                    float(sum(times) / len(times)) if times else None,
                )
    except CorruptData:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptData(f"{source} is not laid out as NATS-Bench's topology space ({error!r})") from error
    return results
