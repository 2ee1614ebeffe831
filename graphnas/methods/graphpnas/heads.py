"""The heads of GraphPNAS's generator: from states of nodes to probabilities of decisions (eq. 2, 4-6)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphnas.methods.graphpnas.prepared import Rows
from graphnas.methods.graphpnas.subgraphs import Wiring


class Heads(nn.Module):
    """Several perceptrons on the same input, with ReLU between their linear layers, computed side by side.

    Args:
        width: H, the width of the input and the hidden layers.
        outputs: Width of the output of each perceptron.
        layers: Linear layers of each, at least 2.
        generator: Source of the initial weights, on the CPU.
    """

    def __init__(self, width: int, outputs: tuple[int, ...], layers: int, generator: torch.Generator) -> None:
        super().__init__()
        bound, count = 1 / math.sqrt(width), len(outputs)

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))

        self.outputs = outputs
        self.first, self.first_bias = draw(width, count * width), draw(count * width)
        self.hidden = nn.ParameterList(draw(count, width, width) for _ in range(layers - 2))
        self.hidden_bias = nn.ParameterList(draw(count, 1, width) for _ in range(layers - 2))
        self.last, self.last_bias = draw(width, sum(outputs)), draw(sum(outputs))

    def forward(self, x: Tensor) -> list[Tensor]:
        """The outputs ``(P, out)`` of each perceptron, from the input ``(P, H)``."""
        h = torch.addmm(self.first_bias, x, self.first).relu_()
        h = h.view(len(x), len(self.outputs), -1).transpose(0, 1)
        for matrix, bias in zip(self.hidden, self.hidden_bias, strict=True):
            h = torch.baddbmm(bias, h, matrix).relu_()
        matrices, biases = (torch.split_with_sizes(w, self.outputs, -1) for w in (self.last, self.last_bias))
        return [torch.addmm(bias, part, last) for part, last, bias in zip(h, matrices, biases, strict=True)]


def mixture(alpha: Tensor, wiring: Wiring, *, mean: bool, self_pair: bool) -> Tensor:
    """Log-probabilities of the mixture's components ``(T, K)`` from the logits of the pairs (eq. 4).

    Args:
        alpha: ``(V, K)`` logits of the pairs of a new node and each node of its sub-graph.
        wiring: The sub-graphs.
        mean: Divide the sum over the pairs by their number.
        self_pair: Whether the new node paired with itself counts.
    """
    logits = alpha.new_zeros(len(wiring.new), alpha.shape[1]).index_add(0, wiring.graph, alpha)
    count = wiring.size
    if not self_pair:
        logits = logits - alpha.index_select(0, wiring.new)
        count = (count - 1).clamp_(min=1)
    return torch.log_softmax(logits / count if mean else logits, 1)


def row_log_likelihood(
    theta: Tensor,
    log_alpha: Tensor,
    operations: Tensor,
    labels: Tensor,
    rows: Rows,
    masks: tuple[Tensor, Tensor],
    size: int,
) -> Tensor:
    """Log-probabilities ``(3, size)`` of edges, operations and labels, each row at its place.

    The edges of a row follow a mixture of products of Bernoullis: the paper prints the product of theta alone
    (eq. 2), the likelihood is that of ``theta^A (1 - theta)^(1 - A)``.

    Args:
        theta: ``(V, K)`` logits of the edges from each node to the new one of its sub-graph.
        log_alpha: ``(T, K)``, see :func:`mixture`.
        operations: ``(T, C)`` logits.
        labels: ``(V, L)`` logits of these edges' labels, not read where no label is a choice.
        rows: The decisions.
        masks: What to add to the logits of operations ``(N, C)`` and of labels ``(N N, L)``.
        size: Number of places, B N.
    """
    bernoulli = F.logsigmoid(theta.index_select(0, rows.source) * rows.sign)
    components = log_alpha.index_select(0, rows.graph).index_add(0, rows.row, bernoulli)
    of_operation = operations.index_select(0, rows.graph) + masks[0].index_select(0, rows.node)
    label_term = components.new_zeros(len(components))
    if len(rows.label):
        of_label = labels.index_select(0, rows.label_source) + masks[1].index_select(0, rows.label_slot)
        label_term = label_term.index_add(0, rows.label_row, _log_choice(of_label, rows.label))
    terms = torch.stack([components.logsumexp(1), _log_choice(of_operation, rows.operation), label_term])
    return theta.new_zeros(3, size).index_copy(1, rows.place, terms)


def _log_choice(logits: Tensor, chosen: Tensor) -> Tensor:
    """Log-probability of the ``chosen`` columns, ``(R,)``, from logits ``(R, C)``."""
    return torch.log_softmax(logits, 1).gather(1, chosen[:, None]).squeeze(1)
