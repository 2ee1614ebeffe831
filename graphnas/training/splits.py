"""Splits of labelled images: stratified and seeded ones, and one by the order of the images."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument

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
    rng = np.random.default_rng(seed)
    values = labels.numpy()
    first: list[NDArray[np.int64]] = []
    rest: list[NDArray[np.int64]] = []
    for label in np.unique(values):
        members = rng.permutation(np.flatnonzero(values == label))
        if len(members) < 2:
            raise InvalidArgument(f"class {label} has a single image: a split needs at least 2 of each class")
        cut = min(max(round(fraction * len(members)), 1), len(members) - 1)
        first.append(members[:cut])
        rest.append(members[cut:])
    counts = np.array([len(members) for members in rest])
    if rest_limit is not None and rest_limit < counts.sum():
        rest = [members[:k] for members, k in zip(rest, apportion(rest_limit, counts), strict=True)]
    return _sorted(first), _sorted(rest)


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


def _sorted(parts: list[NDArray[np.int64]]) -> torch.Tensor:
    return torch.from_numpy(np.sort(np.concatenate(parts)).astype(np.int64))
