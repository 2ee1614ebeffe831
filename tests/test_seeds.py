"""Seeds and the generators that start from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphnas.errors import InvalidArgument
from graphnas.seeds import derived_seed, drawn_seed, torch_generator


def test_derived_seeds_differ_by_stream_and_seed():
    assert derived_seed(0, "weights") == derived_seed(0, "weights")
    assert len({derived_seed(seed, name) for seed in range(20) for name in ("weights", "order")}) == 40


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True, None])
def test_a_bad_seed_is_named(seed):
    with pytest.raises(InvalidArgument, match=f"seed must be .* got {seed!r}"):
        derived_seed(seed, "weights")


def test_a_generator_follows_from_the_seed_and_its_purpose():
    def draw(*numbers):
        return torch.rand(3, generator=torch_generator(*numbers)).tolist()

    assert draw(3, 1, "weights") == draw(3, 1, "weights")
    assert len({tuple(draw(3, *purpose)) for purpose in [(), (1,), (2,), ("1",), (1, "x")]}) == 5


def test_a_seed_drawn_from_a_generator_moves_it_on():
    rng = np.random.default_rng(0)
    assert drawn_seed(rng) != drawn_seed(rng)
    assert drawn_seed(np.random.default_rng(0)) == drawn_seed(np.random.default_rng(0))
