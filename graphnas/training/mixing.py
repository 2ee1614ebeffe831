"""Mixing the images of a batch, and their labels with them: mixup and CutMix."""

from __future__ import annotations

from typing import Protocol

import torch
from torch.nn.functional import one_hot


class Mixing(Protocol):
    """The mixing that a configuration selects; see the fields of TrainingConfig."""

    @property
    def mixup(self) -> float:
        """Alpha of mixup; 0 disables it."""

    @property
    def cutmix(self) -> float:
        """Alpha of CutMix; 0 disables it."""


def mixed(
    inputs: torch.Tensor,
    labels: torch.Tensor,
    changes: Mixing,
    num_classes: int,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each image mixed with another one of the batch, and the labels in the same proportion.

    mixup adds the images up (Zhang et al. 2018), CutMix replaces a rectangle (Yun et al. 2019). The
    proportion is drawn from ``Beta(alpha, alpha)`` once per batch; with both, each batch gets one of them at
    random.

    Args:
        inputs: ``(B, C, H, W)``, normalised.
        labels: ``(B,)`` class indices.
        changes: A configuration.
        num_classes: Number of classes.
        generator: A generator on the CPU.

    Returns:
        The images and ``(B, num_classes)`` probabilities of the classes; both as given if nothing is mixed.
    """
    if not changes.mixup and not changes.cutmix:
        return inputs, labels
    both = bool(changes.mixup and changes.cutmix)
    cut = torch.rand((), generator=generator).item() < 0.5 if both else bool(changes.cutmix)
    kept = _beta(changes.cutmix if cut else changes.mixup, generator)
    partner = torch.randperm(len(inputs), generator=generator).to(inputs.device)
    others = inputs[partner]
    if cut:
        rows, columns = _rectangle(1 - kept, inputs.shape[2], inputs.shape[3], generator)
        inputs = inputs.clone()
        inputs[:, :, rows, columns] = others[:, :, rows, columns]
        replaced = (rows.stop - rows.start) * (columns.stop - columns.start)
        kept = 1 - replaced / (inputs.shape[2] * inputs.shape[3])
    else:
        inputs = torch.lerp(others, inputs, kept)
    targets = one_hot(labels, num_classes).to(torch.float32)
    return inputs, torch.lerp(targets[partner], targets, kept)


def _beta(alpha: float, generator: torch.Generator) -> float:
    """A draw from ``Beta(alpha, alpha)``: the share of one of two gamma variables."""
    gammas = torch._standard_gamma(torch.full((2,), alpha, dtype=torch.float64), generator=generator)
    total = gammas.sum()
    # For a tiny alpha both may vanish: then it is an end of the interval, either one.
    return float(gammas[0] / total) if total > 0 else float(torch.rand((), generator=generator) < 0.5)


def _rectangle(area: float, height: int, width: int, generator: torch.Generator) -> tuple[slice, slice]:
    """Rows and columns of a rectangle of the image's proportions around a uniform centre."""
    places = []
    for length in (height, width):
        half = round(length * area**0.5) / 2
        centre = int(torch.randint(length, (), generator=generator))
        places.append(slice(max(round(centre - half), 0), min(round(centre + half), length)))
    return places[0], places[1]
