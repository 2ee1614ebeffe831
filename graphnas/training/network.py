"""The network of an architecture, with initial weights from a seed, and its size."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from graphnas.errors import GraphNASError
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.seeds import derived_seed
from graphnas.training.failures import network_errors
from graphnas.training.measuring import logits
from graphnas.training.randomness import SeededRandomness
from search_spaces.complexity import count_complexity

_logger = logging.getLogger(__name__)


class Size(NamedTuple):
    """Trainable parameters and multiply-accumulates of a network, each None if unknown."""

    parameters: int | None
    macs: int | None


def built_network(
    space: GraphSpace,
    architecture: Architecture,
    num_classes: int,
    image_shape: tuple[int, int, int],
    shape: Mapping[str, Any],
    *,
    seed: int,
    device: torch.device,
) -> tuple[nn.Module, Size]:
    """The network on the device, with initial weights that follow the seed.

    Lazy modules are initialised by a first pass of images of ``image_shape``.

    Args:
        space: Builds it.
        architecture: A member of the space.
        num_classes: Size of the output.
        image_shape: ``(channels, height, width)``.
        shape: Further arguments of ``space.build``.
        seed: An integer of at least 0.
        device: Where it is to be trained.

    Raises:
        TrainingFailed: It cannot be built, or not be run on such images where that is needed.
    """

    def build() -> nn.Module:
        return space.build(architecture, num_classes, **shape)

    with network_errors():
        with SeededRandomness(derived_seed(seed, "weights")):
            module = build()
            if any(nn.parameter.is_lazy(p) for p in (*module.parameters(), *module.buffers())):
                module.eval()
                with torch.no_grad():
                    logits(module, torch.zeros(2, *image_shape))
                module.train()
        parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
        try:
            macs = count_complexity(build, image_shape).macs
        except GraphNASError:
            raise
        except Exception as error:
            # A user's own network may be trainable although it cannot be run without weights.
            _logger.warning("%s: multiply-accumulates not counted: %s", space.name, error)
            macs = None
        return module.to(device), Size(parameters, macs)
