"""The heads of GraphPNAS's generator: what follows from the states of a sub-graph (eq. 4-6)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from graphnas.methods.graphpnas.adam import gradient_for
from graphnas.methods.graphpnas.by_hand import threshold_backward

Backward = Callable[[Sequence[Tensor], Tensor], tuple[Tensor, ...]]
"""Adds to the gradient ``(V, H)`` of the states, its second argument, and gives those of the weights."""


class Heads(nn.Module):
    """Several perceptrons on the same input, with ReLU between their linear layers, computed side by side.

    They are part of a function whose derivative is written by hand, see :mod:`.by_hand`.

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

        self.outputs = outputs
        self.first, self.first_bias = draw(width, count * width), draw(count * width)
        self.hidden = draw(layers - 2, count, width, width)
        self.hidden_bias = draw(layers - 2, count, 1, width)
        self.last, self.last_bias = draw(width, sum(outputs)), draw(sum(outputs))

    def weights(self) -> tuple[Tensor, ...]:
        """What is learned."""
        return self.first, self.first_bias, self.hidden, self.hidden_bias, self.last, self.last_bias

    def forward(
        self, states: Tensor, node: Tensor, other: Tensor | None = None, *, zero: bool = False
    ) -> tuple[list[Tensor], Backward]:
        """The outputs ``(P, out)`` of each perceptron, and their derivative.

        Args:
            states: ``(V, H)``.
            node: ``(P,)``; the input is the state of these nodes,
            other: ``(P,)``, less that of these where they are given.
            zero: Append an input of zeros; outputs then have ``P + 1`` rows.
        """
        first, first_bias, hidden, hidden_bias, last, last_bias = self.weights()
        width, sizes = states.shape[1], self.outputs
        x = states.index_select(0, node)
        if other is not None:
            x -= states.index_select(0, other)
        if zero:
            x = torch.cat([x, x.new_zeros(1, width)])
        flat = torch.addmm(first_bias, x, first).relu_()
        layers = [flat.view(len(x), len(sizes), width).transpose(0, 1)]
        for matrix, bias in zip(hidden.unbind(), hidden_bias.unbind(), strict=True):
            layers.append(torch.baddbmm(bias, layers[-1], matrix).relu_())
        biases = torch.split_with_sizes(last_bias, sizes)
        parts = zip(layers[-1].unbind(), torch.split_with_sizes(last, sizes, 1), biases, strict=True)
        outputs = [torch.addmm(bias, part, matrix) for part, matrix, bias in parts]

        def backward(d_outputs: Sequence[Tensor], d_states: Tensor) -> tuple[Tensor, ...]:
            d_first, d_hidden, d_last = map(gradient_for, (first, hidden, last))
            d_hidden_bias = x.new_empty(len(hidden), len(sizes), 1, width)
            d_h = torch.empty_like(layers[-1])
            matrices = (torch.split_with_sizes(m, sizes, 1) for m in (last, d_last))
            parts = zip(d_outputs, layers[-1].unbind(), d_h.unbind(), *matrices, strict=True)
            for d_output, part, d_part, matrix, d_matrix in parts:
                torch.mm(part.t(), d_output, out=d_matrix)
                torch.mm(d_output, matrix.t(), out=d_part)
            for level in reversed(range(len(hidden))):
                threshold_backward(d_h, layers[level + 1], 0, grad_input=d_h)
                torch.bmm(layers[level].transpose(1, 2), d_h, out=d_hidden[level])
                torch.sum(d_h, 1, keepdim=True, out=d_hidden_bias[level])
                d_h = torch.bmm(d_h, hidden[level].transpose(1, 2))
            d_flat = threshold_backward(d_h, layers[0], 0, grad_input=d_h).transpose(0, 1).reshape(len(x), -1)
            torch.mm(x.t(), d_flat, out=d_first)
            d_x = torch.mm(d_flat, first.t())[: len(node)]
            d_states.index_add_(0, node, d_x)
            if other is not None:
                d_states.index_add_(0, other, d_x, alpha=-1)
            d_last_bias = torch.cat([d_output.sum(0) for d_output in d_outputs])
            return d_first, d_flat.sum(0), d_hidden, d_hidden_bias, d_last, d_last_bias

        return outputs, backward
