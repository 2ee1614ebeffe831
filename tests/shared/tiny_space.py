"""A tiny search space whose network the test chooses, and the fixtures of tests that train networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import nn

from graphnas import Architecture, GraphSpace

CHAIN = Architecture(np.triu(np.ones((3, 3), int), 1))


class TinySpace(GraphSpace):
    """Graphs of three nodes; ``builder(architecture, num_classes, in_channels)`` makes the network."""

    name = "tiny"
    max_nodes = 3

    def __init__(self, builder: Callable[[Architecture, int, int], nn.Module] | None = None) -> None:
        self.builder = builder or small_network

    def build(
        self, architecture: Architecture, num_classes: int, *, in_channels: int = 3, width: int = 8
    ) -> nn.Module:
        if self.builder is small_network:
            return small_network(architecture, num_classes, in_channels, width)
        return self.builder(architecture, num_classes, in_channels)


def small_network(
    architecture: Architecture, num_classes: int, in_channels: int, width: int = 8
) -> nn.Sequential:
    """A convolution per edge, so that architectures differ in depth."""
    layers: list[nn.Module] = []
    for _ in range(architecture.num_edges):
        layers += [nn.Conv2d(in_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        in_channels = width
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * in_channels, num_classes)
    )


@pytest.fixture
def chain() -> Architecture:
    return CHAIN


@pytest.fixture
def tiny_space() -> type[TinySpace]:
    return TinySpace


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small lose time with more threads, and twentyfold where tests run side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
