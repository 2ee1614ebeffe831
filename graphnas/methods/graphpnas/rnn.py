"""RNNGenerator: GraphPNAS's baseline, a recurrent network that writes a graph decision by decision."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from graphnas.errors import InvalidArgument
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.methods.graphpnas.decisions import Decisions
from graphnas.methods.graphpnas.generator import (
    ArchitectureGenerator,
    PreparedBatch,
    categorical,
    uniform,
)
from graphnas.methods.graphpnas.likelihood import LogLikelihood, decision_weights

FORBIDDEN = -1e9
"""Logit of a label that a node or an edge may not have."""


class MaskedGenerator(ArchitectureGenerator):
    """Base of the recurrent generators: masks of what the space leaves open, and graphs as rows.

    Args:
        space: The search space.
    """

    def __init__(self, space: GraphSpace) -> None:
        super().__init__(space)
        tables = self.decisions = Decisions(space)

        def logits(allowed: NDArray[np.bool_]) -> Tensor:
            return torch.zeros(allowed.shape).masked_fill(torch.from_numpy(~allowed), FORBIDDEN)

        for name, mask in {
            "node_mask": logits(tables.operations),
            "label_mask": logits(tables.labels),
            "edge_free": torch.from_numpy(tables.edge_free),
            "edge_forced": torch.from_numpy(tables.edge_forced),
            "label_free": torch.from_numpy(tables.label_free),
        }.items():
            self.register_buffer(name, mask, persistent=False)

    node_mask: Tensor
    label_mask: Tensor
    edge_free: Tensor
    edge_forced: Tensor
    label_free: Tensor

    def prepare(self, batch: ArchitectureBatch) -> PreparedBatch:
        """The rows of the graphs as tensors; see the base class."""
        return RowGraphs.of(self.decisions, batch, self.device)

    def as_rows(self, batch: ArchitectureBatch | PreparedBatch) -> RowGraphs:
        """The rows of graphs, prepared or not.

        Raises:
            InvalidArchitecture: An architecture that the space's choices forbid.
        """
        if isinstance(batch, PreparedBatch) and not isinstance(batch, RowGraphs):
            batch = batch.batch
        return batch if isinstance(batch, RowGraphs) else RowGraphs.of(self.decisions, batch, self.device)

    def as_batch(self, adjacency: Tensor, operations: Tensor) -> ArchitectureBatch:
        """Drawn graphs ``(B, N, N)`` and ``(B, N)`` without what was drawn after their ends."""
        count = operations.shape[1]
        sizes = torch.full((len(operations),), count, device=self.device)
        if self.decisions.terminal is not None:
            ends = operations == self.decisions.terminal
            sizes = 1 + ends.int().argmax(1)
            real = torch.arange(count, device=self.device) < sizes[:, None]
            adjacency = adjacency * real[:, None]
            operations = operations * real
        return ArchitectureBatch(adjacency, operations, sizes)


class RNNGenerator(MaskedGenerator):
    """The RNN of GraphPNAS's NAS-Bench-101 experiments, with an exact likelihood.

    A two-layer LSTM takes two steps per node. After the first it chooses the node's operation; it reads that,
    and after the second it chooses the node's inputs (and their labels), independently of each other given
    its state. It then reads the mean embedding of what was chosen. Logits l become ``c tanh(l / T)``, as in
    ENAS, which keeps every choice possible. In a space with a terminal operation, choosing it ends the graph.

    The released code handicaps this baseline: its loss applies the cross-entropy of classes to sigmoids,
    ignores the rewards, divides a sum over all rows by the length of the last and reads wrong embeddings of
    edges. Here the likelihood is that of the choices, log-softmax of operations and Bernoulli of edges, and
    the loop around it is the same as the graph generator's.

    Args:
        space: The search space.
        hidden_size: Width of the embeddings and of the LSTM.
        layers: Layers of the LSTM.
        temperature: T; 5 in the released code.
        tanh_constant: c; 2.5 in the released code. None leaves the logits as they are.
        generator: Source of the initial weights, on the CPU.

    Raises:
        InvalidArgument: A size, the temperature or the constant is not positive.
    """

    def __init__(
        self,
        space: GraphSpace,
        *,
        hidden_size: int = 128,
        layers: int = 2,
        temperature: float = 5.0,
        tanh_constant: float | None = 2.5,
        generator: torch.Generator,
    ) -> None:
        super().__init__(space)
        sizes = {"hidden_size": hidden_size, "layers": layers, "temperature": temperature}
        if tanh_constant is not None:
            sizes["tanh_constant"] = tanh_constant
        for name, value in sizes.items():
            if not value > 0:
                raise InvalidArgument(f"{name} must be positive, got {value}")
        self.temperature = temperature
        self.tanh_constant = tanh_constant
        n, self.labels = self.decisions.num_nodes, self.decisions.num_labels
        self.start = nn.Parameter(torch.empty(hidden_size))
        # Meta tensors: the library's own initialisation would draw from the user's global generator.
        operations, edges = len(space.node_ops), n * self.labels
        self.read_operation = nn.Embedding(operations, hidden_size, device="meta").to_empty(device="cpu")
        self.read_edge = nn.Embedding(edges, hidden_size, device="meta").to_empty(device="cpu")
        lstm = nn.LSTM(hidden_size, hidden_size, layers, batch_first=True, device="meta")
        self.lstm = lstm.to_empty(device="cpu")
        self.write_operation = nn.Linear(hidden_size, operations, device="meta").to_empty(device="cpu")
        # A head for each node: whether each earlier node feeds it, and through which label.
        self.write_edges = nn.Parameter(torch.empty(n, hidden_size, n * (1 + self.labels)))
        self.edge_bias = nn.Parameter(torch.zeros(n, n * (1 + self.labels)))
        bound = 1 / math.sqrt(hidden_size)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name == "edge_bias":
                    continue
                wide = 1.0 if name in ("start", "read_operation.weight", "read_edge.weight") else bound
                parameter.uniform_(-wide, wide, generator=generator)

    # ---------------------------------------------------------------- likelihood

    def log_likelihood(self, batch: ArchitectureBatch | PreparedBatch) -> LogLikelihood:
        """Exact and differentiable; all steps of all graphs in one pass of the LSTM.

        Raises:
            InvalidArchitecture: An architecture that the space's choices forbid.
        """
        graphs = self.as_rows(batch)
        rows, operations, real = graphs.rows, graphs.operations, graphs.real
        size, n = operations.shape
        nodes = self.read_operation(operations)
        edges = self._read_edges(rows)
        inputs = torch.stack([nodes, edges], 2).reshape(size, 2 * n, -1)
        inputs = torch.cat([self.start.expand(size, 1, -1), inputs[:, :-1]], 1)
        states, _ = self.lstm(inputs)
        node_logits = self._bounded(self.write_operation(states[:, 0::2])) + self.node_mask
        chosen = torch.log_softmax(node_logits, -1).gather(-1, operations[..., None])[..., 0]
        outputs = torch.einsum("bnh,nho->bno", states[:, 1::2], self.write_edges) + self.edge_bias
        presence, label_logits = self._split(outputs)
        present = rows > 0
        bernoulli = torch.where(present, F.logsigmoid(presence), F.logsigmoid(-presence)) * self.edge_free
        among = torch.log_softmax(label_logits + self.label_mask, -1)
        labelled = (present & self.label_free) * among.gather(-1, (rows - 1).clamp(min=0)[..., None])[..., 0]
        terms = torch.stack([bernoulli.sum(-1), chosen, labelled.sum(-1)]) * real
        counts = (present & self.label_free).sum(-1)
        return LogLikelihood(terms, decision_weights(real.sum(1), counts, terms.dtype))

    def _read_edges(self, rows: Tensor) -> Tensor:
        """Mean embedding of the present edges of each row, ``(..., H)``; zeros where there is none."""
        labels = torch.arange(1, self.labels + 1, device=rows.device)
        present = (rows[..., None] == labels).flatten(-2).to(self.read_edge.weight.dtype)
        return present @ self.read_edge.weight / present.sum(-1, keepdim=True).clamp(min=1)

    def _bounded(self, logits: Tensor) -> Tensor:
        if self.tanh_constant is None:
            return logits
        return self.tanh_constant * torch.tanh(logits / self.temperature)

    def _split(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of presence ``(..., N)`` and of labels ``(..., N, labels)``."""
        n = self.space.max_nodes
        bounded = self._bounded(outputs)
        return bounded[..., :n], bounded[..., n:].reshape(*outputs.shape[:-1], n, self.labels)

    # ---------------------------------------------------------------- sampling

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> ArchitectureBatch:
        """``n`` ancestral samples; two steps of the LSTM per node.

        Raises:
            InvalidArgument: ``n`` is not positive.
        """
        if n < 1:
            raise InvalidArgument(f"n must be at least 1, got {n}")
        count = self.space.max_nodes
        adjacency = torch.zeros(n, count, count, dtype=torch.int8, device=self.device)
        operations = torch.zeros(n, count, dtype=torch.int16, device=self.device)
        state: tuple[Tensor, Tensor] | None = None
        read = self.start.expand(n, 1, -1)
        for i in range(count):
            out, state = self.lstm(read, state)
            logits = self._bounded(self.write_operation(out[:, 0])) + self.node_mask[i]
            chosen = categorical(logits, generator)
            operations[:, i] = chosen.to(torch.int16)
            out, state = self.lstm(self.read_operation(chosen)[:, None], state)
            presence, labels = self._split(out[:, 0] @ self.write_edges[i] + self.edge_bias[i])
            drawn = uniform(presence.shape, generator, self.device) < torch.sigmoid(presence)
            present = (drawn & self.edge_free[i]) | self.edge_forced[i]
            row = (1 + categorical(labels + self.label_mask[i], generator)) * present
            adjacency[:, :, i] = row.to(torch.int8)
            read = self._read_edges(row)[:, None]
        return self.as_batch(adjacency, operations)


class RowGraphs(PreparedBatch):
    """Graphs as rows in the order of generation: labels of in-edges ``(B, N, N)``, operations, real nodes."""

    def __init__(self, batch: ArchitectureBatch, rows: Tensor, operations: Tensor, real: Tensor) -> None:
        super().__init__(batch)
        self.rows, self.operations, self.real = rows, operations, real

    @classmethod
    def of(cls, decisions: Decisions, batch: ArchitectureBatch, device: torch.device) -> RowGraphs:
        """The graphs of ``batch``, checked, on ``device``."""
        rows, operations, sizes = decisions.arrays(batch)
        real = np.arange(decisions.num_nodes) < sizes[:, None]
        return cls(batch, *(torch.from_numpy(array).to(device) for array in (rows, operations, real)))

    def minibatches(self, order: Tensor, size: int) -> Iterator[PreparedBatch]:
        """As in the base class."""
        for index in torch.split(order, size):
            yield RowGraphs(self.batch, self.rows[index], self.operations[index], self.real[index])

    def __len__(self) -> int:
        return len(self.rows)
