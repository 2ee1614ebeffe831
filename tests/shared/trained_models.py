"""Trained models of every space, small, with running statistics that are not those of new networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from graphnas import Evaluation
from graphnas.graph.space import GraphSpace
from graphnas.training import TrainedModel
from graphnas.training.images import Normalisation
from search_spaces import ENASMacro, ENASMacro6, GEMNet, NASBench101, NASBench201, RandWire, TransNASBench101

SMALL = {"stem_widths": (4, 5), "stem_strides": (1, 2), "widths": (6, 8), "head_width": 16}
DEAD = "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|nor_conv_3x3~0|none~1|avg_pool_3x3~2|"
SPACES: dict[str, tuple[Callable[[], GraphSpace], dict[str, Any]]] = {
    "gemnet": (lambda: GEMNet(8), {"widths": (3, 5), "stem_stride": 2}),
    "randwire": (lambda: RandWire(6, stages=2), SMALL),
    "enas": (ENASMacro, {"width": 3, "dropout": 0.1}),
    "enas6": (ENASMacro6, {"width": 2}),
    "nasbench101": (NASBench101, {"channels": 8, "cells_per_stack": 1}),
    "nasbench201": (NASBench201, {"channels": 4, "cells_per_stage": 1}),
    "transnasbench101": (TransNASBench101, {"channels": 4, "cells_per_module": 1}),
}


def warmed(network: nn.Module, shape: tuple[int, int, int]) -> nn.Module:
    """With random weights from a seed, and running statistics of random images."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                deviation = (2 / parameter[0].numel()) ** 0.5
                parameter.copy_(deviation * torch.randn(parameter.shape, generator=generator))
        network.train()
        for _ in range(2):
            network(1 + 2 * torch.randn(4, *shape, generator=generator))
    return network.eval()


def made(space: GraphSpace, shape: dict[str, Any], image_shape: tuple[int, int, int]) -> TrainedModel:
    architecture = space.sample(np.random.default_rng(3))
    if isinstance(space, NASBench201):
        architecture = space.from_string(DEAD)
    shape = {**shape, "in_channels": image_shape[0]}
    channels = image_shape[0]
    return TrainedModel(
        module=warmed(space.build(architecture, 3, **shape), image_shape),
        space=space,
        architecture=architecture,
        evaluation=Evaluation(
            91.25, parameters=1234, macs=56789, seconds=7.5, metrics={"test_accuracy": 91.25}
        ),
        num_classes=3,
        image_shape=image_shape,
        shape=shape,
        normalisation=Normalisation((0.4, 0.5, 0.6)[:channels], (0.2, 0.3, 0.25)[:channels], 255.0),
        dataset="flowers",
        class_names=("daisy", 'the "other"', "rose"),
        training={"epochs": 4, "learning_rate": 0.05, "seed": 0},
    )
