"""The benchmark's own files, ``nasbench_only108.tfrecord`` and ``nasbench_full.tfrecord``.

Each record is one training run as JSON: the cell's hash, the epochs, the adjacency matrix as a string of 0
and 1, the operations joined by commas, and a base64 protocol buffer. In that message (``ModelMetrics`` of the
released code) field 1 holds the measurements at the start, at half time and at the end, and field 2 the
number of parameters; a measurement has the training seconds in field 2, the validation accuracy in field 4
and the test accuracy in field 5.
"""

from __future__ import annotations

import base64
import json
from array import array
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from graphnas.errors import CorruptData, InvalidArchitecture
from graphnas.graph.architecture import Architecture
from search_spaces import nasbench101_cells as cells
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench101_cells import VERTICES
from search_spaces.tables.nasbench101 import EPOCHS, Results
from search_spaces.tables.protobuf import read_fields
from search_spaces.tables.tfrecord import read_records

_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError)
_RECORD_BYTES = 400  # about, for the progress bar


def read_official(path: Path) -> Results:
    """Read all runs; accuracies and seconds are the mean over the repeats of a cell and budget.

    The smaller file takes about half a minute and the larger one two minutes, shown by a progress bar.

    Raises:
        CorruptData: A checksum does not match, or a record is not laid out as above.
    """
    runs = _Runs()
    total = path.stat().st_size // _RECORD_BYTES
    # disable=None: no bar where the output is not a terminal.
    bar = tqdm(read_records(path), f"reading {path.name}", total, disable=None if total > 10_000 else True)
    for number, record in enumerate(bar):
        try:
            runs.add(record)
        except (CorruptData, InvalidArchitecture, *_MALFORMED) as error:
            raise CorruptData(f"{path}: record {number} is not a run of NAS-Bench-101 ({error})") from error
    if not runs.rows:
        raise CorruptData(f"{path} holds no record")
    return runs.results()


class _Runs:
    def __init__(self) -> None:
        self.space = NASBench101()
        self.rows: dict[bytes, int] = {}
        self.cells: list[Architecture] = []
        self.parameters = array("q")
        self.row, self.budget = array("q"), array("q")
        self.measured = array("d")  # validation accuracy, test accuracy and seconds of each run, in turn

    def add(self, record: bytes) -> None:
        md5, epochs, matrix, operations, encoded = json.loads(record)
        if epochs not in EPOCHS:
            raise CorruptData(f"{epochs!r} epochs are not one of {EPOCHS}")
        metrics = read_fields(base64.b64decode(encoded, validate=True))
        final = read_fields(_bytes(metrics[1][2]))
        measured = [_float(final[field][0]) for field in (4, 5, 2)]
        if not (0 <= measured[0] <= 1 and 0 <= measured[1] <= 1):
            raise CorruptData(f"accuracies {measured[:2]} are no fractions in 0..1")
        digest = bytes.fromhex(md5)
        row = self.rows.get(digest)
        if row is None:
            row = self.rows[digest] = len(self.cells)
            self.cells.append(self._cell(digest, matrix, operations))
            self.parameters.append(int(_float(metrics[2][0])))
        self.row.append(row)
        self.budget.append(epochs)
        self.measured.extend(measured)

    def _cell(self, digest: bytes, matrix: str, operations: str) -> Architecture:
        names = operations.split(",")
        if len(digest) != 16 or len(matrix) != len(names) ** 2 or set(matrix) - {"0", "1"}:
            raise CorruptData(f"hash {digest.hex()}, matrix {matrix!r} and operations {operations!r}")
        entries = np.array(list(matrix), np.int64).reshape(len(names), len(names))
        return self.space.from_matrix(entries, names)

    def results(self) -> Results:
        """Rows in the order of the hash, whatever the order of the file."""
        digests = list(self.rows)
        order = np.array(sorted(range(len(digests)), key=digests.__getitem__))
        count = len(order)
        place = np.empty(count, np.int64)
        place[order] = np.arange(count)
        adjacency = np.zeros((count, VERTICES, VERTICES), np.int8)
        operations = np.zeros((count, VERTICES), np.int16)
        for k, old in enumerate(order.tolist()):
            cell = self.cells[old]
            adjacency[k, : cell.num_nodes, : cell.num_nodes] = cell.adjacency
            operations[k, : cell.num_nodes] = cell.operations
        sizes = np.array([self.cells[old].num_nodes for old in order.tolist()], np.int64)
        rows, budgets = place[np.array(self.row)], np.array(self.budget)
        measured = np.array(self.measured).reshape(-1, 3)
        accuracies, seconds = {}, {}
        for budget in np.unique(budgets).tolist():
            at = budgets == budget
            means = [_means(rows[at], measured[at, column], count) for column in range(3)]
            accuracies[budget, "validation_accuracy"] = 100 * means[0]
            accuracies[budget, "test_accuracy"] = 100 * means[1]
            seconds[budget] = means[2]
        pruned = cells.prune(*cells.complete(adjacency, operations, sizes))
        return Results(
            adjacency,
            operations,
            sizes,
            np.frombuffer(b"".join(digests[old] for old in order), np.uint8).reshape(count, 16).copy(),
            accuracies,
            seconds,
            np.array(self.parameters, np.int64)[order],
            cells.complexity(pruned)[1],
        )


def _means(rows: NDArray[np.int64], values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    repeats = np.bincount(rows, minlength=count)
    sums = np.bincount(rows, weights=values, minlength=count)
    means = np.full(count, np.nan)
    np.divide(sums, repeats, out=means, where=repeats > 0)
    return means


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise CorruptData(f"expected a message, got {value!r}")
    return value


def _float(value: object) -> float:
    if not isinstance(value, int | float):
        raise CorruptData(f"expected a number, got {value!r}")
    return float(value)
