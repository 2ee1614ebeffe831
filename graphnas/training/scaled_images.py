"""ScaledImages: a set whose images are enlarged when they are used, on the device that they are used on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch.nn import functional as F

from graphnas.training.images import ImageData, ImageSet


class ScaledImages(ImageSet):
    """The images of another set, enlarged bilinearly.

    Tiny-ImageNet's 100,000 images of 64 x 64 take 1.2 GB; enlarged to 224 x 224, as GraphPNAS trains on them,
    they would take 15 GB or have to be decoded anew in every epoch.

    Args:
        images: The set as it is stored.
        size: Height and width in pixels of what it gives.
        device: Where images are enlarged.
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
        """The images at ``indices``, enlarged."""
        return self._enlarged(self._stored.take(indices))

    def batches(self, indices: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        """The images at each of ``indices``, enlarged."""
        return map(self._enlarged, self._stored.batches(indices))

    def to(self, device: torch.device) -> ScaledImages:
        """The same set, which enlarges on ``device``; stored images that are in memory are moved there."""
        return ScaledImages(self._stored.to(device), self._size, device)

    def close(self) -> None:
        """As for the stored images."""
        self._stored.close()

    def _enlarged(self, images: torch.Tensor) -> torch.Tensor:
        pixels = images.to(self._device)
        # CUDA has no such operation on bytes.
        larger = F.interpolate(pixels.float(), size=self.shape[1:], mode="bilinear", align_corners=False)
        return larger.round_().to(pixels.dtype) if pixels.dtype == torch.uint8 else larger.to(pixels.dtype)


def scaled(data: ImageData, size: int) -> ImageData:
    """``data`` with training and test images enlarged to ``size``; the statistics are those of the stored."""
    return replace(
        data,
        train=ScaledImages(data.train, size),
        load_test=lambda: ScaledImages(data.load_test(), size),
    )
