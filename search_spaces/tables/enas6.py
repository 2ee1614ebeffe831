"""D-VAE's table of 19,020 six-layer ENAS networks: the compact file, and the official text file.

Zhang et al., "D-VAE: A Variational Autoencoder for Directed Acyclic Graphs" (NeurIPS 2019), section 4.1; the
operation embeddings DVAE-EMB and GCN-EMB (ICCV Workshops 2021) use the same data and split. The accuracies
are weight-sharing accuracies on CIFAR-10: each network is evaluated on 5,000 validation images with the
weights of one ENAS supernet, without training of its own.
"""

from __future__ import annotations

import json
import os
import random
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphnas.data_directory import find_data
from graphnas.errors import CorruptData, InvalidArchitecture
from graphnas.graph.architecture import Architecture
from search_spaces.enas import ENASMacro6
from search_spaces.tables.base import Table

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch

COMPACT_FILE = "enas6.npz"
OFFICIAL_FILE = "final_structures6.txt"
SIZE = 19_020
BURN_IN = 1_000
"""First lines of the official file, which D-VAE's loader drops: the supernet was still being trained."""

HOW_TO_GET = (
    f"That file is data/{OFFICIAL_FILE} (1.7 MB) of https://github.com/muhanzhang/D-VAE; or copy the compact "
    f"{COMPACT_FILE} (0.1 MB)."
)
_COMMAND = (
    f"curl --create-dirs -o {{directory}}/{OFFICIAL_FILE} "
    f"https://raw.githubusercontent.com/muhanzhang/D-VAE/master/data/{OFFICIAL_FILE}"
)


