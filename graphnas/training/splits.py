"""Splits of labelled images, stratified and seeded or by their order; a test part; a part of a set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument
from graphnas.training.images import ImageData, ImageSet, MemoryImages, channel_statistics
from graphnas.training.lazy_images import LazyImages

HELD_OUT_FRACTION = 0.2
"""Fraction of every class that becomes the test images of a set without any."""


def apportion(total: int, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """``total`` divided in proportion to ``counts`` by the largest remainder method."""
    quota: NDArray[np.float64] = total * counts / counts.sum()
    shares: NDArray[np.int64] = np.floor(quota).astype(np.int64)
    # A stable sort resolves ties in favour of the lower class on every platform.
    order = np.argsort(-(quota - shares), kind="stable")
    shares[order[: total - shares.sum()]] += 1
    return shares


def stratified_split(
    labels: torch.Tensor, fraction: float, *, seed: int, rest_limit: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Split indices ``0..n-1`` into a part with ``fraction`` of every class and the rest.

    ``round(fraction * count)`` images of each class go into the first part, and at least one into each part.
    GraphPNAS' oracle for RandWire trains on a tenth of each class and validates on the other nine tenths.

    Args:
        labels: ``(n,)`` integers of at least 0.
        fraction: Between 0 and 1, exclusive.
        seed: An integer of at least 0.
        rest_limit: The rest is cut to this many images, in proportion to the classes; None: no limit.

    Returns:
        Two disjoint int64 tensors of ascending indices.

    Raises:
        InvalidArgument: A fraction or limit out of range, or a class with a single image.
    """
    if not 0 < fraction < 1:
        raise InvalidArgument(f"fraction must be between 0 and 1, exclusive, got {fraction!r}")
    if rest_limit is not None and rest_limit < 1:
        raise InvalidArgument(f"rest_limit must be at least 1, got {rest_limit}")
    first: list[NDArray[np.int64]] = []
    rest: list[NDArray[np.int64]] = []
    for members in _shuffled_classes(labels, seed):
        if len(members) < 2:
            label = int(labels[members[0]])
            raise InvalidArgument(f"class {label} has a single image: a split needs at least 2 of each class")
        cut = min(max(round(fraction * len(members)), 1), len(members) - 1)
        first.append(members[:cut])
        rest.append(members[cut:])
    if rest_limit is not None and rest_limit < sum(map(len, rest)):
        rest = _cut(rest, rest_limit)
    return _sorted(first), _sorted(rest)


def split_off_test(
    labels: torch.Tensor, class_names: Sequence[str] = ()
) -> tuple[torch.Tensor, torch.Tensor]:
    """Split indices ``0..n-1`` into a fixed fifth of every class, for testing, and the rest.

    Raises:
        InvalidArgument: A class has fewer than three images: one each to test, train and validate with.
    """
    counts = torch.bincount(labels)
    scarce = ((counts > 0) & (counts < 3)).nonzero().flatten().tolist()
    if scarce:
        name = class_names[scarce[0]] if class_names else scarce[0]
        count = int(counts[scarce[0]])
        raise InvalidArgument(
            f"class {name} has {'a single image' if count == 1 else f'{count} images'}: a set without test "
            "images needs at least 3 of each class, to train, validate and test with"
        )
    return stratified_split(labels, HELD_OUT_FRACTION, seed=0)


def held_out(name: str, images: ImageSet, class_names: tuple[str, ...] = ()) -> ImageData:
    """A set without test images, with a fixed fifth of every class held out as those.

    Raises:
        InvalidArgument: See :func:`split_off_test` and :func:`count_classes`.
    """
    num_classes = count_classes(images.labels, name)
    held, kept = split_off_test(images.labels, class_names)
    train = _subset(images, kept)
    load_test = partial(_subset, images, held)
    return ImageData(name, train, load_test, num_classes, channel_statistics(train), class_names)


def some_images(data: ImageData, train: int, test: int | None = None, *, seed: int = 0) -> ImageData:
    """A set with fewer images: a random part of the training and of the test images, by class.

    The first images of a file are no such part: files are often sorted by more than the class, such as by the
    name of the kind of dog.

    Args:
        data: The whole set. Its test images are not read before those of the part are.
        train: Number of training images; all, if there are no more.
        test: The same of the test images; None: all.
        seed: An integer of at least 0.

    Raises:
        InvalidArgument: A number below 1.
    """
    for what, count in (("train", train), ("test", test)):
        if count is not None and count < 1:
            raise InvalidArgument(f"{what} must be at least 1 image, got {count}")
    name = f"{train:,} images of {data.name}" if train < len(data.train) else data.name

    def load_test() -> ImageSet:
        return data.test if test is None else _random_part(data.test, test, seed)

    return replace(data, name=name, train=_random_part(data.train, train, seed), load_test=load_test)


def _random_part(images: ImageSet, count: int, seed: int) -> ImageSet:
    if count >= len(images):
        return images
    return _subset(images, _sorted(_cut(_shuffled_classes(images.labels, seed), count)))


def _subset(images: ImageSet, indices: torch.Tensor) -> ImageSet:
    if isinstance(images, LazyImages):
        return images.subset(indices)
    return MemoryImages(images.take(indices), images.labels[indices])


def count_classes(labels: torch.Tensor, what: str) -> int:
    """Number of classes of the training images ``what``.

    Raises:
        InvalidArgument: There is only one, or one of them has no image.
    """
    counts = torch.bincount(labels)
    if len(counts) < 2 or (counts == 0).any():
        absent = (counts == 0).nonzero().flatten().tolist()[:5]
        raise InvalidArgument(
            f"{what} labels must be 0..K-1 with K of at least 2 and every class present; "
            f"the largest is {len(counts) - 1}, absent are {absent}"
        )
    return len(counts)


def last_part(labels: torch.Tensor, fraction: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Split indices ``0..n-1`` into the last ``round(fraction * n)`` and those before them.

    Args:
        labels: ``(n,)`` integers of at least 0.
        fraction: Between 0 and 1, exclusive.

    Returns:
        Two int64 tensors of ascending indices, those before first; neither is empty.

    Raises:
        InvalidArgument: A class is in only one part, as happens with images that are sorted by class.
    """
    count = len(labels)
    cut = count - min(max(round(fraction * count), 1), count - 1)
    absent = set(labels[:cut].tolist()) ^ set(labels[cut:].tolist())
    if absent:
        raise InvalidArgument(
            f"class {min(absent)} is not in both the first {cut} and the last {count - cut} images; "
            "use validation_split='stratified' for images that are sorted or few"
        )
    return torch.arange(cut), torch.arange(cut, count)


def _shuffled_classes(labels: torch.Tensor, seed: int) -> list[NDArray[np.int64]]:
    """The indices of each class that is there, in a random order."""
    rng, values = np.random.default_rng(seed), labels.numpy()
    return [rng.permutation(np.flatnonzero(values == label)) for label in np.unique(values)]


def _cut(parts: Sequence[NDArray[np.int64]], total: int) -> list[NDArray[np.int64]]:
    """The first of every part, ``total`` together, in proportion to the sizes."""
    shares = apportion(total, np.array([len(part) for part in parts]))
    return [part[:share] for part, share in zip(parts, shares, strict=True)]


def _sorted(parts: list[NDArray[np.int64]]) -> torch.Tensor:
    return torch.from_numpy(np.sort(np.concatenate(parts)).astype(np.int64))
