"""Building blocks of VS-GAE's encoder and decoder: messages in both directions, and gated read-outs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphnas.autoencoders.networks import GRUStep
from graphnas.autoencoders.repeated import RepeatedLinear
from graphnas.graph.batch import ArchitectureBatch


@dataclass(frozen=True)
class LayerProducts:
    """The matrix products of one layer, for all steps of one pass.

    Attributes:
        messages: All four parts of the two message layers, ``4H -> 2H``, without biases.
        inputs: The input's half of the GRU.
        recurrence: The state's half of the GRU.
    """

    messages: RepeatedLinear
    inputs: RepeatedLinear
    recurrence: RepeatedLinear


class MessageLayer(nn.Module):
    """One round of messages along the edges and against them (VS-GAE's encoder and appendix A.1).

    ``m_v = sum_{u -> v} (W [h_u; h_v] + b) + sum_{v -> w} (W' [h_w; h_v] + b')``, ``h_v <- GRU(m_v, h_v)``.
    Since messages are linear, the states of all senders are summed first and multiplied once per vertex; the
    receiver's part is its own state times the number of messages.

    Args:
        hidden: Size ``H`` of a vertex state; messages have ``2H``.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.forward_message = nn.Linear(2 * hidden, 2 * hidden)
        self.reverse_message = nn.Linear(2 * hidden, 2 * hidden)
        self.gru = GRUStep(2 * hidden, hidden)

    def products(self) -> LayerProducts:
        """The layer's products, each of which computes its weights' gradient in one go."""
        return LayerProducts(
            RepeatedLinear(torch.cat([self.forward_message.weight, self.reverse_message.weight], 1)),
            RepeatedLinear(self.gru.weight_ih, self.gru.bias_ih),
            self.gru.recurrence(),
        )

    def forward(self, states: Tensor, edges: Tensor, products: LayerProducts | None = None) -> Tensor:
        """New states ``(B, n, H)`` from states ``(B, n, H)`` and edges ``(B, n, n)``, 1 where i feeds j."""
        parts = products or self.products()
        rows, degrees = gathered(states, edges)
        messages = parts.messages(rows) + degrees.to(rows.dtype) @ self._biases()
        flat = states.flatten(0, 1)
        new: Tensor = self.gru(parts.inputs(messages), flat, parts.recurrence)
        return new.view(states.shape)

    def from_table(self, table: Tensor, types: Tensor, edges: Tensor) -> Tensor:
        """The same as :meth:`forward` of ``table[types]``, but multiplying only the few rows of the table.

        Args:
            table: ``(T, H)`` distinct states.
            types: ``(B, n)`` int64, the row of each vertex.
            edges: ``(B, n, n)``.
        """
        rows, degrees = gathered(F.one_hot(types, len(table)).to(edges.dtype), edges)
        (sent, received), (sent_back, received_back) = (
            layer.weight.chunk(2, 1) for layer in (self.forward_message, self.reverse_message)
        )
        parts = [F.linear(table, weight) for weight in (sent, received, sent_back, received_back)]
        weight_ih = self.gru.weight_ih
        inputs = rows @ F.linear(torch.cat(parts), weight_ih).to(rows.dtype)
        inputs = inputs + degrees @ F.linear(self._biases(), weight_ih).to(rows.dtype) + self.gru.bias_ih
        recurrent = F.linear(table, self.gru.weight_hh, self.gru.bias_hh)
        flat = types.flatten()
        return self.gru.combined(inputs, recurrent[flat], table[flat]).view(*types.shape, -1)

    def _biases(self) -> Tensor:
        return torch.stack([self.forward_message.bias, self.reverse_message.bias])


def gathered(states: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
    """The inputs of the message layers ``(B n, 4F)``, and the numbers of messages ``(B n, 2)``.

    The row of a vertex with state ``h`` of ``F`` numbers holds the sum of its predecessors' states, ``h``
    times their number, the sum of its successors' states, and ``h`` times their number.
    """
    edges = edges.to(states.dtype)
    incoming, outgoing = edges.sum(1), edges.sum(2)
    rows = [
        torch.bmm(edges.transpose(1, 2), states),
        incoming[:, :, None] * states,
        torch.bmm(edges, states),
        outgoing[:, :, None] * states,
    ]
    return torch.cat(rows, 2).flatten(0, 1), torch.stack([incoming, outgoing], 2).flatten(0, 1)


class ReadOut(nn.Module):
    """``sum_v sigmoid(g(h_v)) f(h_v)``: the gated sum over the vertices (VS-GAE, eq. 6).

    Args:
        hidden: Size ``H`` of a vertex state.
        outputs: Size of the sum.
    """

    def __init__(self, hidden: int, outputs: int) -> None:
        super().__init__()
        self.value = nn.Linear(hidden, outputs)
        self.gate = nn.Linear(hidden, 1)

    def gated(self, states: Tensor) -> Tensor:
        """The terms of the sum ``(..., outputs)``."""
        terms: Tensor = torch.sigmoid(self.gate(states)) * self.value(states)
        return terms

    def forward(self, states: Tensor) -> Tensor:
        """``(B, outputs)`` from states ``(B, n, H)`` without padding."""
        return self.gated(states).sum(1)


class MeanEncoder(nn.Module):
    """VS-GAE's encoder without the variance: message passing from the embedded types, and a gated read-out.

    Args:
        types: Number of vertex types.
        hidden: Size ``H`` of a vertex state.
        latent: Size ``d`` of the read-out.
        layers: Rounds of messages, each with its own weights.
    """

    def __init__(self, types: int, hidden: int, latent: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(types, hidden)
        self.first_layer = MessageLayer(hidden)
        self.layers = nn.ModuleList(MessageLayer(hidden) for _ in range(layers - 1))
        self.mean = ReadOut(hidden, latent)

    def states(self, graphs: ArchitectureBatch) -> Tensor:
        """Vertex states ``(B, N, H)`` of vertex graphs; those of padding are meaningless."""
        edges, types = (graphs.adjacency > 0).float(), graphs.operations.long()
        states = self.first_layer.from_table(self.embedding.weight, types, edges)
        for layer in self.layers:
            states = layer(states, edges)
        return states

    def read(self, states: Tensor, graphs: ArchitectureBatch, head: ReadOut) -> Tensor:
        """``(B, d)``: the read-out over the real vertices."""
        return (head.gated(states) * graphs.mask[:, :, None]).sum(1)

    def forward(self, graphs: ArchitectureBatch) -> Tensor:
        """Means ``(B, d)``."""
        return self.read(self.states(graphs), graphs, self.mean)


class GraphEncoder(MeanEncoder):
    """VS-GAE's encoder, with a second read-out for the log-variance."""

    def __init__(self, types: int, hidden: int, latent: int, layers: int) -> None:
        super().__init__(types, hidden, latent, layers)
        self.log_variance = ReadOut(hidden, latent)

    def both(self, graphs: ArchitectureBatch) -> tuple[Tensor, Tensor]:
        """Means and log-variances, each ``(B, d)``."""
        states = self.states(graphs)
        return self.read(states, graphs, self.mean), self.read(states, graphs, self.log_variance)
