"""CIFAR-10 from disk: lossless compressed shards, or the Python batches of its official archive."""

from __future__ import annotations

import lzma
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from graphnas.data_directory import find_data
from graphnas.errors import CorruptData
from graphnas.training.cifar_batches import BYTES_PER_IMAGE, SIDE, found_or_downloaded, read_batch
from graphnas.training.images import ImageData, MemoryImages, Normalisation

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

NORMALISATION = Normalisation((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), 255.0)
"""Mean and standard deviation of the 50,000 training images, as commonly published."""

HOW_TO_GET = (
    "Download https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz (163 MB) and unpack it: it holds the "
    "folder cifar-10-batches-py. Or let torchvision download it: download=True, or --download."
)


def find_cifar10(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """The first file of CIFAR-10, unread.

    This is ``cifar10/cifar10_train_*.xz`` (see :func:`read_shard`), or ``data_batch_1`` in a folder
    ``cifar-10-batches-py`` laid out like the official archive or by torchvision.

    Raises:
        DataNotFound: Neither is in the data directory; the message says how to get it.
    """
    return find_data(
        [
            "cifar10/cifar10_train_*.xz",
            "cifar-10-batches-py/data_batch_1",
            "cifar10/cifar-10-batches-py/data_batch_1",
            "torchvision/cifar-10-batches-py/data_batch_1",
        ],
        what="CIFAR-10",
        how_to_get=HOW_TO_GET,
        data_dir=data_dir,
    )


def load_cifar10(data_dir: str | os.PathLike[str] | None = None, *, download: bool = False) -> ImageData:
    """CIFAR-10 from :func:`find_cifar10`: 50,000 training and 10,000 test images of 32x32 (Krizhevsky 2009).

    The test images are read on first use.

    Args:
        data_dir: The data directory; by default ``$GRAPHNAS_DATA`` or ``~/.cache/graphnas``.
        download: Let torchvision download it into the data directory if it is not there.

    Raises:
        DataNotFound: It is not in the data directory.
        CorruptData: A file is truncated or damaged, or is not a part of CIFAR-10.
    """
    path = found_or_downloaded(find_cifar10, "CIFAR10", data_dir, download)
    read = _read_shards if path.suffix == ".xz" else _read_batches
    train = read(path.parent, "train")
    return ImageData("cifar10", train, partial(read, path.parent, "test"), 10, NORMALISATION, CLASSES)


# ---------------------------------------------------------------- lossless shards


def read_shard(path: str | os.PathLike[str], limit: int | None = None) -> NDArray[np.uint8]:
    """The images of one lossless shard, ``(n, 3, 32, 32)`` bytes in RGB; image ``i`` has label ``i % 10``.

    A shard is an xz stream of prediction residuals, bytes in the order image, plane, row, column. The planes
    of an image are green, red - green and blue - green modulo 256; a residual is the difference, modulo 256,
    from the median predictor of LOCO-I (Weinberger, Seroussi and Sapiro 2000), which reads the left, upper
    and upper-left neighbours; those outside of the image are 0.

    Args:
        path: The file.
        limit: Stop after this many images, leaving the rest of the stream compressed.

    Raises:
        CorruptData: The stream is damaged, truncated, or not a whole number of images.
    """
    blocks = [_reconstruct(block) for block in _residuals(Path(path), limit)]
    if not blocks:
        raise CorruptData(f"{path} holds no images")
    return np.concatenate(blocks)


def _residuals(path: Path, limit: int | None, block: int = 500) -> Iterator[NDArray[np.uint8]]:
    """Residuals ``(n, 3, 32, 32)`` of at most ``block`` images at a time, decompressed on demand."""
    missing = -1 if limit is None else limit
    try:
        with lzma.open(path) as stream:
            while missing:
                wanted = block if missing < 0 else min(block, missing)
                data = stream.read(wanted * BYTES_PER_IMAGE)
                if len(data) % BYTES_PER_IMAGE:
                    raise CorruptData(f"{path} does not hold a whole number of 32x32 RGB images")
                if not data:
                    return
                yield np.frombuffer(data, np.uint8).reshape(-1, 3, SIDE, SIDE)
                missing = max(missing - len(data) // BYTES_PER_IMAGE, 0) if missing > 0 else missing
    except (lzma.LZMAError, EOFError) as error:
        raise CorruptData(f"{path} is not a complete xz file: {error}") from error


def _reconstruct(residuals: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Undo the prediction, pixel by pixel and over all images and planes at once.

    The median of (left, upper, left + upper - upper-left) is ``left + upper - upper-left`` clipped to the
    range between ``left`` and ``upper``.
    """
    count = len(residuals)
    # Pixels first, so that every step of the recurrence works on contiguous memory.
    known = np.ascontiguousarray(residuals.reshape(3 * count, SIDE * SIDE).T).astype(np.int16)
    planes = np.zeros((SIDE + 1, SIDE + 1, 3 * count), np.int16)
    low, high, guess = (np.empty(3 * count, np.int16) for _ in range(3))
    for row in range(SIDE):
        for column in range(SIDE):
            left, upper = planes[row + 1, column], planes[row, column + 1]
            np.minimum(left, upper, out=low)
            np.maximum(left, upper, out=high)
            np.add(left, upper, out=guess)
            np.subtract(guess, planes[row, column], out=guess)
            np.maximum(guess, low, out=guess)
            np.minimum(guess, high, out=guess)
            np.add(guess, known[row * SIDE + column], out=guess)
            np.bitwise_and(guess, 255, out=planes[row + 1, column + 1])
    values = planes[1:, 1:].reshape(SIDE * SIDE, 3 * count).astype(np.uint8)
    green, red, blue = np.ascontiguousarray(values.T).reshape(count, 3, SIDE, SIDE).swapaxes(0, 1)
    return np.stack([red + green, green, blue + green], axis=1)  # bytes wrap around: modulo 256


def _read_shards(directory: Path, split: str) -> MemoryImages:
    paths = sorted(directory.glob(f"cifar10_{split}_*.xz"))
    if not paths:
        raise CorruptData(f"{directory} has no cifar10_{split}_*.xz next to its other CIFAR-10 shards")
    # Decompression and numpy release the interpreter, so two threads are nearly twice as fast as one.
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        shards = list(pool.map(read_shard, paths))
    labels = np.concatenate([np.arange(len(shard)) % 10 for shard in shards])
    return MemoryImages(torch.from_numpy(np.concatenate(shards)), torch.from_numpy(labels))


# ---------------------------------------------------------------- official Python batches


def _read_batches(directory: Path, split: str) -> MemoryImages:
    names = [f"data_batch_{k}" for k in range(1, 6)] if split == "train" else ["test_batch"]
    missing = [name for name in names if not (directory / name).is_file()]
    if missing:
        raise CorruptData(f"{directory} is incomplete: {', '.join(missing)} missing. {HOW_TO_GET}")
    images, labels = zip(*(read_batch(directory / name) for name in names), strict=True)
    return MemoryImages(torch.from_numpy(np.concatenate(images)), torch.from_numpy(np.concatenate(labels)))
