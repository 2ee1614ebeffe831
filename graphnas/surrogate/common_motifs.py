"""CommonMotifs: the motifs whose effects can be told, because some architectures have them and others not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.graph.wl_motifs import Motifs

LEAST_SAMPLED = 10
"""Of the random architectures, so many must have a motif another number of times than most."""


@dataclass(frozen=True)
class CommonMotifs:
    """``J`` motifs that some of ``n`` architectures have and others lack, none too rare at random.

    Attributes:
        labels: ``(J,)``.
        depths: Their rounds.
        names: In words.
        counts: ``(n, J)`` in the evaluated architectures.
        sampled: ``(M, J)`` in the random ones.
        places: Place of each label, also of those that always occur together with a simpler one.
        rare: Number of motifs that are too rare at random.
    """

    labels: NDArray[np.uint64]
    depths: list[int]
    names: list[str]
    counts: NDArray[np.float64]
    sampled: NDArray[np.float64]
    places: dict[int, int]
    rare: int


def common_motifs(
    space: GraphSpace, batch: ArchitectureBatch, pool: ArchitectureBatch, rounds: int, least: int
) -> CommonMotifs:
    """The motifs of up to ``rounds`` rounds that are worth a look; those that always come together once.

    Args:
        space: The search space.
        batch: ``n`` evaluated architectures.
        pool: ``M`` random ones.
        rounds: Rounds of refinement.
        least: Evaluated architectures that must have a motif another number of times than most have.

    Raises:
        InvalidArgument: There is none.
    """
    own, random = Motifs(space, batch, rounds), Motifs(space, pool, rounds)
    found: dict[bytes, int] = {}
    kept: list[tuple[int, int, str, NDArray[np.float64], NDArray[np.float64]]] = []
    places: dict[int, int] = {}
    rare = 0
    for depth in range(rounds + 1):
        labels = own.of_round(depth)
        counts = own.counts(depth, labels)
        chosen = np.flatnonzero(_unusual(counts) >= least)
        labels, counts = labels[chosen], counts[:, chosen]
        sampled = random.counts(depth, labels) if len(labels) else np.zeros((len(pool), 0))
        common = _unusual(sampled) >= LEAST_SAMPLED
        rare += int((~common).sum())
        names = own.names(depth, labels)
        # Of motifs that occur as often everywhere, the simplest stands for all, in words the shortest.
        for k in sorted(np.flatnonzero(common).tolist(), key=lambda k: (len(names[k]), names[k])):
            place = found.setdefault(counts[:, k].tobytes() + sampled[:, k].tobytes(), len(kept))
            if place == len(kept):
                kept.append((int(labels[k]), depth, names[k], counts[:, k], sampled[:, k]))
            places[int(labels[k])] = place
    if not kept:
        raise InvalidArgument(
            f"no motif is in at least {least} of {len(batch)} architectures and missing from as many; "
            "evaluate more, or lower least"
        )
    return CommonMotifs(
        labels=np.array([entry[0] for entry in kept], np.uint64),
        depths=[entry[1] for entry in kept],
        names=[entry[2] for entry in kept],
        counts=np.stack([entry[3] for entry in kept], axis=1),
        sampled=np.stack([entry[4] for entry in kept], axis=1),
        places=places,
        rare=rare,
    )


def _unusual(counts: NDArray[np.float64]) -> NDArray[np.int64]:
    """``(J,)`` how many rows of ``counts`` (n, J) differ from the commonest number of their column."""
    return np.array(
        [len(counts) - np.unique(column, return_counts=True)[1].max() for column in counts.T], np.int64
    )
