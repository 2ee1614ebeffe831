"""S-VAE, the string baseline of D-VAE: a graph as a sequence of vertices, each with its type and its edges.

Source: Zhang et al., "D-VAE" (NeurIPS 2019), section 4 and appendix, and their code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphnas.autoencoders.drawing import GraphDrawing
from graphnas.autoencoders.networks import GRUStep, mlp
from graphnas.autoencoders.stepwise import StepwiseAutoencoder
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
        """Types and bits."""
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
        after the end of a graph are not; there they are, but graphs of the ENAS data have none.
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

    The decoder's GRU is fed with the same ``ReLU(W z + b)`` at every position; types and bits are scored from
    its state, all of them independent given the state. It is unidirectional, as in the paper: its authors
    found that the bidirectional option of their code does not learn.
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
