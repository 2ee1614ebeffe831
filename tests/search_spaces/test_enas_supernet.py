"""The shared-weight network of ENAS: its sub-networks are the space's networks, one by one and together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from graphnas.errors import InvalidArchitecture, InvalidArgument
from search_spaces import ENASMacro, ENASMacro6
from search_spaces.complexity import count_complexity
from search_spaces.enas_codes import OPERATIONS

SPACES = [ENASMacro(), ENASMacro6(), ENASMacro(1), ENASMacro(2), ENASMacro(5)]


def images_of(count: int = 5, channels: int = 2, side: int = 9) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(count, channels, side, side, generator=generator, dtype=torch.float64)


def worn(space, **shape):
    """A supernet whose running statistics are no longer the initial ones."""
    network = space.supernet(3, in_channels=2, width=6, **shape).double()
    with torch.no_grad():
        for architecture in space.sample_batch(np.random.default_rng(0), 8):
            network(images_of(), architecture)
    return network


@pytest.mark.parametrize("space", SPACES, ids=repr)
@pytest.mark.parametrize("training", [True, False])
def test_a_sub_network_is_the_network_that_the_space_builds(space, training):
    network = worn(space)
    for architecture in space.sample_batch(np.random.default_rng(1), 6):
        alone = space.build(architecture, 3, in_channels=2, width=6).double()
        copied = network.extract(architecture)
        assert [n for n, _ in copied.named_parameters()] == [n for n, _ in alone.named_parameters()]
        copied.train(training)
        with torch.no_grad():
            expected = copied(images_of())
            found = network.train(training)(images_of(), architecture)
        assert torch.equal(found, expected)
        assert found.abs().sum() > 0


def test_gradients_reach_the_named_operations_only():
    space = ENASMacro(4)
    network = space.supernet(3, in_channels=2, width=6).double()
    architecture = space.from_string("[[0], [5, 0], [3, 1, 0], [2, 0, 1, 1]]")
    alone = network.extract(architecture)
    for logits in (network(images_of(), architecture), alone(images_of())):
        nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0, 1])).backward()
    touched = {name for name, p in network.named_parameters() if p.grad is not None}
    named = {f"layers.{i}.branches.{OPERATIONS[code]}" for i, code in enumerate((0, 5, 3, 2))}
    of_layers = {name for name in touched if name.startswith("layers.")}
    assert {name.rsplit(".", 2)[0] for name in of_layers} == named
    assert len(touched) == len(list(alone.named_parameters()))
    assert torch.equal(network.stem[0].weight.grad, alone.stem[0].weight.grad)
    for i, code in enumerate((0, 5, 3, 2)):
        ours = network.layers[i].branches[OPERATIONS[code]].parameters()
        for one, other in zip(ours, alone.layers[i].branch.parameters(), strict=True):
            assert torch.equal(one.grad, other.grad)


def test_a_copy_is_a_copy():
    space = ENASMacro(3)
    network = worn(space)
    architecture = space.sample(np.random.default_rng(2))
    copied = network.extract(architecture)
    before = network.state_dict()["stem.0.weight"].clone()
    with torch.no_grad():
        copied.stem[0].weight.zero_()
    assert torch.equal(network.stem[0].weight, before)


@pytest.mark.parametrize("space", SPACES, ids=repr)
def test_many_at_once_are_each_on_its_own(space):
    network = worn(space).eval()
    rng = np.random.default_rng(4)
    architectures = list(space.sample_batch(rng, 10))
    for _ in range(10):  # relatives, which have beginnings in common
        if space.num_layers > 1:
            architectures.append(space.mutate(architectures[int(rng.integers(len(architectures)))], rng))
    architectures.append(architectures[3])
    with torch.no_grad():
        together = network.forward_many(images_of(), architectures)
        alone = torch.stack([network(images_of(), architecture) for architecture in architectures])
    assert torch.equal(together, alone)
    assert len({tuple(row.flatten().tolist()) for row in together}) > 1


def test_a_common_beginning_is_computed_once():
    space = ENASMacro(4)
    network = worn(space).eval()
    calls = []
    for number, layer in enumerate(network.layers, start=1):
        layer.register_forward_hook(lambda _m, _i, _o, number=number: calls.append(number))
    first = space.from_string("[[0], [5, 0], [3, 1, 0], [2, 0, 1, 1]]")
    second = space.from_string("[[0], [5, 0], [3, 1, 1], [2, 0, 1, 1]]")
    third = space.from_string("[[0], [5, 0], [3, 1, 0], [1, 0, 1, 1]]")
    with torch.no_grad():
        network.forward_many(images_of(), [first, second, third, first])
    assert sorted(calls) == [1, 2, 3, 3, 4, 4, 4]


def test_dropout_is_that_of_the_network():
    network = worn(ENASMacro(2), dropout=0.25)
    assert network.dropout.p == 0.25
    assert network.extract(ENASMacro(2).from_string("[[1], [2, 1]]")).dropout.p == 0.25


def test_size_of_a_sub_network():
    space = ENASMacro(5)
    network = space.supernet(3, in_channels=2, width=6)
    for architecture in space.sample_batch(np.random.default_rng(5), 4):
        counted = count_complexity(
            lambda a=architecture: space.build(a, 3, in_channels=2, width=6), (2, 9, 8)
        )
        assert network.complexity(architecture, (9, 8)) == counted


def test_bad_input():
    with pytest.raises(InvalidArgument, match=r"width.*1"):
        ENASMacro(2).supernet(10, width=1)
    network = ENASMacro(2).supernet(10, in_channels=2, width=4).double()
    stranger = ENASMacro(3).sample(np.random.default_rng(0))
    for call in (
        network.extract,
        lambda a: network(images_of(), a),
        lambda a: network.forward_many(images_of(), [a]),
    ):
        with pytest.raises(InvalidArchitecture, match="5 nodes, at most 4 are allowed"):
            call(stranger)
