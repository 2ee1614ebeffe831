"""Random augmentation of a batch of images: flip, crop and cutout, vectorised, with an explicit generator."""

from __future__ import annotations

from typing import Protocol

import torch
from torch.nn.functional import pad

from graphnas.training.images import Normalisation


class Changes(Protocol):
    """The augmentation that a configuration selects; see the fields of TrainingConfig."""

    @property
    def flip(self) -> bool:
        """Mirror images left to right at random."""

    @property
    def crop_padding(self) -> int:
        """Zeros added around an image before a random window is cut; 0 disables cropping."""

    @property
    def cutout(self) -> int:
        """Side of the square that is erased; 0 disables cutout."""


def augmented(
    pixels: torch.Tensor, changes: Changes, normalisation: Normalisation, generator: torch.Generator
) -> torch.Tensor:
    """Normalised images ``(B, C, H, W)``, augmented as ``changes`` selects.

    Args:
        pixels: ``(B, C, H, W)`` as in the data set.
        changes: A configuration.
        normalisation: The data set's.
        generator: A generator on the CPU.
    """
    if changes.flip:
        pixels = random_flip(pixels, generator)
    if changes.crop_padding:
        pixels = random_crop(pixels, changes.crop_padding, generator)
    inputs = normalisation(pixels)
    return random_cutout(inputs, changes.cutout, generator) if changes.cutout else inputs


def random_flip(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirror each image left to right with probability 1/2.

    Args:
        images: ``(B, C, H, W)``.
        generator: A generator on the CPU, so that the draws are the same on every device.
    """
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(mirrored.to(images.device)[:, None, None, None], images.flip(3), images)


def random_crop(images: torch.Tensor, padding: int, generator: torch.Generator) -> torch.Tensor:
    """Pad each image by ``padding`` zeros on every side and cut a random window of the original size.

    Args:
        images: ``(B, C, H, W)``.
        padding: At least 1.
        generator: A generator on the CPU.
    """
    height, width = images.shape[2:]
    offsets = torch.randint(2 * padding + 1, (2, len(images)), generator=generator).to(images.device)
    padded = pad(images, (padding,) * 4)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: (B, C, 2p+1, 2p+1, H, W)
    return windows[torch.arange(len(images), device=images.device), :, offsets[0], offsets[1]]


def random_cutout(images: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """Set a square of ``size`` pixels to zero in each image (DeVries and Taylor 2017, Cutout).

    The centre is uniform over the image, so the square may reach beyond the border. Applied to normalised
    images, zero is the mean colour.

    Args:
        images: ``(B, C, H, W)``.
        size: Side of the square, at least 1.
        generator: A generator on the CPU.
    """
    height, width = images.shape[2:]
    centres = torch.rand((2, len(images)), generator=generator, dtype=torch.float64)
    rows = _covered((centres[0] * height).long(), height, size)
    columns = _covered((centres[1] * width).long(), width, size)
    squares = (rows[:, None, :, None] & columns[:, None, None, :]).to(images.device)
    return images.masked_fill(squares, 0)


def _covered(centres: torch.Tensor, length: int, size: int) -> torch.Tensor:
    """``(B, length)``: whether a position lies in the ``size`` positions around each centre."""
    start = (centres - size // 2)[:, None]
    positions = torch.arange(length)[None, :]
    return (positions >= start) & (positions < start + size)


def mixed(inputs, targets, changes, num_classes, generator):  # placeholder until the augment branch is merged
    """TEMP."""
    return inputs, targets
