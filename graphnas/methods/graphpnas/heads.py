"""The heads of GraphPNAS's generator: what follows from the states of a sub-graph (eq. 4-6)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_threshold_backward = torch.ops.aten.threshold_backward.default


class Heads(nn.Module):
    """Several perceptrons on the same input, with ReLU between their linear layers, computed side by side.

    The backward pass is written by hand, as that of the messages and for the same reason.

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

    def forward(
        self, states: Tensor, node: Tensor, other: Tensor | None = None, *, zero: bool = False
    ) -> list[Tensor]:
        """The outputs ``(P, out)`` of each perceptron.

        Args:
            states: ``(V, H)``.
            node: ``(P,)``; the input is the state of these nodes,
            other: ``(P,)``, less that of these where they are given.
            zero: Append an input of zeros; outputs then have ``P + 1`` rows.
        """
        layers = len(self.hidden)
        weights = (self.first, *self.hidden, *self.last, self.first_bias, *self.hidden_bias, *self.last_bias)
        outputs = _Perceptrons.apply(states, node, other, zero, layers, *weights)  # type: ignore[no-untyped-call]
        return list(outputs)


class _Perceptrons(torch.autograd.Function):
    """Differences of states and the perceptrons on them, with a backward pass in few operations."""

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        node: Tensor,
        other: Tensor | None,
        zero: bool,
        layers: int,
        *weights: Tensor,
    ) -> tuple[Tensor, ...]:
        half = len(weights) // 2
        (first, *matrices), (first_bias, *biases) = weights[:half], weights[half:]
        count = len(matrices) - layers
        x = states.index_select(0, node)
        if other is not None:
            x -= states.index_select(0, other)
        if zero:
            x = torch.cat([x, x.new_zeros(1, x.shape[1])])
        flat = torch.addmm(first_bias, x, first).relu_()
        saved = [flat.view(len(x), count, x.shape[1]).transpose(0, 1)]
        for matrix, bias in zip(matrices[:layers], biases[:layers], strict=True):
            saved.append(torch.baddbmm(bias, saved[-1], matrix).relu_())
        ctx.save_for_backward(x, node, first, *matrices)
        ctx.other, ctx.zero, ctx.layers, ctx.hidden, ctx.nodes = other, zero, layers, saved, len(states)
        return tuple(
            torch.addmm(bias, part, matrix)
            for part, matrix, bias in zip(saved[-1], matrices[layers:], biases[layers:], strict=True)
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *d_outputs: Tensor) -> tuple[Tensor | None, ...]:
        x, node, first, *matrices = ctx.saved_tensors
        layers, hidden = ctx.layers, ctx.hidden
        rows, width = x.shape
        d_matrices, d_biases = [], []
        d_h = torch.empty_like(hidden[-1])
        for d_output, part, matrix, d_part in zip(
            d_outputs, hidden[-1], matrices[layers:], d_h.unbind(), strict=True
        ):
            d_matrices.append(torch.mm(part.t(), d_output))
            d_biases.append(d_output.sum(0))
            torch.mm(d_output, matrix.t(), out=d_part)
        for level in reversed(range(layers)):
            d_h = _threshold_backward(d_h, hidden[level + 1], 0)
            d_matrices.insert(0, torch.bmm(hidden[level].transpose(1, 2), d_h))
            d_biases.insert(0, d_h.sum(1, keepdim=True))
            d_h = torch.bmm(d_h, matrices[level].transpose(1, 2))
        d_flat = _threshold_backward(d_h, hidden[0], 0).transpose(0, 1).reshape(rows, -1)
        d_x = torch.mm(d_flat, first.t())
        if ctx.zero:
            d_x = d_x[:-1]
        d_states = x.new_zeros(ctx.nodes, width).index_add_(0, node, d_x)
        if ctx.other is not None:
            d_states.index_add_(0, ctx.other, d_x, alpha=-1)
        d_first, d_first_bias = torch.mm(x.t(), d_flat), d_flat.sum(0)
        return d_states, None, None, None, None, d_first, *d_matrices, d_first_bias, *d_biases
