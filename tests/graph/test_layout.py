"""Layout: the choices of a space as arrays, on every space, and batches of architectures read by them."""

from __future__ import annotations

import numpy as np
import pytest

from graphnas import Architecture, ArchitectureBatch
from graphnas.errors import InvalidArchitecture
from search_spaces import ENASMacro, GEMNet, NASBench101, NASBench201, RandWire

SPACES = [NASBench101(), NASBench201(), GEMNet(6), ENASMacro(5), RandWire(7), RandWire(4, stages=2)]


@pytest.fixture(params=SPACES, ids=repr)
def space(request):
    return request.param


def test_the_arrays_say_what_the_parameters_say(space):
    layout = space.layout
    assert layout is space.layout
    assert layout.names == tuple(space.parameters())
    assert layout.counts.tolist() == [len(choices) for choices in space.parameters().values()]
    assert len(layout) == len(layout.slots) == len(layout.labels)
    for s, slot in enumerate(layout.slots):
        node, i, j = layout.is_node[s], layout.sources[s], layout.targets[s]
        assert (slot.name, slot.source, slot.target) == (layout.names[s], i, j)
        choices = space.node_choices(i) if node else space.edge_choices(i, j)
        assert layout.labels[s, layout.allowed[s]].tolist() == list(slot.labels) == list(choices)
    for j in range(space.max_nodes):
        assert np.flatnonzero(layout.allowed_nodes[j]).tolist() == sorted(space.node_choices(j))
        for i in range(space.max_nodes):
            expected = sorted(space.edge_choices(i, j)) if i < j else [0]
            assert np.flatnonzero(layout.allowed_edges[i, j]).tolist() == expected


def test_a_batch_is_read_as_its_parameters_say_and_written_back(space):
    batch = space.completed_batch(space.sample_batch(np.random.default_rng(0), 20))
    choices = space.layout.choices(batch)
    for row, architecture in zip(choices, batch, strict=True):
        values = zip(space.to_parameters(architecture).values(), space.parameters().values(), strict=True)
        assert row.tolist() == [options.index(value) for value, options in values]
    assert list(space.layout.from_choices(choices)) == list(batch)
    adjacency, operations, _ = batch.to_arrays()
    labels = space.layout.read(adjacency, operations)
    for one, row in zip(batch, labels, strict=True):
        assert space.layout.read(one.adjacency, one.operations).tolist() == row.tolist()
        assert space.layout.architecture(row) == one
    again = space.layout.write(labels)
    assert np.array_equal(again[0], adjacency)
    assert np.array_equal(again[1], operations)


def test_a_restricted_space_has_the_layout_of_the_whole_one():
    whole = NASBench201()
    part = whole.restricted_to([whole.at(5)])
    assert part.layout is whole.layout
    assert part.whole is whole is whole.whole


def test_smaller_cells_are_completed_and_strange_labels_refused():
    space = NASBench101()
    small_cell = Architecture([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [0, 2, 4])
    batch = space.completed_batch([small_cell])
    assert list(space.layout.from_choices(space.layout.choices(batch))) == [space.completed(small_cell)]
    with pytest.raises(InvalidArchitecture, match="expected graphs of 7 nodes"):
        space.layout.choices(ArchitectureBatch.from_architectures([small_cell], 7))
    strange = Architecture(np.zeros((7, 7), int), [4, 1, 1, 1, 1, 1, 4])
    with pytest.raises(InvalidArchitecture, match="do not allow"):
        space.layout.choices(space.completed_batch([strange]))
    with pytest.raises(InvalidArchitecture, match="node 0 is 'output', allowed: input"):
        space.layout.check(strange)
