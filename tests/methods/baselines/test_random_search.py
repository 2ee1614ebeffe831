"""RandomSearch: one sequence, without repetition, whatever was told and is pending."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.methods import RandomSearch


class ThreeNodes(GraphSpace):
    """48 combinations, of which some are isomorphic."""

    name = "three"
    node_ops = ("input", "a", "b")
    max_nodes = 3

    def __init__(self, countable: bool = True) -> None:
        self.countable = countable

    def node_choices(self, node: int) -> Sequence[int]:
        return (0,) if node == 0 else (1, 2)

    def size(self) -> int | None:
        return 32 if self.countable else None

    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> Any:
        raise NotImplementedError


def run(method: RandomSearch, trials: int) -> list[str]:
    keys = []
    for _ in range(trials):
        architecture = method.ask()[0]
        keys.append(method.space.key(architecture))
        method.tell(architecture, 0.0)
    return keys


def all_keys(space: GraphSpace) -> set[str]:
    return {space.key(a) for a in space.enumerate()}


@pytest.mark.parametrize("countable", [True, False])
def test_goes_through_the_whole_space_and_then_repeats(countable: bool) -> None:
    space = ThreeNodes(countable)
    everything = all_keys(space)
    keys = run(RandomSearch(space, seed=1), len(everything) + 5)
    assert set(keys[: len(everything)]) == everything
    assert set(keys[len(everything) :]) <= everything


def test_is_a_function_of_the_seed() -> None:
    space = ThreeNodes()
    assert run(RandomSearch(space, seed=3), 12) == run(RandomSearch(space, seed=3), 12)
    assert run(RandomSearch(space, seed=3), 12) != run(RandomSearch(space, seed=4), 12)


def test_pending_is_skipped_and_comes_back_when_it_is_lost() -> None:
    space = ThreeNodes()
    method = RandomSearch(space, seed=0)
    first, second, third = method.ask(3)
    assert len({space.key(a) for a in (first, second, third)}) == 3
    assert method.ask(pending=[first]) == [second]
    assert method.ask(pending=[second, first]) == [third]
    assert method.ask() == [first]
    method.tell(second, None)
    assert method.ask(2) == [first, third]


def test_state_goes_to_another_instance_and_another_seed() -> None:
    space = ThreeNodes()
    method = RandomSearch(space, seed=5)
    run(method, 6)
    other = RandomSearch(space, seed=0)
    other.ask(4)
    other.load_state_dict(method.state_dict())
    assert other.ask(3) == method.ask(3)
    assert len(other.observations) == 6
