"""make_generator: the generator that a configuration asks for."""

from __future__ import annotations

import torch

from graphnas.graph.space import GraphSpace
from graphnas.methods.graphpnas.config import GraphPNASConfig
from graphnas.methods.graphpnas.generator import ArchitectureGenerator
from graphnas.methods.graphpnas.graph_generator import GraphGenerator
from graphnas.methods.graphpnas.pham import PhamGenerator
from graphnas.methods.graphpnas.rnn import RNNGenerator
from graphnas.methods.graphpnas.stages import StagedGenerator
from graphnas.training.arguments import choose_device
from search_spaces import RandWire


def make_generator(
    space: GraphSpace, config: GraphPNASConfig, source: torch.Generator
) -> ArchitectureGenerator:
    """A new generator of the kind and size that ``config`` says; for RandWire with stages, one per stage.

    Args:
        space: The search space.
        config: Settings.
        source: Source of the initial weights, on the CPU.
    """
    device = choose_device(config.device)
    if config.generator == "rnn":
        return RNNGenerator(space, hidden_size=config.hidden_size, generator=source).to(device)
    if config.generator == "pham":
        return PhamGenerator(space, hidden_size=config.hidden_size, generator=source).to(device)
    whole = space.whole
    staged = isinstance(whole, RandWire) and whole.stages > 1
    kind = StagedGenerator if staged else GraphGenerator
    return kind(space, config.generator_config(), generator=source, device=device)
