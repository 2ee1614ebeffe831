"""Random augmentation of a batch of images, vectorised, with an explicit generator."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch.nn.functional import affine_grid, grid_sample, pad

from graphnas.errors import InvalidArgument
from graphnas.training.images import Normalisation


class BasicChanges(Protocol):
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


class Changes(BasicChanges, Protocol):
    """All of it."""

    @property
    def resized_crop(self) -> tuple[float, float] | None:
        """Range of the area of a random crop that is scaled to the image's size."""

    @property
    def jitter(self) -> float:
        """Strength of changes of brightness, contrast and saturation; 0 disables them."""

    @property
    def randaugment(self) -> int:
        """Operations of RandAugment per image; 0 disables it."""

    @property
    def randaugment_magnitude(self) -> int:
        """Their magnitude, 0 to 30."""

    @property
    def cutout_probability(self) -> float:
        """Probability with which an image gets the square."""

    @property
    def random_erasing(self) -> float:
        """Probability with which a rectangle of an image is erased."""


def check_changes(changes: Changes, shape: tuple[int, int, int], dtype: torch.dtype) -> None:
    """Refuse what is not defined for such images.

    Raises:
        InvalidArgument: RandAugment of images that are not bytes in RGB, or jitter of images that are not
            bytes in 1 or 3 channels.
    """
    if changes.randaugment and (dtype != torch.uint8 or shape[0] != 3):
        raise InvalidArgument(
            f"randaugment is for RGB images of bytes, these have {shape[0]} channels of {dtype}"
        )
    # Floats may have any range, and the jitter cuts off what is outside of its own.
    if changes.jitter and (dtype != torch.uint8 or shape[0] not in (1, 3)):
        raise InvalidArgument(
            f"jitter is for images of bytes in 1 or 3 channels, these have {shape[0]} channels of {dtype}"
        )


def lightly_augmented(
    pixels: torch.Tensor, changes: BasicChanges, normalisation: Normalisation, generator: torch.Generator
) -> torch.Tensor:
    """As :func:`augmented`, for a configuration that has the basic changes only."""
    inputs = normalisation(_shifted(pixels, changes, generator))
    return random_cutout(inputs, changes.cutout, generator) if changes.cutout else inputs


def _shifted(pixels: torch.Tensor, changes: BasicChanges, generator: torch.Generator) -> torch.Tensor:
    if changes.flip:
        pixels = random_flip(pixels, generator)
    return random_crop(pixels, changes.crop_padding, generator) if changes.crop_padding else pixels


def augmented(
    pixels: torch.Tensor, changes: Changes, normalisation: Normalisation, generator: torch.Generator
) -> torch.Tensor:
    """Normalised images ``(B, C, H, W)``, augmented as ``changes`` selects.

    Args:
        pixels: ``(B, C, H, W)`` as in the data set.
        changes: A configuration.
        normalisation: The data set's.
        generator: A generator on the CPU, so that the draws are the same on every device.
    """
    pixels = _shifted(pixels, changes, generator)
    if changes.resized_crop is not None:
        pixels = random_resized_crop(pixels, changes.resized_crop, generator)
    if changes.randaugment:
        from graphnas.training.randaugment import randaugment

        pixels = randaugment(pixels, changes.randaugment, changes.randaugment_magnitude, generator)
    if changes.jitter:
        pixels = color_jitter(pixels, changes.jitter, normalisation.scale, generator)
    inputs = normalisation(pixels)
    if changes.cutout:
        inputs = random_cutout(inputs, changes.cutout, generator, changes.cutout_probability)
    if changes.random_erasing:
        inputs = random_erasing(inputs, changes.random_erasing, generator)
    return inputs


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


def random_resized_crop(
    images: torch.Tensor, area: tuple[float, float], generator: torch.Generator
) -> torch.Tensor:
    """Cut a random window out of each image and scale it bilinearly to the size of the image.

    The window has a part of the area that is uniform in ``area`` and an aspect ratio that is log-uniform in
    3/4 to 4/3 (Szegedy et al. 2015); sides that would exceed the image are cut to it, not drawn again.

    Args:
        images: ``(B, C, H, W)``.
        area: Smallest and largest part.
        generator: A generator on the CPU.

    Returns:
        The same shape and type.
    """
    draws = torch.rand((4, len(images)), generator=generator, dtype=torch.float64)
    part = area[0] + (area[1] - area[0]) * draws[0]
    aspect = torch.exp((2 * draws[1] - 1) * math.log(4 / 3))
    aspect *= images.shape[2] / images.shape[3]  # of pixels, whereas the sides are parts of the image's
    width = (part * aspect).sqrt().clamp(max=1)
    height = (part / aspect).sqrt().clamp(max=1)
    # Coordinates run from -1 to 1 over the image, so the centre may move by what the window leaves.
    across, down = (1 - width) * (2 * draws[2] - 1), (1 - height) * (2 * draws[3] - 1)
    nothing = torch.zeros_like(width)
    rows = [torch.stack([width, nothing, across], 1), torch.stack([nothing, height, down], 1)]
    maps = torch.stack(rows, 1).to(images.device, torch.float32)
    kind = images.dtype if images.dtype.is_floating_point else torch.float32
    grid = affine_grid(maps, list(images.shape), align_corners=False)
    # Zoomed in by at most a few times, so that plain bilinear sampling is enough.
    cut = grid_sample(images.to(kind), grid.to(kind), padding_mode="border", align_corners=False)
    return cut if images.dtype.is_floating_point else cut.round().to(images.dtype)


