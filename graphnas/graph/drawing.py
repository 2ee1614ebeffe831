"""Drawing: random architectures of a space that states no more than its labels and a rule."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

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
from graphnas.graph.starts import (
    ENOUGH,
    IN_BATCHES,
    ONE_BY_ONE,
    SURVEY,
    largest_block,
    random_choices,
    walk_starts,
)

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch
    from graphnas.graph.space import GraphSpace

RARE = 200
"""Where fewer than one in so many random graphs is valid, architectures come from walks."""

ENUMERATING = 0.25
"""Share of all combinations for which a batch would ask that is reason enough to enumerate them."""

FEW = 1000
"""The most graphs that are enumerated at a time by a rule for one."""

MUTATIONS = 50
"""Random changes of one slot that are tried before all of them are."""

_KEPT = 256


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
        self._block = largest_block(space)
        self._near: dict[Architecture, list[Architecture]] = {}
        self._listed: tuple[tuple[int, int], ArchitectureBatch | None] | None = None

    # ---------------------------------------------------------------- how much the rule accepts

    @functools.cached_property
    def accepted(self) -> float:
        """The share of random graphs that is valid, from as few as tell whether it is rare; 0 if none was."""
        rng, drawn, valid = np.random.default_rng(SURVEY), 0, 0
        while valid < ENOUGH and drawn < RARE * ENOUGH:
            size = min(max(2 * drawn, ENOUGH), RARE * ENOUGH - drawn)
            valid += int(valid_rows(self._space, random_choices(self._layout, rng, size)).sum())
            drawn += size
        return valid / drawn

    @property
    def rare(self) -> bool:
        """Whether valid graphs are too rare to be drawn until one is valid."""
        return self.accepted < 1 / RARE

    @functools.cached_property
    def _combinations(self) -> int:
        return math.prod(self._layout.counts.tolist())

    @functools.cached_property
    def _members(self) -> Choices | None:
        """All valid graphs of a space whose combinations can be enumerated."""
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
            count = self._combinations
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
        for batch in combinations(self._space, self._block if in_batches(self._space) else FEW):
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
        if self.rare or size / self.accepted > ENUMERATING * self._combinations:
            if self._members is not None:
                if not len(self._members):
                    raise SpaceExhausted(f"{self._space.name}: the rule refuses every combination of labels")
                return self._members[rng.integers(len(self._members), size=size)]
            if self.rare:
                return self._states(rng, size, self._reservoir)
        found: list[Choices] = []
        # Where the rule refuses too many for a large batch, walks give most of it.
        enough = size / self.accepted <= self.bounds.batch + size
        missing, budget = size, self.bounds.batch + (size if enough else 0)
        while missing and budget > 0:
            block = min(max(math.ceil(missing / self.accepted), 1), self._block, budget)
            drawn = random_choices(self._layout, rng, block)
            found.append(drawn[valid_rows(self._space, drawn)][:missing])
            missing, budget = missing - len(found[-1]), budget - block
        if missing:
            starts = np.concatenate(found)
            found.append(self._states(rng, missing, starts if len(starts) else self._reservoir))
        return np.concatenate(found)

    @functools.cached_property
    def _starts(self) -> tuple[Choices, int]:
        return walk_starts(self._space, self.bounds)

    @property
    def _reservoir(self) -> Choices:
        starts, asked = self._starts
        if not len(starts):
            raise SpaceExhausted(
                f"{self._space.name}: no valid architecture among {asked:,} random graphs of any density. "
                "Override sample, loosen the rule, or tell the search a valid one, from which it goes on"
            )
        return starts

    def _states(self, rng: np.random.Generator, size: int, starts: Choices) -> Choices:
        """``size`` states of walks from random ones of ``starts``; several of each walk if there are many."""
        chains = min(size, self.bounds.chains)
        length = math.ceil(size / chains)
        state = starts[rng.integers(len(starts), size=chains)]
        states = list(walk(self._space, state, max(STEPS, length), rng))
        return np.concatenate(states[-length:])[:size]

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
            if len(self._near) >= _KEPT:
                self._near.clear()
            self._near[architecture] = found
        return self._near[architecture]
