"""Draws that generators make while they sample: the same ones on every device."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(shape: torch.Size, generator: torch.Generator, device: torch.device) -> Tensor:
    """Uniform numbers in [0, 1), drawn where ``generator`` is and moved to ``device``."""
    return torch.rand(shape, generator=generator).to(device)


def categorical(logits: Tensor, generator: torch.Generator) -> Tensor:
    """One draw from each row: the first place at which the cumulative probability exceeds a uniform."""
    cumulative = torch.softmax(logits, -1).cumsum(-1)
    drawn = uniform(logits.shape[:-1], generator, logits.device)[..., None] * cumulative[..., -1:]
    return (cumulative <= drawn).sum(-1).clamp(max=logits.shape[-1] - 1)
