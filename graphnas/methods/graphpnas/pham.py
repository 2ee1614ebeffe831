"""PhamGenerator: ENAS's controller, the RNN that GraphPNAS compares with on the ENAS space."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphnas.errors import InvalidArgument
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.methods.graphpnas.generator import PreparedBatch, categorical, uniform
from graphnas.methods.graphpnas.likelihood import LogLikelihood, decision_weights
from graphnas.methods.graphpnas.rnn import MaskedGenerator, RowGraphs

INITIAL = 0.1
"""Weights begin uniform within this distance of 0, as in ENAS."""


class PhamGenerator(MaskedGenerator):
    """The controller of Pham et al. (ICML 2018), section 2.2, for any space without labels of edges.

    An LSTM without biases takes two steps per node. After the first it chooses the node's operation and reads
    it; after the second, whether each earlier node feeds this one, by attention on the state that it had
    there (its anchor): ``q = v tanh(W anchor + W' h)`` and a softmax of ``(-q, q)``. It then reads the sum of
    the chosen anchors, divided by one more than their number. Logits become ``c tanh(l)``.

    ENAS adds a penalty on the number of skips and a bonus for entropy; GraphPNAS leaves out the latter for a
    fair comparison, and here neither is added.

    Args:
        space: The search space.
        hidden_size: Width of the embeddings and of the LSTM; 64 in ENAS.
        tanh_constant: c; 1.5 in the code that GraphPNAS builds on.
        generator: Source of the initial weights, on the CPU.

    Raises:
        InvalidArgument: The space labels edges, or a size or the constant is not positive.
    """

    def __init__(
        self,
        space: GraphSpace,
        *,
        hidden_size: int = 64,
        tanh_constant: float = 1.5,
        generator: torch.Generator,
    ) -> None:
        super().__init__(space)
        for name, value in (("hidden_size", hidden_size), ("tanh_constant", tanh_constant)):
            if not value > 0:
                raise InvalidArgument(f"{name} must be positive, got {value}")
        if self.decisions.label_free.any():
            raise InvalidArgument(
                f"{space.name} labels edges, which ENAS's controller cannot choose: use 'rnn'"
            )
        self.tanh_constant = tanh_constant
        h = hidden_size
        # Meta tensors: the library's own initialisation would draw from the user's global generator.
        self.cell = nn.LSTMCell(h, h, bias=False, device="meta").to_empty(device="cpu")
        self.read_operation = nn.Embedding(len(space.node_ops), h, device="meta").to_empty(device="cpu")
        self.write_operation = nn.Linear(h, len(space.node_ops), device="meta").to_empty(device="cpu")
        self.of_anchor = nn.Linear(h, h, bias=False, device="meta").to_empty(device="cpu")
        self.of_state = nn.Linear(h, h, bias=False, device="meta").to_empty(device="cpu")
        self.attention = nn.Linear(h, 1, bias=False, device="meta").to_empty(device="cpu")
        self.start = nn.Parameter(torch.empty(h))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-INITIAL, INITIAL, generator=generator)

    def log_likelihood(self, batch: ArchitectureBatch | PreparedBatch) -> LogLikelihood:
        """Exact and differentiable; node by node, all graphs at once.

        Raises:
            InvalidArchitecture: An architecture that the space's choices forbid.
        """
        graphs = self.as_rows(batch)
        terms, _, _ = self._walk(len(graphs), graphs, None)
        terms = terms * graphs.real
        counts = torch.zeros_like(graphs.operations)
        return LogLikelihood(terms, decision_weights(graphs.real.sum(1), counts, terms.dtype))

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> ArchitectureBatch:
        """``n`` ancestral samples; two steps of the LSTM per node.

        Raises:
            InvalidArgument: ``n`` is not positive.
        """
        if n < 1:
            raise InvalidArgument(f"n must be at least 1, got {n}")
        _, rows, operations = self._walk(n, None, generator)
        return self.as_batch(rows.transpose(1, 2).to(torch.int8), operations.to(torch.int16))

    def _walk(
        self, count: int, given: RowGraphs | None, source: torch.Generator | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Terms ``(3, B, N)``, rows ``(B, N, N)``, operations ``(B, N)``: of given graphs, or drawn ones."""
        n = self.space.max_nodes
        read = self.start.expand(count, -1)
        h = c = torch.zeros_like(read)
        anchors: list[Tensor] = []
        edge_terms, node_terms, rows, operations = [], [], [], []
        for i in range(n):
            h, c = self.cell(read, (h, c))
            logits = self._bounded(self.write_operation(h)) + self.node_mask[i]
            if given is not None:
                chosen = given.operations[:, i]
            else:
                assert source is not None
                chosen = categorical(logits, source)
            node_terms.append(torch.log_softmax(logits, -1).gather(1, chosen[:, None])[:, 0])
            h, c = self.cell(self.read_operation(chosen), (h, c))
            row = torch.zeros(count, n, dtype=torch.long, device=h.device)
            edge_terms.append(torch.zeros_like(h[:, 0]))
            read = self.start.expand(count, -1)
            if anchors:
                earlier = torch.stack(anchors, 1)
                scores = self.attention(torch.tanh(self.of_anchor(earlier) + self.of_state(h)[:, None]))
                # A softmax of (-q, q) gives an edge the probability of a sigmoid of 2 q.
                presence = 2 * self._bounded(scores[..., 0])
                free, forced = self.edge_free[i, :i], self.edge_forced[i, :i]
                if given is not None:
                    present = given.rows[:, i, :i] > 0
                else:
                    assert source is not None
                    drawn = uniform(presence.shape, source, presence.device) < torch.sigmoid(presence)
                    present = (drawn & free) | forced
                log_odds = torch.where(present, F.logsigmoid(presence), F.logsigmoid(-presence))
                edge_terms[-1] = (log_odds * free).sum(1)
                row[:, :i] = present.long()
                fed = present.to(h.dtype)
                read = (fed[..., None] * earlier).sum(1) / (1 + fed.sum(1, keepdim=True))
            anchors.append(h)
            rows.append(row)
            operations.append(chosen)
        edges, nodes = torch.stack(edge_terms, 1), torch.stack(node_terms, 1)
        terms = torch.stack([edges, nodes, torch.zeros_like(nodes)])
        return terms, torch.stack(rows, 1), torch.stack(operations, 1)

    def _bounded(self, logits: Tensor) -> Tensor:
        return self.tanh_constant * torch.tanh(logits)
