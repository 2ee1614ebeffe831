"""Drawing: random architectures of a space that states no more than its labels and a rule."""

from __future__ import annotations

import functools
import itertools
import logging
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import SpaceExhausted
from graphnas.graph.architecture import Architecture
from graphnas.graph.changes import (
    MOST,
    STEPS,
    Choices,
    combinations,
    one_slot_changes,
    several_slot_changes,
    valid_rows,
    walk,
)
from graphnas.graph.layout import with_label
from graphnas.graph.rules import in_batches

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch
    from graphnas.graph.space import GraphSpace

_logger = logging.getLogger(__name__)

RARE = 200
"""Where fewer than one in so many random graphs is valid, architectures come from walks."""

ENOUGH = 10
"""Valid graphs after which the share that the rule accepts is known well enough."""

BLOCK, FEW = 1 << 16, 1000
"""The most graphs that are checked at a time, and for an enumeration by a rule for one."""

MUTATIONS = 50
"""Random changes of one slot that are tried before all of them are."""

_SURVEY, _FIRST, _MIXING = range(3)
_KEPT = 256
_THINNING = 8


class Bounds(NamedTuple):
    """How many graphs the rule is asked for at most.

    Attributes:
        enumerated: Combinations of labels of a space that is enumerated.
        first: Random graphs until the first valid one.
        batch: Random graphs for a batch, beyond its size.
        chains: Walks that run side by side.
        mixing: Graphs for the walks from the first valid ones to those that later walks start from.
    """

    enumerated: int
    first: int
    batch: int
    chains: int
    mixing: int


ONE_BY_ONE = Bounds(50_000, 200_000, 20_000, 1_000, 20_000)
IN_BATCHES = Bounds(1 << 20, 4_000_000, 200_000, 5_000, 200_000)