def find_enas6(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Path of the compact file if there is one, otherwise of the official one.

    Raises:
        DataNotFound: Neither is in the data directory.
    """
    candidates = [f"{folder}{name}" for name in (COMPACT_FILE, OFFICIAL_FILE) for folder in ("enas/", "")]
    return find_data(
        candidates, what="ENAS 6-layer table", how_to_get=HOW_TO_GET, data_dir=data_dir, command=_COMMAND
    )


class ENAS6Table(Table):
    """The weight-sharing accuracies; rows are in the order of the file.

    Five of the 19,020 architectures occur twice, with the same accuracy; :meth:`rows` gives the first row.
    The only budget is 0 epochs, since no network was trained by itself; there are no test accuracies.

    Args:
        path: ``enas6.npz`` or ``final_structures6.txt``.

    Raises:
        CorruptData: The file is truncated, damaged or of another kind.
    """

    datasets = ("cifar10",)
    budgets = (0,)
    metrics = ("validation_accuracy",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.space = ENASMacro6()
        read = _read_compact if self.path.suffix == ".npz" else _read_official
        self._codes, self._skips, accuracies = read(self.path)
        try:
            self._adjacency, self._operations = self.space.arrays_from_codes(self._codes, self._skips)
        except InvalidArchitecture as error:
            raise CorruptData(f"{self.path}: {error}") from error
        if len(self._codes) != SIZE or accuracies.shape != (SIZE,):
            raise CorruptData(
                f"{self.path} has {len(self._codes)} architectures and {len(accuracies)} accuracies, "
                f"expected {SIZE} of each; copy it again"
            )
        if not ((accuracies >= 0) & (accuracies <= 1)).all():
            raise CorruptData(f"{self.path} holds accuracies that are not in 0..1")
        # The file has four decimals; the compact one holds them in single precision.
        self._percent = np.round(accuracies.astype(np.float64) * 100, 2)
        self._percent.setflags(write=False)
        numbers = _numbers(self._codes, self._skips)
        self._sorted, self._first_rows = np.unique(numbers, return_index=True)

    def __len__(self) -> int:
        return SIZE

    def architecture(self, row: int) -> Architecture:
        """The architecture of ``row``."""
        return Architecture.from_trusted(self._adjacency[row].copy(), self._operations[row].copy())

    def architectures(self) -> list[Architecture]:
        """All 19,020 architectures, the five repeated ones included."""
        return [self.architecture(row) for row in range(SIZE)]

    def rows(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> NDArray[np.int64]:
        """The first row of each architecture, -1 where the table does not have it."""
        numbers = _numbers(*self.space.to_codes(architectures))
        position = np.minimum(np.searchsorted(self._sorted, numbers), len(self._sorted) - 1)
        return np.where(self._sorted[position] == numbers, self._first_rows[position], -1)

    def figures(
        self, dataset: str, budget: int, metric: str, rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Weight-sharing accuracy in percent; NaN at row -1 and for the test accuracy."""
        if metric != "validation_accuracy":
            return np.full(SIZE if rows is None else len(rows), np.nan)
        return self._percent if rows is None else np.where(rows < 0, np.nan, self._percent[rows])

    def seconds(self, dataset: str, budget: int, metric: str, row: int) -> float | None:
        """None: not recorded."""
        return None

    def complexity(self, dataset: str, row: int) -> tuple[int, int]:
        """Parameters and multiply-accumulates of the network that ``ENASMacro6().build`` gives by default."""
        return self.space.complexity(self.architecture(row))

    # ---------------------------------------------------------------- the published protocol

    def split(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of the published training and test set, 17,118 and 1,902.

        D-VAE shuffles the rows with Python's ``random.Random(0)`` and takes the first nine tenths; the rows
        are returned in that order.
        """
        rows = list(range(SIZE))
        random.Random(0).shuffle(rows)
        train = int(0.9 * SIZE)
        return np.array(rows[:train], np.int64), np.array(rows[train:], np.int64)

    def standardised_targets(self) -> NDArray[np.float64]:
        """``(19020,)`` accuracies less the training set's mean, divided by its standard deviation.

        Errors in this unit are the sigma units of the published tables. The published code regresses on the
        negative of it, because its Bayesian optimisation minimises.
        """
        train = self._percent[self.split()[0]]
        return (self._percent - train.mean()) / train.std()


def _numbers(codes: NDArray[Any], skips: NDArray[Any]) -> NDArray[np.int64]:
    """An integer for each architecture: base 6 for the operations, base 2 for the skips."""
    operations = codes.astype(np.int64) @ 6 ** np.arange(codes.shape[1])
    return operations * 2 ** skips.shape[1] + skips.astype(np.int64) @ 2 ** np.arange(skips.shape[1])


_Columns = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


_NO_ARRAYS = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError)


def _read_compact(path: Path) -> _Columns:
    """Operation codes, skip bits and accuracies (0 to 1) of the rows after the burn-in."""
    try:
        with np.load(path, allow_pickle=False) as content:
            columns = content["ops"], content["skip"], content["ws_acc"]
    except (*_NO_ARRAYS, zipfile.BadZipFile, zlib.error) as error:
        raise CorruptData(f"{path} is not the compact ENAS table ({error}); copy it again") from error
    if any(column.dtype.kind not in kinds for column, kinds in zip(columns, ("iu", "iu", "f"), strict=True)):
        kinds = [str(column.dtype) for column in columns]
        raise CorruptData(f"{path}: expected two arrays of integers and one of floats, got {kinds}")
    return columns


def _read_official(path: Path) -> _Columns:
    """The same from the text file, whose lines are ``[[op], [op, bit], [op, bit, bit], ...], accuracy``."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptData(f"{path} is not a text file ({error})") from error
    if len(lines) != SIZE + BURN_IN:
        raise CorruptData(
            f"{path} has {len(lines)} lines, expected {SIZE + BURN_IN}; it is truncated or another file"
        )
    codes, skips, accuracies = [], [], []
    lengths = list(range(1, 7))
    for number, line in enumerate(lines[BURN_IN:], start=BURN_IN + 1):
        try:
            layers, accuracy = json.loads(f"[{line}]")
            if [len(layer) for layer in layers] != lengths:
                raise ValueError("expected six layers of 1 to 6 numbers")
            if any(type(value) is not int for layer in layers for value in layer):
                raise ValueError("operations and bits must be integers")
            codes.append([layer[0] for layer in layers])
            skips.append([bit for layer in layers for bit in layer[1:]])
            accuracies.append(float(accuracy))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise CorruptData(f"{path}, line {number}: {line[:60]!r} ({error})") from error
    return np.array(codes), np.array(skips), np.array(accuracies)
