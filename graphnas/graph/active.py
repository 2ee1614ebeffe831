"""Vectorised views of a batch: operations moved from edges to nodes, and dead nodes removed.

These are the batch forms of :meth:`graphnas.graph.space.GraphSpace.to_node_labelled`; kernels and graph
encoders read them, so nothing here loops over graphs.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from graphnas.graph.batch import ArchitectureBatch


def edges_to_nodes(batch: ArchitectureBatch, num_edge_labels: int) -> ArchitectureBatch:
    """The batch form of ``to_node_labelled`` for spaces that label edges (``num_edge_labels`` with "none").

    Every edge becomes a node that carries the edge's label; node 0 is the input (label 0) and the last node
    of each graph the output (label ``num_edge_labels``). All graphs must have ``batch.max_nodes`` nodes.
    """
    adjacency, _, _ = batch.to_arrays()
    n = adjacency.shape[1]
    sources, targets, pattern = _line_graph(n)
    labels = adjacency[:, sources, targets]  # (B, slots)
    count, slots = labels.shape
    operations = np.zeros((count, slots + 2), np.int16)
    operations[:, 1:-1] = labels
    operations[:, -1] = num_edge_labels
    present = np.ones((count, slots + 2), bool)
    present[:, 1:-1] = labels > 0
    full = np.broadcast_to(pattern, (count, *pattern.shape))
    return keep_nodes(ArchitectureBatch.from_arrays(full.copy(), operations), present)


def labelled_edges_to_nodes(
    batch: ArchitectureBatch, num_node_labels: int, edges: NDArray[np.bool_], *, plain: int = 0
) -> ArchitectureBatch:
    """Graphs in which an edge that carries an operation is a node between its two ends, which stay nodes.

    This is the batch form of ``to_node_labelled`` for spaces with operations on nodes and on edges.

    Args:
        batch: ``B`` graphs of at most ``N`` nodes.
        num_node_labels: Number of node labels; label ``k`` of an edge becomes the node label
            ``num_node_labels + k - 1``.
        edges: ``(N, N)`` which edges may carry an operation, in any graph.
        plain: A label of edges that says that there is an edge and no more: these stay edges. 0 for none.
    """
    adjacency, operations, sizes = batch.to_arrays()
    count, n = operations.shape
    # By target, then by source, each target after the edges into it: a topological order.
    pairs = [(i, j) for j in range(n) for i in (*np.flatnonzero(edges[:j, j]).tolist(), j)]
    sources, targets = np.array(pairs, np.int64).reshape(-1, 2).T
    is_node = sources == targets
    node_at, edge_at = np.flatnonzero(is_node), np.flatnonzero(~is_node)
    sources, targets = sources[edge_at], targets[edge_at]
    labels = adjacency[:, sources, targets]
    carries = (labels > 0) & (labels != plain)
    wide = np.zeros((count, len(pairs), len(pairs)), np.int8)
    wide[:, node_at[:, None], node_at] = adjacency == plain if plain else 0
    wide[:, node_at[sources], edge_at] = carries
    wide[:, edge_at, node_at[targets]] = carries
    kinds = np.zeros((count, len(pairs)), np.int16)
    kinds[:, node_at] = operations
    kinds[:, edge_at] = np.where(carries, labels.astype(np.int16) + np.int16(num_node_labels - 1), 0)
    present = np.zeros((count, len(pairs)), bool)
    present[:, node_at] = np.arange(n)[None, :] < sizes[:, None]
    present[:, edge_at] = carries
    return keep_nodes(ArchitectureBatch.from_arrays(wide, kinds), present)


@functools.lru_cache(maxsize=32)
def _line_graph(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]]:
    """Sources and targets of all slots i < j in topological order, and which feeds which, ends included."""
    slots = sorted(((i, j) for j in range(n) for i in range(j)), key=lambda slot: (slot[1], slot[0]))
    sources, targets = np.array(slots).T
    pattern = np.zeros((len(slots) + 2,) * 2, np.int8)
    pattern[0, 1:-1] = sources == 0
    pattern[1:-1, -1] = targets == n - 1
    pattern[1:-1, 1:-1] = targets[:, None] == sources[None, :]
    return sources, targets, pattern


def alive_nodes(batch: ArchitectureBatch, *, reach_output: bool = True) -> NDArray[np.bool_]:
    """``(B, N)``: nodes on a path from node 0 and, if ``reach_output``, to the last node of their graph.

    The first node, and the last if ``reach_output``, always count as alive.
    """
    adjacency, _, num_nodes = batch.to_arrays()
    edges = adjacency > 0
    count, n = edges.shape[:2]
    rows = np.arange(count)
    forward = np.zeros((count, n), bool)
    forward[:, 0] = True
    # Nodes are in topological order, so one pass per node position settles all graphs of the batch.
    for j in range(1, n):
        forward[:, j] = (forward[:, :j] & edges[:, :j, j]).any(1)
    if not reach_output:
        return forward
    backward = np.zeros((count, n), bool)
    backward[rows, num_nodes - 1] = True
    for i in range(n - 2, -1, -1):
        backward[:, i] |= (backward[:, i + 1 :] & edges[:, i, i + 1 :]).any(1)
    alive = forward & backward
    alive[:, 0] = True
    alive[rows, num_nodes - 1] = True
    return alive


def keep_nodes(batch: ArchitectureBatch, keep: NDArray[np.bool_]) -> ArchitectureBatch:
    """The batch of subgraphs induced by the nodes where ``keep`` (``(B, N)``) is true, order preserved."""
    adjacency, operations, num_nodes = batch.to_arrays()
    keep = keep & (np.arange(keep.shape[1])[None, :] < num_nodes[:, None])
    sizes = keep.sum(1).astype(np.int64)
    width = int(sizes.max())
    order = np.argsort(~keep, axis=1, kind="stable")[:, :width]
    real = np.arange(width)[None, :] < sizes[:, None]
    rows = np.arange(len(keep))[:, None]
    kept = adjacency[rows[:, :, None], order[:, :, None], order[:, None, :]]
    kept *= (real[:, :, None] & real[:, None, :]).astype(np.int8)
    labels = np.where(real, operations[rows, order], 0).astype(np.int16)
    return ArchitectureBatch.from_arrays(kept, labels, sizes)
