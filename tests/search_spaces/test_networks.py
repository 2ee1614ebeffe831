"""Networks of random samples of every space: forward and backward at several sizes, widths and classes."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from torch import nn

from graphnas import Architecture, GraphSpace
from search_spaces import get_space, space_names

SAMPLES = 50
# Small networks of different widths and depths; a space that is not listed is built with its defaults.
SHAPES: dict[str, list[dict[str, Any]]] = {
    "enas": [{"width": 2}, {"width": 5}],
    "enas6": [{"width": 2}, {"width": 5}],
    "gemnet": [{"width": 2, "stages": 1}, {"width": 4, "stages": 2}, {"widths": (3, 5, 4), "stem_stride": 2}],
    "nasbench101": [
        {"channels": 8, "stacks": 1, "cells_per_stack": 2},
        {"channels": 10, "stacks": 2, "cells_per_stack": 1},
    ],
    "nasbench201": [{"channels": 2, "cells_per_stage": 1}, {"channels": 5, "cells_per_stage": 2}],
    "transnasbench101": [{"channels": 2, "cells_per_module": 1}, {"channels": 3}],
    "randwire": [
        {"stem_widths": (3, 4), "widths": (5,), "strides": (2,), "stem_strides": (1, 2), "head_width": 7},
        {"stem_widths": (2, 3), "widths": (4,), "strides": (1,), "stem_strides": (2, 2), "head_width": 9},
    ],
}
IMAGE_SPACES = [name for name in space_names() if name != "nasbenchgraph"]
SIZES = (8, 12, 15)
CLASSES = (1, 2, 7)
CHANNELS = (3, 1)


@functools.cache
def named(name: str) -> GraphSpace:
    return get_space(name)


def seeded(network: nn.Module, seed: int) -> nn.Module:
    """Weights that do not depend on other tests, none of them zero, so that no gradient is 0 by chance."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            deviation = 0.5 if parameter.ndim == 1 else (2 / parameter[0].numel()) ** 0.5
            offset = 1.0 if parameter.ndim == 1 else 0.0
            parameter.copy_(offset + deviation * torch.randn(parameter.shape, generator=generator))
    return network


def leads_nowhere(space: GraphSpace, architecture: Architecture, parameter: str) -> bool:
    """Cells with operations on edges keep those of nodes from which no path leads to the output."""
    if len(space.edge_ops) == 2 or ".edges." not in parameter:
        return False
    target = int(parameter.split(".edges.")[1].split("_")[1][0])
    return not nx.has_path(architecture.to_networkx(), target, architecture.num_nodes - 1)


@pytest.mark.parametrize("name", IMAGE_SPACES)
def test_samples_run_forwards_and_backwards(name):
    space = named(name)
    rng = np.random.default_rng(0)
    shapes = itertools.cycle(itertools.product(SIZES, CLASSES, CHANNELS, SHAPES.get(name, [{}])))
    # A step of 5 through the 36 or 54 combinations: all values of each come early.
    shapes = itertools.islice(shapes, 0, None, 5)
    generator = torch.Generator().manual_seed(1)
    for sample, (size, classes, channels, shape) in zip(range(SAMPLES), shapes, strict=False):
        architecture = space.sample(rng)
        network = seeded(space.build(architecture, classes, in_channels=channels, **shape), sample)
        assert network.training
        images = torch.randn(3, channels, size, size, generator=generator)
        logits = network(images)
        assert logits.shape == (3, classes)
        assert torch.isfinite(logits).all()
        (logits * torch.randn(3, classes, generator=generator)).sum().backward()
        where = f"{architecture!r} {shape} {size}"
        for label, parameter in network.named_parameters():
            if leads_nowhere(space, architecture, label):
                continue
            assert parameter.grad is not None, f"{label} of {where}"
            assert torch.isfinite(parameter.grad).all(), f"{label} of {where}"


@pytest.mark.parametrize("name", IMAGE_SPACES)
def test_gradients_reach_all_that_takes_part(name):
    """The gradient of a random sample of the parameters is what changing them does to the logits."""
    space = named(name)
    rng = np.random.default_rng(2)
    shape = SHAPES.get(name, [{}])[-1]
    generator = torch.Generator().manual_seed(3)
    reached = 0
    for sample in range(3):
        architecture = space.sample(rng)
        network = seeded(space.build(architecture, 4, **shape), sample).double().eval()
        images = torch.randn(2, 3, 16, 16, generator=generator, dtype=torch.float64)
        weights = torch.randn(2, 4, generator=generator, dtype=torch.float64)
        value = (network(images) * weights).sum()
        value.backward()
        parameters = list(network.named_parameters())
        for index in rng.choice(len(parameters), min(12, len(parameters)), replace=False):
            label, parameter = parameters[index]
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            step = 1e-8  # so small that hardly any ReLU switches
            with torch.no_grad():
                parameter += step * direction
                changed = (network(images) * weights).sum()
                parameter -= 2 * step * direction
                difference = (changed - (network(images) * weights).sum()).item() / (2 * step)
                parameter += step * direction
            expected = float((gradient * direction).sum())
            rounding = 1e-6 * max(1.0, abs(value.item()))
            assert difference == pytest.approx(expected, rel=1e-2, abs=rounding), (
                f"{label} of {architecture!r}"
            )
            reached += expected != 0
    assert reached >= 10
