"""One architecture with its operations moved from the edges to nodes (a line graph with input and output)."""

from __future__ import annotations

import numpy as np

from graphnas.graph.architecture import Architecture


def edges_as_nodes(architecture: Architecture, num_edge_labels: int) -> Architecture:
    """Every edge becomes a node that carries the edge's label; see :meth:`GraphSpace.to_node_labelled`.

    Args:
        architecture: Node 0 is the input, the last node the output.
        num_edge_labels: Number of edge labels with "no edge"; it is the label of the output node.

    Returns:
        The input (label 0), one node per edge, and the output; edge-nodes are connected where one edge
        follows the other. :func:`graphnas.graph.active.edges_to_nodes` does the same for a batch.
    """
    # By target, then by source: an edge that follows another has a later target, so the order is topological.
    edges = sorted(architecture.labelled_edges(), key=lambda edge: (edge[1], edge[0]))
    sources, targets, labels = np.array(edges, int).reshape(-1, 3).T
    count = len(edges) + 2
    adjacency = np.zeros((count, count), np.int8)
    adjacency[0, 1:-1] = sources == 0
    adjacency[1:-1, -1] = targets == architecture.num_nodes - 1
    adjacency[1:-1, 1:-1] = targets[:, None] == sources[None, :]
    return Architecture(adjacency, [0, *labels.tolist(), num_edge_labels])
