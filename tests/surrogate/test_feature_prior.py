"""Features as prior tasks: what becomes of unknown and infinite ones, and what a search makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from small_space import BEST, SmallSpace, quality

from graphnas.errors import InvalidArgument
from graphnas.methods import GraphBO
from graphnas.surrogate.feature_prior import prior_of_features
from search_spaces import NASBench201

SPACE = NASBench201()


class Numbered:
    """Features made of a cell's number: as it is, with holes, with ends, constant, unknown."""

    names = ("number", "holes", "ends", "constant", "unknown")

    def __call__(self, architectures):
        number = SPACE.ordinals(architectures).astype(float)
        holes = np.where(number % 3 == 0, np.nan, number**3)
        ends = np.where(number % 7 == 0, -np.inf, np.where(number % 11 == 0, np.inf, number))
        return np.stack([number, holes, ends, 0 * number, np.nan * number], 1)


def test_columns_become_tasks():
    number, holes, ends = prior_of_features(SPACE, Numbered(), 60)
    assert [task.name for task in (number, holes, ends)] == ["number", "holes", "ends"]
    keys = SPACE.keys(number.architectures)
    assert len(set(keys)) == len(keys) > 50
    ordinals = SPACE.ordinals(number.architectures)
    assert np.argsort(number.values[:, 0]).tolist() == np.argsort(ordinals).tolist()
    assert set(holes.architectures) == {
        a for a, k in zip(number.architectures, ordinals, strict=True) if k % 3
    }
    values = ends.values[:, 0]
    assert (values[ordinals % 7 == 0] == values.min()).all()
    assert (values[(ordinals % 7 > 0) & (ordinals % 11 == 0)] == values.max()).all()


def test_the_seed_draws_and_objectives_have_a_column_each():
    first, again, other = (prior_of_features(SPACE, Numbered(), 20, seed=s)[0] for s in (1, 1, 2))
    assert first == again != other
    (two, *_) = prior_of_features(SPACE, Numbered(), 20, objectives=2, seed=1)
    assert two.values.shape == (len(two), 2)
    assert (two.values == first.values).all()


class Guess:
    """One feature of architectures of a small space."""

    names = ("guess",)

    def __init__(self, guess) -> None:
        self.guess = guess

    def __call__(self, architectures):
        return np.array([[self.guess(architecture)] for architecture in architectures])


@pytest.mark.parametrize("sign", [1, -1], ids=["right", "opposite"])
def test_a_search_begins_with_what_they_promise_and_learns_better(sign):
    tasks = prior_of_features(SmallSpace(), Guess(lambda a: sign * np.exp(quality(a))), 60)
    method = GraphBO(SmallSpace(), prior=tasks)
    values = []
    for _ in range(15):
        (architecture,) = method.ask()
        values.append(quality(architecture))
        method.tell(architecture, values[-1])
    assert values[0] > BEST - 1.5 if sign > 0 else values[0] < 2
    assert max(values) > BEST - 1


@pytest.mark.parametrize(
    ("features", "options", "message"),
    [
        (len, {}, "features must be a function of architectures"),
        (Numbered(), {"count": 1}, "count must be an integer of at least 2, got 1"),
        (Numbered(), {"objectives": 0}, "objectives must be an integer of at least 1, got 0"),
        (Numbered(), {"seed": -1}, "seed must be a non-negative integer"),
        (type("Wide", (Numbered,), {"names": ("one", "two")})(), {}, r"shape \(.*, 2\), got \(.*, 5\)"),
    ],
)
def test_what_does_not_fit(features, options, message):
    with pytest.raises(InvalidArgument, match=message):
        prior_of_features(SPACE, features, **options)
