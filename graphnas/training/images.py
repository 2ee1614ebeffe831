"""Labelled images as the training loop reads them, and image classification sets made of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument


@dataclass(frozen=True)
class Normalisation:
    """``(pixel / scale - mean) / std`` per channel.

    Attributes:
        mean: Mean per channel of the training images, divided by ``scale``.
        std: Standard deviation per channel, above 0.
        scale: 255 for images of bytes, 1 for images of floating-point numbers.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Normalise ``(B, C, H, W)`` images to float32."""
        factor, offset = _constants(self, images.device)
        return torch.addcmul(offset, images.to(torch.float32), factor)


@lru_cache(maxsize=64)
def _constants(normalisation: Normalisation, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Factor and offset of ``x * factor + offset`` on the device, computed once rather than in every step."""
    mean = torch.tensor(normalisation.mean, dtype=torch.float64).view(1, -1, 1, 1)
    std = torch.tensor(normalisation.std, dtype=torch.float64).view(1, -1, 1, 1)
    factor = 1 / (std * normalisation.scale)
    return factor.to(device, torch.float32), (-mean / std).to(device, torch.float32)


class ImageSet(ABC):
    """Images of one size with integer labels.

    Attributes:
        labels: ``(n,)`` int64.
        shape: ``(channels, height, width)`` of every image.
    """

    labels: torch.Tensor
    shape: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """uint8, or the floating-point type of all images."""

    @abstractmethod
    def take(self, indices: torch.Tensor) -> torch.Tensor:
        """The images at ``indices``: ``(len(indices), C, H, W)``, bytes or floats."""

    @abstractmethod
    def batches(self, indices: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        """:meth:`take` for each of ``indices``, in order."""

    def to(self, device: torch.device) -> ImageSet:
        """The same set, moved to ``device`` if it is in memory."""
        return self

    def close(self) -> None:  # noqa: B027 - images in memory have nothing to end
        """End the processes that read images, if there are any; they are started again when needed."""


class MemoryImages(ImageSet):
    """Images that are all in memory.

    Args:
        images: ``(n, C, H, W)`` or, for one channel, ``(n, H, W)``; uint8 in 0..255, or floats.
        labels: ``(n,)`` integers of at least 0.

    Raises:
        InvalidArgument: Another shape or type, unequal lengths, no images, or values that are not finite.
    """

    def __init__(self, images: torch.Tensor | NDArray[Any], labels: torch.Tensor | NDArray[Any]) -> None:
        try:
            pixels = torch.as_tensor(images)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InvalidArgument(
                f"images must be a tensor or an array of numbers, got {type(images).__name__}: {error}"
            ) from error
        if pixels.ndim == 3:
            pixels = pixels[:, None]
        if pixels.ndim != 4 or 0 in pixels.shape:
            raise InvalidArgument(
                f"images must have shape (n, C, H, W) or (n, H, W), none of them 0, got {tuple(pixels.shape)}"
            )
        check_type(pixels.dtype, "images")
        if pixels.dtype.is_floating_point and not torch.isfinite(pixels).all():
            raise InvalidArgument("images hold values that are not finite")
        self.images = pixels.contiguous()
        self.labels = checked_labels(labels, len(pixels))
        self.shape = cast(tuple[int, int, int], tuple(pixels.shape[1:]))

    @property
    def dtype(self) -> torch.dtype:
        """uint8, or the floating-point type of all images."""
        return self.images.dtype

    def take(self, indices: torch.Tensor) -> torch.Tensor:
        """The images at ``indices``."""
        return self.images[indices.to(self.images.device)]

    def batches(self, indices: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        """The images at each of ``indices``."""
        return (self.take(chosen) for chosen in indices)

    def to(self, device: torch.device) -> MemoryImages:
        """The same images on ``device``."""
        if device == self.images.device:
            return self
        moved = MemoryImages.__new__(MemoryImages)
        moved.images, moved.labels, moved.shape = self.images.to(device), self.labels, self.shape
        return moved


def check_type(dtype: torch.dtype, what: str) -> None:
    """Check that ``dtype`` is one that images have.

    Raises:
        InvalidArgument: It is neither uint8 nor floating point.
    """
    if dtype != torch.uint8 and not dtype.is_floating_point:
        raise InvalidArgument(f"{what} must be uint8 or floating point, got {dtype}")


def checked_labels(labels: Any, count: int | None) -> torch.Tensor:
    """``labels`` as an int64 tensor.

    Raises:
        InvalidArgument: Not ``count`` integers of at least 0.
    """
    tensor = torch.as_tensor(labels)
    if tensor.ndim != 1 or (count is not None and len(tensor) != count) or len(tensor) == 0:
        raise InvalidArgument(f"labels must have shape ({count or 'n'},), got {tuple(tensor.shape)}")
    if tensor.dtype.is_floating_point or tensor.dtype.is_complex or tensor.dtype == torch.bool:
        raise InvalidArgument(f"labels must be integers, got {tensor.dtype}")
    tensor = tensor.to("cpu", torch.int64)
    if tensor.min() < 0:
        raise InvalidArgument(f"labels must be at least 0, got {int(tensor.min())}")
    return tensor


def channel_statistics(images: ImageSet, limit: int = 10_000) -> Normalisation:
    """Mean and standard deviation per channel, over at most ``limit`` images spread evenly over the set."""
    count = min(len(images), limit)
    chosen = torch.from_numpy(np.linspace(0, len(images) - 1, count).astype(np.int64))
    total = torch.zeros(images.shape[0], dtype=torch.float64)
    squares = torch.zeros_like(total)
    scale = 1.0
    for batch in images.batches(torch.split(chosen, 512)):
        scale = 255.0 if batch.dtype == torch.uint8 else 1.0
        values = batch.to("cpu", torch.float64) / scale
        total += values.sum((0, 2, 3))
        squares += values.square().sum((0, 2, 3))
    pixels = count * images.shape[1] * images.shape[2]
    mean = total / pixels
    std = (squares / pixels - mean.square()).clamp(min=0).sqrt()
    std[std < 1e-8] = 1.0  # a constant channel stays at zero instead of becoming infinite
    return Normalisation(tuple(mean.tolist()), tuple(std.tolist()), scale)


@dataclass(frozen=True)
class ImageData:
    """An image classification set.

    Attributes:
        name: Its name in messages and saved models.
        train: Images to train on; the search takes its validation images from these.
        load_test: Loads the test images, which no search reads, on first use of :attr:`test`.
        num_classes: Number of classes; labels are ``0..num_classes - 1``.
        normalisation: Statistics of the training images.
        class_names: Names in the order of the labels; empty if the set has none.
    """

    name: str
    train: ImageSet
    load_test: Callable[[], ImageSet]
    num_classes: int
    normalisation: Normalisation
    class_names: tuple[str, ...] = ()

    @property
    def in_channels(self) -> int:
        """Channels of every image."""
        return self.train.shape[0]

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean per channel, see :class:`Normalisation`."""
        return self.normalisation.mean

    @property
    def std(self) -> tuple[float, ...]:
        """Standard deviation per channel, see :class:`Normalisation`."""
        return self.normalisation.std

    @cached_property
    def test(self) -> ImageSet:
        """The test images.

        Raises:
            InvalidArgument: They do not fit the training images in shape or labels.
        """
        images = self.load_test()
        if images.shape != self.train.shape:
            raise InvalidArgument(
                f"{self.name}: test images have shape {images.shape}, training images {self.train.shape}"
            )
        if int(images.labels.max()) >= self.num_classes:
            raise InvalidArgument(
                f"{self.name}: test label {int(images.labels.max())} is not one of the "
                f"{self.num_classes} classes of the training images"
            )
        self._check_scale(images)
        return images

    def _check_scale(self, images: ImageSet) -> None:
        """Refuse test images whose values are measured in another way than those of the training images."""
        if images.dtype.is_floating_point != self.train.dtype.is_floating_point:
            raise InvalidArgument(
                f"{self.name}: test images are {images.dtype}, training images {self.train.dtype}; both must "
                "be bytes in 0..255, or both floating-point numbers of the same scale"
            )
        if not images.dtype.is_floating_point:
            return
        ours, theirs = _sample(self.train), _sample(images)
        sizes = sorted((float(ours.abs().max()), float(theirs.abs().max())))
        signs = sorted((float((ours < 0).float().mean()), float((theirs < 0).float().mean())))
        if sizes[1] > 32 * sizes[0] > 0 or (signs[0] == 0 and signs[1] > 0.05 and sizes[0] > 0):
            raise InvalidArgument(
                f"{self.name}: test images hold values from {theirs.min():.4g} to {theirs.max():.4g}, "
                f"training images from {ours.min():.4g} to {ours.max():.4g}; both must have the same scale"
            )


def _sample(images: ImageSet, count: int = 256) -> torch.Tensor:
    chosen = np.linspace(0, len(images) - 1, min(len(images), count)).astype(np.int64)
    return images.take(torch.from_numpy(chosen)).float()
