"""A linear layer that is applied many times in one pass, with a single product for its weights' gradient.

Message passing applies the same weights once per vertex, to few rows each time. Backpropagation would compute
and add up the whole gradient matrix each time, which costs more than the layer itself; here the rows are
collected and multiplied once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Rows = list[tuple[Tensor, Tensor]]


class RepeatedLinear:
    """``x -> x W' + b`` for one forward pass; the results and gradients are those of ``F.linear``.

    Args:
        weight: ``(outputs, inputs)``.
        bias: ``(outputs,)`` or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self.weight, self.bias = weight, bias
        self.collects = torch.is_grad_enabled() and weight.requires_grad
        if not self.collects:
            return
        self._rows: Rows = []
        self._token = _Collect.apply(weight, bias, self._rows)  # type: ignore[no-untyped-call]
        # Autocast would convert the weights again at every call, since it caches only those of leaves.
        device = weight.device.type
        autocast = torch.is_autocast_enabled(device)
        self._dtype = torch.get_autocast_dtype(device) if autocast else weight.dtype
        self._weight = weight.detach().to(self._dtype)
        self._bias = None if bias is None else bias.detach().to(self._dtype)

    def __call__(self, rows: Tensor) -> Tensor:
        """The layer's output ``(..., outputs)`` for ``(B, inputs)``."""
        if not self.collects:
            return F.linear(rows, self.weight, self.bias)
        parts = (rows.to(self._dtype), self._token, self._weight, self._bias, self._rows)
        output: Tensor = _Apply.apply(*parts)  # type: ignore[no-untyped-call]
        return output


class _Collect(torch.autograd.Function):
    """Stands between the weights and all their uses, so that its backward pass comes after theirs."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor | None, rows: Rows) -> Tensor:
        ctx.rows, ctx.dtype, ctx.has_bias = rows, weight.dtype, bias is not None
        return weight.new_zeros(())

    @staticmethod
    def backward(ctx: Any, _token: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        inputs = torch.cat([x for x, _ in ctx.rows])
        gradients = torch.cat([dy for _, dy in ctx.rows])
        ctx.rows.clear()
        weight = (gradients.T @ inputs).to(ctx.dtype)
        return weight, gradients.sum(0, dtype=ctx.dtype) if ctx.has_bias else None, None


class _Apply(torch.autograd.Function):
    """One use of the layer."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, token: Tensor, weight: Tensor, bias: Tensor | None, kept: Rows
    ) -> Tensor:
        ctx.save_for_backward(rows, weight)
        ctx.kept = kept
        return F.linear(rows, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None, None]:
        rows, weight = ctx.saved_tensors
        ctx.kept.append((rows, gradient))
        own = gradient @ weight if ctx.needs_input_grad[0] else None
        return own, gradient.new_zeros((), dtype=torch.float32), None, None, None
