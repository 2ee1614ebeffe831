"""Vertex graphs: what the autoencoders read of each space, and the way back to architectures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from graphnas import Architecture, ArchitectureBatch, GraphSpace, ProductSpace
from graphnas.autoencoders import VertexAdapter, same_graphs
from graphnas.autoencoders.vertices import END, START
from graphnas.errors import InvalidArchitecture, InvalidArgument
from search_spaces import ENASMacro, ENASMacro6, GEMNet, NASBench101, NASBench201, RandWire


class Both(GraphSpace):
    """Operations on nodes and on edges."""

    name = "both"
    node_ops = ("a", "b")
    edge_ops = ("none", "x", "y")
    max_nodes = 3

    def build(self, architecture, num_classes, **shape):
        raise NotImplementedError


class ManyEdges(Both):
    """More edges than have their sets listed."""

    node_ops = ("node",)
    max_nodes = 7


SPACES = [
    Both(),
    ManyEdges(),
    ProductSpace(encoder=GEMNet(4), cell=NASBench201(identity="graph"), both=Both()),
    ProductSpace(one=GEMNet(3), two=GEMNet(4)),
    ENASMacro6(),
    ENASMacro(4),
    NASBench101(),
    NASBench201(identity="graph"),
    GEMNet(6),
    RandWire(5),
    RandWire(3, stages=2),
]


def samples(space, count=40, seed=0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


@pytest.mark.parametrize("space", SPACES, ids=repr)
def test_there_and_back(space):
    """Isomorphic at least, which builds the same network; and the same vertex graph again."""
    adapter = VertexAdapter(space)
    given = samples(space)
    graphs = adapter.to_vertices(given)
    back = adapter.to_architectures(graphs)
    assert [space.key(a) for a in back] == [space.key(a) for a in given]
    assert same_graphs(adapter.to_vertices(back), graphs).all()


@pytest.mark.parametrize("space", SPACES, ids=repr)
def test_form(space):
    """Start first, end last and only there, padding empty, edges forwards, one input and one output."""
    adapter = VertexAdapter(space)
    graphs = adapter.to_vertices(samples(space))
    assert graphs.max_nodes == adapter.max_vertices
    assert int(graphs.operations.max()) < adapter.num_types
    for graph in graphs:
        types, n = graph.operations.tolist(), graph.num_nodes
        assert types[0] == START
        assert types[-1] == END
        assert START not in types[1:]
        assert END not in types[:-1]
        if adapter.connects_loose_ends:
            assert graph.adjacency[: n - 1].any(1).all()  # every vertex but the end feeds another
            loose = ~graph.adjacency[: n - 1, : n - 1].any(1)
            assert (graph.adjacency[: n - 1, -1].astype(bool) == loose).all()


def test_enas6_is_read_as_the_table_has_it():
    space = ENASMacro6()
    batch = space.sample_batch(np.random.default_rng(0), 30)
    adapter = VertexAdapter(space)
    assert same_graphs(adapter.to_vertices(batch), batch).all()
    assert (adapter.num_types, adapter.max_vertices, adapter.fixed_size) == (8, 8, True)
    architecture = space.from_string(
        "[[0], [1, 1], [2, 0, 0], [3, 0, 0, 1], [4, 0, 0, 0, 0], [5, 0, 0, 0, 0, 1]]"
    )
    graph = adapter.to_vertices([architecture]).architecture(0)
    assert graph.operations.tolist() == [0, 2, 3, 4, 5, 6, 7, 1]
    assert np.flatnonzero(graph.adjacency[:, 2]).tolist() == [0, 1]
    assert np.flatnonzero(graph.adjacency[:, 7]).tolist() == [6]


def test_nasbench101_reads_the_pruned_cell():
    space = NASBench101()
    cell = Architecture(np.eye(4, k=1, dtype=int), [0, 1, 3, 4])
    graphs = VertexAdapter(space).to_vertices([cell, space.completed(cell)])
    assert same_graphs(graphs[[0]], graphs[[1]]).all()
    assert graphs.operations[0].tolist() == [0, 2, 4, 1, 0, 0, 0]
    assert graphs.num_nodes.tolist() == [4, 4]


def test_nasbench201_is_its_node_labelled_form():
    space = NASBench201()
    adapter = VertexAdapter(space)
    cells = list(itertools.islice(space.enumerate(), 0, None, 97))
    for cell, graph in zip(cells, adapter.to_vertices(cells), strict=True):
        expected = space.to_node_labelled(cell)
        labels = [0, *[k + 1 for k in expected.operations[1:-1].tolist()], 1]
        assert graph == Architecture(expected.adjacency, labels)


def test_every_cell_of_nasbench201_comes_back():
    """The same vertex graph always, and the cell itself where every operation is on a path."""
    space = NASBench201(identity="graph")
    adapter = VertexAdapter(space)
    cells = list(space.enumerate())
    graphs = adapter.to_vertices(cells)
    back = adapter.to_architectures(graphs)
    assert same_graphs(adapter.to_vertices(back), graphs).all()
    alive = space.active_batch(ArchitectureBatch.from_architectures(cells)).num_nodes == graphs.num_nodes
    exact = [space.key(a) == space.key(b) for a, b in zip(cells, back, strict=True)]
    assert all(np.array(exact)[alive.numpy()])
    assert 0.5 < alive.float().mean() < 1


def test_randwire_gets_a_start_and_an_end():
    space = RandWire(3)
    graph = (
        VertexAdapter(space).to_vertices([Architecture([[0, 1, 0], [0, 0, 0], [0, 0, 0]])]).architecture(0)
    )
    assert graph.operations.tolist() == [0, 2, 2, 2, 1]
    assert [(i, j) for i, j, _ in graph.labelled_edges()] == [(0, 1), (0, 3), (1, 2), (2, 4), (3, 4)]


def test_what_is_no_architecture():
    space = ENASMacro6()
    adapter = VertexAdapter(space)
    good = adapter.to_vertices([space.sample(np.random.default_rng(0))])
    no_chain, two_ends, start_inside, no_end, short = (good[[0]] for _ in range(5))
    no_chain.adjacency[0, 2, 3] = 0
    two_ends.operations[0, 4] = END
    start_inside.operations[0, 3] = START
    no_end.operations[0, 7] = 3
    short.num_nodes[0] = 7
    short.operations[0, 6] = END
    mixed = ArchitectureBatch.cat([good, no_chain, two_ends, start_inside, no_end, short, good])
    found = adapter.to_architectures(mixed)
    assert [a is None for a in found] == [False, True, True, True, True, True, False]
    assert found[0] == found[6]


def test_no_line_graph_is_no_cell():
    space = NASBench201()
    adapter = VertexAdapter(space)
    graphs = adapter.to_vertices(
        [space.from_string("|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|")]
    )
    graphs.adjacency[0, 0, 4] = 1  # the input feeds the output, which no edge of a cell means
    assert adapter.to_architectures(graphs) == [None]


def test_equality_is_vertex_by_vertex():
    space = NASBench101()
    adapter = VertexAdapter(space)
    graphs = adapter.to_vertices(samples(space, 10))
    narrow = ArchitectureBatch.from_architectures(graphs.to_architectures())
    assert same_graphs(graphs, narrow).all()
    changed = adapter.to_vertices(samples(space, 10))
    changed.operations[3, 1] = 3 if changed.operations[3, 1] == 2 else 2
    changed.adjacency[5, 0, 1] ^= 1
    assert torch.nonzero(~same_graphs(graphs, changed)).flatten().tolist() == [3, 5]


@pytest.mark.parametrize("space", [Both(), ManyEdges(), SPACES[2]], ids=repr)
def test_labelled_edges_between_vertices_come_back_exactly(space):
    """Every node and every edge is kept, so that nothing is left open; what is no such graph is refused."""
    adapter = VertexAdapter(space)
    given = samples(space)
    assert adapter.to_architectures(adapter.to_vertices(given)) == given
    graphs = adapter.to_vertices(given[:1])
    edge = int(np.flatnonzero(graphs.operations[0].numpy() >= 2 + len(space.node_ops))[0])
    target = int(torch.nonzero(graphs.adjacency[0, edge])[0])
    graphs.adjacency[0, edge, target] = 0
    assert adapter.to_architectures(graphs) == [None]


def test_bad_architectures():
    adapter = VertexAdapter(ENASMacro6())
    with pytest.raises(InvalidArchitecture, match="no label 9"):
        adapter.to_vertices([Architecture(np.eye(8, k=1, dtype=int), [0, 2, 2, 2, 9, 2, 2, 1])])
    with pytest.raises(InvalidArgument, match="9 nodes"):
        adapter.to_vertices([Architecture(np.eye(9, k=1, dtype=int))])
    with pytest.raises(InvalidArgument, match="at least one"):
        adapter.to_vertices([])
