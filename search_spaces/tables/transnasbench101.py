"""The results of TransNAS-Bench-101's micro space on seven tasks, from the compact file (0.2 MB)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graphnas.data_directory import find_data
from graphnas.errors import CorruptData
from graphnas.graph.architecture import Architecture
from search_spaces.tables.base import Table, read_once
from search_spaces.tables.compact_csv import read_columns, read_numbers
from search_spaces.transnasbench101 import OPERATIONS, SIZE, TransNASBench101

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch

COMPACT_FILE = "transnasbench101_micro.csv.gz"
TASKS = ("class_scene", "class_object", "room_layout", "jigsaw", "segmentsemantic", "normal", "autoencoder")
EPOCHS = dict.fromkeys(TASKS, 25) | {"jigsaw": 10, "segmentsemantic": 30, "normal": 30, "autoencoder": 30}
OUTPUTS = {"class_scene": 47, "class_object": 75, "room_layout": 9, "jigsaw": 1000}
_UNITS = dict.fromkeys(TASKS, "%") | {"room_layout": "-loss", "normal": "SSIM", "autoencoder": "SSIM"}
_RANGES = {"%": (0.0, 100.0), "-loss": (-np.inf, 0.0), "SSIM": (-1.0, 1.0)}
HOW_TO_GET = (
    f"Copy the compact {COMPACT_FILE} (0.2 MB), which holds the validation figures of "
    "https://github.com/yawen-d/TransNASBench."
)


def find_transnasbench101(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Path of the compact file.

    Raises:
        DataNotFound: It is not in the data directory.
    """
    return find_data(
        [f"transnasbench101/{COMPACT_FILE}", COMPACT_FILE],
        what="TransNAS-Bench-101 table",
        how_to_get=HOW_TO_GET,
        data_dir=data_dir,
    )


class TransNASBench101Table(Table):
    """Each task's validation figure of one training run, larger is better; rows as in ``enumerate()``.

    Classes of scenes and objects and jigsaw have top-1 accuracies and segmentsemantic the accuracy of pixels,
    in percent; room_layout has the negative loss, and autoencoder and normal a structural similarity (SSIM).
    Networks that compute the same may share a run: 2,994 of the 4,096 rows are different.

    Args:
        path: The file ``transnasbench101_micro.csv.gz``.

    Raises:
        CorruptData: The file is truncated, damaged or of another kind.
    """

    datasets = TASKS
    metrics = ("validation_score",)
    budgets = (10, 25, 30)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.space = TransNASBench101()
        self.path = Path(path)
        self._columns = read_once(_read, self.path)

    def __len__(self) -> int:
        return SIZE

    def budgets_of(self, dataset: str) -> tuple[int, ...]:
        """The epochs of the one training run: 10, 25 or 30."""
        return (EPOCHS[dataset],)

    def unit(self, dataset: str, metric: str) -> str:
        """``%``, ``SSIM`` or ``-loss``."""
        return _UNITS[dataset]

    def architectures(self) -> list[Architecture]:
        """All 4,096 cells."""
        return list(self.space.enumerate())

    def architecture(self, row: int) -> Architecture:
        """The cell of ``row``."""
        return self.space.at(row)

    def rows(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> NDArray[np.int64]:
        """The row of each cell."""
        return self.space.ordinals(architectures)

    def figures(
        self, dataset: str, budget: int, metric: str, rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """The figure of the task."""
        values = self._columns[dataset]
        return values if rows is None else values[rows]

    def seconds(self, dataset: str, budget: int, metric: str, row: int) -> float | None:
        """None: not in the file."""
        return None

    def complexity(self, dataset: str, row: int) -> tuple[int | None, int | None]:
        """Of the networks with a linear head; None for jigsaw (nine inputs) and the tasks with a decoder."""
        if dataset not in OUTPUTS or dataset == "jigsaw":
            return None, None
        return self.space.complexity(self.space.at(row), OUTPUTS[dataset])


def _read(path: Path) -> Mapping[str, NDArray[np.float64]]:
    """The tasks' columns, rows in the order of ``TransNASBench101().enumerate()``."""
    text = read_columns(path, ["ops", *TASKS])
    codes = text["ops"]
    wrong = next((code for code in codes if len(code) != 6 or set(code) - set("0123")), None)
    if wrong is not None:
        raise CorruptData(f"{path}: {wrong!r} is not a TransNAS-Bench-101 cell of six digits in 0..3")
    ordinals = np.array([int(code, len(OPERATIONS)) for code in codes])
    if len(codes) != SIZE or len(set(codes)) != SIZE:
        raise CorruptData(
            f"{path}: {len(codes)} rows with {len(set(codes))} different cells, expected {SIZE}; "
            "the file is truncated or edited, copy it again"
        )
    columns = {}
    for task in TASKS:
        values = read_numbers(path, task, text[task])[np.argsort(ordinals)]
        least, most = _RANGES[_UNITS[task]]
        if not (np.isfinite(values) & (values >= least) & (values <= most)).all():
            raise CorruptData(f"{path}: column {task!r} holds values that are not in {least:g}..{most:g}")
        values.setflags(write=False)
        columns[task] = values
    return columns
