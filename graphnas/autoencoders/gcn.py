"""GCN, the baseline of D-VAE with a graph convolutional encoder, and GCN-EMB, its operation embedding.

Sources: Zhang et al. (NeurIPS 2019), section 4, and their code; Chatzianastasis et al. (ICCV Workshops 2021).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphnas.autoencoders.config import GCNConfig, GCNEmbConfig
from graphnas.autoencoders.dvae import VertexAutoencoder, unused_sweeps
from graphnas.graph.batch import ArchitectureBatch


class GCN(VertexAutoencoder):
    """A graph convolutional encoder with a sum over the inner vertices; the decoder is that of D-VAE.

    A level is ``h_v <- ReLU(W (x_v / (in_v + 1) + sum_u x_u / sqrt((out_u + 1)(in_v + 1))) + b)`` over the
    predecessors u of v; the first level reads the types. The paper calls the update simultaneous. The
    released code updates the vertices in place, in index order, so that from the second level on a vertex
    sees the new states of its predecessors. That is the default here; ``propagation="simultaneous"`` follows
    the paper. As in that code, the decoder scores types from the sum of all vertex states so far.
    """

    config_class = GCNConfig
    config: GCNConfig
    summed_graph_state = True

    def _build(self) -> None:
        super()._build()
        hidden = self.config.hidden
        inputs = [self.num_features, *[hidden] * (self.config.levels - 1)]
        self.levels = nn.ModuleList(nn.Linear(size, hidden) for size in inputs)

    def _encode(self, graphs: ArchitectureBatch) -> tuple[Tensor, Tensor]:
        edges = (graphs.adjacency > 0).float()
        n = edges.shape[1]
        outgoing, incoming = edges.sum(2) + 1, edges.sum(1) + 1
        weights = edges / torch.sqrt(outgoing[:, :, None] * incoming[:, None, :])
        # Column v holds the weights with which v receives from each vertex, including itself.
        weights = weights + torch.diag_embed(1 / incoming)
        state = self.features[graphs.operations.long()]
        for number, level in enumerate(self.levels):
            if number == 0 or self.config.propagation == "simultaneous":
                state = torch.relu(level(torch.bmm(weights.transpose(1, 2).to(state.dtype), state)))
                continue
            new: list[Tensor] = []
            for v in range(n):
                own = weights[:, v, v, None] * state[:, v]
                if v:
                    sent = torch.stack(new, 1)
                    own = own + torch.bmm(weights[:, None, :v, v].to(sent.dtype), sent)[:, 0]
                new.append(torch.relu(level(own)))
            state = torch.stack(new, 1)
        places = torch.arange(n, device=edges.device)
        inner = (places > 0) & (places < graphs.num_nodes[:, None] - 1)
        total = (state * inner[:, :, None]).sum(1)
        return self.mean(total), self.log_variance(total)

    def unused_in_release(self) -> dict[str, int]:
        """The sweeps of D-VAE's encoder, except the forward messages, which the decoder uses."""
        return unused_sweeps(self, forward=True)


class GCNEmb(GCN):
    """GCN-EMB: GCN with an embedding of 3 dimensions that encoder and decoder share."""

    config_class = GCNEmbConfig
    config: GCNEmbConfig
