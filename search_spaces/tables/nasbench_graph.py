"""The results of NAS-Bench-Graph on nine graph data sets, as the package nas-bench-graph carries them.

Its folder ``nas_bench_graph/light`` holds one pickle per data set, ``cora.bench`` and so on: the code of an
architecture to ``valid_perf`` and ``perf`` (validation and test, fractions, the mean of three seeds),
``latency`` (seconds) and ``para`` (millions of parameters). The package's code is not imported.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graphnas.data_directory import find_data
from graphnas.errors import CorruptData, DataNotFound
from graphnas.graph.architecture import Architecture
from search_spaces.nasbench_graph import SIZE, NASBenchGraph
from search_spaces.nasbench_graph_codes import known_codes
from search_spaces.tables.base import Table, read_once
from search_spaces.tables.restricted_pickle import load_plain

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch

DATASETS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")
ROWS = dict.fromkeys(DATASETS, SIZE) | {"proteins": 2_021}
PACKAGE = "nas-bench-graph"
HOW_TO_GET = "The package (6 MB) has the tables of all nine data sets."
_FIELDS = {"validation_accuracy": "valid_perf", "test_accuracy": "perf", "latency": "latency", "size": "para"}


def find_nasbench_graph(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Path of the file of the first data set; those of the others lie beside it.

    Raises:
        DataNotFound: It is not in the data directory, and the package is not installed.
    """
    return find_data(
        [f"nasbenchgraph/{DATASETS[0]}.bench", f"{DATASETS[0]}.bench"],
        what="NAS-Bench-Graph tables",
        how_to_get=HOW_TO_GET,
        data_dir=data_dir,
        command='pip install "graphnas[tables]"',
        installed=(PACKAGE, f"nas_bench_graph/light/{DATASETS[0]}.bench"),
    )


class NASBenchGraphTable(Table):
    """One row for each of the 26,206 architectures, in the order of ``NASBenchGraph().enumerate()``.

    Values are accuracies in percent, on proteins the area under the ROC curve in percent, which is known for
    2,021 architectures. All are the mean of three seeds. The epochs of the training differ between data sets
    and are not in the files: the only budget is 0, which stands for the whole training.

    Args:
        path: The folder of the files; each is read on first use.
    """

    datasets = DATASETS
    budgets = (0,)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.space = NASBenchGraph()

    def __len__(self) -> int:
        return SIZE

    def architectures(self) -> list[Architecture]:
        """One architecture of each key."""
        return list(self.space.enumerate())

    def architecture(self, row: int) -> Architecture:
        """The architecture of ``row``."""
        return self.space.from_code(int(known_codes()[row]))

    def rows(self, architectures: Sequence[Architecture] | ArchitectureBatch) -> NDArray[np.int64]:
        """The row of each architecture, however it is written."""
        return np.searchsorted(known_codes(), self.space.codes(architectures))

    def figures(
        self, dataset: str, budget: int, metric: str, rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """In percent; NaN where proteins has none.

        Raises:
            DataNotFound: The file of the data set is missing.
            CorruptData: It is truncated, damaged or of another kind.
        """
        values = self._read(dataset)[metric]
        return values if rows is None else values[rows]

    def seconds(self, dataset: str, budget: int, metric: str, row: int) -> float | None:
        """None: not recorded."""
        return None

    def complexity(self, dataset: str, row: int) -> tuple[int | None, int | None]:
        """The recorded parameters; multiply-accumulates, which depend on the graph, are not recorded."""
        millions = self._read(dataset)["size"][row]
        return (None if np.isnan(millions) else round(1e6 * float(millions))), None

    @property
    def devices(self) -> tuple[str, ...]:
        """``gpu_cora`` to ``gpu_proteins``: the benchmark's GPU, inferring the whole graph of a data set."""
        return tuple(f"gpu_{dataset}" for dataset in DATASETS)

    def latency(self, device: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Milliseconds; NaN where proteins has none."""
        return 1000 * self._read(device.removeprefix("gpu_"))["latency"][rows]

    def energy(self, device: str, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """None: not recorded."""
        return None

    def _read(self, dataset: str) -> Mapping[str, NDArray[np.float64]]:
        path = self.path / f"{dataset}.bench"
        if not path.is_file():
            raise DataNotFound(f"{path} not found, although the file of another data set lies there")
        return read_once(_read_file, path)


def _read_file(path: Path) -> Mapping[str, NDArray[np.float64]]:
    """The columns, rows in the order of the codes."""
    with path.open("rb") as stream:
        content = load_plain(stream, path)
    expected = ROWS.get(path.stem, SIZE)
    if not isinstance(content, dict) or len(content) != expected:
        found = f"{len(content)} entries" if isinstance(content, dict) else type(content).__name__
        raise CorruptData(
            f"{path} holds {found}, expected {expected} architectures; install the package again"
        )
    known = known_codes()
    stranger = next((code for code in content if type(code) is not int), None)
    codes = np.array([-1] if stranger is not None else list(content))
    rows = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    if (known[rows] != codes).any():
        wrong = stranger if stranger is not None else codes[np.argmax(known[rows] != codes)]
        raise CorruptData(f"{path}: {wrong!r} is not the code of an architecture")
    columns = {}
    for name, field in _FIELDS.items():
        column = np.full(SIZE, np.nan)
        try:
            column[rows] = [result[field] for result in content.values()]
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptData(f"{path} is not laid out as in nas-bench-graph 1.4 ({error!r})") from error
        if name.endswith("accuracy"):
            column *= 100
        most = 100 if name.endswith("accuracy") else np.inf
        if not ((column[rows] >= 0) & (column[rows] <= most)).all():
            raise CorruptData(f"{path}: {field!r} holds figures that are not in range")
        column.setflags(write=False)
        columns[name] = column
    return columns
