"""A rule for one architecture and a rule for a batch stand for each other, whichever a class overrides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphnas import Architecture, ArchitectureBatch, GraphSpace
from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.rules import in_batches


class Free(GraphSpace):
    """Every unlabelled DAG of four nodes."""

    name = "free"
    max_nodes = 4

    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> Any:
        raise NotImplementedError


class One(Free):
    """At least three edges, for one architecture."""

    def check(self, architecture: Architecture) -> None:
        if architecture.num_edges < 3:
            raise InvalidArchitecture("at least three edges")


class Many(Free):
    """The same for a batch."""

    def check_batch(self, batch: ArchitectureBatch) -> Any:
        return (batch.adjacency != 0).sum((1, 2)) >= 3  # a tensor will do


class ManyAfterOne(One):
    """A stricter rule for a batch, on top of a class with one for an architecture."""

    def check_batch(self, batch: ArchitectureBatch) -> Any:
        return super().check_batch(batch) & (batch.to_arrays()[0][:, 0, 3] == 0)


class OneAfterMany(Many):
    """A stricter rule for an architecture, on top of a class with one for a batch."""

    def check(self, architecture: Architecture) -> None:
        super().check(architecture)
        if architecture.adjacency[0, 3]:
            raise InvalidArchitecture("no edge 0 -> 3")


class Mixin:
    """A rule that is mixed into a space that has another."""

    def check(self, architecture: Architecture) -> None:
        if architecture.num_edges < 5:
            raise InvalidArchitecture("at least five edges")


class Mixed(Mixin, Many):
    """The mixed-in rule counts."""


class Validated(Many):
    """A space that overrides ``validate`` itself."""

    def validate(self, architecture: Architecture) -> None:
        super().validate(architecture)
        if architecture.adjacency[0, 3]:
            raise InvalidArchitecture("no edge 0 -> 3")


EVERYTHING = list(Free().enumerate())


def expected(edges: int, *, shortcut: bool = True) -> set[Architecture]:
    return {a for a in EVERYTHING if a.num_edges >= edges and (shortcut or not a.adjacency[0, 3])}


@pytest.mark.parametrize(
    ("space", "members", "fast"),
    [
        (Free(), expected(0), True),
        (One(), expected(3), False),
        (Many(), expected(3), True),
        (ManyAfterOne(), expected(3, shortcut=False), True),
        (OneAfterMany(), expected(3, shortcut=False), False),
        (Mixed(), expected(5), False),
        (Validated(), expected(3, shortcut=False), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, GraphSpace) else "",
)
def test_either_rule_is_enough(space, members, fast):
    assert {a for a in EVERYTHING if space.is_valid(a)} == members
    batch = ArchitectureBatch.from_architectures(EVERYTHING)
    assert set(batch[space.valid_batch(batch)]) == members
    assert set(space.enumerate()) == members
    rng = np.random.default_rng(0)
    assert set(space.sample_batch(rng, 2000)) == members
    assert {space.sample(rng) for _ in range(200)} <= members
    for architecture in list(members)[:5]:
        assert set(space.neighbors(architecture)) <= members
    assert in_batches(space) == fast


def test_a_refusal_by_a_rule_for_batches_names_the_architecture():
    with pytest.raises(InvalidArchitecture, match=r"free: the space's rule refuses Architecture\(.*0->1"):
        Many().validate(EVERYTHING[-1].subgraph([0, 1]))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones(3, bool), r"64 booleans, one for each architecture, got bool of shape \(3,\)"),
        (np.ones(64), r"got float64 of shape \(64,\)"),
        (True, r"got bool of shape \(\)"),
        (None, r"got object of shape \(\)"),
    ],
)
def test_a_rule_for_batches_gives_a_boolean_for_each(mask, message):
    class Wrong(Free):
        def check_batch(self, batch: ArchitectureBatch) -> Any:
            return mask

    with pytest.raises(InvalidArgument, match=message):
        Wrong().valid_batch(ArchitectureBatch.from_architectures(EVERYTHING))


class Sampler(Free):
    """Only its single sampler is overridden."""

    def sample(self, rng: np.random.Generator) -> Architecture:
        return EVERYTHING[int(rng.integers(3))]


class Deterministic(Sampler):
    """A subclass with another one, for many at once."""

    def _sample_arrays(self, rng: np.random.Generator, size: int) -> Any:
        full = EVERYTHING[-1]
        return np.stack([full.adjacency] * size), np.stack([full.operations] * size)


def test_either_sampler_is_enough():
    rng = np.random.default_rng(0)
    assert set(Sampler().sample_batch(rng, 50)) == set(EVERYTHING[:3])
    assert set(Deterministic().sample_batch(rng, 5)) == {EVERYTHING[-1]} == {Deterministic().sample(rng)}
    assert Free().samples_by_rule
    assert not Sampler().samples_by_rule