def color_jitter(
    images: torch.Tensor, strength: float, scale: float, generator: torch.Generator
) -> torch.Tensor:
    """Change brightness, contrast and, of RGB images, saturation by factors uniform in ``1 ± strength``.

    Args:
        images: ``(B, C, H, W)`` with 1 or 3 channels, values from 0 to ``scale``.
        strength: From 0 to below 1.
        scale: 255 for bytes.
        generator: A generator on the CPU.

    Returns:
        Float32, of the same shape and within the same range.
    """
    factors = 1 + strength * (2 * torch.rand((3, len(images), 1, 1, 1), generator=generator) - 1)
    bright, contrast, saturation = factors.to(images.device)
    values = (images.to(torch.float32) * bright).clamp(0, scale)
    mean = _grey(values).mean((1, 2, 3), keepdim=True)
    values = torch.lerp(mean, values, contrast).clamp(0, scale)
    if images.shape[1] == 3:
        values = torch.lerp(_grey(values).expand_as(values), values, saturation).clamp(0, scale)
    return values


def _grey(images: torch.Tensor) -> torch.Tensor:
    """Luminance ``(B, 1, H, W)`` by ITU-R 601, as Pillow converts."""
    if images.shape[1] == 1:
        return images
    weights = torch.tensor([0.299, 0.587, 0.114], device=images.device, dtype=images.dtype)
    return torch.einsum("bchw,c->bhw", images, weights)[:, None]


def random_cutout(
    images: torch.Tensor, size: int, generator: torch.Generator, probability: float = 1.0
) -> torch.Tensor:
    """Set a square of ``size`` pixels to zero in each image (DeVries and Taylor 2017, Cutout).

    The centre is uniform over the image, so the square may reach beyond the border. Applied to normalised
    images, zero is the mean colour.

    Args:
        images: ``(B, C, H, W)``.
        size: Side of the square, at least 1.
        generator: A generator on the CPU.
        probability: With which an image gets a square.
    """
    height, width = images.shape[2:]
    centres = torch.rand((2, len(images)), generator=generator, dtype=torch.float64)
    rows = _covered((centres[0] * height).long() - size // 2, torch.tensor(size), height)
    columns = _covered((centres[1] * width).long() - size // 2, torch.tensor(size), width)
    squares = rows[:, None, :, None] & columns[:, None, None, :]
    if probability < 1:
        squares &= (torch.rand(len(images), generator=generator) < probability)[:, None, None, None]
    return images.masked_fill(squares.to(images.device), 0)


def random_erasing(images: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """Set a random rectangle of each image to zero (Zhong et al. 2020, Random Erasing).

    Its part of the area is uniform in .02 to .33, its aspect ratio log-uniform in .3 to 3.3; a side that
    would exceed the image is cut to it, rather than drawn again.

    Args:
        images: ``(B, C, H, W)``, normalised.
        probability: With which an image gets one.
        generator: A generator on the CPU.
    """
    height, width = images.shape[2:]
    draws = torch.rand((5, len(images)), generator=generator, dtype=torch.float64)
    area = (0.02 + 0.31 * draws[0]) * height * width
    aspect = torch.exp(math.log(0.3) + (math.log(3.3) - math.log(0.3)) * draws[1])
    tall = (area * aspect).sqrt().round().long().clamp(1, height)
    wide = (area / aspect).sqrt().round().long().clamp(1, width)
    rows = _covered((draws[2] * (height - tall + 1)).long(), tall, height)
    columns = _covered((draws[3] * (width - wide + 1)).long(), wide, width)
    erased = rows[:, None, :, None] & columns[:, None, None, :]
    erased &= (draws[4] < probability)[:, None, None, None]
    return images.masked_fill(erased.to(images.device), 0)


def _covered(start: torch.Tensor, size: torch.Tensor, length: int) -> torch.Tensor:
    """``(B, length)``: whether a position is one of the ``size`` from ``start`` on."""
    positions = torch.arange(length)[None, :]
    return (positions >= start[:, None]) & (positions < (start + size)[:, None])
