"""Arguments that several evaluators take: the device and the shape of a network."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch

from graphnas.errors import InvalidArgument


def choose_device(device: str | torch.device) -> torch.device:
    """``device``, where ``"auto"`` is CUDA if there is one and the CPU otherwise.

    Raises:
        InvalidArgument: It is not a device, or a CUDA device although torch finds none.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InvalidArgument(f"device must be 'auto' or a torch device, got {device!r}") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise InvalidArgument(f"device {device!r} was requested, but torch finds no CUDA device")
    return chosen


def build_arguments(
    space: str, build: Callable[..., Any], shape: dict[str, Any], in_channels: int
) -> dict[str, Any]:
    """``shape``, checked against the parameters of ``build``, with ``in_channels`` added if it takes that.

    Args:
        space: Name of the space, for messages.
        build: A space's method that builds a network.
        shape: Arguments for it besides the architecture and the number of classes.
        in_channels: Channels of the images.

    Raises:
        InvalidArgument: ``build`` does not take one of them, or the images have another number of channels.
    """
    parameters = inspect.signature(build).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    named = [name for name, p in parameters.items() if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    allowed = [name for name in named if name not in ("architecture", "num_classes")]
    for name in shape:
        if name in ("architecture", "num_classes") or (name not in allowed and not open_ended):
            raise InvalidArgument(f"{space} does not take {name!r} in shape; allowed: {', '.join(allowed)}")
    if shape.get("in_channels", in_channels) != in_channels:
        raise InvalidArgument(f"in_channels is {shape['in_channels']}, but the images have {in_channels}")
    if open_ended or "in_channels" in allowed:
        shape["in_channels"] = in_channels
    return shape
