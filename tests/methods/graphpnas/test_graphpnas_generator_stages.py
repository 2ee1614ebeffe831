"""The generators of a network's stages: independent, and together a generator of the whole space."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphnas import Architecture, ArchitectureBatch
from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.methods.graphpnas.config import GraphPNASConfig
from graphnas.methods.graphpnas.factory import make_generator
from graphnas.methods.graphpnas.graph_generator import GraphGenerator
from graphnas.methods.graphpnas.stages import StagedGenerator
from search_spaces import NASBench201, RandWire

SMALL = GraphPNASConfig(hidden_size=24, steps=2, mixtures=3)


def make(space, seed=0):
    return make_generator(space, SMALL, torch.Generator().manual_seed(seed))


def test_probabilities_of_all_graphs_sum_to_one():
    space = RandWire(3, stages=2)
    graphs = list(space.enumerate())
    assert len(graphs) == space.size() == 64
    generator = make(space)
    assert isinstance(generator, StagedGenerator)
    probability = generator.log_prob(ArchitectureBatch.from_architectures(graphs)).exp()
    assert float(probability.detach().sum()) == pytest.approx(1, abs=1e-5)


def test_stages_are_independent_generators_with_weights_of_their_own():
    space = RandWire(6, stages=3)
    generator = make(space)
    batch = space.sample_batch(np.random.default_rng(0), 5)
    found = generator.log_likelihood(batch)
    assert found.edges.shape == (5, 18)
    separate = []
    for k, stage in enumerate(generator.stages):
        part = slice(6 * k, 6 * k + 6)
        graphs = ArchitectureBatch(batch.adjacency[:, part, part], batch.operations[:, part])
        separate.append(stage.log_prob(graphs))
        torch.testing.assert_close(found.edges[:, part].sum(1), separate[-1])
    torch.testing.assert_close(found.total(), sum(separate))
    assert not torch.equal(generator.stages[0].messages.first, generator.stages[1].messages.first)
    # The 18 nodes of three stages, and the pairs within them.
    assert found.weights[0].flatten().tolist() == pytest.approx([-1 / (3 * 21)] * 90)
    assert found.weights[1].flatten().tolist() == pytest.approx([-0.5 / 18] * 90)
    assert found.weights[2].flatten().tolist() == [-0.125] * 90


def test_samples_are_members_and_minibatches_parts():
    space = RandWire(5, stages=2)
    generator = make(space)
    batch = generator.sample(20, torch.Generator().manual_seed(0))
    for architecture in batch:
        space.validate(architecture)
    assert len(set(batch)) > 10
    prepared, order = generator.prepare(batch), torch.tensor([4, 1, 7])
    whole = generator.log_prob(batch)
    for part, index in zip(prepared.minibatches(order, 2), order.split(2), strict=True):
        torch.testing.assert_close(generator.log_prob(part), whole[index])
        assert list(part.batch) == list(batch[index])


def test_one_stage_and_other_spaces_get_one_generator():
    for space in (RandWire(5), NASBench201()):
        assert isinstance(make(space), GraphGenerator)
    known = RandWire(4, stages=2).restricted_to([Architecture(np.zeros((8, 8), int))])
    assert isinstance(make(known), StagedGenerator)


def test_bad_input():
    with pytest.raises(InvalidArgument, match="several stages"):
        StagedGenerator(RandWire(5), generator=torch.Generator())
    generator = make(RandWire(4, stages=2))
    with pytest.raises(InvalidArchitecture, match="expected 8 nodes"):
        generator.log_prob(ArchitectureBatch.from_architectures([Architecture(np.zeros((4, 4), int))]))
    between = np.zeros((8, 8), int)
    between[3, 4] = 1
    with pytest.raises(InvalidArchitecture, match="edge 3 -> 4"):
        generator.log_prob(ArchitectureBatch.from_architectures([Architecture(between)]))
