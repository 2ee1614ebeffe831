"""ScaledImages: a set whose images are resized when they are used, on the device that they are used on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch.nn import functional as F

from graphnas.training.images import ImageData, ImageSet


class ScaledImages(ImageSet):
    """The images of another set, resized bilinearly; pixels of smaller ones are means of those replaced.

    Tiny-ImageNet's 100,000 images of 64 x 64 take 1.2 GB; enlarged to 224 x 224, as GraphPNAS trains on them,
    they would take 15 GB or have to be decoded anew in every epoch.

    Args:
        images: The set as it is stored.
        size: Height and width in pixels of what it gives.
        device: Where images are resized.
    """

    def __init__(self, images: ImageSet, size: int, device: torch.device | str = "cpu") -> None:
        self._stored, self._size, self._device = images, size, torch.device(device)
        self.labels = images.labels
        self.shape = (images.shape[0], size, size)

    @property
    def dtype(self) -> torch.dtype:
        """That of the stored images."""
        return self._stored.dtype

    def take(self, indices: torch.Tensor) -> torch.Tensor:
        """The images at ``indices``, resized."""
        return self._resized(self._stored.take(indices))

    def batches(self, indices: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        """The images at each of ``indices``, resized."""
        return map(self._resized, self._stored.batches(indices))

    def to(self, device: torch.device) -> ScaledImages:
        """The same set, which resizes on ``device``; stored images that are in memory are moved there."""
        return ScaledImages(self._stored.to(device), self._size, device)

    def close(self) -> None:
        """As for the stored images."""
        self._stored.close()

    def _resized(self, images: torch.Tensor) -> torch.Tensor:
        pixels = images.to(self._device)
        smaller = self.shape[1] < self._stored.shape[1] or self.shape[2] < self._stored.shape[2]
        # CUDA has no such operation on bytes.
        resized = F.interpolate(
            pixels.float(), size=self.shape[1:], mode="bilinear", align_corners=False, antialias=smaller
        )
        return resized.round_().to(pixels.dtype) if pixels.dtype == torch.uint8 else resized.to(pixels.dtype)


def scaled(data: ImageData, size: int) -> ImageData:
    """``data`` with training and test images resized to ``size``; the statistics are those of the stored."""
    return replace(
        data,
        train=ScaledImages(data.train, size),
        load_test=lambda: ScaledImages(data.load_test(), size),
    )
