"""Architectures as flow graphs: one common input, one common output, and operations in between.

Spaces differ in how they write their ends: cells have an input and an output node, RandWire's graphs have
sources and sinks, GEMNet has an input node and leaves. Features that follow the paths of a network need one
form for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphnas.graph.batch import ArchitectureBatch


class FlowGraphs(NamedTuple):
    """``B`` graphs of ``n`` nodes in topological order; node 0 is the input, the last one the output.

    The graphs are the last axis, unlike everywhere else: what is summed over are the few nodes of a graph,
    and numpy does that for all graphs of a contiguous axis at once.

    Attributes:
        edges: ``(n, n, B)`` bool, ``[i, j]`` the edge from i to j.
        inner: ``(n, B)`` bool, nodes that are neither an end nor padding.
        operations: ``(n, K, B)`` bool, which nodes have the ``k``-th operation.
    """

    edges: NDArray[np.bool_]
    inner: NDArray[np.bool_]
    operations: NDArray[np.bool_]


def flow_graphs(batch: ArchitectureBatch, operations: Sequence[int]) -> FlowGraphs:
    """Bring node-labelled graphs into the common form.

    A node whose label is not in ``operations`` is the input if it has no inputs, and the output if it has no
    outputs. Any other node without inputs reads the common input; any other node without outputs feeds the
    common output.

    Args:
        batch: Graphs as :meth:`GraphSpace.active_batch` gives them.
        operations: The labels that are operations, one column of the result each.
    """
    adjacency, labels, num_nodes = batch.to_arrays()
    edges = np.ascontiguousarray(adjacency.transpose(1, 2, 0)) > 0
    labels = np.ascontiguousarray(labels.T)
    real = np.arange(len(labels))[:, None] < num_nodes
    operation = np.isin(labels, operations) & real
    no_inputs, no_outputs = real & ~edges.any(0), real & ~edges.any(1)
    is_input = no_inputs & ~operation
    is_output = no_outputs & ~operation & ~is_input
    inner = real & ~is_input & ~is_output
    used = np.flatnonzero(inner.any(1))
    kept = inner[used]
    n, count = len(used) + 2, edges.shape[2]
    flow = np.zeros((n, n, count), bool)
    flow[1:-1, 1:-1] = edges[used[:, None], used] & kept[:, None] & kept[None, :]
    from_input = (edges & is_input[:, None]).any(0)
    to_output = (edges & is_output[None, :]).any(1)
    flow[0, 1:-1] = kept & (from_input | no_inputs)[used]
    flow[1:-1, -1] = kept & (to_output | no_outputs)[used]
    flow[0, -1] = (from_input & is_output).any(0)
    padded = np.zeros((n, count), bool)
    padded[1:-1] = kept
    onehot = np.zeros((n, len(operations), count), bool)
    onehot[1:-1] = (labels[used, None] == np.asarray(operations)[:, None]) & kept[:, None]
    return FlowGraphs(flow, padded, onehot)
