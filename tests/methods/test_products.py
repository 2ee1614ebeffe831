"""Every search method searches a product of spaces, and a space with operations on nodes and on edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from torch import nn

from graphnas import Architecture, GraphSpace, ProductSpace
from graphnas.autoencoders import FeatureVAEConfig, TrainingConfig
from graphnas.errors import InvalidArchitecture
from graphnas.methods import GraphBOConfig, GraphPNASConfig, LatentBOConfig, NASGEMConfig
from graphnas.methods.nasgem import EncoderConfig, PredictorConfig
from graphnas.methods.registry import METHODS, make_method
from search_spaces import GEMNet, NASBench201

TRIALS = 12
STARTUP = 6

CONFIGS: dict[str, Any] = {
    "GraphBO": GraphBOConfig(n_startup_trials=STARTUP, candidates=500, local_candidates=100),
    "NASGEM": NASGEMConfig(
        n_startup_trials=STARTUP,
        candidates=200,
        encoder=EncoderConfig(pairs=100, iterations=20, batch_size=16),
        perceptron=PredictorConfig(hidden=(8,), epochs=20),
    ),
    "GraphPNAS": GraphPNASConfig(
        hidden_size=8, steps=2, n_startup_trials=STARTUP, batch_size=2, epochs=2, warm_epochs=1, critic=None
    ),
    "LatentBO": LatentBOConfig(
        model_config=FeatureVAEConfig(hidden=16, latent=8, training=TrainingConfig(epochs=2, batch_size=32)),
        training_size=80,
        n_startup_trials=STARTUP,
        enumerate_up_to=0,
        candidates=200,
        local_candidates=50,
        decoded_candidates=5,
    ),
}


class LabelledTree(GraphSpace):
    """Trees of four nodes with operations on nodes and on edges."""

    name = "tree"
    node_ops = ("root", "add", "concat")
    edge_ops = ("none", "conv", "pool")
    max_nodes = 4

    def node_choices(self, node: int) -> Sequence[int]:
        return (0,) if node == 0 else (1, 2)

    def check(self, architecture: Architecture) -> None:
        if (np.count_nonzero(architecture.adjacency, axis=0)[1:] != 1).any():
            raise InvalidArchitecture(f"{self.name}: every node but the root has one input")

    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> nn.Module:
        return nn.Linear(1, num_classes)


def as_many_edges(parts: dict[str, Architecture]) -> bool:
    return parts["encoder"].num_edges >= parts["decoder"].num_edges


SPACES = {
    "product": lambda: ProductSpace(encoder=GEMNet(5), decoder=NASBench201()),
    "ruled": lambda: ProductSpace(encoder=GEMNet(5), decoder=GEMNet(4), rule=as_many_edges),
    "both": LabelledTree,
    "nested": lambda: ProductSpace(
        tree=LabelledTree(), cells=ProductSpace(normal=NASBench201(), reduce=NASBench201())
    ),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("kind", SPACES)
def test_every_method_searches(kind: str, name: str) -> None:
    space = SPACES[kind]()

    def ask_and_tell(trials: int) -> list[Architecture]:
        options: dict[str, Any] = {"config": CONFIGS[name]} if name in CONFIGS else {}
        if name == "TreeSearch":
            options = {"candidates": 500, "n_startup_trials": STARTUP}
        method = make_method(name, space, seed=0, **options)
        for _ in range(trials):
            (architecture,) = method.ask()
            method.tell(architecture, float((architecture.operations % 3).sum() + architecture.num_edges))
        return [observation.architecture for observation in method.observations]

    proposed = ask_and_tell(TRIALS)
    assert all(map(space.is_valid, proposed))
    assert len(set(space.keys(proposed))) == TRIALS
    assert [space.from_parameters(space.to_parameters(a)) for a in proposed] == proposed
    assert ask_and_tell(STARTUP + 2) == proposed[: STARTUP + 2]
