"""The compact NAS-Bench-101 file as plain arrays, read here without the loader that other tests check."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from graphnas.data_directory import data_directory

TABLE = data_directory() / "nasbench101" / "nasbench101.npz"
needs_table = pytest.mark.skipif(not TABLE.is_file(), reason=f"the NAS-Bench-101 table is not at {TABLE}")


@lru_cache(maxsize=1)
def rows() -> dict[str, np.ndarray]:
    """The file's arrays, and ``adjacency``, ``operations`` (our labels) and ``num_nodes`` of each cell."""
    with np.load(TABLE) as file:
        data = {name: file[name] for name in file.files}
    sizes = data["n_nodes"].astype(np.int64)
    adjacency = np.zeros((len(sizes), 7, 7), np.int8)
    for target in range(7):
        for source in range(target):
            bit = np.uint32(source + target * (target - 1) // 2)
            adjacency[:, source, target] = data["adj_bits"] >> bit & 1
    operations = np.zeros((len(sizes), 7), np.int16)
    operations[:, 1:6] = np.where(data["ops"] == 255, 0, data["ops"].astype(np.int16) + 1)
    operations[np.arange(len(sizes)), sizes - 1] = 4
    return {**data, "adjacency": adjacency, "operations": operations, "num_nodes": sizes}
