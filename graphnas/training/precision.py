"""The arithmetic of a training: full precision, or half precision over weights in full precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

PRECISIONS = ("auto", "float32", "bfloat16", "float16")

HALF = (torch.bfloat16, torch.float16)


def precision_of(module: nn.Module) -> torch.dtype:
    """Type of the first floating-point parameter; float32 if there is none."""
    return next((p.dtype for p in module.parameters() if p.dtype.is_floating_point), torch.float32)


def arithmetic(wanted: str, module: nn.Module, device: torch.device) -> torch.dtype | None:
    """The half precision that ``module`` is to be trained in; None: the precision of its weights.

    A network that was built in half precision is trained in that one, whatever is wanted: its steps would
    vanish in the rounding of its weights, so that :func:`widen` and autocast take their place.

    Args:
        wanted: One of :data:`PRECISIONS`.
        module: The network.
        device: Where it is trained.
    """
    built = precision_of(module)
    if built in HALF:
        return built
    if wanted == "auto":
        if device.type != "cuda" or built == torch.float64:
            return None
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(wanted)


def widen(module: nn.Module) -> dict[str, torch.dtype]:
    """Convert the half-precision tensors of ``module`` to float32; returns what they were, by name."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    half = {name: tensor.dtype for name, tensor in tensors.items() if tensor.dtype in HALF}
    for name in half:
        tensors[name].data = tensors[name].data.float()
    return half


def narrow(module: nn.Module, half: dict[str, torch.dtype]) -> None:
    """Undo :func:`widen`."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    for name, dtype in half.items():
        tensors[name].data = tensors[name].data.to(dtype)


def casting(device: torch.device, half: torch.dtype | None) -> AbstractContextManager[object]:
    """A context in which networks compute in ``half``; nothing happens for None."""
    return nullcontext() if half is None else torch.autocast(device.type, dtype=half)
