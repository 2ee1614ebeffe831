"""What training encoders would cost: some pairs and a few updates of each size, timed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from graphnas.dry_run import Work, measured_seconds

if TYPE_CHECKING:
    from graphnas.methods.nasgem import KernelGuidedEncoder, Pairs

SOME_PAIRS = 500
"""Pairs that are made in one measurement, at most."""
UPDATES = 20
"""Updates in one measurement."""


def encoder_work(
    encoder: KernelGuidedEncoder, make: Callable[[int], Pairs], trainings: int, *, name: str = ""
) -> list[Work]:
    """The work of ``trainings`` encoders like ``encoder``, each with pairs of its own.

    Args:
        encoder: It is trained for a few updates, so it is of no use afterwards.
        make: ``make(count)`` draws pairs with their kernel.
        trainings: Number of encoders.
        name: What the work is called after ``"pair"`` and ``"update"``, such as ``" of 30 nodes"``.
    """
    config = encoder.config
    some = min(config.pairs, max(SOME_PAIRS, config.batch_size))
    pairs = make(some)
    making = measured_seconds(lambda: make(some), calls=2, warm_up=False) / some
    encoder.config = dataclasses.replace(config, iterations=min(UPDATES, config.iterations))
    updating = measured_seconds(lambda: encoder.fit(pairs)) / encoder.config.iterations
    return [
        Work(f"pair{name}", trainings * config.pairs, making),
        Work(f"update{name}", trainings * config.iterations, updating),
    ]