class Drawing:
    """Random and changed architectures of a space, by its layout and its rule alone.

    Everything that is kept follows from the space; the random numbers that it takes are always the same. See
    :meth:`GraphSpace.sample` for the distribution.

    Args:
        space: The search space.
    """

    def __init__(self, space: GraphSpace) -> None:
        self._space, self._layout = space, space.layout
        self.bounds = IN_BATCHES if in_batches(space) else ONE_BY_ONE
        self._near: dict[Architecture, list[Architecture]] = {}
        self._listed: tuple[tuple[int, int], ArchitectureBatch | None] | None = None

    # ---------------------------------------------------------------- how much the rule accepts

    @functools.cached_property
    def accepted(self) -> float:
        """The share of random graphs that is valid, from as few as tell whether it is rare; 0 if none was."""
        rng, drawn, valid = np.random.default_rng(_SURVEY), 0, 0
        while valid < ENOUGH and drawn < RARE * ENOUGH:
            size = min(max(2 * drawn, ENOUGH), RARE * ENOUGH - drawn)
            valid += int(valid_rows(self._space, self._random(rng, size)).sum())
            drawn += size
        return valid / drawn

    @property
    def rare(self) -> bool:
        """Whether valid graphs are too rare to be drawn until one is valid."""
        return self.accepted < 1 / RARE

    @functools.cached_property
    def _members(self) -> Choices | None:
        """All valid graphs of a space whose valid ones are rare, if its combinations can be enumerated."""
        members = self.members(self.bounds.enumerated)
        return None if members is None else self._layout.choices(members)

    # ---------------------------------------------------------------- all of a small space

    def members(self, limit: int, combinations: int | None = None) -> ArchitectureBatch | None:
        """See :meth:`GraphSpace.members`."""
        effort = limit, self.bounds.enumerated if combinations is None else combinations
        if self._listed is None or (self._listed[1] is None and self._listed[0] != effort):
            self._listed = effort, self._list(*effort)
        batch = self._listed[1]
        return None if batch is None or len(batch) > limit else batch

    def _list(self, limit: int, most: int) -> ArchitectureBatch | None:
        space, size = self._space, self._space.size()
        if size is None:
            count = math.prod(self._layout.counts.tolist())
            if count > most or (not self.rare and self.accepted * count > 4 * limit):
                return None
        elif size > limit:
            return None
        known = list(itertools.islice(space.enumerate(), limit + 1))
        if len(known) > limit:
            return None
        if not known:
            return self._layout.from_choices(np.zeros((0, len(self._layout)), np.int64))
        from graphnas.graph.batch import ArchitectureBatch

        return ArchitectureBatch.from_architectures(known, space.max_nodes)

    def enumerate(self) -> Iterator[Architecture]:
        """See :meth:`GraphSpace.enumerate`."""
        for batch in combinations(self._space, BLOCK if in_batches(self._space) else FEW):
            yield from batch

    # ---------------------------------------------------------------- random architectures

    def sample(self, rng: np.random.Generator) -> Architecture:
        """One random architecture; see :meth:`GraphSpace.sample`."""
        return self._layout.architecture(self._labels(self._draw(rng, 1)[0]))

    def arrays(self, rng: np.random.Generator, size: int) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
        """Adjacency ``(B, N, N)`` and node labels ``(B, N)`` of ``size`` random architectures."""
        return self._layout.write(self._labels(self._draw(rng, size)))

    def _labels(self, choices: Choices) -> Choices:
        labels: Choices = self._layout.labels[np.arange(len(self._layout)), choices]
        return labels

    def _draw(self, rng: np.random.Generator, size: int) -> Choices:
        if self.rare:
            if self._members is None:
                return self._states(rng, size, self._reservoir)
            if not len(self._members):
                raise SpaceExhausted(f"{self._space.name}: the rule refuses every combination of labels")
            return self._members[rng.integers(len(self._members), size=size)]
        found: list[Choices] = []
        # Where the rule refuses too many for a large batch, walks give most of it.
        enough = size / self.accepted <= self.bounds.batch + size
        missing, budget = size, self.bounds.batch + (size if enough else 0)
        while missing and budget > 0:
            block = min(max(math.ceil(missing / self.accepted), 1), BLOCK, budget)
            drawn = self._random(rng, block)
            found.append(drawn[valid_rows(self._space, drawn)][:missing])
            missing, budget = missing - len(found[-1]), budget - block
        if missing:
            starts = np.concatenate(found)
            found.append(self._states(rng, missing, starts if len(starts) else self._reservoir))
        return np.concatenate(found)

    def _random(self, rng: np.random.Generator, size: int) -> Choices:
        """Choices drawn uniformly and independently, whatever the rule says."""
        return rng.integers(self._layout.counts, size=(size, len(self._layout)))

    def _states(self, rng: np.random.Generator, size: int, starts: Choices) -> Choices:
        """``size`` states of walks from random ones of ``starts``; several of each walk if there are many."""
        chains = min(size, self.bounds.chains)
        length = math.ceil(size / chains)
        state = starts[rng.integers(len(starts), size=chains)]
        states = list(walk(self._space, state, max(STEPS, length), rng))
        return np.concatenate(states[-length:])[:size]

    # ---------------------------------------------------------------- where walks start

    @property
    def _reservoir(self) -> Choices:
        starts, asked = self._found
        if not len(starts):
            raise SpaceExhausted(
                f"{self._space.name}: no valid architecture among {asked:,} random graphs of any density. "
                "Override sample, or loosen the rule"
            )
        return starts

    @functools.cached_property
    def _found(self) -> tuple[Choices, int]:
        """Valid graphs that walks start from, and for how many random graphs the rule was asked."""
        starts, asked = self._first()
        if not len(starts):
            return starts, asked
        chains = min(self.bounds.chains, 64 if self.bounds is ONE_BY_ONE else 200)
        steps = self.bounds.mixing // chains
        rng = np.random.default_rng(_MIXING)
        state = starts[np.arange(chains) % len(starts)]
        kept = [*walk(self._space, state, steps, rng)][steps // 2 :: _THINNING]
        _logger.warning(
            "%s: the rule accepts few random graphs (%d of %s). From now on architectures come from random "
            "walks along valid changes, which begin at those.",
            self._space.name,
            len(starts),
            f"{asked:,}",
        )
        return np.unique(np.concatenate([starts, *kept]), axis=0), asked

    def _first(self) -> tuple[Choices, int]:
        """The first valid random graphs, and how many were drawn for them.

        Ten blocks are uniform over labels; then every other block has graphs of all densities, because rules
        often ask for few edges or many.
        """
        rng, found, asked = np.random.default_rng(_FIRST), 0, 0
        valid: list[Choices] = []
        block = self.bounds.first // 100
        while asked < self.bounds.first:
            number = asked // block
            drawn = self._random(rng, block)
            if number >= 10 and number % 2:
                drawn = self._of_any_density(rng, drawn)
            valid.append(drawn[valid_rows(self._space, drawn)])
            found += len(valid[-1])
            asked += block
            if found >= ENOUGH or (found and number >= 9):
                break
        return np.concatenate(valid), asked

    def _of_any_density(self, rng: np.random.Generator, choices: Choices) -> Choices:
        """``choices`` with each edge removed, or drawn anew, with a probability drawn for each graph."""
        layout = self._layout
        optional = ~layout.is_node & (layout.labels[:, 0] == 0)
        keep = rng.random((len(choices), 1))
        present = 1 + rng.integers(np.maximum(layout.counts - 1, 1), size=choices.shape)
        edges = np.where(rng.random(choices.shape) < keep, present, 0)
        return np.where(optional, edges, choices)

    # ---------------------------------------------------------------- changes

    def neighbors(self, architecture: Architecture) -> list[Architecture]:
        """See :meth:`GraphSpace.neighbors`."""
        self._check(architecture)
        return one_slot_changes(self._space, architecture)

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """See :meth:`GraphSpace.mutate`."""
        self._check(architecture)
        slots = self._layout.slots
        for _ in range(MUTATIONS if slots else 0):
            _name, i, j, labels = slots[int(rng.integers(len(slots)))]
            changed = with_label(architecture, i, j, labels[int(rng.integers(len(labels)))])
            if changed is not None and self._space.is_valid(changed):
                return changed
        near = self._around(architecture)
        if not near:
            raise SpaceExhausted(
                f"{self._space.name}: no valid change of up to {MOST} parameters of {architecture!r}"
            )
        return near[int(rng.integers(len(near)))]

    def _check(self, architecture: Architecture) -> None:
        self._space.validate(architecture)
        self._space._check_complete(architecture)

    def _around(self, architecture: Architecture) -> list[Architecture]:
        """The valid changes of one slot or, where there is none, some of several slots.

        Kept for the latest architectures, because a search changes the same parent many times.
        """
        if architecture not in self._near:
            found = one_slot_changes(self._space, architecture)
            if not found:
                found = several_slot_changes(self._space, architecture)
            while len(self._near) >= _KEPT:
                del self._near[next(iter(self._near))]
            self._near[architecture] = found
        return self._near[architecture]
