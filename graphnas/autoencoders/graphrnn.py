"""GraphRNN as a decoder of vertex graphs, a baseline of D-VAE.

Sources: You et al., "GraphRNN" (ICML 2018); its adaptation in the code of D-VAE (Zhang et al., NeurIPS 2019).
"""

from __future__ import annotations

import torch
from torch import Tensor

from graphnas.autoencoders.drawing import GraphDrawing
from graphnas.autoencoders.networks import GRUStep, mlp
from graphnas.autoencoders.svae import SequenceAutoencoder
from graphnas.graph.batch import ArchitectureBatch


class GraphRNN(SequenceAutoencoder):
    """GraphRNN as the decoder of S-VAE (You et al., ICML 2018, as adapted in D-VAE's code).

    A GRU over the vertices is fed with the token before (teacher forcing) and starts from ``ReLU(W z + b)``;
    a second GRU over the bits of a token is fed with the bit before and starts from the state of the first.
    Vertices are in topological, not breadth-first, order. In generation the bits that the order of the
    vertices excludes are 0; the released code draws them, feeds them on, and ignores them otherwise.

    The released code also allocates S-VAE's scorer of bits, which nothing uses; this model does not.
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
        # A bit is 0 or 1, so the input's half of the gates has two different rows.
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
