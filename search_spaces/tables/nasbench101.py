"""The results of NAS-Bench-101: rows by cell, whatever the source, and the compact file (11 MB).

The benchmark's own files are read by :mod:`search_spaces.tables.nasbench101_official`.
"""

from __future__ import annotations

import functools
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphnas.data_directory import find_data
from graphnas.errors import CorruptData
from graphnas.graph.architecture import Architecture
from search_spaces import nasbench101_cells as cells
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench101_cells import CONV3X3, OUTPUT, VERTICES
from search_spaces.tables.base import Table

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch

COMPACT_FILE = "nasbench101.npz"
OFFICIAL_FILES = ("nasbench_full.tfrecord", "nasbench_only108.tfrecord")
EPOCHS = (4, 12, 36, 108)
HOW_TO_GET = (
    "That file (499 MB) has the results of 108 epochs, nasbench_full.tfrecord (1.95 GB) of all budgets, "
    f"see https://github.com/google-research/nasbench; or copy the compact {COMPACT_FILE} (11 MB)."
)
_COMMAND = (
    "curl --create-dirs -o {directory}/nasbench_only108.tfrecord "
    "https://storage.googleapis.com/nasbench/nasbench_only108.tfrecord"
)


@dataclass(frozen=True)
class Results:
    """The results of any source; accuracies in percent, NaN where none is recorded.

    Attributes:
        adjacency: ``(N, 7, 7)`` pruned cells, padded at the end.
        operations: ``(N, 7)`` node labels of :class:`NASBench101`.
        num_nodes: ``(N,)``.
        md5: ``(N, 16)`` bytes of the benchmark's hash.
        accuracies: ``(N,)`` by budget and metric.
        seconds: ``(N,)`` training time by budget.
        parameters: ``(N,)`` trainable parameters.
        macs: ``(N,)`` multiply-accumulates.
    """

    adjacency: NDArray[np.int8]
    operations: NDArray[np.int16]
    num_nodes: NDArray[np.int64]
    md5: NDArray[np.uint8]
    accuracies: Mapping[tuple[int, str], NDArray[np.float64]]
    seconds: Mapping[int, NDArray[np.float64]]
    parameters: NDArray[np.int64]
    macs: NDArray[np.int64]

    def __post_init__(self) -> None:
        arrays: list[NDArray[Any]] = [self.adjacency, self.operations, self.num_nodes, self.md5]
        arrays += [self.parameters, self.macs, *self.accuracies.values(), *self.seconds.values()]
        for array in arrays:
            array.setflags(write=False)

    @functools.cached_property
    def sorted_codes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The cells' codes in ascending order, and the row of each."""
        codes = cells.codes(cells.prune(*cells.complete(self.adjacency, self.operations, self.num_nodes)))
        order = np.argsort(codes)
        return codes[order], order


