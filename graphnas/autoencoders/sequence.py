"""S-VAE and GraphRNN, baselines of D-VAE that read a graph as a sequence of vertices with types and edges.

Sources: Zhang et al., "D-VAE" (NeurIPS 2019), section 4 and appendix, and their code; You et al., "GraphRNN"
(ICML 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphnas.autoencoders.base import StepwiseAutoencoder
from graphnas.autoencoders.drawing import GraphDrawing
from graphnas.autoencoders.networks import GRUStep, mlp
from graphnas.graph.batch import ArchitectureBatch


class SequenceAutoencoder(StepwiseAutoencoder):
    """The encoder of S-VAE and GraphRNN: a GRU over the tokens of vertices 1 to N - 1.

    A token is the one-hot type of a vertex and N - 1 bits, its edges from the vertices 0 to N - 2. Positions
    after the end of a graph have the type "start" and no edges.
    """

    def _build(self) -> None:
        hidden, width = self.config.hidden, self.token_width
        self.encoder = GRUStep(width, hidden)
        self.mean = nn.Linear(hidden, self.config.latent)
        self.log_variance = nn.Linear(hidden, self.config.latent)
        self.start = nn.Linear(self.config.latent, hidden)
        self.type_scorer = mlp(hidden, hidden, self.adapter.num_types)

    @property
    def token_width(self) -> int:
        """Number of types and bits."""
        return self.adapter.num_types + self.adapter.max_vertices - 1

    def _encode(self, graphs: ArchitectureBatch) -> tuple[Tensor, Tensor]:
        inputs, recurrence = self.encoder.table(self.tokens(graphs)), self.encoder.recurrence()
        state = self.encoder.from_zero(inputs[:, 0])
        for v in range(1, inputs.shape[1]):
            state = self.encoder(inputs[:, v], state, recurrence)
        return self.mean(state), self.log_variance(state)

    def tokens(self, graphs: ArchitectureBatch) -> Tensor:
        """``(B, N - 1, T + N - 1)`` float."""
        types = F.one_hot(graphs.operations[:, 1:].long(), self.adapter.num_types).float()
        bits = (graphs.adjacency[:, :-1, 1:] > 0).float().transpose(1, 2)
        return torch.cat([types, bits], 2)

    def _sequence_loss(self, graphs: ArchitectureBatch, type_logits: Tensor, edge_logits: Tensor) -> Tensor:
        """Cross-entropies ``(B,)`` of types ``(B, N-1, T)`` and of all bits ``(B, N-1, N-1)``.

        As in the released code, the bits that the order of the vertices excludes are scored too. Positions
        after the end of a graph, which that code scores, are not; graphs of the ENAS data have none.
        """
        tokens = self.tokens(graphs)
        kinds = self.adapter.num_types
        types = F.cross_entropy(
            type_logits.float().transpose(1, 2), tokens[..., :kinds].argmax(2), reduction="none"
        )
        bits = F.binary_cross_entropy_with_logits(edge_logits.float(), tokens[..., kinds:], reduction="none")
        return ((types + bits.sum(2)) * graphs.mask[:, 1:]).sum(1)


class SVAE(SequenceAutoencoder):
    """S-VAE: a GRU reads the tokens, another writes them.

    The decoder's GRU reads the same ``ReLU(W z + b)`` at every position; types and bits are scored from its
    state, independently of each other given the state. It is unidirectional, as in the paper: according to
    its authors the bidirectional option of their code does not learn.
    """

    def _build(self) -> None:
        super()._build()
        hidden = self.config.hidden
        self.decoder = GRUStep(hidden, hidden)
        self.edge_scorer = mlp(hidden, hidden, self.adapter.max_vertices - 1)

    def _states(self, z: Tensor) -> Tensor:
        inputs = self.decoder.table(torch.relu(self.start(z)))
        states, recurrence = [self.decoder.from_zero(inputs)], self.decoder.recurrence()
        for _ in range(2, self.adapter.max_vertices):
            states.append(self.decoder(inputs, states[-1], recurrence))
        return torch.stack(states, 1)

    def _reconstruction(self, graphs: ArchitectureBatch, z: Tensor) -> Tensor:
        states = self._states(z)
        return self._sequence_loss(graphs, self.type_scorer(states), self.edge_scorer(states))

    def _generate(self, z: Tensor, drawing: GraphDrawing) -> None:
        states = self._states(z)
        types, bits = self.type_scorer(states), self.edge_scorer(states)
        for v in range(1, self.adapter.max_vertices):
            drawing.draw_types(v, types[:, v - 1])
            for u in range(v - 1, -1, -1):
                drawing.draw_edges(u, v, bits[:, v - 1, u])


class GraphRNN(SequenceAutoencoder):
    """GraphRNN as the decoder of S-VAE (You et al., ICML 2018, as adapted in D-VAE's code).

    A GRU over the vertices reads the previous token (teacher forcing) and starts from ``ReLU(W z + b)``; a
    second GRU over the bits of a token reads the previous bit and starts from the state of the first.
    Vertices are in topological rather than breadth-first order. In generation the bits that the order of the
    vertices excludes are 0; the released code draws them and reads them, but does not use them otherwise.
    """

    def _build(self) -> None:
        super()._build()
        hidden = self.config.hidden
        self.decoder = GRUStep(self.token_width, hidden)
        self.edge_decoder = GRUStep(1, hidden)
        self.edge_scorer = mlp(hidden, hidden, 1)

    def _reconstruction(self, graphs: ArchitectureBatch, z: Tensor) -> Tensor:
        tokens = self.tokens(graphs)
        count, length, width = tokens.shape
        inputs = self.decoder.table(torch.cat([tokens.new_zeros(count, 1, width), tokens[:, :-1]], 1))
        state, recurrence = torch.relu(self.start(z)), self.decoder.recurrence()
        states = []
        for v in range(length):
            state = self.decoder(inputs[:, v], state, recurrence)
            states.append(state)
        vertex_states = torch.stack(states, 1)
        # A bit is 0 or 1, so the input's half of the gates has two distinct rows.
        zero, one = self._bit_inputs()
        bits = tokens[:, :, self.adapter.num_types :].bool().flatten(0, 1)
        edge_state, edge_states = vertex_states.flatten(0, 1), []
        recurrence = self.edge_decoder.recurrence()
        for u in range(length):
            before = zero if u == 0 else torch.where(bits[:, u - 1, None], one, zero)
            edge_state = self.edge_decoder(before, edge_state, recurrence)
            edge_states.append(edge_state)
        edge_logits = self.edge_scorer(torch.stack(edge_states, 1)).view(count, length, length)
        return self._sequence_loss(graphs, self.type_scorer(vertex_states), edge_logits)

    def _bit_inputs(self) -> tuple[Tensor, Tensor]:
        table = self.edge_decoder.table(torch.tensor([[0.0], [1.0]], device=self.device))
        return table[0], table[1]

    def _generate(self, z: Tensor, drawing: GraphDrawing) -> None:
        kinds, last = self.adapter.num_types, self.adapter.max_vertices - 1
        zero, one = self._bit_inputs()
        token = z.new_zeros(len(z), self.token_width)
        state = torch.relu(self.start(z))
        for v in range(1, last + 1):
            state = self.decoder(self.decoder.table(token), state)
            types = drawing.draw_types(v, self.type_scorer(state))
            token = torch.zeros_like(token)
            token[torch.arange(len(z), device=z.device), types] = 1
            edge_state, before = state, zero
            for u in range(v):
                edge_state = self.edge_decoder(before, edge_state)
                accepted = drawing.draw_edges(u, v, self.edge_scorer(edge_state)[:, 0])
                token[:, kinds + u] = accepted.float()
                before = torch.where(accepted[:, None], one, zero)

    def unused_in_release(self) -> dict[str, int]:
        """S-VAE's scorer of bits."""
        hidden, bits = self.config.hidden, self.adapter.max_vertices - 1
        return {"add_edges": (hidden + 1) * hidden + (hidden + 1) * bits}
