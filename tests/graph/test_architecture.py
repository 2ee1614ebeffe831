"""Architecture: what it accepts, that it does not change, and its ways in and out."""

from __future__ import annotations

import copy
import json
import pickle
import warnings

import networkx as nx
import numpy as np
import pytest

from graphnas import Architecture
from graphnas.errors import InvalidArchitecture

CELL = Architecture([[0, 1, 2], [0, 0, 1], [0, 0, 0]], [0, 3, 1])


@pytest.mark.parametrize(
    ("adjacency", "operations", "message"),
    [
        ([[0, 1]], None, r"square matrix, got shape \(1, 2\)"),
        (np.zeros((0, 0)), None, r"square matrix, got shape \(0, 0\)"),
        ([0, 1], None, r"square matrix, got shape \(2,\)"),
        ([[0, 1], [1, 0]], None, r"edge 1 -> 0 does not point forwards"),
        ([[1, 0], [0, 0]], None, r"edge 0 -> 0 does not point forwards"),
        ([[0, 1], [0]], None, r"adjacency is not a rectangular array"),
        ([[0, 0.5], [0, 0]], None, r"adjacency must hold integers, got float64"),
        ([[0, np.nan], [0, 0]], None, r"adjacency must hold integers, got float64"),
        ([[0, np.inf], [0, 0]], None, r"adjacency must hold integers, got float64"),
        ([[0, "a"], [0, 0]], None, r"adjacency must hold integers"),
        ([[0, 10**30], [0, 0]], None, r"adjacency must hold integers, got object"),
        (None, None, r"adjacency must hold integers, got object"),
        ([[0, 128], [0, 0]], None, r"adjacency must hold labels in 0..127, got 128"),
        ([[0, -1], [0, 0]], None, r"adjacency must hold labels in 0..127, got -1"),
        ([[0, 1], [0, 0]], [0], r"operations must have shape \(2,\), got \(1,\)"),
        ([[0, 1], [0, 0]], [0, 40000], r"operations must hold labels in 0..32767, got 40000"),
        ([[0, 1], [0, 0]], [0, -2], r"operations must hold labels in 0..32767, got -2"),
        ([[0, 1], [0, 0]], ["conv", "pool"], r"operations must hold integers"),
    ],
)
def test_what_is_no_architecture_is_refused_with_its_reason(adjacency, operations, message):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InvalidArchitecture, match=message):
            Architecture(adjacency, operations)


def test_accepted_forms_are_equal():
    expected = Architecture([[0, 1], [0, 0]], [0, 1])
    for adjacency in (np.array([[0.0, 1.0], [0, 0]]), np.array([[0, 1], [0, 0]], bool), [[0, True], [0, 0]]):
        assert Architecture(adjacency, np.array([0, 1], np.uint8)) == expected
    assert expected.adjacency.dtype == np.int8
    assert expected.operations.dtype == np.int16
    assert Architecture([[0]]).operations.tolist() == [0]


def test_it_is_immutable_and_does_not_share_memory_with_its_arguments():
    matrix, labels = np.triu(np.ones((3, 3), np.int8), 1), np.zeros(3, np.int16)
    architecture = Architecture(matrix, labels)
    matrix[0, 1], labels[0] = 0, 5
    assert architecture.adjacency[0, 1] == 1
    assert architecture.operations[0] == 0
    for array in (architecture.adjacency, architecture.operations):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(AttributeError, match="immutable"):
        architecture.adjacency = matrix
    with pytest.raises(AttributeError, match="immutable"):
        del architecture.operations
    with pytest.raises(AttributeError, match="immutable"):
        architecture.extra = 1


def test_equality_and_hash_compare_node_by_node():
    same = Architecture([[0, 1, 2], [0, 0, 1], [0, 0, 0]], [0, 3, 1])
    assert same == CELL
    assert hash(same) == hash(CELL)
    others = [
        Architecture(CELL.adjacency),
        Architecture(CELL.adjacency > 0, CELL.operations),
        Architecture(np.zeros((3, 3)), CELL.operations),
        Architecture(np.zeros((4, 4))),
    ]
    assert len({CELL, same, *others}) == 5
    assert CELL != "CELL"
    # The same bytes in another shape are another graph.
    assert Architecture(np.zeros((1, 1)), [0]) != Architecture(np.zeros((2, 2)), [0, 0])