def find_nasbench101(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Path of the compact file if there is one, otherwise of one of the benchmark's own.

    Raises:
        DataNotFound: None of them is in the data directory.
    """
    candidates = [
        f"{folder}{name}" for name in (COMPACT_FILE, *OFFICIAL_FILES) for folder in ("nasbench101/", "")
    ]
    return find_data(
        candidates,
        what="NAS-Bench-101 table",
        how_to_get=HOW_TO_GET,
        data_dir=data_dir,
        command=_COMMAND,
    )


class NASBench101Table(Table):
    """Results on CIFAR-10 of the cells of NAS-Bench-101.

    ``test_accuracy`` is the mean of the three repeats. The compact file has it at 108 epochs only; its
    ``validation_accuracy`` is that of one repeat and known for 30,001 cells, at all four budgets. In the
    benchmark's own files both are means of the repeats and known for every cell.

    Args:
        results: The contents of the file.
        path: The file.
    """

    datasets = ("cifar10",)

    def __init__(self, results: Results, path: str | os.PathLike[str]) -> None:
        self.results = results
        self.path = Path(path)
        self.space = NASBench101()
        self.budgets = tuple(sorted({budget for budget, _ in results.accuracies}))

    def __len__(self) -> int:
        return len(self.results.num_nodes)

    def architecture(self, row: int) -> Architecture:
        """The cell of ``row`` as the table has it: pruned."""
        n = int(self.results.num_nodes[row])
        return Architecture.from_trusted(
            self.results.adjacency[row, :n, :n].copy(), self.results.operations[row, :n].copy()
        )

    def architectures(self, rows: NDArray[np.int64] | None = None) -> list[Architecture]:
        """The pruned cells of ``rows``, by default of all."""
        wanted = range(len(self)) if rows is None else rows.tolist()
        return [self.architecture(row) for row in wanted]

    def md5(self, row: int) -> str:
        """The benchmark's hash of the cell of ``row``."""
        return self.results.md5[row].tobytes().hex()

    def rows(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> NDArray[np.int64]:
        """The row of each cell, however it is written; -1 if the file does not have it.

        Raises:
            InvalidArchitecture: An architecture is not in the space.
        """
        wanted = self.space.codes(architectures)
        known, order = self.results.sorted_codes
        places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        return np.where(known[places] == wanted, order[places], -1)

    def figures(
        self, dataset: str, budget: int, metric: str, rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Accuracy in percent; NaN at row -1."""
        values = self.results.accuracies.get((budget, metric))
        if values is None:
            return np.full(len(self) if rows is None else len(rows), np.nan)
        return values if rows is None else np.where(rows < 0, np.nan, values[rows])

    def seconds(self, dataset: str, budget: int, metric: str, row: int) -> float | None:
        """Seconds of training on the benchmark's hardware (TPU v2): of one repeat, or the repeats' mean."""
        if budget not in self.results.seconds:
            return None
        value = float(self.results.seconds[budget][row])
        return None if np.isnan(value) else value

    def complexity(self, dataset: str, row: int) -> tuple[int, int]:
        """Parameters and multiply-accumulates of the benchmark's network."""
        return int(self.results.parameters[row]), int(self.results.macs[row])


# -------------------------------------------------------------------- the compact file


def read_compact(path: Path) -> Results:
    """Read the file ``nasbench101.npz``.

    ``adj_bits`` has bit ``x + y (y - 1) / 2`` set for the edge ``x -> y``, ``ops`` the operations of the
    vertices 1 to n - 2 (0 conv3x3, 1 conv1x1, 2 maxpool3x3, 255 none), accuracies are fractions. Those of
    fewer epochs than 108 may be missing.

    Raises:
        CorruptData: It is truncated, damaged or of another kind.
    """
    arrays = _load(path)
    count = len(arrays["n_nodes"])
    known = arrays["val_idx"].astype(np.int64)
    lengths = dict.fromkeys(("adj_bits", "ops", "test_acc", "params", "macs", "md5"), count)
    budgets = [epochs for epochs in EPOCHS if f"val_acc_{epochs}" in arrays]
    lengths |= dict.fromkeys([f"val_acc_{epochs}" for epochs in budgets] + ["train_time_108"], len(known))
    for name, length in lengths.items():
        if len(arrays[name]) != length:
            raise CorruptData(f"{path}: {name} has {len(arrays[name])} entries, expected {length}")
    if arrays["ops"].shape[1:] != (VERTICES - 2,) or arrays["md5"].shape[1:] != (16,):
        raise CorruptData(
            f"{path}: ops and md5 must have 5 and 16 columns, "
            f"got {arrays['ops'].shape} and {arrays['md5'].shape}"
        )
    if len(known) and not (known.min() >= 0 and known.max() < count and len(np.unique(known)) == len(known)):
        raise CorruptData(f"{path}: val_idx must hold different rows in 0..{count - 1}")
    adjacency, operations, sizes = _decoded(path, arrays)

    def spread(values: NDArray[Any]) -> NDArray[np.float64]:
        every = np.full(count, np.nan)
        every[known] = values
        return every

    accuracies = {(108, "test_accuracy"): _percent(path, "test_acc", arrays["test_acc"])}
    for epochs in budgets:
        name = f"val_acc_{epochs}"
        accuracies[epochs, "validation_accuracy"] = spread(_percent(path, name, arrays[name]))
    return Results(
        adjacency,
        operations,
        sizes,
        arrays["md5"],
        accuracies,
        {108: spread(arrays["train_time_108"])},
        arrays["params"].astype(np.int64),
        arrays["macs"].astype(np.int64),
    )


def _load(path: Path) -> dict[str, NDArray[Any]]:
    names = ["n_nodes", "adj_bits", "ops", "test_acc", "params", "macs", "md5", "val_idx", "train_time_108"]
    names += ["val_acc_108"]
    optional = [f"val_acc_{epochs}" for epochs in EPOCHS[:-1]]
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in names if name not in file.files]
            there = [] if missing else [*names, *(name for name in optional if name in file.files)]
            arrays = {name: file[name] for name in there}
    except (
        OSError,
        EOFError,
        ValueError,
        TypeError,
        AttributeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise CorruptData(f"{path} is not a complete npz file ({error}); copy it again") from error
    if missing:
        raise CorruptData(f"{path} is another file: it has no array {', '.join(missing)}")
    for name, values in arrays.items():
        if values.dtype.kind not in "uif" or values.ndim not in (1, 2) or len(values) == 0:
            raise CorruptData(f"{path}: {name} must hold numbers, got {values.dtype} {values.shape}")
    return arrays


def _decoded(
    path: Path, arrays: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[np.int8], NDArray[np.int16], NDArray[np.int64]]:
    """Adjacency, operations and sizes of the cells, checked to be pruned and within the space."""
    sizes = arrays["n_nodes"].astype(np.int64)
    if sizes.min() < 2 or sizes.max() > VERTICES:
        raise CorruptData(f"{path}: n_nodes must be in 2..{VERTICES}")
    bits = arrays["adj_bits"].astype(np.int64)
    adjacency = np.zeros((len(sizes), VERTICES, VERTICES), np.int8)
    for target in range(VERTICES):
        for source in range(target):
            adjacency[:, source, target] = bits >> (source + target * (target - 1) // 2) & 1
    operations = np.zeros((len(sizes), VERTICES), np.int16)
    inner = np.arange(1, VERTICES - 1)[None, :] < sizes[:, None] - 1
    codes = arrays["ops"].astype(np.int64)
    if not (codes[inner] <= 2).all():
        raise CorruptData(f"{path}: an operation is none of 0 (conv3x3), 1 (conv1x1) and 2 (maxpool3x3)")
    operations[:, 1:-1] = np.where(inner, codes + CONV3X3, 0)
    operations[np.arange(len(sizes)), sizes - 1] = OUTPUT
    pruned = cells.prune(*cells.complete(adjacency, operations, sizes))
    whole = (
        ((pruned.labels > 0).sum(1) == sizes - 2) & pruned.valid & (pruned.num_edges == adjacency.sum((1, 2)))
    )
    if not whole.all():
        raise CorruptData(f"{path}: row {int(np.argmin(whole))} is not a NAS-Bench-101 cell")
    return adjacency, operations, sizes


def _percent(path: Path, name: str, fractions: NDArray[Any]) -> NDArray[np.float64]:
    values = fractions.astype(np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise CorruptData(f"{path}: {name} holds values that are no fractions in 0..1")
    return 100 * values
