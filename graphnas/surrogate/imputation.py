"""What pruned and failed evaluations would have reached: values to learn from in place of measured ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from graphnas.graph.evaluation import Observation

Vector = NDArray[np.float64]


def imputed_values(observations: Sequence[Observation]) -> NDArray[np.float64]:
    """The objectives ``(n, m)`` of all observations, those of pruned and failed ones estimated.

    A pruned evaluation gets the final value that its last reported value corresponds to, among evaluations
    that had reported at that step and went on: equal quantiles correspond, and below the worst of them the
    scale continues. So it ranks below what it was compared with, also where intermediate values are of
    another size than final ones. Evaluations that were pruned later count among those that went on, with
    their own estimate; where none did, the reported value stands for itself, and those that reached a later
    step rank higher, as in successive halving. A failed evaluation gets the worst value of all.

    Args:
        observations: At least one. Only studies with one objective prune.
    """
    width = next((len(o.values) for o in observations if o.values is not None), 1)
    values = np.full((len(observations), width), np.nan)
    for row, observation in zip(values, observations, strict=True):
        if observation.values is not None:
            row[:] = observation.values
    if width == 1:
        _impute_pruned(observations, values[:, 0])
    missing = np.isnan(values)
    known = np.where(missing, np.inf, values).min(0)
    return np.where(missing, np.where(np.isfinite(known), known, 0.0), values)


def _impute_pruned(observations: Sequence[Observation], values: Vector) -> None:
    """Fill in the values of pruned observations, those that were pruned last first."""
    curves = [dict(o.curve) for o in observations]
    last = {k: o.curve[-1][0] for k, o in enumerate(observations) if o.pruned and o.curve}
    for step in sorted(set(last.values()), reverse=True):
        pruned = np.array([k for k, end in last.items() if end == step])
        reported = np.array([curves[k][step] for k in pruned])
        peers = np.array(
            [k for k in np.flatnonzero(~np.isnan(values)).tolist() if step in curves[k]], dtype=int
        )
        if len(peers):
            at_step = np.array([curves[k][step] for k in peers])
            values[pruned] = corresponding(reported, at_step, values[peers])
        elif np.isnan(values).all():
            values[pruned] = reported
        else:  # nothing that went further had reported here: below it, in the order of the reports
            worst, spread = float(np.nanmin(values)), _spread(values[~np.isnan(values)])
            values[pruned] = worst - spread * (1 + reported.max() - reported) / (1 + np.ptp(reported))


def corresponding(reported: Vector, before: Vector, after: Vector) -> Vector:
    """The values at the quantiles of ``after`` (n,) that ``reported`` (k,) have among ``before`` (n,).

    Beyond the smallest and the largest of ``before`` the scale continues with the ratio of the two spreads.
    """
    before, after = np.sort(before), np.sort(after)
    unique, first, counts = np.unique(before, return_index=True, return_counts=True)
    matched = np.add.reduceat(after, first) / counts
    result = np.interp(reported, unique, matched)
    scale = _spread(after) / _spread(before)
    below, above = np.minimum(reported - unique[0], 0.0), np.maximum(reported - unique[-1], 0.0)
    return np.asarray(result + scale * (below + above))


def _spread(values: Vector) -> float:
    return float(values.std()) or 1.0
