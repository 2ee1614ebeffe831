"""RandAugment of a batch: torchvision's operations, each on the images that drew it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from graphnas.training.torchvision_compat import import_torchvision

LARGEST = 30
"""The magnitude at which the operations are strongest."""

OPERATIONS = (
    "identity",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
    "rotate",
    "brightness",
    "color",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "autocontrast",
    "equalize",
)
"""The operations of Cubuk et al. (2020, RandAugment), figure 2 of their code."""


def randaugment(
    images: torch.Tensor, operations: int, magnitude: int, generator: torch.Generator
) -> torch.Tensor:
    """Apply ``operations`` random operations to each image (Cubuk et al. 2020).

    The kernels and the ranges of their strength are torchvision's. Images that drew the same operation and
    sign are changed together.

    Args:
        images: ``(B, 3, H, W)`` bytes.
        operations: Operations per image.
        magnitude: 0 to 30, the same for all.
        generator: A generator on the CPU.

    Raises:
        MissingExtra: torchvision is not installed.
    """
    apply = _kernels(images.shape[-2:], magnitude / LARGEST)
    images = images.clone()
    for _ in range(operations):
        drawn = torch.randint(len(OPERATIONS), (len(images),), generator=generator)
        signs = torch.randint(2, (len(images),), generator=generator) * 2 - 1
        for number, name in enumerate(OPERATIONS):
            for sign in (-1, 1):
                chosen = ((drawn == number) & (signs == sign)).nonzero().flatten().to(images.device)
                if len(chosen) and name != "identity":
                    images[chosen] = apply[name](images[chosen], sign)
    return images


def _kernels(size: Any, strength: float) -> dict[str, Callable[[torch.Tensor, int], torch.Tensor]]:
    """The operations by name, as functions of images and a sign, for a strength from 0 to 1."""
    import_torchvision()
    from torchvision.transforms.v2 import functional as change

    height, width = size
    degrees = 180 / torch.pi * float(torch.atan(torch.tensor(0.3 * strength)))

    def affine(images: torch.Tensor, **moved: Any) -> torch.Tensor:
        still: dict[str, Any] = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]}
        result: torch.Tensor = change.affine(images, **{**still, **moved})
        return result

    def sheared(images: torch.Tensor, shear: list[float]) -> torch.Tensor:
        return affine(images, shear=shear, center=[0, 0])

    return {
        "shear_x": lambda images, sign: sheared(images, [sign * degrees, 0.0]),
        "shear_y": lambda images, sign: sheared(images, [0.0, sign * degrees]),
        "translate_x": lambda images, sign: affine(
            images, translate=[int(sign * strength * 150 / 331 * width), 0]
        ),
        "translate_y": lambda images, sign: affine(
            images, translate=[0, int(sign * strength * 150 / 331 * height)]
        ),
        "rotate": lambda images, sign: change.rotate(images, sign * 30 * strength),
        "brightness": lambda images, sign: change.adjust_brightness(images, 1 + sign * 0.9 * strength),
        "color": lambda images, sign: change.adjust_saturation(images, 1 + sign * 0.9 * strength),
        "contrast": lambda images, sign: change.adjust_contrast(images, 1 + sign * 0.9 * strength),
        "sharpness": lambda images, sign: change.adjust_sharpness(images, 1 + sign * 0.9 * strength),
        "posterize": lambda images, _sign: change.posterize(images, 8 - round(4 * strength)),
        "solarize": lambda images, _sign: change.solarize(images, 255 * (1 - strength)),
        "autocontrast": lambda images, _sign: change.autocontrast(images),
        "equalize": lambda images, _sign: change.equalize(images),
    }
