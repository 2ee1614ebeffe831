"""Candidates of a joint search: which architecture with which hyper-parameters to evaluate next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphnas.hyperparameters import HyperParameters, Rows
from graphnas.surrogate.joint_surrogate import PairScore

FINALISTS = 16
"""Pairs whose hyper-parameters are refined, and hyper-parameters that are tried on many architectures."""
REFINED = 32
"""Changed hyper-parameters of each finalist."""
ARCHITECTURES = 64
"""Architectures that the finalists' hyper-parameters are tried on."""
SCALES = (0.2, 0.05, 0.01)
"""Steps of the successive refinements, in units of each range."""

Pairs = tuple[NDArray[np.int64], Rows]


def ranked_pairs(
    score: PairScore, size: int, incumbents: Rows, parameters: HyperParameters, rng: np.random.Generator
) -> Pairs:
    """Pairs of a candidate's position and hyper-parameters, those of the largest score first.

    Every architecture is scored once, with hyper-parameters of good evaluations, changes of these, or random
    ones. Then the best pairs are refined in turns: their hyper-parameters are changed in ever smaller steps,
    and exchanged among the best architectures.

    Args:
        score: Scores pairs.
        size: Number of candidates.
        incumbents: Hyper-parameters ``(n, width)`` of good evaluations, at least one, the best first.
        parameters: The hyper-parameters.
        rng: Source of all draws.
    """
    rows = incumbents[rng.integers(len(incumbents), size=size)]
    kind = rng.random(size)
    rows = np.where((kind < 0.6)[:, None], rows, parameters.moved(rows, rng, SCALES[0]))
    rows = np.where((kind < 0.8)[:, None], rows, parameters.sample(rng, size))
    best = _best(score, (np.arange(size), parameters.rounded(rows)), size)
    for scale in SCALES:
        index, rows = best[0][:FINALISTS], best[1][:FINALISTS]
        near = np.repeat(index, REFINED), parameters.moved(np.repeat(rows, REFINED, axis=0), rng, scale)
        architectures = np.array(list(dict.fromkeys(best[0].tolist()))[:ARCHITECTURES])
        crossed = np.tile(architectures, len(rows)), np.repeat(rows, len(architectures), axis=0)
        added = [(i, parameters.rounded(r)) for i, r in (near, crossed)]
        best = _best(score, _joined(best, *added), len(best[0]))
    return best


def _joined(*pairs: Pairs) -> Pairs:
    return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])


def _best(score: PairScore, pairs: Pairs, count: int) -> Pairs:
    order = np.argsort(-score(*pairs), kind="stable")[:count]
    return pairs[0][order], pairs[1][order]
