"""What a network gives on images: its logits, checked, and its accuracy."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import nn

from graphnas.training import processes
from graphnas.training.images import ImageSet, Normalisation
from graphnas.training.precision import casting, precision_of

TOP = 5


class Diverged(ArithmeticError):
    """The loss or the network's output is no longer finite."""


class Accuracy(NamedTuple):
    """Accuracy in percent.

    Attributes:
        top1: Images whose most probable class is right.
        top5: Images whose class is among the five most probable; NaN if there are no more than five classes.
    """

    top1: float
    top5: float


def device_of(module: nn.Module) -> torch.device:
    """Device of the parameters of ``module``; the CPU if it has none."""
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))


def logits(module: nn.Module, inputs: torch.Tensor, half: torch.dtype | None = None) -> torch.Tensor:
    """Logits ``(B, classes)`` of normalised images ``(B, C, H, W)``, in float32.

    Args:
        module: The network.
        inputs: The images, in float32.
        half: Compute in this half precision; None: in that of the weights.

    Raises:
        TypeError: The output has another shape.
    """
    with casting(inputs.device, half):
        output = module(inputs if half is not None else inputs.to(precision_of(module)))
    if not isinstance(output, torch.Tensor) or output.ndim != 2 or len(output) != len(inputs):
        got = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise TypeError(f"the network must give logits of shape ({len(inputs)}, classes), got {got}")
    return output.float()


def measure_accuracy(
    module: nn.Module,
    images: ImageSet,
    indices: torch.Tensor,
    normalisation: Normalisation,
    *,
    batch_size: int = 512,
    half: torch.dtype | None = None,
    layout: torch.memory_format = torch.contiguous_format,
) -> Accuracy:
    """Accuracy of ``module`` in evaluation mode on the images at ``indices``, shared among the processes.

    Raises:
        Diverged: The output is not finite.
    """
    device = device_of(module)
    module.eval()
    processes.agree_on_buffers(module)
    # Right at first, right among the first five, not finite.
    counts = torch.zeros(3, dtype=torch.int64, device=device)
    classes = 0
    parts = [part for part in torch.split(processes.share(indices), batch_size) if len(part)]
    with torch.no_grad():
        for chosen, pixels in zip(parts, images.batches(parts), strict=True):
            inputs = normalisation(pixels.to(device)).contiguous(memory_format=layout)
            output = logits(module, inputs, half)
            classes = output.shape[1]
            right = images.labels[chosen].to(device)
            counts[0] += (output.argmax(1) == right).sum()
            if classes > TOP:
                counts[1] += (output.topk(TOP).indices == right[:, None]).sum()
            counts[2] += (~torch.isfinite(output)).sum()
    first, among, broken = processes.total(counts).tolist()
    if broken:
        raise Diverged("the network's output on validation images is not finite")
    top5 = 100 * among / len(indices) if classes > TOP else math.nan
    return Accuracy(100 * first / len(indices), top5)
