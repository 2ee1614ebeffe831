"""The replay buffer: which of the evaluated architectures the generator learns from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument

Keep = int | float
Schedule = Sequence[tuple[int, Keep]]


def check_keep_top(keep_top: Keep | Schedule) -> None:
    """Refuse what :func:`kept` could not follow.

    Raises:
        InvalidArgument: A count below 1, a fraction outside of (0, 1], or a schedule that does not begin at 0
            evaluations and ascend.
    """
    if isinstance(keep_top, Sequence):
        starts = [start for start, _ in keep_top]
        if not starts or starts[0] != 0 or any(b <= a for a, b in pairwise(starts)):
            raise InvalidArgument(
                f"keep_top must begin at 0 evaluations and ascend, got the evaluations {starts}"
            )
    for value in [keep for _, keep in keep_top] if isinstance(keep_top, Sequence) else [keep_top]:
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
        keep_top: A count (int), a fraction (float), or a schedule of them, ``(evaluations, keep)`` pairs of
            which the last one reached holds.
    """
    if isinstance(keep_top, Sequence):
        keep_top = [keep for start, keep in keep_top if start <= evaluations][-1]
    wanted = keep_top if isinstance(keep_top, int) else math.ceil(keep_top * evaluations - 1e-9)
    return max(1, min(evaluations, wanted))


def kept(scores: NDArray[np.float64], keep_top: Keep | Schedule) -> NDArray[np.int64]:
    """Positions of the best scores, best first, the older of two equal ones first.

    Args:
        scores: ``(n,)`` of all evaluations, larger is better.
        keep_top: See :func:`number_kept`.
    """
    order = np.argsort(-scores, kind="stable")
    return order[: number_kept(len(scores), keep_top)]
