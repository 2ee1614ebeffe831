"""NAS-Bench-101 cells as arrays, whole batches at a time: pruning, identity, and the size of the network.

All functions take cells in the complete form: 7 vertices, the input first and the output last, vertices that
a smaller cell lacks have no edges.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

VERTICES = 7
MAX_EDGES = 9
INPUT, CONV3X3, CONV1X1, MAXPOOL3X3, OUTPUT = range(5)

_INNER = VERTICES - 2
_EDGES = tuple((i, j) for j in range(VERTICES) for i in range(j))
_EDGE_SOURCES, _EDGE_TARGETS = (np.array(ends) for ends in zip(*_EDGES, strict=True))
_EDGE_NUMBER = {edge: number for number, edge in enumerate(_EDGES)}
_PIECE = 8192  # cells whose 120 codes (8 MB) are compared at a time


class PrunedCells(NamedTuple):
    """Cells without the vertices that are off every path from input to output.

    Attributes:
        adjacency: ``(B, 7, 7)`` bool, edges between vertices that are left.
        labels: ``(B, 5)`` operations 1 to 3 of the inner vertices, 0 where a vertex is not left.
        connected: ``(B,)`` whether any path leads from input to output.
    """

    adjacency: NDArray[np.bool_]
    labels: NDArray[np.int16]
    connected: NDArray[np.bool_]

    @property
    def num_edges(self) -> NDArray[np.int64]:
        """``(B,)`` edges that are left."""
        return self.adjacency.sum((1, 2), dtype=np.int64)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """``(B,)`` whether the benchmark accepts the cell: connected, with at most 9 edges."""
        valid: NDArray[np.bool_] = self.connected & (self.num_edges <= MAX_EDGES)
        return valid


def complete(
    adjacency: NDArray[np.int8], operations: NDArray[np.int16], num_nodes: NDArray[np.int64]
) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
    """Cells of up to 7 vertices, padded at the end, in the complete form; missing vertices become conv3x3."""
    count, width = operations.shape
    rows = np.arange(count)
    last = num_nodes - 1
    inner = np.arange(width)[None, :] < last[:, None]
    full = np.zeros((count, VERTICES, VERTICES), np.int8)
    labels = np.full((count, VERTICES), CONV3X3, np.int16)
    full[:, :width, :width] = adjacency * (inner[:, :, None] & inner[:, None, :])
    full[:, :width, -1] = adjacency[rows, :, last] * inner
    labels[:, :width] = np.where(inner, operations, labels[:, :width])
    labels[:, -1] = operations[rows, last]
    return full, labels


def prune(adjacency: NDArray[np.int8], operations: NDArray[np.int16]) -> PrunedCells:
    """Remove what is on no path from input to output, as the benchmark does first.

    Args:
        adjacency: ``(B, 7, 7)``, complete form.
        operations: ``(B, 7)``.
    """
    edges = adjacency != 0
    forward = np.zeros(edges.shape[:2], bool)
    forward[:, 0] = True
    for j in range(1, VERTICES):
        forward[:, j] = (forward[:, :j] & edges[:, :j, j]).any(1)
    backward = np.zeros(edges.shape[:2], bool)
    backward[:, -1] = True
    for i in range(VERTICES - 2, -1, -1):
        backward[:, i] = (backward[:, i + 1 :] & edges[:, i, i + 1 :]).any(1)
    alive = forward & backward
    kept = edges & alive[:, :, None] & alive[:, None, :]
    labels = np.where(alive[:, 1:-1], operations[:, 1:-1], 0).astype(np.int16)
    return PrunedCells(kept, labels, forward[:, -1])


# -------------------------------------------------------------------- identity


@functools.cache
def _weights() -> NDArray[np.int64]:
    """``(36, 120)``: what each edge and operation adds to the code under each order of the inner vertices.

    A code is a graph written as an integer below 2**41: two bits per inner vertex for its operation, one bit
    for each edge that could be there once the inner vertices stand in any order.
    """
    slots = range(1, VERTICES - 1)
    places = [(0, VERTICES - 1)]
    places += [(0, b) for b in slots] + [(a, VERTICES - 1) for a in slots]
    places += [(a, b) for a in slots for b in slots if a != b]
    bit = {place: 1 << number for number, place in enumerate(places)}
    orders = list(itertools.permutations(slots))
    weights = np.zeros((len(_EDGES) + 3 * _INNER, len(orders)), np.int64)
    for column, order in enumerate(orders):
        moved = (0, *order, VERTICES - 1)
        for row, (i, j) in enumerate(_EDGES):
            weights[row, column] = bit[moved[i], moved[j]]
        for vertex in slots:
            for label in (CONV3X3, CONV1X1, MAXPOOL3X3):
                value = label << (len(places) + 2 * (moved[vertex] - 1))
                weights[_operation_row(vertex, label), column] = value
    weights.setflags(write=False)
    return weights


def _operation_row(vertex: int, label: int) -> int:
    return len(_EDGES) + 3 * (vertex - 1) + label - 1


@functools.cache
def _float_weights() -> NDArray[np.float64]:
    return _weights().astype(np.float64)


def codes(cells: PrunedCells) -> NDArray[np.int64]:
    """``(B,)`` integers that are equal exactly for isomorphic cells.

    It is the smallest code over all 120 orders of the inner vertices, hence free of collisions.
    """
    smallest = np.empty(len(cells.labels), np.int64)
    for start in range(0, len(smallest), _PIECE):
        piece = slice(start, start + _PIECE)
        present = cells.adjacency[piece, _EDGE_SOURCES, _EDGE_TARGETS]
        of_label = cells.labels[piece, :, None] == np.array([CONV3X3, CONV1X1, MAXPOOL3X3])
        features = np.concatenate([present, of_label.reshape(len(present), -1)], axis=1)
        # Sums of distinct powers of two below 2**53: exact in floating point, and so a matrix product.
        smallest[piece] = (features.astype(np.float64) @ _float_weights()).min(1).astype(np.int64)
    return smallest


def code_of(edges: Sequence[tuple[int, int]], labels: Sequence[int]) -> int:
    """The code of one pruned cell: its edges in the complete form, and 5 labels (0: no such vertex)."""
    rows = [_EDGE_NUMBER[edge] for edge in edges]
    rows += [_operation_row(vertex, label) for vertex, label in enumerate(labels, start=1) if label]
    return int(_weights()[rows].sum(0).min())


def md5_hash(adjacency: NDArray[np.int8], operations: NDArray[np.int16]) -> str:
    """The benchmark's own hash of a pruned cell of ``n`` vertices, 32 hexadecimal digits.

    Ying et al. (ICML 2019), section 2.2 and the released code: each vertex starts from the MD5 of its
    out-degree, in-degree and operation (-1 input, -2 output, else the number of the operation), takes up the
    hashes of its neighbours ``n`` times, and the sorted hashes are hashed once more.
    """

    def digest(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    matrix = adjacency.tolist()
    every = range(len(matrix))
    sources = [[i for i in every if matrix[i][j]] for j in every]
    targets = [[j for j in every if matrix[i][j]] for i in every]
    numbers = [-1, *(operations[1:-1] - CONV3X3).tolist(), -2]
    hashes = [digest(str((len(targets[v]), len(sources[v]), numbers[v]))) for v in every]
    for _ in every:
        hashes = [
            digest(
                "|".join(
                    (
                        "".join(sorted(hashes[i] for i in sources[v])),
                        "".join(sorted(hashes[j] for j in targets[v])),
                        hashes[v],
                    )
                )
            )
            for v in every
        ]
    return digest(str(sorted(hashes)))


# -------------------------------------------------------------------- the size of the network


def vertex_channels(cells: PrunedCells, channels: int) -> NDArray[np.int64]:
    """``(B, 5)`` channels of the inner vertices of cells with ``channels`` at the output.

    The benchmark's rule: vertices that feed the output share its channels evenly, the first ones getting one
    more if the division leaves a remainder; any other vertex has as many as the widest vertex that it feeds.
    """
    feeds_output = cells.adjacency[:, 1:-1, -1]
    parts = np.maximum(feeds_output.sum(1), 1)[:, None]
    share = channels // parts + (feeds_output.cumsum(1) <= channels % parts)
    widths = np.where(feeds_output, share, 0).astype(np.int64)
    for v in range(_INNER - 2, -1, -1):
        widest = (widths[:, v + 1 :] * cells.adjacency[:, v + 1, v + 2 : -1]).max(1)
        widths[:, v] = np.where(feeds_output[:, v], widths[:, v], widest)
    return widths


def complexity(
    cells: PrunedCells, num_classes: int = 10, image_size: int = 32
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``(B,)`` trainable parameters and ``(B,)`` multiply-accumulates of the benchmark's networks.

    Convolutions and the classifier count as multiply-accumulates.

    Args:
        cells: The cells.
        num_classes: Size of the output.
        image_size: Height and width of the input.
    """
    count = len(cells.labels)
    parameters = np.full(count, 27 * 128 + 2 * 128 + 513 * num_classes, np.int64)
    macs = np.full(count, 27 * 128 * image_size**2 + 512 * num_classes, np.int64)
    before, side = 128, image_size
    for width in (128, 256, 512):
        if width > 128:
            side = -(-side // 2)
        inner = vertex_channels(cells, width)
        # Repeated three times, of which the first takes the channels of the stack before.
        for repeats, entering in ((1, before), (2, width)):
            weights, norms = _weights_of_cell(cells, inner, entering, width)
            parameters += repeats * (weights + norms)
            macs += repeats * weights * side**2
        before = width
    return parameters, macs


def _weights_of_cell(
    cells: PrunedCells, inner: NDArray[np.int64], entering: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Weights of the convolutions of one cell, and of the normalisations that follow them."""
    taps = np.array([0, 9, 1, 0])[cells.labels]
    projected = cells.adjacency[:, 0, 1:-1]
    bypass = cells.adjacency[:, 0, -1].astype(np.int64)
    weights = (taps * inner**2 + projected * entering * inner).sum(1) + bypass * entering * width
    norms = 2 * ((taps > 0) * inner + projected * inner).sum(1) + 2 * bypass * width
    return weights, norms


# -------------------------------------------------------------------- the whole space


def enumerate_cells() -> Iterator[tuple[NDArray[np.int8], NDArray[np.int16]]]:
    """Every cell once up to isomorphism, pruned, by number of vertices and then by code."""
    for vertices in range(2, VERTICES + 1):
        graphs = _unlabelled(vertices)
        labels = np.array(list(itertools.product((CONV3X3, CONV1X1, MAXPOOL3X3), repeat=vertices - 2)))
        operations = np.zeros((len(labels), vertices), np.int16)
        operations[:, 1:-1] = labels.reshape(len(labels), vertices - 2)
        operations[:, -1] = OUTPUT
        adjacency = np.repeat(graphs, len(operations), axis=0)
        operations = np.tile(operations, (len(graphs), 1))
        sizes = np.full(len(adjacency), vertices)
        for k in np.unique(codes(prune(*complete(adjacency, operations, sizes))), return_index=True)[1]:
            yield adjacency[k].copy(), operations[k].copy()


def _unlabelled(vertices: int) -> NDArray[np.int8]:
    """One graph of each class of isomorphic graphs with that many vertices, none of which pruning removes."""
    slots = [(i, j) for j in range(vertices) for i in range(j)]
    sources, targets = np.array(slots).T
    numbers = np.arange(2 ** len(slots), dtype=np.int64)
    present = (numbers[:, None] >> np.arange(len(slots)) & 1).astype(np.int8)
    present = present[present.sum(1) <= MAX_EDGES]
    adjacency = np.zeros((len(present), vertices, vertices), np.int8)
    adjacency[:, sources, targets] = present
    # Every vertex but the first has an input and every one but the last an output: all are on a path.
    degrees_in, degrees_out = adjacency.sum(1), adjacency.sum(2)
    whole = (degrees_in[:, 1:] > 0).all(1) & (degrees_out[:, :-1] > 0).all(1)
    adjacency = adjacency[whole]
    operations = np.full((len(adjacency), vertices), CONV3X3, np.int16)
    cells = prune(*complete(adjacency, operations, np.full(len(adjacency), vertices)))
    return adjacency[np.unique(codes(cells), return_index=True)[1]]
