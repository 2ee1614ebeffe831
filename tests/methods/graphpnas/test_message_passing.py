"""Message passing of the graph generator: what its derivative by hand refuses, padding, lower precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphnas.methods.graphpnas.graph_generator import GeneratorConfig, GraphGenerator
from graphnas.methods.graphpnas.message_passing import sum_rows
from search_spaces import NASBench101

SPACE = NASBench101()
SMALL = GeneratorConfig(hidden_size=24, steps=3, mixtures=4)


def make(config=SMALL):
    return GraphGenerator(SPACE, config, generator=torch.Generator().manual_seed(0))


def graphs(count):
    return SPACE.sample_batch(np.random.default_rng(0), count)


def test_weights_that_change_before_the_backward_pass_are_an_error():
    generator = make()
    value = generator.log_prob(graphs(2)).sum()
    with torch.no_grad():
        generator.messages.second_bias.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


def test_there_is_no_second_derivative():
    generator = make()
    value = generator.log_prob(graphs(2)).sum()
    (gradient,) = torch.autograd.grad(value, generator.messages.first, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_sums_of_rows():
    table = torch.arange(8.0).view(4, 2)
    index, begin = torch.tensor([0, 3, 1]), torch.tensor([0, 2, 2])
    assert sum_rows(table, index, begin).tolist() == [[6, 8], [0, 0], [2, 3]]
    signs = torch.tensor([1.0, -1.0, 2.0])
    assert sum_rows(table, index, begin, signs).tolist() == [[-6, -6], [0, 0], [4, 6]]


@pytest.mark.parametrize("multiple", [1, 7, 64])
def test_filling_up_sub_graphs_changes_no_state(multiple):
    generator = make()
    wiring = generator.prepare(graphs(9)).whole().wiring
    padded = wiring.padded(multiple)
    assert len(padded.node) % multiple == len(padded.target) % multiple == 0
    assert len(padded.node) > len(wiring.node)
    x = torch.randn(len(padded.node), 24, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        states = generator.messages(x[: len(wiring.node)], wiring)
        torch.testing.assert_close(generator.messages(x, padded)[: len(states)], states)


def test_states_in_bfloat16_are_nearly_those_in_float32():
    generator = make(GeneratorConfig(hidden_size=64))
    wiring = generator.prepare(graphs(50)).whole().wiring
    x = torch.randn(len(wiring.node), 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = generator.messages(x, wiring)
        rounded = generator.messages.rounded()(x, wiring)
    assert rounded.dtype == torch.float32
    error = float((rounded - exact).norm() / exact.norm())
    assert 0 < error < 0.02
