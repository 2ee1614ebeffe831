"""What proposing architectures would cost: some proposals, timed, times how many there are."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from graphnas.dry_run import Work, measured_seconds
from graphnas.methods.base import SearchMethod

MOST = 300
"""Evaluations of the largest history with which proposals are timed."""
PROPOSALS = 5
"""Proposals in a row that are timed, so that updates between some of them are counted too."""


@runtime_checkable
class KnowsItsWork(Protocol):
    """A method that can tell its work better than by timing whole proposals, which may take hours."""

    def work(self, trials: int) -> list[Work] | None:
        """The work of a search of ``trials`` trials, measured in short pieces; None: time proposals."""


def proposal_work(method: SearchMethod, trials: int) -> list[Work]:
    """The work of ``trials`` proposals of ``method``.

    A method without ``work`` of its own is timed with random architectures and values: at the beginning, in
    the middle and at the end of the search, but with at most :data:`MOST` of them. Between those sizes the
    time of a proposal is taken to grow linearly, and beyond them not at all.

    Args:
        method: A method that was told nothing yet; afterwards it is of no use.
        trials: Trials of the search.
    """
    own = method.work(trials) if isinstance(method, KnowsItsWork) else None
    if own is not None:
        return own
    rng = np.random.default_rng(0)
    sizes = sorted({min(size, MOST) for size in (trials // 8, trials // 2, trials)})
    seconds = []
    for size in sizes:
        while len(method.observations) < size:
            method.tell(method.space.sample(rng), float(rng.random()))

        def proposals() -> None:
            for _ in range(PROPOSALS):
                method.tell(method.ask()[0], float(rng.random()))

        seconds.append(measured_seconds(proposals, calls=1, warm_up=size == sizes[0]) / PROPOSALS)
    mean = float(np.interp(np.linspace(0, trials, 201), sizes, seconds).mean())
    return [Work("proposal", trials, mean)]