def test_copies_and_pickles_are_equal_and_immutable():
    for twin in (pickle.loads(pickle.dumps(CELL)), copy.copy(CELL), copy.deepcopy(CELL)):
        assert twin == CELL
        assert hash(twin) == hash(CELL)
        assert not twin.adjacency.flags.writeable


def test_counts_edges_and_text():
    assert (CELL.num_nodes, CELL.num_edges) == (3, 3)
    assert CELL.labelled_edges() == [(0, 1, 1), (0, 2, 2), (1, 2, 1)]
    assert repr(CELL) == "Architecture(operations=[0, 3, 1], edges=[0->1, 0->2:2, 1->2])"


def test_subgraph_keeps_labels_and_order():
    part = CELL.subgraph([0, 2])
    assert part == Architecture([[0, 2], [0, 0]], [0, 1])
    assert not part.adjacency.flags.writeable
    for nodes in ([], [2, 0], [0, 0], [0, 3], [-1, 0]):
        with pytest.raises(InvalidArchitecture, match=r"ascending numbers in 0\.\.2"):
            CELL.subgraph(nodes)


# ---------------------------------------------------------------- JSON


def test_json_round_trip(make_architecture):
    rng = np.random.default_rng(0)
    for nodes in (1, 2, 7, 30):
        architecture = make_architecture(rng, nodes, edge_labels=5)
        text = architecture.to_json()
        assert "\n" not in text
        assert Architecture.from_json(text) == architecture
        assert Architecture.from_dict(json.loads(json.dumps(architecture.to_dict()))) == architecture
    # What version 1 wrote must stay readable.
    stored = (
        '{"format":"graphnas.architecture","version":1,"operations":[0,3,1],'
        '"edges":[[0,1,1],[0,2,2],[1,2,1]]}'
    )
    assert CELL.to_json() == stored


def document(**changes: object) -> dict[str, object]:
    return {**CELL.to_dict(), **changes}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "not a graphnas.architecture document"),
        (None, "not a graphnas.architecture document"),
        (document(format="other"), "not a graphnas.architecture document"),
        (document(version=2), "version 2 cannot be read; this release reads version 1"),
        (document(version=None), "version None cannot be read"),
        (document(operations=[]), "'operations' must be a non-empty list"),
        (document(operations="abc"), "'operations' must be a non-empty list"),
        (document(edges=None), "'edges' a list"),
        (document(operations=["a", "b", "c"]), "operations must hold integers"),
        (document(edges=[[0, 1]]), r"edge \[0, 1\] is not \[source, target, label\]"),
        (document(edges=["012"]), r"edge '012' is not"),
        (document(edges=[[0, 1, 1.5]]), r"edge \[0, 1, 1.5\] is not"),
        (document(edges=[[0, 1, True]]), r"edge \[0, 1, True\] is not"),
        (document(edges=[[0, 3, 1]]), "edges must hold nodes in 0..2, got 3"),
        (document(edges=[[-1, 2, 1]]), "edges must hold nodes in 0..2, got -1"),
        (document(edges=[[0, 1, 10**30]]), "edges must hold integers, got object"),
        (document(edges=[[0, 1, 200]]), "edges must hold labels in 0..127, got 200"),
        (document(edges=[[0, 1, 0]]), "edge 0 -> 1 has label 0"),
        (document(edges=[[0, 1, 1], [0, 1, 2]]), "edge 0 -> 1 is listed more than once"),
        (document(edges=[[2, 1, 1]]), "edge 2 -> 1 does not point forwards"),
    ],
)
def test_bad_documents(data, message):
    with pytest.raises(InvalidArchitecture, match=message):
        Architecture.from_dict(data)


@pytest.mark.parametrize("text", ["", "{", "nonsense", b"\xff\xfe\xff", "[" * 100_000, None])
def test_what_is_not_json(text):
    with pytest.raises(InvalidArchitecture, match="not JSON"):
        Architecture.from_json(text)


# ---------------------------------------------------------------- networkx


