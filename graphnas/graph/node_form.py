"""The node-labelled form of a space's graphs by default: how operations on edges move to nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphnas.graph.architecture import Architecture, edges_as_nodes

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch
    from graphnas.graph.space import GraphSpace


def node_labelled_ops(space: GraphSpace) -> tuple[str, ...]:
    """See :attr:`GraphSpace.node_labelled_ops`."""
    if len(space.edge_ops) == 2:
        return space.node_ops
    if len(space.node_ops) > 1:
        return (*space.node_ops, *space.edge_ops[1:])
    return ("input", *space.edge_ops[1:], "output")


def operation_labels(space: GraphSpace) -> tuple[int, ...]:
    """See :attr:`GraphSpace.operation_labels`."""
    on_edges = range(space.plain_edge + 1, len(space.edge_ops)) if len(space.edge_ops) > 2 else range(0)
    if on_edges and len(space.node_ops) == 1:
        return tuple(on_edges)
    allowed = space.layout.allowed_nodes
    free = allowed.sum(1) > 1
    chosen = allowed[free if free.any() or on_edges else ~free].any(0)
    return (*np.flatnonzero(chosen).tolist(), *(len(space.node_ops) + label - 1 for label in on_edges))


def to_node_labelled(space: GraphSpace, architecture: Architecture) -> Architecture:
    """See :meth:`GraphSpace.to_node_labelled`."""
    if len(space.edge_ops) == 2:
        return architecture
    if len(space.node_ops) == 1:
        return edges_as_nodes(architecture, len(space.edge_ops))
    from graphnas.graph.batch import ArchitectureBatch

    return _between_nodes(space, ArchitectureBatch.from_architectures([architecture])).architecture(0)


def active_batch(space: GraphSpace, batch: ArchitectureBatch) -> ArchitectureBatch:
    """See :meth:`GraphSpace.active_batch`."""
    from graphnas.graph.active import alive_nodes, edges_to_nodes, keep_nodes

    if len(space.edge_ops) == 2:
        return batch
    if len(space.node_ops) > 1:
        return _between_nodes(space, batch)
    nodes = edges_to_nodes(batch, len(space.edge_ops))
    return keep_nodes(nodes, alive_nodes(nodes))


def _between_nodes(space: GraphSpace, batch: ArchitectureBatch) -> ArchitectureBatch:
    from graphnas.graph.active import labelled_edges_to_nodes

    edges = np.asarray(space.layout.allowed_edges[..., space.plain_edge + 1 :].any(2))
    return labelled_edges_to_nodes(batch, len(space.node_ops), edges, plain=space.plain_edge)
