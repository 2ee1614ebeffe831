"""The tables and image sets that graphnas knows: what they are, where they are, and reading them whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphnas.data_directory import installed_file
from graphnas.errors import CorruptData, GraphNASError

if TYPE_CHECKING:
    from graphnas.training.images import ImageData

DataDirectory = str | os.PathLike[str] | None


class DataSet(NamedTuple):
    """Something that is looked for.

    Attributes:
        name: Its name on the command line.
        what: What it holds, in a few words.
        size: Size of the smallest file that serves.
        find: The path in a data directory or a package; raises an error that says how to get it.
        check: Reads all of it; returns what it found, one line each.
    """

    name: str
    what: str
    size: str
    find: Callable[[DataDirectory], Path]
    check: Callable[[DataDirectory], list[str]]


def known_data() -> list[DataSet]:
    """Everything that is looked for, tables first."""
    from graphnas.training.cifar10 import find_cifar10
    from graphnas.training.cifar100 import find_cifar100
    from graphnas.training.tiny_imagenet import find_tiny_imagenet
    from search_spaces.tables.enas6 import find_enas6
    from search_spaces.tables.nasbench101 import find_nasbench101
    from search_spaces.tables.nasbench201 import find_nasbench201, find_nasbench201_latencies
    from search_spaces.tables.nasbench_graph import find_nasbench_graph
    from search_spaces.tables.transnasbench101 import find_transnasbench101

    def of(space: str) -> Callable[[DataDirectory], list[str]]:
        return lambda data_dir: check_table(space, data_dir)

    return [
        DataSet("enas6", "table of ENASMacro6", "0.1 MB", find_enas6, of("enas6")),
        DataSet("nasbench101", "table of NASBench101", "11 MB", find_nasbench101, of("nasbench101")),
        DataSet("nasbench201", "table of NASBench201", "0.9 MB", find_nasbench201, of("nasbench201")),
        DataSet(
            "nasbench201-latencies",
            "latencies on 24 devices",
            "1.9 MB",
            find_nasbench201_latencies,
            _check_latencies,
        ),
        DataSet(
            "nasbenchgraph",
            "tables of NASBenchGraph",
            "6 MB",
            lambda data_dir: find_nasbench_graph(data_dir).parent,
            of("nasbenchgraph"),
        ),
        DataSet(
            "transnasbench101",
            "table of TransNASBench101",
            "0.2 MB",
            find_transnasbench101,
            of("transnasbench101"),
        ),
        DataSet(
            "cifar10", "images", "163 MB", lambda data_dir: find_cifar10(data_dir).parent, _check_cifar10
        ),
        DataSet(
            "cifar100", "images", "161 MB", lambda data_dir: find_cifar100(data_dir).parent, _check_cifar100
        ),
        DataSet("tinyimagenet", "images", "237 MB", find_tiny_imagenet, _check_tiny_imagenet),
        DataSet("digits", "images", "-", _find_digits, _check_digits),
    ]


def where(data: DataSet, data_dir: DataDirectory) -> tuple[Path | None, str]:
    """Where it is, or None and the message that says how to get it."""
    try:
        return data.find(data_dir), ""
    except GraphNASError as error:
        return None, str(error)


def check_table(space_name: str, data_dir: DataDirectory) -> list[str]:
    """Read every figure of a table; the loaders check row counts and ranges.

    Raises:
        GraphNASError: It is missing, truncated, damaged or of another kind.
    """
    from search_spaces import get_space
    from search_spaces.tables import open_table

    table = open_table(get_space(space_name), data_dir)
    lines = [f"{len(table):,} architectures in {table.path}"]
    for dataset in table.datasets:
        for budget in table.budgets_of(dataset):
            for metric in table.metrics:
                values = table.figures(dataset, budget, metric)
                known = values[~np.isnan(values)]
                if not len(known):
                    continue
                epochs = f", {budget} epochs" if budget else ""
                lines.append(
                    f"{dataset}{epochs}, {metric.replace('_', ' ')}: {len(known):,} values, "
                    f"{known.min():.4g} to {known.max():.4g} {table.unit(dataset, metric)}"
                )
    return lines


def _check_latencies(data_dir: DataDirectory) -> list[str]:
    from search_spaces.tables.nasbench201 import find_nasbench201_latencies, read_hardware

    path = find_nasbench201_latencies(data_dir)
    columns = read_hardware(path)
    lines = [f"{len(columns['index']):,} cells, {len(columns) - 1} columns in {path}"]
    for name, values in columns.items():
        missing = int(np.isnan(values).sum())
        if missing:
            lines.append(f"{name}: not measured for {missing:,} cells")
    return lines


def _check_cifar10(data_dir: DataDirectory) -> list[str]:
    from graphnas.training.cifar10 import find_cifar10, load_cifar10

    return [_contents(load_cifar10(data_dir), find_cifar10(data_dir).parent)]


def _check_cifar100(data_dir: DataDirectory) -> list[str]:
    from graphnas.training.cifar100 import find_cifar100, load_cifar100

    return [_contents(load_cifar100(data_dir), find_cifar100(data_dir).parent)]


def _check_tiny_imagenet(data_dir: DataDirectory) -> list[str]:
    from graphnas.training.tiny_imagenet import find_tiny_imagenet, load_tiny_imagenet

    folder = find_tiny_imagenet(data_dir)
    return [_contents(load_tiny_imagenet(folder), folder)]


def _contents(images: ImageData, folder: Path) -> str:
    counts = f"{len(images.train.labels):,} training and {len(images.test.labels):,} test images"
    return f"{counts} in {folder}"


def _find_digits(_data_dir: DataDirectory) -> Path:
    found = installed_file("scikit-learn", "sklearn/datasets/data/digits.csv.gz")
    if found is None:
        raise CorruptData("scikit-learn is installed without its handwritten digits; install it again")
    return found


def _check_digits(data_dir: DataDirectory) -> list[str]:
    from sklearn.datasets import load_digits

    return [f"{len(load_digits().target):,} images in {_find_digits(data_dir)}"]
