"""Architectures with their values, as plots of searches take them: checked, and the best ones once each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace


def checked_values(architectures: Sequence[Architecture], values: ArrayLike) -> NDArray[np.float64]:
    """``values`` as ``(n,)`` numbers, one for each architecture.

    Raises:
        InvalidArgument: Another number of values.
    """
    numbers = np.asarray(values, float)
    if numbers.shape != (len(architectures),):
        raise InvalidArgument(f"{len(architectures)} architectures need as many values, got {numbers.shape}")
    return numbers


def best_once(
    architectures: Sequence[Architecture],
    values: NDArray[np.float64],
    space: GraphSpace,
    count: int,
    *,
    minimize: bool = False,
) -> list[int]:
    """Places of the best ``count`` architectures, best first, isomorphic ones once; NaN is no value."""
    best: dict[str, int] = {}
    for k in np.argsort(values if minimize else -values, kind="stable").tolist():
        if not np.isnan(values[k]):
            best.setdefault(space.key(architectures[k]), k)
    return list(best.values())[:count]
