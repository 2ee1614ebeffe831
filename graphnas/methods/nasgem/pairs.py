"""Pairs of random architectures and the kernel similarity that the encoder is trained to reproduce."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.graph.wl import WeisfeilerLehman

TARGETS = ("raw", "centred", "rank")


@dataclass(frozen=True)
class Pairs:
    """``first[k]`` and ``second[k]`` have the same size; ``target[k]`` in [-1, 1] is for their cosine."""

    first: ArchitectureBatch
    second: ArchitectureBatch
    target: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.target)


def sample_pairs(
    space: GraphSpace, size: int, rng: np.random.Generator, kernel: WeisfeilerLehman, target: str = "raw"
) -> Pairs:
    """Draw pairs of the same number of nodes from the space and compute S_g (NASGEM, section 3.1).

    Args:
        space: The space whose sampler draws the graphs.
        size: Number of pairs; a few are dropped if the space has graphs of several sizes.
        rng: Source of the graphs.
        kernel: The Weisfeiler-Lehman kernel.
        target: ``"raw"`` is the normalised kernel as in the paper. Between large random graphs it varies so
            little that it guides little; hence two departures: ``"centred"`` maps mean +- 3 standard
            deviations onto [-1, 1] and clips, ``"rank"`` spreads the ranks evenly over [-1, 1].

    Raises:
        InvalidArgument: An unknown ``target`` or a ``size`` below 2.
    """
    if target not in TARGETS:
        raise InvalidArgument(f"target must be one of {TARGETS}, got {target!r}")
    if size < 2:
        raise InvalidArgument(f"at least 2 pairs are needed, got {size}")
    return _neighbours(space.sample_batch(rng, 2 * size), rng, kernel, target)


def pair_up(
    batch: ArchitectureBatch, rng: np.random.Generator, kernel: WeisfeilerLehman, target: str = "raw"
) -> Pairs:
    """Random pairs of the same number of nodes from ``batch``, each entry used once, and their S_g.

    For an encoder that is trained on other graphs than the space's sampler draws, such as the cells of a
    table. An architecture that occurs several times in ``batch`` is in as many pairs.

    Args:
        batch: The architectures; the few without a partner of their size are dropped.
        rng: Source of the pairing.
        kernel: The Weisfeiler-Lehman kernel.
        target: As in :func:`sample_pairs`.

    Raises:
        InvalidArgument: An unknown ``target``, or no two architectures of the same size.
    """
    if target not in TARGETS:
        raise InvalidArgument(f"target must be one of {TARGETS}, got {target!r}")
    return _neighbours(batch[rng.permutation(len(batch))], rng, kernel, target)


def _neighbours(
    batch: ArchitectureBatch, rng: np.random.Generator, kernel: WeisfeilerLehman, target: str
) -> Pairs:
    # Sorted by size, neighbours are a pair; the few that straddle two sizes are dropped.
    order = np.argsort(batch.num_nodes.numpy(), kind="stable")
    order = order[: len(order) // 2 * 2]
    first, second = batch[order[0::2]], batch[order[1::2]]
    same = np.flatnonzero((first.num_nodes == second.num_nodes).numpy())
    if not len(same):
        raise InvalidArgument(f"no two of the {len(batch)} architectures have the same number of nodes")
    same = rng.permutation(same)
    first, second = first[same], second[same]
    similarity = kernel.pairwise(first, second)
    return Pairs(first, second, transform_target(similarity, target))


def transform_target(similarity: NDArray[np.float64], target: str) -> NDArray[np.float32]:
    """Spread kernel values for the cosine to follow; see :func:`sample_pairs`."""
    if target == "centred":
        spread = max(float(similarity.std()), 1e-12)
        similarity = np.clip((similarity - similarity.mean()) / (3 * spread), -1, 1)
    elif target == "rank":
        ranks = similarity.argsort(kind="stable").argsort(kind="stable")
        similarity = 2 * ranks / max(len(ranks) - 1, 1) - 1
    return np.asarray(similarity, np.float32)
