"""Where random walks in a space begin: the first valid graphs, and what long walks from them lead to."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphnas.graph.changes import Choices, valid_rows, walk

if TYPE_CHECKING:
    from graphnas.graph.layout import Layout
    from graphnas.graph.space import GraphSpace

_logger = logging.getLogger(__name__)

# What follows from the space alone uses the same random numbers each time.
SURVEY, _FIRST, _MIXING = range(3)

ENOUGH = 10
"""Valid random graphs after which no more are sought."""

BLOCK, CELLS = 1 << 16, 1 << 23
"""The most graphs that are checked at a time, and entries of their adjacency matrices."""

_UNIFORM = 0.1
"""Share of the random graphs that are all uniform, and after which a single valid one is enough."""

_THINNING = 8


class Bounds(NamedTuple):
    """How many graphs the rule is asked for at most.

    Attributes:
        enumerated: Combinations of labels of a space that is enumerated.
        first: Random graphs until the first valid one.
        batch: Random graphs for a batch, beyond its size.
        chains: Walks that run side by side.
        mixing: Graphs for the walks from the first valid ones to those that later walks start from.
        mixed: Walks for that which run side by side.
    """

    enumerated: int
    first: int
    batch: int
    chains: int
    mixing: int
    mixed: int


ONE_BY_ONE = Bounds(50_000, 200_000, 20_000, 1_000, 20_000, 64)
IN_BATCHES = Bounds(1 << 20, 4_000_000, 200_000, 5_000, 200_000, 200)


def largest_block(space: GraphSpace) -> int:
    """The most graphs of ``space`` that are checked at a time."""
    return max(1, min(BLOCK, CELLS // space.max_nodes**2))


def random_choices(layout: Layout, rng: np.random.Generator, size: int) -> Choices:
    """Choices ``(size, S)`` drawn uniformly and independently, whatever the rule says."""
    return rng.integers(layout.counts, size=(size, len(layout)))


def walk_starts(space: GraphSpace, bounds: Bounds) -> tuple[Choices, int]:
    """Valid graphs for walks to start from, always the same for a space; a warning is logged.

    Returns:
        Choices ``(R, S)``, none if no valid graph was found, and the number of random graphs that were drawn
        until then.
    """
    first, asked = _first(space, bounds)
    if not len(first):
        return first, asked
    _logger.warning(
        "%s: the rule accepts few random graphs (%d of %s). Architectures come from random walks along valid "
        "changes from now on; they begin at those.",
        space.name,
        len(first),
        f"{asked:,}",
    )
    steps = bounds.mixing // bounds.mixed
    begin = first[np.arange(bounds.mixed) % len(first)]
    states = [*walk(space, begin, steps, np.random.default_rng(_MIXING))]
    return np.unique(np.concatenate([first, *states[steps // 2 :: _THINNING]]), axis=0), asked


def _first(space: GraphSpace, bounds: Bounds) -> tuple[Choices, int]:
    """The first valid random graphs, and how many were drawn for them.

    The first tenth of all that may be drawn is uniform over labels. Of the rest, every second block has
    graphs of all densities, because rules often ask for few edges or many.
    """
    rng, asked = np.random.default_rng(_FIRST), 0
    valid = np.zeros((0, len(space.layout)), np.int64)
    block = min(bounds.first // 100, largest_block(space))
    while asked < bounds.first:
        drawn = random_choices(space.layout, rng, block)
        uniform = asked < _UNIFORM * bounds.first
        if not uniform and asked // block % 2:
            drawn = _of_any_density(space.layout, drawn, rng)
        valid = np.concatenate([valid, drawn[valid_rows(space, drawn)]])
        asked += block
        if len(valid) >= ENOUGH or (len(valid) and asked >= _UNIFORM * bounds.first):
            break
    return valid, asked


def _of_any_density(layout: Layout, choices: Choices, rng: np.random.Generator) -> Choices:
    """``choices`` with edges drawn anew, each present with a probability drawn for the graph."""
    optional = ~layout.is_node & (layout.labels[:, 0] == 0)
    density = rng.random((len(choices), 1))
    label = 1 + rng.integers(np.maximum(layout.counts - 1, 1), size=choices.shape)
    edges = np.where(rng.random(choices.shape) < density, label, 0)
    return np.where(optional, edges, choices)
