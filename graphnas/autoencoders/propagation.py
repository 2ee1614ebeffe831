"""Message passing over vertex graphs, one vertex position at a time and all graphs at once (D-VAE, 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphnas.autoencoders.networks import GatedMessage, GRUStep
from graphnas.graph.batch import ArchitectureBatch


@dataclass(frozen=True)
class Order:
    """Vertex graphs with their vertices in the order in which an encoder visits them.

    Attributes:
        types: ``(B, N)`` int64, the types in that order.
        edges: ``(B, N, N)`` float, ``edges[b, i, j] = 1`` where the i-th vertex sends a message to the j-th.
        ids: ``(B, N)`` int64, the vertices' numbers in the graph.
        sizes: ``(B,)`` int64.
    """

    types: Tensor
    edges: Tensor
    ids: Tensor
    sizes: Tensor


def forward_order(graphs: ArchitectureBatch) -> Order:
    """From the start vertex to the end vertex, along the edges."""
    types = graphs.operations.long()
    ids = torch.arange(types.shape[1], device=types.device).expand_as(types)
    return Order(types, (graphs.adjacency > 0).float(), ids, graphs.num_nodes)


def backward_order(graphs: ArchitectureBatch) -> Order:
    """From the end vertex to the start vertex, against the edges."""
    n = graphs.max_nodes
    places = torch.arange(n, device=graphs.num_nodes.device)
    ids = graphs.num_nodes[:, None] - 1 - places  # negative at padding, which comes last again
    padding = ids < 0
    ids = ids.clamp_min(0)
    rows = torch.arange(len(ids), device=ids.device)[:, None]
    edges = (graphs.adjacency > 0)[rows[:, :, None], ids[:, None, :], ids[:, :, None]]
    edges = edges & ~padding[:, :, None] & ~padding[:, None, :]
    types = graphs.operations.long()[rows, ids].masked_fill(padding, 0)
    return Order(types, edges.float(), ids, graphs.num_nodes)


def sweep(order: Order, features: Tensor, gru: GRUStep, message: GatedMessage) -> Tensor:
    """The state ``(B, H)`` of the last vertex of each graph after one sweep.

    ``h_v = GRU(x_v, sum of the gated messages of the vertices that send to v)`` (D-VAE, eq. 2, 5 and 6).
    All graphs begin with a vertex of the same type without predecessors, so they share its state.

    Args:
        order: The visiting order.
        features: ``(T, F)``, the input row of each type.
        gru: Its state is the gated sum, its input the vertex's row.
        message: The gated message of a vertex.
    """
    table, recurrence, send = gru.table(features), gru.recurrence(), message.prepared(features)
    first = gru.from_zero(table[order.types[0, 0]])[None]
    states = [first.expand(len(order.types), -1)]
    messages = [send(first, order.ids[:, 0], order.types[:, 0]).expand(len(order.types), -1)]
    longest = int(order.sizes.max())
    for v in range(1, longest):
        sent = torch.stack(messages, 1)
        incoming = torch.bmm(order.edges[:, None, :v, v].to(sent.dtype), sent)[:, 0]
        state = gru(table[order.types[:, v]], incoming, recurrence)
        states.append(state)
        if v + 1 < longest:
            messages.append(send(state, order.ids[:, v], order.types[:, v]))
    rows = torch.arange(len(order.types), device=order.types.device)
    return torch.stack(states, 1)[rows, order.sizes - 1]
