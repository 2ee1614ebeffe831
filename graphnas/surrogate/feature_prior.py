"""Features that are known without an evaluation, such as scores of untrained networks, as prior tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.seeds import checked_seed
from graphnas.surrogate.prior import PriorTask

COUNT = 200
"""Architectures whose features are computed."""


@runtime_checkable
class ArchitectureFeatures(Protocol):
    """Features that are functions of the architecture alone; larger ones are taken to promise more.

    Attributes:
        names: A name for each of ``F`` columns.
    """

    @property
    def names(self) -> Sequence[str]:
        """A name for each column."""

    def __call__(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """The features ``(n, F)``; NaN where one is not known."""


def prior_of_features(
    space: GraphSpace,
    features: ArchitectureFeatures,
    count: int = COUNT,
    *,
    objectives: int = 1,
    seed: int = 0,
) -> list[PriorTask]:
    """Each column of ``features`` as a prior task: what it says of random architectures of the space.

    A search with them begins with what is good by their average, and finds out from its own evaluations which
    of them tell something of its task, or the opposite (:mod:`graphnas.surrogate.transfer`). Only the order
    of a column counts. As a process learns it from ``count`` architectures, features of no others are needed,
    however large the space is.

    Args:
        space: The search space.
        features: Such as :class:`graphnas.evaluate.ZeroCostFeatures`.
        count: Random architectures to compute features of; those that repeat count once.
        objectives: Objectives of the search, each of which every column is a first guess of.
        seed: Seed of the random architectures.

    Returns:
        A task for each column, but for those that are the same, or not known, for all architectures. Where
        one is not known, the architecture is left out; one that is infinite comes first or last.

    Raises:
        InvalidArgument: ``features`` are no :class:`ArchitectureFeatures` or return an array of another
            shape, or a number is out of range.
    """
    if not isinstance(features, ArchitectureFeatures):
        raise InvalidArgument(
            f"features must be a function of architectures with the names of its columns, got {features!r}"
        )
    for name, value, least in (("count", count, 2), ("objectives", objectives, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InvalidArgument(f"{name} must be an integer of at least {least}, got {value!r}")
    drawn = space.sample_batch(np.random.default_rng(checked_seed(seed)), count).to_architectures()
    different = dict(zip(reversed(space.keys(drawn)), reversed(drawn), strict=True))
    architectures = list(reversed(different.values()))
    rows = np.asarray(features(architectures), float)
    expected = len(architectures), len(features.names)
    if rows.shape != expected:
        raise InvalidArgument(f"features must return an array of shape {expected}, got {rows.shape}")
    tasks = []
    for name, column in zip(features.names, rows.T, strict=True):
        known = np.flatnonzero(~np.isnan(column))
        values = np.unique(column[known], return_inverse=True)[1].astype(float)
        if len(values) and values.max() > 0:
            table = np.repeat(values[:, None], objectives, axis=1)
            tasks.append(PriorTask(name, [architectures[k] for k in known], table))
    return tasks
