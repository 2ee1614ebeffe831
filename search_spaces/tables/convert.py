"""Turns the benchmarks' official files into our compact ones, which are small and open at once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from graphnas.errors import CorruptData, DataNotFound, InvalidArgument
from search_spaces.nasbench101_cells import CONV3X3
from search_spaces.tables import enas6, nasbench101, nasbench201
from search_spaces.tables.compact_csv import write_columns
from search_spaces.tables.enas6 import ENAS6Table
from search_spaces.tables.nasbench101_official import read_official
from search_spaces.tables.nasbench201 import NUM_CLASSES, CompactTable, column_name, official_strings
from search_spaces.tables.nats_bench import NATSBenchTable


def convert(name: str, source: Path, output: Path, *, overwrite: bool = False) -> Path:
    """Write the compact file of the official one.

    The file is written beside its place and read again before it gets there, so that an interrupted or failed
    conversion leaves nothing behind.

    Args:
        name: One of :data:`CONVERTERS`.
        source: ``nasbench_only108.tfrecord`` or ``nasbench_full.tfrecord``; the unpacked directory or single
            file of NATS-Bench's topology space; ``final_structures6.txt`` of D-VAE.
        output: The data directory; the file goes into the table's folder in it.
        overwrite: Whether an existing file is replaced.

    Returns:
        The path of the compact file.

    Raises:
        InvalidArgument: There is no converter of that name, the file exists, or it cannot be written.
        DataNotFound: ``source`` does not exist.
        CorruptData: ``source`` is damaged, of another kind, or lacks results.
    """
    if name not in CONVERTERS:
        raise InvalidArgument(f"cannot convert {name!r}; known: {', '.join(CONVERTERS)}")
    if not source.exists():
        raise DataNotFound(f"{source} not found; give the official file of {name}")
    write, file_name, read = CONVERTERS[name]
    target = output / FOLDERS.get(name, name) / file_name
    if target.exists() and not overwrite:
        raise InvalidArgument(f"{target} exists; remove it, or add --force to replace it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".converting-") as folder:
            written = Path(folder) / file_name
            write(source, written)
            read(written)
            os.replace(written, target)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise InvalidArgument(f"cannot write {target}: {error}") from error
    return target


def _write_enas6(source: Path, target: Path) -> None:
    table = ENAS6Table(source)
    codes, skips = table.space.to_codes(table.architectures())
    accuracies = table.figures("cifar10", 0, "validation_accuracy") / 100
    _save(target, ops=codes.astype(np.uint8), skip=skips, ws_acc=accuracies.astype(np.float32))


def _write_nasbench101(source: Path, target: Path) -> None:
    results = read_official(source)
    count = len(results.num_nodes)
    inner = np.arange(1, 6)[None, :] < results.num_nodes[:, None] - 1
    bits = np.zeros(count, np.uint32)
    for y in range(results.adjacency.shape[1]):
        for x in range(y):
            bits |= results.adjacency[:, x, y].astype(np.uint32) << np.uint32(x + y * (y - 1) // 2)
    validation = {b: v for (b, m), v in results.accuracies.items() if m == "validation_accuracy"}
    test = {b: v for (b, m), v in results.accuracies.items() if m == "test_accuracy"}
    if 108 not in validation or np.isnan(test[108]).any():
        raise CorruptData(f"{source} does not have the results of 108 epochs for each of its {count} cells")
    known = np.flatnonzero(~np.isnan(np.stack(list(validation.values()))).any(0))
    arrays: dict[str, Any] = {f"val_acc_{epochs}": v[known] / 100 for epochs, v in validation.items()}
    arrays["test_acc"] = test[108] / 100
    arrays["train_time_108"] = results.seconds[108][known]
    _save(
        target,
        n_nodes=results.num_nodes.astype(np.uint8),
        adj_bits=bits,
        ops=np.where(inner, results.operations[:, 1:6] - CONV3X3, 255).astype(np.uint8),
        params=results.parameters.astype(np.int32),
        macs=results.macs,
        md5=results.md5,
        val_idx=known.astype(np.int32),
        **{name: values.astype(np.float32) for name, values in arrays.items()},
    )


def _write_nasbench201(source: Path, target: Path) -> None:
    table = NATSBenchTable(source)
    columns: dict[str, Any] = {"index": table.official_index.tolist(), "arch": official_strings()}  # type: ignore[union-attr]
    for dataset in NUM_CLASSES:
        for budget in table.budgets:
            for metric in table.metrics:
                values = table.figures(dataset, budget, metric)
                if np.isnan(values).any():
                    raise CorruptData(
                        f"{source} lacks the {metric} on {dataset} after {budget} epochs of "
                        f"{int(np.isnan(values).sum())} cells"
                    )
                columns[column_name(dataset, budget, metric)] = [f"{value:.10g}" for value in values]
    for prefix, dataset in (("c10", "cifar10"), ("in16", "imagenet16-120")):
        seconds = [table.seconds(dataset, 200, "test_accuracy", row) for row in range(len(table))]
        epochs = [float("nan") if s is None else s / 200 for s in seconds]
        columns[f"{prefix}_epoch_s"] = [f"{s:.10g}" for s in epochs]
    write_columns(target, columns)


def _save(path: Path, **arrays: Any) -> None:
    with path.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


CONVERTERS: dict[str, tuple[Callable[[Path, Path], None], str, Callable[[Path], object]]] = {
    "enas6": (_write_enas6, enas6.COMPACT_FILE, ENAS6Table),
    "nasbench101": (_write_nasbench101, nasbench101.COMPACT_FILE, nasbench101.read_compact),
    "nasbench201": (_write_nasbench201, nasbench201.COMPACT_FILE, CompactTable),
}
"""For each name: what writes the compact file, its name, and what reads it."""

FOLDERS = {"enas6": "enas"}
"""Folders of the data directory whose name is not the table's."""
