"""The heads of GraphPNAS's generator: what follows from the states of a sub-graph (eq. 4-6)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from graphnas.methods.graphpnas.adam import gradient_for
from graphnas.methods.graphpnas.by_hand import below_autograd, threshold_backward


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

        self.outputs = outputs
        self.first, self.first_bias = draw(width, count * width), draw(count * width)
        self.hidden = draw(layers - 2, count, width, width)
        self.hidden_bias = draw(layers - 2, count, 1, width)
        self.last, self.last_bias = draw(width, sum(outputs)), draw(sum(outputs))

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
        weights = (self.first, self.first_bias, self.hidden, self.hidden_bias, self.last, self.last_bias)
        outputs = _Perceptrons.apply(states, node, other, zero, self.outputs, *weights)  # type: ignore[no-untyped-call]
        return list(outputs)


class _Perceptrons(torch.autograd.Function):
    """Differences of states and the perceptrons on them, with a backward pass in few operations."""

    @staticmethod
    @below_autograd
    def forward(
        ctx: Any,
        states: Tensor,
        node: Tensor,
        other: Tensor | None,
        zero: bool,
        outputs: tuple[int, ...],
        first: Tensor,
        first_bias: Tensor,
        hidden: Tensor,
        hidden_bias: Tensor,
        last: Tensor,
        last_bias: Tensor,
    ) -> tuple[Tensor, ...]:
        width = states.shape[1]
        x = states.index_select(0, node)
        if other is not None:
            x -= states.index_select(0, other)
        if zero:
            x = torch.cat([x, x.new_zeros(1, width)])
        flat = torch.addmm(first_bias, x, first).relu_()
        saved = [flat.view(len(x), len(outputs), width).transpose(0, 1)]
        for matrix, bias in zip(hidden.unbind(), hidden_bias.unbind(), strict=True):
            saved.append(torch.baddbmm(bias, saved[-1], matrix).relu_())
        ctx.save_for_backward(x, node, first, hidden, last)
        ctx.other, ctx.zero, ctx.outputs, ctx.saved, ctx.nodes = other, zero, outputs, saved, len(states)
        parts = zip(
            saved[-1].unbind(),
            torch.split_with_sizes(last, outputs, 1),
            torch.split_with_sizes(last_bias, outputs),
            strict=True,
        )
        return tuple(torch.addmm(bias, part, matrix) for part, matrix, bias in parts)

    @staticmethod
    @once_differentiable
    @below_autograd
    def backward(ctx: Any, *d_outputs: Tensor) -> tuple[Tensor | None, ...]:
        x, node, first, hidden, last = ctx.saved_tensors
        saved, outputs = ctx.saved, ctx.outputs
        rows, width = x.shape
        d_first, d_hidden, d_last = map(gradient_for, (first, hidden, last))
        d_hidden_bias = x.new_empty(len(hidden), len(outputs), 1, width)
        d_h = torch.empty_like(saved[-1])
        parts = zip(
            d_outputs,
            saved[-1].unbind(),
            d_h.unbind(),
            torch.split_with_sizes(last, outputs, 1),
            torch.split_with_sizes(d_last, outputs, 1),
            strict=True,
        )
        for d_output, part, d_part, matrix, d_matrix in parts:
            torch.mm(part.t(), d_output, out=d_matrix)
            torch.mm(d_output, matrix.t(), out=d_part)
        for level in reversed(range(len(hidden))):
            threshold_backward(d_h, saved[level + 1], 0, grad_input=d_h)
            torch.bmm(saved[level].transpose(1, 2), d_h, out=d_hidden[level])
            torch.sum(d_h, 1, keepdim=True, out=d_hidden_bias[level])
            d_h = torch.bmm(d_h, hidden[level].transpose(1, 2))
        d_flat = threshold_backward(d_h, saved[0], 0, grad_input=d_h).transpose(0, 1).reshape(rows, -1)
        d_x = torch.mm(d_flat, first.t())
        if ctx.zero:
            d_x = d_x[:-1]
        d_states = x.new_zeros(ctx.nodes, width).index_add_(0, node, d_x)
        if ctx.other is not None:
            d_states.index_add_(0, ctx.other, d_x, alpha=-1)
        torch.mm(x.t(), d_flat, out=d_first)
        d_last_bias = torch.cat([d_output.sum(0) for d_output in d_outputs])
        return (
            *(d_states, None, None, None, None),
            *(d_first, d_flat.sum(0), d_hidden, d_hidden_bias, d_last, d_last_bias),
        )
