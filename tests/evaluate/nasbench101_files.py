"""Writes small NAS-Bench-101 files of the layouts that our loaders read, with made-up numbers.

The TFRecord and protocol buffer writers are the slow obvious ones, to compare the readers with.
"""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from graphnas import Architecture
from search_spaces import NASBench101


def some_cells(count: int = 40, seed: int = 0) -> list[Architecture]:
    """Different pruned cells, in the order of the benchmark's hash."""
    space = NASBench101()
    found: dict[str, Architecture] = {}
    rng = np.random.default_rng(seed)
    while len(found) < count:
        cell = space.prune(space.sample(rng))
        found.setdefault(space.md5_hash(cell), cell)
    return [found[md5] for md5 in sorted(found)]


def write_compact(path: Path, cells: list[Architecture], *, seed: int = 0, **arrays: Any) -> dict[str, Any]:
    """A compact file; half of the cells have validation accuracies. ``arrays`` replaces whole arrays."""
    space, rng, count = NASBench101(), np.random.default_rng(seed), len(cells)
    ops = np.full((count, 5), 255, np.uint8)
    bits = np.zeros(count, np.uint32)
    for row, cell in enumerate(cells):
        ops[row, : cell.num_nodes - 2] = cell.operations[1:-1] - 1
        bits[row] = sum(1 << (x + y * (y - 1) // 2) for x, y, _ in cell.labelled_edges())
    known = np.sort(rng.permutation(count)[: count // 2]).astype(np.int32)
    sizes = [space.complexity(cell) for cell in cells]
    data: dict[str, Any] = {
        "n_nodes": np.array([cell.num_nodes for cell in cells], np.uint8),
        "adj_bits": bits,
        "ops": ops,
        "test_acc": rng.uniform(0.1, 0.9, count).astype(np.float32),
        "params": np.array([p for p, _ in sizes], np.int32),
        "macs": np.array([m for _, m in sizes], np.int64),
        "md5": np.array([list(bytes.fromhex(space.md5_hash(cell))) for cell in cells], np.uint8),
        "val_idx": known,
        "train_time_108": rng.uniform(500, 5000, len(known)).astype(np.float32),
    }
    for epochs in (4, 12, 36, 108):
        data[f"val_acc_{epochs}"] = rng.uniform(0.1, 0.9, len(known)).astype(np.float32)
    data.update(arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        np.savez_compressed(stream, **data)
    return data


def crc32c(data: bytes) -> int:
    """Bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def frame(data: bytes) -> bytes:
    """One record of a TFRecord file."""
    length = struct.pack("<Q", len(data))
    checksums = [struct.pack("<I", masked(crc32c(part))) for part in (length, data)]
    return length + checksums[0] + data + checksums[1]


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def evaluation_data(epoch: float, seconds: float, accuracies: tuple[float, float, float]) -> bytes:
    """The message EvaluationData: epoch, seconds, and train, validation and test accuracy as doubles."""
    values = (epoch, seconds, *accuracies)
    body = b"".join(varint(number << 3 | 1) + struct.pack("<d", v) for number, v in enumerate(values, 1))
    return body + varint(6 << 3 | 2) + varint(5) + b"model"


def model_metrics(measurements: list[bytes], parameters: int, total_time: float) -> bytes:
    body = b"".join(varint(1 << 3 | 2) + varint(len(m)) + m for m in measurements)
    return body + varint(2 << 3 | 0) + varint(parameters) + varint(3 << 3 | 1) + struct.pack("<d", total_time)


def official_row(
    cell: Architecture, budget: int, seconds: float, validation: float, test: float, **changes: Any
) -> bytes:
    """One training run as the benchmark's files hold it; the other measurements are not to be read."""
    space = NASBench101()
    measurements = [
        evaluation_data(0.0, 0.0, (0.1, 0.11, 0.12)),
        evaluation_data(budget / 2, seconds / 2, (0.5, 0.51, 0.52)),
        evaluation_data(float(budget), seconds, (0.99, validation, test)),
    ]
    message = model_metrics(measurements, space.complexity(cell)[0], 2 * seconds)
    row = {
        "hash": space.md5_hash(cell),
        "epochs": budget,
        "adjacency": "".join(str(int(bit)) for bit in cell.adjacency.reshape(-1)),
        "operations": ",".join(space.node_ops[label] for label in cell.operations),
        "metrics": base64.b64encode(message).decode(),
    }
    row.update(changes)
    return json.dumps(list(row.values())).encode()
