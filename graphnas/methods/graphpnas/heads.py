"""The heads of GraphPNAS's generator: what follows from the states of a sub-graph (eq. 4-6)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Heads(nn.Module):
    """Several perceptrons on the same input, with ReLU between their linear layers, computed side by side.

    Args:
        width: H, of the input and the hidden layers.
        outputs: Width of the output of each perceptron.
        layers: Linear layers of each, at least 2.
        generator: Source of the initial weights, on the CPU.
    """

    def __init__(self, width: int, outputs: tuple[int, ...], layers: int, generator: torch.Generator) -> None:
        super().__init__()
        bound, count = 1 / math.sqrt(width), len(outputs)

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))

        self.first, self.first_bias = draw(width, count * width), draw(count * width)
        self.hidden = nn.ParameterList(draw(count, width, width) for _ in range(layers - 2))
        self.hidden_bias = nn.ParameterList(draw(count, 1, width) for _ in range(layers - 2))
        self.last = nn.ParameterList(draw(width, out) for out in outputs)
        self.last_bias = nn.ParameterList(draw(out) for out in outputs)

    def forward(self, x: Tensor) -> list[Tensor]:
        """The outputs ``(P, out)`` for inputs ``(P, H)``."""
        count = len(self.last)
        h = torch.addmm(self.first_bias, x, self.first).relu()
        h = h.view(len(x), count, x.shape[1]).transpose(0, 1)
        for weight, bias in zip(self.hidden, self.hidden_bias, strict=True):
            h = torch.baddbmm(bias, h, weight).relu()
        return [
            torch.addmm(bias, part, weight)
            for part, weight, bias in zip(h, self.last, self.last_bias, strict=True)
        ]


def mixture_logits(
    alpha: Tensor, pair_graph: Tensor, num_graphs: int, pairs: Tensor, *, mean: bool
) -> Tensor:
    """Logits of the mixture's components ``(T, K)`` from those of the pairs (eq. 4).

    Args:
        alpha: ``(P, K)`` or, with the self pair (a difference of 0, the same for all) last, ``(P + 1, K)``.
        pair_graph: ``(P,)``, the sub-graph of each pair.
        num_graphs: T.
        pairs: ``(T, 1)`` float, pairs of each sub-graph, without the self pair.
        mean: Divide by the number of pairs.
    """
    own = len(alpha) > len(pair_graph)
    start = alpha[-1].expand(num_graphs, -1) if own else alpha.new_zeros(num_graphs, alpha.shape[1])
    total = start.index_add(0, pair_graph, alpha[: len(pair_graph)])
    return total / (pairs + float(own)).clamp(min=1) if mean else total


def row_log_likelihood(theta: Tensor, log_alpha: Tensor, row: Tensor, sign: Tensor, free: Tensor) -> Tensor:
    """Log-probability of the edges of each row under its mixture of Bernoullis (eq. 2), ``(R,)``.

    The paper prints the product of theta alone; the likelihood is that of theta^A (1 - theta)^(1 - A).

    Args:
        theta: ``(Q, K)`` logits, a line for each earlier node of each row.
        log_alpha: ``(R, K)`` log-probabilities of the components.
        row: ``(Q,)``, the row of each line.
        sign: ``(Q, 1)``, 1 where there is an edge, else -1.
        free: ``(Q, 1)``, 0 where there is no choice, else 1.
    """
    bernoulli = F.logsigmoid(theta * sign) * free
    return torch.logsumexp(log_alpha.index_add(0, row, bernoulli), 1)
