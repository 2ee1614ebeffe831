"""Adam in few calls: a training on small graphs is thousands of updates of milliseconds."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

NEGLIGIBLE = 1e-20
"""Averages of gradients below it count as 0: at 1e-20 against epsilon's 1e-8 they change no weight."""
STEPS_TO_CLEAR = 100
"""Steps between two looks at that: an average takes 400 from there to the numbers that slow a processor."""
_SPARE = "_spare_gradient"


class Adam:
    """Adam (Kingma and Ba, 2015) as ``torch.optim.Adam(fused=True)`` has it, without its bookkeeping.

    Args:
        parameters: What is trained; each must have a gradient at every step.
        learning_rate: Its step size.
        weight_decay: Of the L2 penalty.
    """

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float, weight_decay: float = 0.0) -> None:
        self._parameters = list(parameters)
        self._means = [torch.zeros_like(p) for p in self._parameters]
        self._squares = [torch.zeros_like(p) for p in self._parameters]
        self._steps = 0
        self._learning_rate = learning_rate
        self._weight_decay = weight_decay

    @torch.no_grad()
    def step(self) -> None:
        """Update the parameters by their gradients, and drop these."""
        self._steps += 1
        # The kernel wants a number of steps for each parameter: it is the same tensor.
        steps = torch.full((), float(self._steps), device=self._parameters[0].device)
        torch._fused_adam_(
            self._parameters,
            [p.grad for p in self._parameters if p.grad is not None],
            self._means,
            self._squares,
            [],
            [steps] * len(self._parameters),
            beta1=0.9,
            beta2=0.999,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
            lr=self._learning_rate,
            weight_decay=self._weight_decay,
        )
        for parameter in self._parameters:
            setattr(parameter, _SPARE, parameter.grad)
            parameter.grad = None
        if self._steps % STEPS_TO_CLEAR == 0:
            self._clear()

    def _clear(self) -> None:
        """Set the averages that have decayed to nothing to 0.

        Where a gradient stays 0, as at units that ReLU switched off, its average shrinks by a constant
        factor, and processors are slow on denormal numbers: late in a training they doubled Adam's time.
        """
        for mean in self._means:
            torch.hardshrink(mean, NEGLIGIBLE, out=mean)


def gradient_for(parameter: Tensor) -> Tensor:
    """Memory for the gradient of ``parameter``, without values: that of the last one, where Adam has used it.

    Freed and allocated anew at each update, a few megabytes go back to the system and have to be fetched page
    by page, which was a tenth of an update.
    """
    spare: Tensor | None = parameter.__dict__.pop(_SPARE, None)
    if spare is None or (spare.shape, spare.dtype, spare.device) != (
        parameter.shape,
        parameter.dtype,
        parameter.device,
    ):
        return torch.empty_like(parameter)
    return spare
