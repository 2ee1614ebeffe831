"""Flip, crop and cutout against a plain loop over the images."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import pad

from graphnas.training.augment import random_crop, random_cutout, random_flip

IMAGES = torch.arange(6 * 2 * 4 * 5, dtype=torch.uint8).reshape(6, 2, 4, 5)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_flip_mirrors_the_chosen_images():
    flipped = random_flip(IMAGES, _generator())
    chosen = torch.rand(6, generator=_generator()) < 0.5
    assert 0 < chosen.sum() < 6
    for image, result, mirrored in zip(IMAGES, flipped, chosen, strict=True):
        assert torch.equal(result, image[:, :, [4, 3, 2, 1, 0]] if mirrored else image)


def test_flip_mirrors_half_of_them():
    images = torch.arange(2).expand(4000, 1, 1, 2)
    mirrored = random_flip(images, _generator())[:, 0, 0, 0] == 1
    assert 0.46 < mirrored.float().mean() < 0.54


@pytest.mark.parametrize("padding", [1, 3])
def test_crop_cuts_a_window_of_the_padded_image(padding):
    cropped = random_crop(IMAGES, padding, _generator(1))
    offsets = torch.randint(2 * padding + 1, (2, 6), generator=_generator(1))
    padded = pad(IMAGES, (padding,) * 4)
    assert cropped.shape == IMAGES.shape
    assert cropped.dtype == torch.uint8
    for k, (y, x) in enumerate(offsets.T.tolist()):
        assert torch.equal(cropped[k], padded[k, :, y : y + 4, x : x + 5])


def test_crop_reaches_every_offset_evenly():
    image = torch.zeros(1, 1, 3, 3)
    image[0, 0, 1, 1] = 1
    cropped = random_crop(image.expand(9000, 1, 3, 3), 1, _generator())
    assert (cropped.sum((0, 1)) / 9000 - 1 / 9).abs().max() < 0.015


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_cutout_erases_one_clipped_square(size):
    images = torch.ones(200, 3, 6, 7)
    result = random_cutout(images, size, _generator(2))
    centres = torch.rand((2, 200), generator=_generator(2), dtype=torch.float64)
    for k in range(200):
        expected = torch.ones(3, 6, 7)
        y, x = int(centres[0, k] * 6), int(centres[1, k] * 7)
        top, left = max(y - size // 2, 0), max(x - size // 2, 0)
        expected[:, top : y - size // 2 + size, left : x - size // 2 + size] = 0
        assert torch.equal(result[k], expected)
    assert images.min() == 1  # the input is not changed


def test_the_same_generator_gives_the_same_changes():
    for change in (random_flip, lambda x, g: random_crop(x, 2, g), lambda x, g: random_cutout(x, 2, g)):
        assert torch.equal(change(IMAGES, _generator(5)), change(IMAGES, _generator(5)))
        results = {change(IMAGES, _generator(seed)).numpy().tobytes() for seed in range(8)}
        assert len(results) > 1
