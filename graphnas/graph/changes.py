"""Valid changes of architectures: of one slot, of several, and random walks along them.

Graphs are rows of numbered choices (:meth:`Layout.choices`), so that many are changed at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graphnas.graph.architecture import Architecture

if TYPE_CHECKING:
    from graphnas.graph.batch import ArchitectureBatch
    from graphnas.graph.layout import Layout
    from graphnas.graph.space import GraphSpace

Choices = NDArray[np.int64]
"""``(B, S)``: which of its labels each slot has."""

MOST = 4
"""The most slots that one step of a walk changes."""

STEPS = 20
"""Steps of a walk between its start and the first state that is used."""

_ATTEMPTS = 1000
"""Changes of several slots that are tried where no change of one slot is valid."""


def valid_rows(space: GraphSpace, choices: Choices) -> NDArray[np.bool_]:
    """``(B,)``: which rows the space accepts."""
    if not len(choices):
        return np.zeros(0, bool)
    return space.valid_batch(space.layout.from_choices(choices))


def changed(layout: Layout, choices: Choices, rng: np.random.Generator) -> Choices:
    """Each row with other labels in one to four random slots, half of them in a single one.

    A change and its reverse are equally probable, which is what :func:`walk` needs.
    """
    rows = choices.copy()
    count = np.minimum(rng.geometric(0.5, len(rows)), MOST)
    for step in range(int(count.max(initial=0))):
        chosen = np.flatnonzero(count > step)
        slot = rng.integers(len(layout), size=len(chosen))
        labels = layout.counts[slot]
        rows[chosen, slot] = (rows[chosen, slot] + 1 + rng.integers(labels - 1)) % labels
    return rows


def walk(space: GraphSpace, start: Choices, steps: int, rng: np.random.Generator) -> Iterator[Choices]:
    """The states of as many random walks as ``start`` has rows, after each of ``steps`` steps.

    A step to a changed graph that the rule refuses is not taken. Changes are symmetric, so this is the
    Metropolis algorithm for the uniform distribution: a walk from a uniformly drawn graph stays uniform,
    and any other one approaches that distribution over what it can reach. A step asks for each row once.
    """
    state = start
    for _ in range(steps):
        proposed = changed(space.layout, state, rng)
        # Two changes of one slot can cancel each other; what is known to be valid is not asked for again.
        moved = np.flatnonzero((proposed != state).any(1))
        taken = moved[valid_rows(space, proposed[moved])]
        state = state.copy()
        state[taken] = proposed[taken]
        yield state


def walked(
    space: GraphSpace, starts: Sequence[Architecture], size: int, rng: np.random.Generator
) -> ArchitectureBatch:
    """``size`` states of walks that begin at known architectures; the rule is asked at most for as many.

    Args:
        space: The search space.
        starts: At least one of its architectures.
        size: Number of states, repeated ones included.
        rng: Source of all draws.
    """
    layout = space.layout
    known = layout.choices(space.completed_batch(starts))
    steps = STEPS if size >= STEPS else size
    state = known[rng.integers(len(known), size=-(-size // steps))]
    if not len(layout):
        return layout.from_choices(np.repeat(state, steps, 0)[:size])
    return layout.from_choices(np.concatenate(list(walk(space, state, steps, rng)))[:size])


def one_slot_changes(space: GraphSpace, architecture: Architecture) -> list[Architecture]:
    """All valid architectures of as many nodes that differ in one slot, by slot, then by label."""
    layout = space.layout
    slots: list[int] = []
    labels: list[int] = []
    present = layout.read(architecture.adjacency, architecture.operations).tolist()
    for number, slot in enumerate(layout.slots):
        others = [label for label in slot.labels if label != present[number]]
        slots += [number] * len(others)
        labels += others
    if not slots:
        return []
    from graphnas.graph.batch import ArchitectureBatch

    rows = np.arange(len(slots))
    adjacency = np.repeat(architecture.adjacency[None], len(rows), 0)
    operations = np.repeat(architecture.operations[None], len(rows), 0)
    i, j = layout.sources[slots], layout.targets[slots]
    at_node, label = i == j, np.array(labels)
    operations[rows[at_node], i[at_node]] = label[at_node]
    adjacency[rows[~at_node], i[~at_node], j[~at_node]] = label[~at_node]
    batch = ArchitectureBatch.from_arrays(adjacency, operations)
    return batch[space.valid_batch(batch)].to_architectures()


def several_slot_changes(space: GraphSpace, architecture: Architecture) -> list[Architecture]:
    """Some valid architectures that differ in two slots, or else in three or four; possibly none.

    Which ones are tried depends on the architecture alone.
    """
    layout = space.layout
    own = layout.choices(space.completed_batch([architecture]))
    rng = np.random.default_rng([MOST, *own[0].tolist()])
    for count in range(2, min(MOST, len(layout)) + 1):
        rows = np.repeat(own, _ATTEMPTS // (MOST - 1), 0)
        # The slots of the smallest of random numbers are a random set of them.
        slots = np.argsort(rng.random(rows.shape), axis=1)[:, :count]
        row = np.arange(len(rows))[:, None]
        labels = layout.counts[slots]
        rows[row, slots] = (rows[row, slots] + 1 + rng.integers(labels - 1)) % labels
        rows = np.unique(rows, axis=0)
        valid = rows[valid_rows(space, rows)]
        if len(valid):
            return layout.from_choices(valid).to_architectures()
    return []


def combinations(space: GraphSpace, block: int) -> Iterator[ArchitectureBatch]:
    """The valid ones of all combinations of labels, in batches; the last slot changes fastest.

    Args:
        space: The search space.
        block: The rule is asked for about so many combinations at a time.
    """
    layout = space.layout
    sizes = layout.counts.tolist()
    split = len(sizes)
    while split and int(np.prod(sizes[split - 1 :], dtype=object)) <= block:
        split -= 1
    tail = sizes[split:]
    ends = np.indices(tail).reshape(len(tail), -1).T if tail else np.zeros((1, 0), np.int64)
    for start in itertools.product(*map(range, sizes[:split])):
        head = np.broadcast_to(np.array(start, np.int64), (len(ends), split))
        batch = layout.from_choices(np.concatenate([head, ends], 1))
        mask = space.valid_batch(batch)
        if mask.any():
            yield batch[mask]
