"""Rewards: from the scores of the kept architectures to the weights they are learned with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from graphnas.errors import InvalidArgument

REWARDS = ("cdf", "standardised", "raw")


def rewards(scores: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """The reward of each kept architecture.

    ``"standardised"``: ``(R - C) / sigma`` with C and sigma the mean and the standard deviation of the buffer
    (GraphPNAS, section 3.2), so that about half of the kept graphs get a negative one. Where all scores are
    the same, nothing says which graph to prefer, and every reward is 1. ``"cdf"``: the rank among the kept,
    from ``1 / n`` of the worst to 1 of the best, ties sharing their mean rank (the released code). ``"raw"``:
    the scores themselves.

    Args:
        scores: ``(n,)``, larger is better.
        kind: One of :data:`REWARDS`.

    Raises:
        InvalidArgument: Another kind.
    """
    if kind == "cdf":
        return np.asarray(rankdata(scores) / len(scores), float)
    if kind == "standardised":
        spread = float(scores.std())
        # Of equal scores, rounding leaves a spread that is not quite 0.
        if spread <= 1e-12 * max(1.0, float(np.abs(scores).max())):
            return np.ones(len(scores))
        return np.asarray((scores - scores.mean()) / spread, float)
    if kind == "raw":
        return np.asarray(scores, float)
    raise InvalidArgument(f"reward must be one of {REWARDS}, got {kind!r}")
