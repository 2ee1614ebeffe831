"""What the functions whose backward pass is written by hand have in common.

A training on small graphs is thousands of updates, each of a few hundred operations of microseconds, so that
the number of operations counts, and what is spent around each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

tanh_backward = torch.ops.aten.tanh_backward.grad_input
sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
threshold_backward = torch.ops.aten.threshold_backward.grad_input
log_softmax_backward = torch.ops.aten._log_softmax_backward_data.default


def below_autograd(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The forward or backward pass ``function``, without PyTorch's preparations for differentiating it.

    They are of no use within a pass whose derivative is written down, and take longer than a small operation.
    """

    @wraps(function)
    def run(*args: Arguments.args, **named: Arguments.kwargs) -> Result:
        with torch._C._AutoDispatchBelowAutograd():  # as torch.library does for operators of users
            return function(*args, **named)

    return run


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
