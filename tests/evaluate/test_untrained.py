"""Scores of untrained networks against what they are by hand: a chain of matrices, codes bit by bit."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from graphnas.evaluate.untrained import log_synflow, naswot
from graphnas.seeds import torch_generator


def filled(module: nn.Module, seed: int = 0) -> nn.Module:
    """``module`` with normal parameters."""
    generator = torch_generator(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(generator=generator)
    return module


def test_synflow_of_a_chain_of_matrices():
    """Every layer of a linear chain carries the same flow, the sum over all paths of its absolute weights."""
    first, second = nn.Linear(12, 5, bias=False), nn.Linear(5, 3, bias=False)
    chain = filled(nn.Sequential(nn.Flatten(), first, nn.ReLU(), second))
    one, two = (layer.weight.detach().double().abs().numpy() for layer in (first, second))
    flow = (two @ one @ np.ones(12)).sum()
    assert log_synflow(chain, (3, 2, 2)) == pytest.approx(math.log(2 * flow), rel=1e-12)


class Normalised(nn.Module):
    """A convolution and a classifier, with normalisations of several kinds between them or none."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        self.first, self.between, self.last = nn.Conv2d(3, 4, 3), between, nn.Linear(4, 2)

    def forward(self, x):
        return self.last(torch.relu(self.between(self.first(x))).mean((2, 3)))


@pytest.mark.parametrize("layer", [nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4)], ids=repr)
def test_synflow_leaves_normalisation_out(layer):
    plain = log_synflow(filled(Normalised(nn.Identity())), (3, 8, 8))
    normalised = Normalised(layer)
    normalised.load_state_dict(filled(Normalised(nn.Identity())).state_dict(), strict=False)
    assert log_synflow(normalised, (3, 8, 8)) == plain
    assert normalised.between is layer
    assert not layer._forward_hooks


def test_synflow_of_a_network_that_lets_nothing_through():
    class Cut(nn.Linear):
        def forward(self, x):
            return super().forward(x.flatten(1) * 0) * 0

    assert log_synflow(filled(Cut(12, 2)), (3, 2, 2)) == -math.inf


class Rectified(nn.Module):
    """Two rectifiers, one of them no layer, the other in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.inplace = nn.Linear(8, 6), nn.Linear(6, 4), nn.ReLU(inplace=True)

    def inputs_of_rectifiers(self, x):
        first = self.first(x.flatten(1))
        return first, self.second(torch.relu(first))

    def forward(self, x):
        return self.inplace(self.second(torch.relu(self.first(x.flatten(1))))).sum(1, keepdim=True)


def test_naswot_counts_the_units_in_which_codes_agree():
    network = filled(Rectified())
    images = torch.randn(5, 2, 2, 2, generator=torch_generator(1))
    with torch.no_grad():
        codes = torch.cat([x > 0 for x in network.inputs_of_rectifiers(images)], 1).tolist()
    kernel = [[sum(a == b for a, b in zip(one, other, strict=True)) for other in codes] for one in codes]
    assert naswot(network, images) == pytest.approx(np.linalg.slogdet(np.array(kernel, float))[1], rel=1e-9)


def test_naswot_of_equal_codes_and_of_none():
    twice = torch.randn(1, 2, 2, 2, generator=torch_generator(1)).expand(4, -1, -1, -1)
    assert naswot(filled(Rectified()), twice) == -math.inf
    linear = filled(nn.Sequential(nn.Flatten(), nn.Linear(8, 2)))
    assert naswot(linear, torch.randn(4, 2, 2, 2, generator=torch_generator(1))) == -math.inf
