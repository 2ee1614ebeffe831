"""The replay buffer: which evaluated architectures the generator learns from, and with which rewards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture

Keep = int | float
Schedule = Sequence[tuple[int, Keep]]
REWARDS = ("cdf", "standardised", "raw")


@dataclass(frozen=True)
class Buffer:
    """All evaluated architectures in the form the generator learns, and their scores (larger is better)."""

    architectures: Sequence[Architecture]
    scores: NDArray[np.float64]


def check_keep_top(keep_top: Keep | Schedule) -> None:
    """Check a setting of :func:`kept`.

    Raises:
        InvalidArgument: A count below 1, a fraction outside (0, 1], or a schedule that does not begin at 0
            evaluations and ascend.
    """
    schedule = keep_top if isinstance(keep_top, Sequence) else [(0, keep_top)]
    starts = [start for start, _ in schedule]
    if not starts or starts[0] != 0 or any(b <= a for a, b in pairwise(starts)):
        raise InvalidArgument(
            f"keep_top must begin at 0 evaluations and ascend, got the evaluations {starts}"
        )
    for _, value in schedule:
        count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        fraction = isinstance(value, float) and 0 < value <= 1
        if not (count or fraction):
            raise InvalidArgument(
                f"keep_top must be a count of at least 1 or a fraction in (0, 1], got {value!r}"
            )


def number_kept(evaluations: int, keep_top: Keep | Schedule) -> int:
    """How many of ``evaluations`` are kept; at least 1.

    Args:
        evaluations: Number of evaluations in the buffer.
        keep_top: A count (int), a fraction (float), or a schedule of ``(evaluations, keep)`` pairs, of which
            the last one reached applies.
    """
    if isinstance(keep_top, Sequence):
        keep_top = [keep for start, keep in keep_top if start <= evaluations][-1]
    wanted = keep_top if isinstance(keep_top, int) else math.ceil(keep_top * evaluations - 1e-9)
    return max(1, min(evaluations, wanted))


def kept(
    scores: NDArray[np.float64], keep_top: Keep | Schedule, latest: int | None = None
) -> NDArray[np.int64]:
    """Positions of the best scores, best first, the older of equals first.

    Args:
        scores: ``(n,)`` of all evaluations in their order, larger is better.
        keep_top: See :func:`number_kept`; a fraction is one of those that are chosen from.
        latest: How many of the evaluations, the last ones, are chosen from; None: all.
    """
    first = 0 if latest is None else max(0, len(scores) - latest)
    order = first + np.argsort(-scores[first:], kind="stable")
    return order[: number_kept(len(order), keep_top)]


def rewards(scores: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """The reward of each kept architecture.

    ``"standardised"``: ``(R - C) / sigma`` with C and sigma the mean and the standard deviation of the buffer
    (GraphPNAS, section 3.2), so that about half of the kept graphs get a negative one. Where all scores are
    equal, no graph is preferred, and every reward is 1. ``"cdf"``: the rank among the kept,
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
        # Rounding leaves a spread of equal scores that is not quite 0.
        if spread <= 1e-12 * max(1.0, float(np.abs(scores).max())):
            return np.ones(len(scores))
        return np.asarray((scores - scores.mean()) / spread, float)
    if kind == "raw":
        return np.asarray(scores, float)
    raise InvalidArgument(f"reward must be one of {REWARDS}, got {kind!r}")
