"""Muon for a torch that has none: momentum whose matrices are made nearly orthogonal before each step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration (Jordan et al., "Muon", 2024): singular values go near to 1, not exactly there."""


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov's momentum, without weight decay (Jordan et al., 2024).

    The step of an ``A x B`` matrix is scaled by ``.2 sqrt(max(A, B))``, so that rates which suit Adam suit it
    (Liu et al., "Muon is scalable for LLM training", 2025, section 2.2). It computes what
    ``torch.optim.Muon(..., weight_decay=0, adjust_lr_fn="match_rms_adamw")`` does.

    Args:
        parameters: Matrices.
        lr: The learning rate.
        momentum: Decay of the sum of gradients.
        steps: Iterations of the orthogonalisation.

    Raises:
        ValueError: A parameter is no matrix.
    """

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, *, momentum: float = 0.95, steps: int = 5
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "steps": steps})
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim != 2:
                    raise ValueError(
                        f"Muon steps matrices, got a parameter of shape {tuple(parameter.shape)}"
                    )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one step on every matrix that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            momentum = group["momentum"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state: dict[str, Any] = self.state[parameter]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(parameter.grad)
                average = state["momentum_buffer"]
                average.lerp_(parameter.grad, 1 - momentum)
                step = orthogonal(parameter.grad.lerp(average, momentum), group["steps"])
                scale = 0.2 * math.sqrt(max(parameter.shape))
                parameter.add_(step, alpha=-group["lr"] * scale)
        return loss


def orthogonal(matrix: Tensor, steps: int = 5) -> Tensor:
    """The matrix with singular values near 1, by Newton-Schulz iterations in bfloat16.

    Args:
        matrix: ``(A, B)``.
        steps: Number of iterations.
    """
    a, b, c = COEFFICIENTS
    wide = matrix.bfloat16() if matrix.shape[0] <= matrix.shape[1] else matrix.bfloat16().T
    wide = wide / wide.norm().clamp(min=1e-7)
    for _ in range(steps):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T
