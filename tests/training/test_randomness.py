"""Random numbers of networks come from an explicit seed and leave torch's own alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn

from graphnas.training.randomness import SeededRandomness


def _numbers(seed: int) -> torch.Tensor:
    with SeededRandomness(seed):
        drawn = [
            nn.Conv2d(3, 4, 3).weight,
            nn.Linear(5, 2).bias,
            nn.LSTM(3, 3).weight_hh_l0,
            nn.init.orthogonal_(torch.empty(3, 3)),
            nn.init.trunc_normal_(torch.empty(4)),
            torch.rand(3),
            torch.rand(3, generator=None),
            torch.randn(2, 2),
            torch.randperm(6).float(),
            torch.randint(0, 100, (4,)).float(),
            torch.rand_like(torch.zeros(3)),
            torch.normal(0.0, 1.0, (3,)),
            torch.multinomial(torch.ones(5), 3).float(),
            torch.bernoulli(torch.full((8,), 0.5)),
            nn.functional.dropout(torch.ones(16), 0.5, training=True),
            nn.functional.gumbel_softmax(torch.zeros(4)),
        ]
    return torch.cat([values.detach().flatten() for values in drawn])


def test_same_seed_same_numbers_other_seed_others():
    first = _numbers(3)
    assert torch.equal(first, _numbers(3))
    assert not torch.equal(first, _numbers(4))


def test_torchs_own_random_numbers_are_neither_read_nor_moved():
    state = torch.get_rng_state()
    first = _numbers(3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(7)  # the user's numbers move on ...
    moved = torch.get_rng_state()
    assert torch.equal(_numbers(3), first)  # ... and ours do not notice
    torch.set_rng_state(state)
    assert not torch.equal(state, moved)


def test_threads_do_not_disturb_each_other():
    expected = {seed: _numbers(seed) for seed in range(4)}
    with ThreadPoolExecutor(4) as pool:
        for seed, numbers in pool.map(lambda seed: (seed, _numbers(seed)), list(range(4)) * 5):
            assert torch.equal(numbers, expected[seed])


def test_a_given_generator_is_respected():
    expected = torch.rand(4, generator=torch.Generator().manual_seed(9))
    with SeededRandomness(0) as mode:
        assert torch.equal(torch.rand(4, generator=torch.Generator().manual_seed(9)), expected)
        values = torch.empty(4).uniform_(generator=torch.Generator().manual_seed(9))
    assert torch.equal(values, expected)
    assert mode.used


def test_reports_whether_anything_was_random():
    with SeededRandomness(0) as mode:
        nn.functional.relu(torch.ones(3)) + 1
    assert not mode.used


def test_dropout_has_its_gradient():
    ones = torch.ones(1000, requires_grad=True)
    with SeededRandomness(1):
        output = nn.functional.dropout(ones, 0.25, training=True)
    output.sum().backward()
    assert ones.grad is not None
    assert torch.equal(ones.grad, output.detach())
    assert set(output.tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert 0.65 < (output > 0).float().mean() < 0.85


def test_fused_dropout_is_replaced():
    with SeededRandomness(1):
        output, mask = torch.ops.aten.native_dropout(torch.ones(1000), 0.25, True)
    assert torch.allclose(output, mask / 0.75)
    assert 0.65 < mask.float().mean() < 0.85
