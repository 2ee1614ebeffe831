"""GraphGenerator: the generator of GraphPNAS, a graph neural network that writes a graph node by node."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from graphnas.configuration import check_choices, check_integers
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
from graphnas.methods.graphpnas.heads import Heads, mixture, row_log_likelihood
from graphnas.methods.graphpnas.likelihood import LogLikelihood
from graphnas.methods.graphpnas.message_passing import MessagePassing
from graphnas.methods.graphpnas.prepared import PreparedGraphs, PreparedMinibatch
from graphnas.methods.graphpnas.printed_messages import PrintedMessagePassing
from graphnas.methods.graphpnas.subgraphs import Integers, Subgraphs, Wiring, Wirings, features_of

NODE_INPUTS = ("inputs", "operation", "both")
MIXTURES = ("mean", "sum")
MESSAGES = ("released", "printed")
Messages = Callable[[Tensor, Wiring], Tensor]
"""States of nodes from their inputs."""
EDGES_AT_ONCE = {"float32": 2_000, "bfloat16": 4_000}
"""Edges of sub-graphs that the network processes at once in sampling, by precision; they fit into a cache."""
PRECISIONS = tuple(EDGES_AT_ONCE)


@dataclass(frozen=True)
class GeneratorConfig:
    """Settings of :class:`GraphGenerator`; sizes are those of the paper, the rest follows the released code.

    The paper's text is ``GeneratorConfig(message_passing="printed", head_layers=2, node_input="operation",
    mixture_logits="sum", self_pair=False)``.

    Attributes:
        hidden_size: H; 128 in the paper, 24 in the released code.
        steps: S, the rounds of message passing.
        mixtures: K, the components of the mixture of Bernoullis.
        head_layers: Linear layers of each head; 3 in the code, 2 in the paper.
        message_passing: ``"released"``, the code's network, see :class:`.message_passing.MessagePassing`, or
            ``"printed"``, the paper's, see :class:`.printed_messages.PrintedMessagePassing`.
        node_input: What the input of an old node holds besides its number: its ``"inputs"`` (the code), its
            ``"operation"`` (the paper's h0) or ``"both"``. The printed network has ``"operation"`` only.
        mixture_logits: Whether the logits of the components are the ``"mean"`` over the pairs (the code) or
            their ``"sum"`` (eq. 4).
        self_pair: Whether the new node paired with itself counts among those pairs (the code; not eq. 4).
        sampling_precision: Precision of message passing in sampling, ``"float32"`` or ``"bfloat16"``. The
            latter is faster for large graphs on processors made for it; samples then follow the likelihood,
            which is always exact, only to about a percent of each probability.
    """

    hidden_size: int = 128
    steps: int = 7
    mixtures: int = 10
    head_layers: int = 3
    message_passing: str = "released"
    node_input: str = "inputs"
    mixture_logits: str = "mean"
    self_pair: bool = True
    sampling_precision: str = "float32"

    def __post_init__(self) -> None:
        check_integers(self, {"hidden_size": 2, "steps": 1, "mixtures": 1, "head_layers": 2})
        allowed = {
            "message_passing": MESSAGES,
            "node_input": NODE_INPUTS,
            "mixture_logits": MIXTURES,
            "sampling_precision": PRECISIONS,
        }
        check_choices(self, allowed)
        if self.message_passing == "printed" and self.node_input != "operation":
            raise InvalidArgument(
                f"node_input must be 'operation' with message_passing='printed', got {self.node_input!r}"
            )


class GraphGenerator(ArchitectureGenerator):
    """P(A, X) = prod_i P(row i of A | past) P(X_i | past), with a GNN over the graph so far (section 3.1).

    At step i the network of :class:`.message_passing.MessagePassing` or
    :class:`.printed_messages.PrintedMessagePassing` runs over the nodes before i and the new node, joined to
    all of them. From the states follow, with ``h_i - h_j`` for each j < i, the components'
    probabilities alpha and the edges' theta (eq. 2, 4, 6), the edges' labels, and with h_i the node's
    operation (eq. 5). Decisions that the space forces have probability 1. Edges that are present get a label,
    chosen among those from 1.

    In a space with a ``terminal`` operation any node but the first may have it; the graph then ends.

    Differences from the released code: rows without a decision are skipped, and the likelihood is that of the
    space's decisions (the code also scores forced ones).

    Args:
        space: The search space.
        config: Settings.
        generator: Source of the initial weights, on the CPU.
        device: Where the parameters live.

    Raises:
        InvalidArgument: The space leaves nothing to choose.
    """

    def __init__(
        self,
        space: GraphSpace,
        config: GeneratorConfig | None = None,
        *,
        generator: torch.Generator,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(space)
        self.config = config = config or GeneratorConfig()
        self.decisions = decisions = Decisions(space)
        if not len(decisions.rows):
            raise InvalidArgument(f"{space.name}: the space leaves nothing to choose")
        h, n, labels = config.hidden_size, decisions.num_nodes, decisions.num_labels
        self._printed = config.message_passing == "printed"
        self._features = "both" if self._printed else config.node_input
        self.messages: MessagePassing | PrintedMessagePassing
        if self._printed:
            sizes = n, labels, decisions.num_operations, h, config.steps
            self.messages = PrintedMessagePassing(*sizes, generator)
        else:
            self._make_inputs(generator)
            self.messages = MessagePassing(n, labels, h, config.steps, generator)
        self.labelled = bool(decisions.label_free.any())
        outputs = (config.mixtures, config.mixtures, *([labels] if self.labelled else []))
        self.edge_heads = Heads(h, outputs, config.head_layers, generator)
        self.operation_head = Heads(h, (decisions.num_operations,), config.head_layers, generator)
        self.register_buffer("operation_mask", _mask(decisions.operations), persistent=False)
        self.register_buffer("label_mask", _mask(decisions.labels.reshape(n * n, -1)), persistent=False)
        self.to(device)

    number: Tensor
    operation_mask: Tensor
    label_mask: Tensor

    # ---------------------------------------------------------------- the network

    def _make_inputs(self, generator: torch.Generator) -> None:
        """The map from a node's features to the input of the released network."""
        h, n, which = self.config.hidden_size, self.decisions.num_nodes, self.config.node_input
        inputs = 1 + n * (which != "operation") + self.decisions.num_operations * (which != "inputs")
        # The number of a node is one-hot while that leaves room for the rest, beyond that it is learned.
        own = n if 4 * n <= 3 * h else h // 2
        bound = 1 / math.sqrt(max(1, inputs - 1))
        drawn = torch.empty(inputs, h - own).uniform_(-bound, bound, generator=generator)
        self.node_input = nn.Parameter(drawn)
        number = torch.eye(n) if own == n else torch.empty(n, own).normal_(generator=generator)
        if own == n:
            self.register_buffer("number", number, persistent=False)
        else:
            self.number = nn.Parameter(number)

    def _inputs(self, wiring: Wiring) -> Tensor:
        """What the network reads of all nodes: features ``(V, F)``, or inputs ``(V, H)`` made from them."""
        if self._printed:
            return wiring.features.to(self.operation_mask.dtype)
        features = wiring.features.to(self.node_input.dtype)
        number = features[:, len(self.node_input) :]
        if isinstance(self.number, nn.Parameter):
            number = number @ self.number
        return torch.cat([features[:, : len(self.node_input)] @ self.node_input, number], 1)

    def _logits(self, wiring: Wiring, messages: Messages) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Theta ``(V, K)``, log alpha ``(T, K)``, logits of operations ``(T, C)`` and of labels ``(V, L)``.

        Row v of theta and of the labels' logits is about the edge from node v to the new node of its
        sub-graph; those of new nodes mean nothing. Where no label is a choice, the last are empty.
        """
        states = messages(self._inputs(wiring), wiring)
        theta, alpha, *labels = self.edge_heads(states.index_select(0, wiring.newest) - states)
        (operations,) = self.operation_head(states.index_select(0, wiring.new))
        mean = self.config.mixture_logits == "mean"
        log_alpha = mixture(alpha, wiring, mean=mean, self_pair=self.config.self_pair)
        return theta, log_alpha, operations, labels[0] if labels else theta.new_empty(0)

    # ---------------------------------------------------------------- likelihood

    def prepare(self, batch: ArchitectureBatch) -> PreparedGraphs:
        """The sub-graphs and decisions of all steps, computed once; see the base class.

        Raises:
            InvalidArchitecture: An architecture that the space's choices forbid.
            InvalidArgument: The batch is empty.
        """
        return PreparedGraphs(batch, self.decisions, self._features, self.device)

    def log_likelihood(self, batch: ArchitectureBatch | PreparedBatch) -> LogLikelihood:
        """Exact and differentiable once; all steps of all graphs in one pass of the network.

        Raises:
            InvalidArchitecture: An architecture that the space's choices forbid.
            InvalidArgument: The batch is empty.
        """
        if isinstance(batch, PreparedMinibatch):
            part = batch
        elif isinstance(batch, PreparedGraphs):
            part = batch.whole()
        else:
            part = self.prepare(batch.batch if isinstance(batch, PreparedBatch) else batch).whole()
        theta, log_alpha, operations, labels = self._logits(part.wiring, self.messages)
        masks, size = (self.operation_mask, self.label_mask), len(part) * self.decisions.num_nodes
        terms = row_log_likelihood(theta, log_alpha, operations, labels, part.rows, masks, size)
        return LogLikelihood(terms.view(3, len(part), -1), part.weights)

    # ---------------------------------------------------------------- sampling

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> ArchitectureBatch:
        """``n`` ancestral samples, drawn jointly, node after node.

        A component is drawn for each row, then its edges independently, then their labels and the operation.

        Raises:
            InvalidArgument: ``n`` is not positive.
        """
        if n < 1:
            raise InvalidArgument(f"n must be at least 1, got {n}")
        decisions = self.decisions
        size = decisions.num_nodes
        exact = self.config.sampling_precision == "float32"
        messages = self.messages if exact else self.messages.rounded()
        rows = np.zeros((n, size, size), np.int64)
        operations = np.zeros((n, size), np.int64)
        sizes = np.full(n, size)
        decided = set(decisions.rows.tolist())
        for node in range(size):
            growing = np.flatnonzero(sizes > node)
            if not len(growing):
                break
            if node in decided:
                row, operation = self._sample_row(
                    rows[growing], operations[growing], node, messages, generator
                )
            else:
                row = decisions.edge_forced[node] * (1 + decisions.labels[node].argmax(1))
                operation = decisions.operations[node].argmax()
            rows[growing, node], operations[growing, node] = row, operation
            if decisions.terminal is not None:
                sizes[growing[operations[growing, node] == decisions.terminal]] = node + 1
        batch = ArchitectureBatch.from_arrays(
            rows.transpose(0, 2, 1).astype(np.int8), operations.astype(np.int16), sizes
        )
        return batch.to(self.device)

    def _sample_row(
        self,
        rows: Integers,
        operations: Integers,
        node: int,
        messages: Messages,
        generator: torch.Generator,
    ) -> tuple[Integers, Integers]:
        """The inputs ``(n, N)`` and operation ``(n,)`` of the next node of ``n`` graphs."""
        decisions = self.decisions
        features = features_of(rows, operations, decisions.num_operations, self._features)
        seen = np.concatenate([rows[:, :node, :node].reshape(len(rows), -1), operations[:, :node]], 1)
        _, first, inverse = np.unique(seen, axis=0, return_index=True, return_inverse=True)
        inverse = inverse.reshape(-1)
        subgraphs = Subgraphs.of(
            rows[first], np.full(len(first), node), features[first], decisions.num_labels
        )
        groups = subgraphs.edge_start[:-1] // EDGES_AT_ONCE[self.config.sampling_precision]
        groups = np.unique(groups, return_inverse=True)[1].reshape(-1)
        count = int(groups[-1]) + 1
        wirings = Wirings.of(subgraphs, np.arange(len(first)), groups, count, decisions.num_labels)
        wirings = wirings.to(self.device)
        parts = zip(*(self._logits(wiring, messages) for wiring in wirings.split()), strict=True)
        theta, log_alpha, operation_logits, label_logits = map(torch.cat, parts)
        which = torch.from_numpy(inverse).to(self.device)
        theta = theta.view(len(first), node + 1, -1)[:, :node]
        component = categorical(log_alpha.index_select(0, which), generator)
        chosen = theta[which, :, component]
        drawn = uniform(chosen.shape, generator, self.device) < torch.sigmoid(chosen)
        free = torch.from_numpy(decisions.edge_free[node, :node]).to(self.device)
        forced = torch.from_numpy(decisions.edge_forced[node, :node]).to(self.device)
        row = ((drawn & free) | forced).long()
        if self.labelled:
            mask = self.label_mask.view(decisions.num_nodes, decisions.num_nodes, -1)[node, :node]
            logits = label_logits.view(len(first), node + 1, -1)[which, :node] + mask
            row = row * (1 + categorical(logits, generator))
        elif decisions.num_labels > 1:
            row = row * torch.from_numpy(1 + decisions.labels[node, :node].argmax(1)).to(self.device)
        operation = categorical(
            operation_logits.index_select(0, which) + self.operation_mask[node], generator
        )
        full = np.zeros((len(rows), decisions.num_nodes), np.int64)
        full[:, :node] = row.cpu().numpy()
        return full, operation.cpu().numpy()


def _mask(allowed: np.ndarray) -> Tensor:
    """0 where allowed, else minus infinity; rows without anything allowed are 0 and never read."""
    mask = torch.zeros(allowed.shape)
    mask[torch.from_numpy(~allowed & allowed.any(-1, keepdims=True))] = -torch.inf
    return mask