def test_networkx_round_trip(make_architecture):
    rng = np.random.default_rng(1)
    for nodes in (1, 6, 12):
        architecture = make_architecture(rng, nodes, edge_labels=3)
        graph = architecture.to_networkx()
        assert isinstance(graph, nx.DiGraph)
        assert Architecture.from_networkx(graph) == architecture


def test_networkx_with_any_node_names_is_sorted_topologically():
    graph = nx.DiGraph()
    graph.add_node("out", operation=4)
    graph.add_node(("a", 1), operation=2)
    graph.add_node("in", operation=1)
    graph.add_edge("in", ("a", 1), label=3)
    graph.add_edge(("a", 1), "out")
    assert Architecture.from_networkx(graph) == Architecture([[0, 3, 0], [0, 0, 1], [0, 0, 0]], [1, 2, 4])
    # Without an order to repair, nodes keep theirs; without attributes, labels are 0 and 1.
    plain = nx.DiGraph()
    plain.add_nodes_from(["x", "y", "z"])
    plain.add_edge("x", "z")
    assert Architecture.from_networkx(plain) == Architecture([[0, 0, 1], [0, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (nx.DiGraph([(0, 1), (1, 2), (2, 0)]), "has a cycle"),
        (nx.DiGraph([(0, 0)]), "has a cycle"),
        (nx.Graph([(0, 1)]), "non-empty networkx.DiGraph"),
        (nx.MultiDiGraph([(0, 1)]), "non-empty networkx.DiGraph"),
        (nx.DiGraph(), "non-empty networkx.DiGraph"),
        (nx.DiGraph([(0, 1, {"label": "conv"})]), "edges must hold integers"),
        (nx.DiGraph([(0, 1, {"label": 1.5})]), "edges must hold integers"),
        (nx.DiGraph([(0, 1, {"label": None})]), "edges must hold integers"),
        (nx.DiGraph([(0, 1, {"label": 0})]), "edge 0 -> 1 has label 0"),
    ],
)
def test_graphs_that_are_no_architectures(graph, message):
    with pytest.raises(InvalidArchitecture, match=message):
        Architecture.from_networkx(graph)


def test_networkx_operation_that_is_no_number():
    graph = nx.DiGraph([(0, 1)])
    graph.nodes[0]["operation"] = "conv3x3"
    with pytest.raises(InvalidArchitecture, match="operations must hold integers"):
        Architecture.from_networkx(graph)


# ---------------------------------------------------------------- torch_geometric


def test_torch_geometric_round_trip(make_architecture):
    pytest.importorskip("torch_geometric")
    import torch

    rng = np.random.default_rng(2)
    for architecture in (*(make_architecture(rng, n, edge_labels=3) for n in (1, 5, 30)), CELL):
        data = architecture.to_pyg()
        assert data.num_nodes == architecture.num_nodes
        assert data.edge_index.shape == (2, architecture.num_edges)
        assert data.x.dtype == data.edge_index.dtype == data.edge_attr.dtype == torch.int64
        data.validate(raise_on_error=True)
        assert Architecture.from_pyg(data) == architecture


def test_torch_geometric_data_of_others():
    geometric = pytest.importorskip("torch_geometric.data")
    import torch

    edge_index = torch.tensor([[0, 1], [1, 2]])
    bare = geometric.Data(edge_index=edge_index, num_nodes=4)
    assert Architecture.from_pyg(bare) == Architecture(np.diag([1, 1, 0], 1))
    backwards = geometric.Data(edge_index=edge_index.flip(0), num_nodes=3)
    with pytest.raises(InvalidArchitecture, match="does not point forwards"):
        Architecture.from_pyg(backwards)
    outside = geometric.Data(edge_index=edge_index, num_nodes=2)
    with pytest.raises(InvalidArchitecture, match=r"nodes in 0\.\.1, got 2"):
        Architecture.from_pyg(outside)
    weights = geometric.Data(edge_index=edge_index, edge_attr=torch.tensor([[0.5], [1.0]]), num_nodes=3)
    with pytest.raises(InvalidArchitecture, match="edges must hold integers"):
        Architecture.from_pyg(weights)
    features = geometric.Data(x=torch.ones(3, 4), edge_index=edge_index)
    with pytest.raises(InvalidArchitecture, match=r"operations must have shape \(3,\), got \(3, 4\)"):
        Architecture.from_pyg(features)
