"""The graph neural network of GraphPNAS as its paper prints it (eq. 7-10); the released code has another."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from graphnas.methods.graphpnas.subgraphs import Wiring


class PrintedMessagePassing(nn.Module):
    """S rounds of message passing in which all rounds share f, g and the GRU (GraphPNAS, eq. 7-10).

    For each node i and all j in N(i), the neighbours of i and i itself::

        m_ij = f([h_i - h_j, 1_ij])                            (7)
        h~_i = [h_i, u_i]                                      (8)
        a_ij = sigmoid(g(h~_i - h~_j))                         (9)
        h_i <- GRU(h_i, sum over j in N(i) of a_ij m_ij)       (10)

    1_ij is 1 where the edge leads from j to i, and 0 where it leads from i to j; u_i is the one-hot sum of
    the nodes that feed node i, and its position, one-hot. The new node is joined to every earlier one, none
    of which is known to feed it yet.

    Left open by the paper, and chosen here: f and g have one hidden layer of H units and ReLU; a_ij is a
    vector, as in the released code; i itself has 1_ii = 0; and in spaces that label edges f reads the label
    of the edge too, all zeros where none is known yet. A state begins as a linear map of the one-hot
    operation, h_0 in the paper, without a bias, so that the new node begins at 0.

    Args:
        num_nodes: N, the largest number of nodes.
        num_labels: L, the number of edge labels.
        num_operations: C.
        hidden_size: H.
        steps: S.
        generator: Source of the initial weights, on the CPU.
    """

    def __init__(
        self,
        num_nodes: int,
        num_labels: int,
        num_operations: int,
        hidden_size: int,
        steps: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.steps, self.operations = steps, num_operations
        self.labels = num_labels if num_labels > 1 else 0
        h = hidden_size
        self.start = nn.Linear(num_operations, h, bias=False)
        self.f = nn.Sequential(nn.Linear(h + 1 + self.labels, h), nn.ReLU(), nn.Linear(h, h))
        self.g = nn.Sequential(nn.Linear(h + 2 * num_nodes, h), nn.ReLU(), nn.Linear(h, h))
        self.gru = nn.GRUCell(h, h)
        with torch.no_grad():
            # torch's own initialisation, U(-1/sqrt(fan-in), 1/sqrt(fan-in)), from the given source.
            for module in self.modules():
                if isinstance(module, nn.Linear | nn.GRUCell):
                    bound = (module.in_features if isinstance(module, nn.Linear) else h) ** -0.5
                    for parameter in module.parameters(recurse=False):
                        parameter.uniform_(-bound, bound, generator=generator)

    def forward(self, features: Tensor, wiring: Wiring) -> Tensor:
        """States ``(V, H)`` of the nodes after S rounds.

        Args:
            features: ``(V, 1 + N + C + N)``, those of :func:`.subgraphs.features_of` with ``"both"``.
            wiring: The sub-graphs.
        """
        nodes = wiring.number.shape[1]
        inputs = features[:, 1 : 1 + nodes]
        h: Tensor = self.start(features[:, 1 + nodes : 1 + nodes + self.operations])
        u = torch.cat([inputs, wiring.number.to(h.dtype)], 1)
        # Edges j -> i and i <- i: which node is i, which is j, the direction, and the label.
        own = torch.arange(len(h), device=h.device)
        kinds = wiring.kind.shape[1]
        target = torch.cat([wiring.target, own])
        source = torch.cat([wiring.ends[::3] - kinds, own])
        known = [(wiring.node[source] < wiring.node[target])[:, None].to(h.dtype)]
        if self.labels:
            label = wiring.kind[:, : self.labels].to(h.dtype)
            known.append(torch.cat([label, label.new_zeros(len(own), self.labels)]))
        told = torch.cat(known, 1)
        of_g = u[target] - u[source]
        for _ in range(self.steps):
            difference = h[target] - h[source]
            message = self.f(torch.cat([difference, told], 1))
            attention = torch.sigmoid(self.g(torch.cat([difference, of_g], 1)))
            total = torch.zeros_like(h).index_add(0, target, attention * message)
            h = self.gru(total, h)
        return h

    @torch.no_grad()
    def rounded(self) -> Callable[[Tensor, Wiring], Tensor]:
        """What :meth:`forward` computes with the present weights, in bfloat16 and without gradients."""
        half = copy.deepcopy(self).bfloat16()

        def states(features: Tensor, wiring: Wiring) -> Tensor:
            result: Tensor = half(features.bfloat16(), wiring)
            return result.to(features.dtype)

        return states
