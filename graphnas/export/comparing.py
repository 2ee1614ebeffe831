"""Whether what was written computes what the network computes, on random images of several sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from graphnas.errors import ExportFailed
from graphnas.seeds import torch_generator
from graphnas.training import TrainedModel
from search_spaces.backbone import Backbone

BATCHES = (1, 3)
TOLERANCE = 1e-4
"""Largest difference of two outputs, as a fraction of the largest output or of 1."""

Network = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Subject:
    """The network to export, with random images and its outputs for them.

    Attributes:
        module: A copy in evaluation mode, in float32 on the CPU.
        image_shape: ``(channels, height, width)`` it was trained on.
        other_size: Another height and width that it takes; None if it takes only those.
        traced_size: Height and width to trace it with, for which no map shrinks to a single pixel.
    """

    module: nn.Module
    image_shape: tuple[int, int, int]
    other_size: tuple[int, int] | None
    traced_size: tuple[int, int]

    def images(self, batch: int, size: tuple[int, int]) -> Tensor:
        """Random images, the same in every call."""
        shape = (batch, self.image_shape[0], *size)
        return torch.randn(shape, generator=torch_generator(0, "images"))

    def sizes(self) -> list[tuple[int, int]]:
        """Heights and widths to compare with: the one it was trained on first."""
        return [self.image_shape[1:], *([self.other_size] if self.other_size else [])]


def subject(trained: TrainedModel, module: nn.Module) -> Subject:
    """``module`` with what it can take.

    Args:
        trained: The trained model.
        module: Its network, in evaluation mode, in float32 on the CPU.
    """
    height, width = trained.image_shape[1:]
    stride = max(module.strides) if isinstance(module, Backbone) else 1
    other = (height + stride + 1, width + 2 * stride + 3)
    alone = Subject(module, trained.image_shape, None, (height, width))
    try:
        output = run(module, alone.images(2, other))
    except (RuntimeError, ValueError):  # a network whose classifier fits one size only
        return alone
    if output.ndim != 2 or not isinstance(module, Backbone):
        return Subject(module, trained.image_shape, other, (height, width))
    return Subject(module, trained.image_shape, other, (max(height, 2 * stride), max(width, 3 * stride)))


@torch.no_grad()
def run(network: Network, images: Tensor) -> Tensor:
    """The output for ``images``, without gradients."""
    return network(images)


def compare(
    what: str, loaded: Network, expected: Subject, sizes: Sequence[tuple[int, int]]
) -> tuple[str, ...]:
    """Run ``loaded`` beside the network.

    Args:
        what: Name of what was loaded, for messages.
        loaded: What was written, loaded again.
        expected: The network.
        sizes: Heights and widths of the images.

    Returns:
        The shapes of images that were compared, as text.

    Raises:
        ExportFailed: It does not run, or an output differs.
    """
    done = []
    for size in sizes:
        for batch in BATCHES:
            images = expected.images(batch, size)
            shape = "x".join(map(str, images.shape))
            try:
                output = run(loaded, images)
            except Exception as error:
                raise ExportFailed(f"{what} does not run on images {shape}: {error}") from error
            reference = run(expected.module, images)
            if output.shape != reference.shape:
                raise ExportFailed(
                    f"{what} gives {tuple(output.shape)} for images {shape}, the network "
                    f"{tuple(reference.shape)}"
                )
            difference = float((output - reference).abs().max())
            if not difference <= TOLERANCE * max(1.0, float(reference.abs().max())):
                raise ExportFailed(f"{what} differs from the network by {difference:.2g} on images {shape}")
            done.append(shape)
    return tuple(done)
