"""Functions whose derivative is written by hand.

A training on small graphs is thousands of updates, each of a few hundred operations of microseconds, so that
the number of operations counts, and what is spent around each. Written by hand, a derivative fuses what
automatic differentiation would do one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

tanh_backward = torch.ops.aten.tanh_backward.grad_input
sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
threshold_backward = torch.ops.aten.threshold_backward.grad_input
log_softmax_backward = torch.ops.aten._log_softmax_backward_data.default

Gradients = Callable[[Tensor], Sequence[Tensor]]
"""Gradients of weights, from that of the value."""


def by_hand(function: Callable[[], tuple[Tensor, Gradients]], weights: Sequence[Tensor]) -> Tensor:
    """The value of ``function``, differentiable once by ``weights``.

    Neither the function nor its derivative is prepared for differentiation, which would take longer than a
    small operation.

    Args:
        function: Gives the value, and what gives the gradients of ``weights``, in their order.
        weights: All that the value is to be differentiated by.
    """
    value: Tensor = _ByHand.apply(function, *weights)  # type: ignore[no-untyped-call]
    return value


class _ByHand(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, function: Callable[[], tuple[Tensor, Gradients]], *weights: Tensor) -> Tensor:
        ctx.save_for_backward(*weights)  # a change of theirs before the backward pass is an error then
        with torch._C._AutoDispatchBelowAutograd():  # as torch.library does for operators of users
            value, ctx.gradients = function()
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_value: Tensor) -> tuple[Tensor | None, ...]:
        ctx.saved_tensors  # noqa: B018 - raises where a weight was changed
        with torch._C._AutoDispatchBelowAutograd():
            return None, *ctx.gradients(d_value)


def sum_rows(table: Tensor, index: Tensor, begin: Tensor, signs: Tensor | None = None) -> Tensor:
    """Sums of rows of ``table``: those of ``index`` from ``begin[k]`` to ``begin[k+1]`` make row k.

    Args:
        table: ``(R, C)``.
        index: ``(n,)`` rows.
        begin: ``(m,)``, ascending; the last sum goes to the end of ``index``.
        signs: ``(n,)`` weights of the rows.
    """
    # Mode 0 is the sum. One call, where gathering and subtracting would be five.
    return torch.embedding_bag(table, index, begin, False, 0, False, signs)[0]
