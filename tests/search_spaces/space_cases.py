"""The spaces that every test of the contract runs with, and independent counts to compare with."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from graphnas import Architecture, GraphSpace, ProductSpace
from search_spaces import (
    ENASMacro,
    ENASMacro6,
    GEMNet,
    NASBench101,
    NASBench201,
    NASBenchGraph,
    RandWire,
    TransNASBench101,
)

EXAMPLE = Path(__file__).parents[2] / "examples" / "custom_space.py"


@lru_cache(maxsize=1)
def load_example() -> ModuleType:
    """The module ``examples/custom_space.py``."""
    spec = importlib.util.spec_from_file_location("example_custom_space", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass
class Case:
    """A space and what the tests of the contract must know of it."""

    name: str
    make: Callable[[], GraphSpace]
    shape: dict[str, Any] = field(default_factory=dict)  # a small network
    keeps_last: bool = True  # the last node has a role, so that relabelling must keep it
    blocks: int = 1  # disconnected graphs of equal size, each of which is relabelled on its own
    rigid: bool = False  # no graph has a second topological order
    invariant: bool = True  # the key is that of the graph, whatever the order of its nodes
    images: bool = True  # the network takes images

    def space(self) -> GraphSpace:
        return self.make()


SMALL_RANDWIRE = {"stem_widths": (4, 5), "stem_strides": (1, 2), "widths": (6, 8), "head_width": 16}


class Averaged(nn.Module):
    """The mean of the outputs of several networks."""

    def __init__(self, networks: dict[str, nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(networks)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = sum(network(images) for network in self.networks.values())
        return outputs / len(self.networks)


def averaged(parts: dict[str, Architecture], num_classes: int, **shape: Any) -> Averaged:
    """Builds a product of a GEMNet and a NAS-Bench-201 of 4 nodes each, or of two GEMNets of 6."""
    spaces = {"gemnet": GEMNet(4), "cell": NASBench201(identity="graph"), "one": GEMNet(6), "two": GEMNet(6)}
    channels = shape.get("in_channels", 3)
    return Averaged(
        {
            part: spaces[part].build(own, num_classes, in_channels=channels, **shape.get(part, {}))
            for part, own in parts.items()
        }
    )


def not_both_empty(parts: dict[str, Architecture]) -> bool:
    """A rule across the parts: together they have at least six edges."""
    return sum(part.num_edges for part in parts.values()) >= 6


CASES = [
    Case("gemnet30", GEMNet, {"width": 4, "stages": 2}, keeps_last=False),
    Case("gemnet6", lambda: GEMNet(6, operations=("conv3x3",)), {"widths": (4, 6)}, keeps_last=False),
    Case("nasbench101", NASBench101, {"channels": 8, "cells_per_stack": 2}),
    # The benchmark's classes depend on the order of the nodes; test_nasbench201_space.py counts how often.
    Case("nasbench201", NASBench201, {"channels": 4, "cells_per_stage": 2}, invariant=False),
    Case("nasbench201_graph", lambda: NASBench201(identity="graph"), {"channels": 4, "cells_per_stage": 1}),
    Case("nasbenchgraph", NASBenchGraph, {"in_channels": 6, "width": 4}, keeps_last=False, images=False),
    Case("transnasbench101", TransNASBench101, {"channels": 4}),
    Case("enas", ENASMacro, {"width": 4}, rigid=True),
    Case(
        "enas_footnote",
        lambda: ENASMacro(4, operations="graphpnas-footnote"),
        {"width": 4},
        rigid=True,
    ),
    Case("enas6", ENASMacro6, {"width": 3}, rigid=True),
    Case("randwire", RandWire, SMALL_RANDWIRE, keeps_last=False),
    Case("randwire_stages", lambda: RandWire(6, stages=2), SMALL_RANDWIRE, keeps_last=False, blocks=2),
    Case(
        "product",
        lambda: ProductSpace(gemnet=GEMNet(4), cell=NASBench201(identity="graph"), build=averaged),
        {"gemnet": {"widths": (4, 6)}, "cell": {"channels": 4, "cells_per_stage": 1}},
        blocks=2,
    ),
    Case(
        "product_twice",
        lambda: ProductSpace(one=GEMNet(6), two=GEMNet(6), rule=not_both_empty, build=averaged),
        {"one": {"widths": (4,)}, "two": {"widths": (5,)}},
        keeps_last=False,
        blocks=2,
    ),
    Case("custom", lambda: load_example().SmallCells(), {"width": 4}),
]

IMAGE_CASES = [case for case in CASES if case.images]


def relabelled(
    architecture: Architecture, rng: np.random.Generator, *, keeps_last: bool, blocks: int = 1
) -> Architecture:
    """The same graph with its nodes in another random topological order; node 0 stays first."""
    adjacency = architecture.adjacency
    size = len(adjacency) // blocks
    order: list[int] = []
    for first in range(0, len(adjacency), size):
        order.append(first)
        left = set(range(first + 1, first + size))
        while left:
            ready = [j for j in sorted(left) if not any(adjacency[i, j] for i in left)]
            if keeps_last and len(left) > 1:
                ready = [j for j in ready if j != first + size - 1]
            order.append(ready[int(rng.integers(len(ready)))])
            left.remove(order[-1])
    return Architecture(adjacency[np.ix_(order, order)], architecture.operations[order])


def hooked_macs(network: nn.Module, images: torch.Tensor) -> int:
    """Multiply-accumulates per image by hooks on a real network: outputs times weights per output."""
    total = 0

    def count(module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        nonlocal total
        total += output[0].numel() * module.weight[0].numel()

    handles = [
        module.register_forward_hook(count)
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    with torch.no_grad():
        network.eval()(images)
    for handle in handles:
        handle.remove()
    return total
