"""The optimiser, its learning rate, and the running average of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from graphnas.errors import InvalidArgument
from graphnas.training.training_config import TrainingConfig

_NORMALISATIONS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


def cosine_learning_rate(step: int, steps: int, peak: float, warmup_steps: int = 0) -> float:
    """Learning rate of step ``step`` of ``0..steps - 1``: a linear rise, then half a cosine down to 0.

    ``peak * (1 + cos(pi * t)) / 2`` with ``t`` the fraction of the steps after the rise that are done
    (Loshchilov and Hutter 2017, SGDR, eq. 5, without restarts).
    """
    if step < warmup_steps:
        return peak * (step + 1) / (warmup_steps + 1)
    passed = (step - warmup_steps) / (steps - warmup_steps)
    return peak * 0.5 * (1 + math.cos(math.pi * passed))


def make_optimiser(module: nn.Module, config: TrainingConfig, device: torch.device) -> torch.optim.Optimizer:
    """The optimiser that ``config`` asks for, over the trainable parameters of ``module``."""
    groups = _groups(module, config)
    fused = device.type in ("cpu", "cuda")
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.learning_rate, fused=fused)
    optimiser = torch.optim.SGD(
        groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.momentum > 0, fused=fused
    )
    if config.momentum:
        # From zero, a first step gives what torch's own rule gives. But with torch's, a fused first step that
        # the scaling of the loss skips leaves the buffers uninitialised.
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                optimiser.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimiser


def _groups(module: nn.Module, config: TrainingConfig) -> list[dict[str, object]]:
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if config.decay_norm_and_bias:
        return [{"params": trainable, "weight_decay": config.weight_decay}]
    exempt = {
        id(parameter)
        for part in module.modules()
        for name, parameter in part.named_parameters(recurse=False)
        if name == "bias" or isinstance(part, _NORMALISATIONS)
    }
    decayed = [parameter for parameter in trainable if id(parameter) not in exempt]
    others = [parameter for parameter in trainable if id(parameter) in exempt]
    groups: list[dict[str, object]] = [{"params": decayed, "weight_decay": config.weight_decay}]
    return [*groups, {"params": others, "weight_decay": 0.0}] if others else groups


def densify(parameters: Iterable[nn.Parameter]) -> None:
    """Make sparse gradients dense: momentum, weight decay and fused steps need them so."""
    for parameter in parameters:
        if parameter.grad is not None and parameter.grad.layout != torch.strided:
            parameter.grad = parameter.grad.to_dense()


def averaged_weights(module: nn.Module, decay: float | None) -> AveragedModel | None:
    """A running average of the weights and buffers of ``module``; None for None.

    The decay rises as ``(1 + n) / (10 + n)`` with the number of steps ``n``, so that short trainings are not
    left with their initial weights.
    """
    if decay is None:
        return None
    limit = decay

    def average(mean: torch.Tensor, current: torch.Tensor, steps: torch.Tensor | int) -> torch.Tensor:
        if not mean.dtype.is_floating_point:  # counters
            return current
        count = int(steps)
        return torch.lerp(mean, current.to(mean.dtype), 1 - min(limit, (1 + count) / (10 + count)))

    return AveragedModel(module, avg_fn=average, use_buffers=True)


def set_drop_path(module: nn.Module, probability: float | None) -> None:
    """Set the probability of every drop-path layer: timm's ``DropPath`` or torchvision's ``StochasticDepth``.

    Raises:
        InvalidArgument: A probability is given, but the network has no such layer.
    """
    if probability is None:
        return
    found = False
    for part in module.modules():
        kind = type(part).__name__
        if kind == "DropPath" and hasattr(part, "drop_prob"):
            part.drop_prob, found = probability, True  # type: ignore[assignment]
        elif kind == "StochasticDepth" and hasattr(part, "p"):
            part.p, found = probability, True  # type: ignore[assignment]
    if not found:
        raise InvalidArgument(f"drop_path is {probability}, but the network has no drop-path layer")
