"""Seeds: one seed and a purpose give an independent stream of random numbers, for NumPy and for torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphnas.errors import InvalidArgument

if TYPE_CHECKING:
    import torch


def checked_seed(seed: object) -> int:
    """``seed`` as an integer of Python.

    Raises:
        InvalidArgument: It is not a non-negative integer.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InvalidArgument(f"seed must be a non-negative integer, got {seed!r}")
    return int(seed)


def derived_seed(seed: int, *purpose: int | str) -> int:
    """A 63-bit seed for one purpose, such as ``"weights"``; those of different purposes are independent.

    Args:
        seed: The user's seed.
        *purpose: Texts and non-negative integers that name the purpose.

    Raises:
        InvalidArgument: ``seed`` is not a non-negative integer.
    """
    entropy = [checked_seed(seed)]
    for part in purpose:
        entropy += part.encode() if isinstance(part, str) else [int(part)]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))


def torch_generator(seed: int, *purpose: int | str) -> torch.Generator:
    """A generator on the CPU that starts from :func:`derived_seed`."""
    import torch

    return torch.Generator().manual_seed(derived_seed(seed, *purpose))


def drawn_seed(rng: np.random.Generator) -> int:
    """A seed drawn from ``rng``, for what goes on with a generator of its own."""
    return int(rng.integers(2**63))
