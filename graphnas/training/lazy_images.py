"""Images that are read on demand, and the choice between those and images in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from graphnas.errors import CorruptData, InvalidArgument
from graphnas.training.images import ImageSet, MemoryImages, check_type, checked_labels
from graphnas.training.reading import DECODERS, ItemReader

LEAST_MEMORY_LIMIT = 2**30
"""Sets up to this size are kept in memory on every machine."""

MEMORY_FRACTION = 0.25
"""Fraction of the memory that is free which a set may take."""


def memory_limit(given: int | None = None) -> int:
    """Size in bytes up to which a set is decoded once and kept in memory.

    Args:
        given: Used if not None; 0 keeps nothing.

    Returns:
        ``given``, or a quarter of the memory that is free, and at least 1 GiB.

    Raises:
        InvalidArgument: ``given`` is not an integer of at least 0.
    """
    if given is None:
        return max(LEAST_MEMORY_LIMIT, int(MEMORY_FRACTION * _free_memory()))
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise InvalidArgument(f"memory_limit must be at least 0 bytes, got {given!r}")
    return given


def _free_memory() -> int:
    """Bytes that can still be used, 0 if unknown: those of the machine, or of its container if fewer."""
    known: list[int] = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                known.append(int(line.split()[1]) * 1024)
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            known.append(int(limit) - int((group / "memory.current").read_text()))
    except (OSError, ValueError, IndexError):  # another system, or another version of control groups
        pass
    if not known and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    return max(min(known, default=0), 0)


class LazyImages(ImageSet):
    """Images that are read on demand, ahead of their use, by worker processes or threads.

    Args:
        read: Returns image ``i`` as a tensor of ``shape``. Errors other than those of graphnas become
            :class:`~graphnas.errors.CorruptData`.
        labels: ``(n,)`` integers of at least 0.
        shape: ``(C, H, W)`` of every image.
        dtype: Type of every image; None: whatever the first one has.
        workers: Number of processes that read; None: as many as there are cores, at most 16, and none for a
            small set or where processes cannot be forked.
        threads: Number of threads that read where no processes do; 1 if ``read`` is not safe in several.
        name_of: Names image ``i`` in messages, such as by its path.
    """

    def __init__(
        self,
        read: Callable[[int], torch.Tensor],
        labels: torch.Tensor | NDArray[Any],
        shape: tuple[int, int, int],
        *,
        dtype: torch.dtype | None = None,
        workers: int | None = None,
        threads: int = DECODERS,
        name_of: Callable[[int], str] = "image {}".format,
    ) -> None:
        self.labels = checked_labels(labels, None)
        self.shape = shape
        self.read = read
        self.workers, self.threads, self.name_of = workers, threads, name_of
        self._dtype = dtype
        checked = _Checked(read, shape, dtype, name_of)
        self._reader = ItemReader(checked, torch.stack, workers=workers, threads=threads, name_of=name_of)

    @property
    def dtype(self) -> torch.dtype:
        """uint8, or the floating-point type of all images."""
        if self._dtype is None:
            self._dtype = self.take(torch.zeros(1, dtype=torch.int64)).dtype
        return self._dtype

    def take(self, indices: torch.Tensor) -> torch.Tensor:
        """Read the images at ``indices``."""
        return next(iter(self.batches([indices])))

    def batches(self, indices: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        """Read the images at each of ``indices``, ahead of their use.

        Raises:
            CorruptData: An image cannot be read; the message names it.
            InvalidArgument: An image has another shape or type.
        """
        return self._reader.batches([chosen.tolist() for chosen in indices])

    def subset(self, indices: torch.Tensor) -> LazyImages:
        """The images at ``indices`` as a set of their own."""
        return LazyImages(
            _Renumbered(self.read, indices),
            self.labels[indices],
            self.shape,
            dtype=self._dtype,
            workers=self.workers,
            threads=self.threads,
            name_of=_Renumbered(self.name_of, indices),
        )

    def in_memory(self) -> MemoryImages:
        """All of them, read once."""
        images = torch.empty((len(self), *self.shape), dtype=self.dtype)
        start = 0
        for batch in self.batches(torch.split(torch.arange(len(self)), 256)):
            if batch.dtype != images.dtype:
                raise InvalidArgument(f"images have different types: {images.dtype} and {batch.dtype}")
            images[start : start + len(batch)] = batch
            start += len(batch)
        self.close()
        return MemoryImages(images, self.labels)

    def close(self) -> None:
        """End the processes that read images; they are started again when needed."""
        self._reader.close()

    def kept_if_within(self, limit: int) -> ImageSet:
        """All of them in memory if they take at most ``limit`` bytes, otherwise this set."""
        channels, height, width = self.shape
        fits = len(self) * channels * height * width * self.dtype.itemsize <= limit
        return self.in_memory() if fits else self


class _Checked:
    """Reads image ``i`` and checks what the training relies on."""

    def __init__(
        self,
        read: Callable[[int], torch.Tensor],
        shape: tuple[int, int, int],
        dtype: torch.dtype | None,
        name_of: Callable[[int], str],
    ) -> None:
        self.read, self.shape, self.dtype, self.name_of = read, shape, dtype, name_of

    def __call__(self, index: int) -> torch.Tensor:
        image = self.read(index)
        if tuple(image.shape) != self.shape:
            raise InvalidArgument(
                f"{self.name_of(index)} has shape {tuple(image.shape)}, the first one {self.shape}; "
                "all images must have the same size"
            )
        if self.dtype is not None and image.dtype != self.dtype:
            raise InvalidArgument(f"{self.name_of(index)} is {image.dtype}, the first one {self.dtype}")
        check_type(image.dtype, self.name_of(index))
        if image.dtype.is_floating_point and not torch.isfinite(image).all():
            raise CorruptData(f"{self.name_of(index)} holds values that are not finite")
        return image


class _Renumbered:
    """Calls a function of an image's number with ``indices[i]`` for ``i``."""

    def __init__(self, function: Callable[[int], Any], indices: torch.Tensor) -> None:
        self.function, self.indices = function, indices

    def __call__(self, index: int) -> Any:
        return self.function(int(self.indices[index]))
