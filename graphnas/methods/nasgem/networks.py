"""Small fully connected networks whose initial weights come from an explicit generator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn


def perceptron(
    widths: Sequence[int], generator: torch.Generator, device: torch.device | str = "cpu"
) -> nn.Sequential:
    """Linear layers of the given widths with ReLU between them and a linear output.

    Weights and biases are drawn as ``nn.Linear`` draws them, uniform in +-1/sqrt(fan-in), but from
    ``generator`` (a CPU generator), so that the user's global random state stays untouched.
    """
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        linear = nn.Linear(fan_in, fan_out, device="meta").to_empty(device="cpu")
        bound = 1 / math.sqrt(fan_in)
        with torch.no_grad():
            linear.weight.uniform_(-bound, bound, generator=generator)
            linear.bias.uniform_(-bound, bound, generator=generator)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).to(device)
