"""Operation features against the enumeration of all paths, and their invariance under isomorphism."""

from __future__ import annotations

import itertools
import math

import networkx as nx
import numpy as np
import pytest

from graphnas import Architecture, ArchitectureBatch
from graphnas.graph.flow import flow_graphs
from graphnas.graph.operation_features import OperationFeatures
from search_spaces import ENASMacro, GEMNet, NASBench101, NASBench201, RandWire

SPACES = [NASBench101(), NASBench201(), GEMNet(6), ENASMacro(4), RandWire(6)]


def flow(space, architecture):
    """The graph from "s" to "t" with the operations' names on its nodes, made node by node."""
    active = space.active_batch(ArchitectureBatch.from_architectures([architecture])).architecture(0)
    names = space.node_labelled_ops
    operations = [names[label] for label in space.operation_labels]
    edges = {(i, j) for i, j in np.argwhere(active.adjacency).tolist()}
    label = {v: names[active.operations[v]] for v in range(active.num_nodes)}
    sources = [v for v in label if not any(j == v for _, j in edges)]
    sinks = [v for v in label if not any(i == v for i, _ in edges)]
    starts = [v for v in sources if label[v] not in operations]
    ends = [v for v in sinks if label[v] not in operations and v not in starts]
    graph = nx.DiGraph()
    graph.add_nodes_from(["s", "t"])
    rename = {v: "s" if v in starts else "t" if v in ends else v for v in label}
    graph.add_nodes_from((v, {"op": label[v]}) for v in label if rename[v] == v)
    # An edge into an input or out of an output cannot be: they have none.
    graph.add_edges_from((rename[i], rename[j]) for i, j in edges)
    graph.add_edges_from(("s", v) for v in sources if rename[v] == v)
    graph.add_edges_from((v, "t") for v in sinks if rename[v] == v)
    return graph, operations, active


def slow_features(space, architecture, beyond):
    """Every feature by name, from the list of all paths."""
    graph, operations, active = flow(space, architecture)
    op = nx.get_node_attributes(graph, "op")
    paths = [path[1:-1] for path in nx.all_simple_paths(graph, "s", "t")]
    # The backward walk takes a path with the product of the shares of its steps; so does the forward one.
    backward = [math.prod(1 / graph.in_degree(v) for v in [*p, "t"]) for p in paths]
    forward = [math.prod(1 / graph.out_degree(v) for v in ["s", *p]) for p in paths]
    inner = list(op)
    found = {}

    def mean(values):
        values = list(values)
        return sum(values) / len(values) if values else 0.0

    def longest(start, end):
        lengths = [len(p) - 1 for p in nx.all_simple_paths(graph, start, end)]
        return max(lengths, default=0)

    count = len(operations)
    sizes = range(count + 1) if count <= 4 else (0, 1, 2, count)
    for size in sizes:
        for chosen in itertools.combinations(operations, size):
            name = "+".join(chosen) or "nothing"
            through = [p for p in paths if all(op[v] in chosen or op[v] not in operations for v in p)]
            lengths = [len(p) + 1 for p in through]
            found[f"shortest through {name}"] = min(lengths, default=beyond)
            found[f"longest through {name}"] = max(lengths, default=0)
            found[f"log paths through {name}"] = math.log1p(len(through))
            if not chosen:
                continue
            members = [v for v in inner if op[v] in chosen]
            found[f"number of {name}"] = len(members)
            found[f"output's inputs from {name}"] = sum(graph.has_edge(v, "t") for v in members)
            found[f"input's outputs to {name}"] = sum(graph.has_edge("s", v) for v in members)
            found[f"inputs of {name}"] = mean(graph.in_degree(v) for v in members)
            found[f"outputs of {name}"] = mean(graph.out_degree(v) for v in members)
            if size in (1, 2, count):
                numbers = [sum(op[v] in chosen for v in p) for p in paths]
                found[f"fewest {name} on a path"] = min(numbers, default=0)
                found[f"most {name} on a path"] = max(numbers, default=0)
                found[f"mean {name} on a path"] = mean(numbers)
    last, first = list(graph.predecessors("t")), list(graph.successors("s"))
    for name in operations:
        members = [v for v in inner if op[v] == name]
        met = [sum(op[v] == name for v in p) for p in paths]
        expected = sum(b * m for b, m in zip(backward, met, strict=True))
        second = sum(b * m**2 for b, m in zip(backward, met, strict=True))
        found[f"depth of {name}"] = mean(longest("s", v) for v in members)
        found[f"height of {name}"] = mean(longest(v, "t") for v in members)
        found[f"share of {name}"] = mean(v in members for v in inner)
        found[f"share of output's inputs {name}"] = mean(v in members for v in last)
        found[f"share of input's outputs {name}"] = mean(v in members for v in first)
        found[f"visits of {name}"] = expected
        found[f"forward visits of {name}"] = sum(f * m for f, m in zip(forward, met, strict=True))
        found[f"deviation of visits of {name}"] = math.sqrt(max(second - expected**2, 0))
        found[f"avoidance of {name}"] = sum(b for b, m in zip(backward, met, strict=True) if m == 0)
        chains = []
        for v in last:
            before = [path[1:] for path in nx.all_simple_paths(graph, "s", v)] if v != "s" else [[]]
            chains.append(max(sum(op[u] == name for u in path) for path in before))
        found[f"chain of {name}"] = mean(chains)
    kind = {v: op.get(v, "") for v in graph} | {"s": "input", "t": "output"}
    for a, b in itertools.product(["input", *operations], [*operations, "output"]):
        steps = [(u, v) for u, v in graph.edges if (kind[u], kind[v]) == (a, b)]
        found[f"edges {a} -> {b}"] = len(steps)
        taken = 0.0
        for p, share in zip(paths, backward, strict=True):
            whole = ["s", *p, "t"]
            taken += share * sum((u, v) in steps for u, v in itertools.pairwise(whole))
        found[f"steps {a} -> {b}"] = taken
    depth = [longest("s", v) for v in inner]
    n = len(inner) + 2
    found["nodes"] = len(inner)
    found["edges"] = graph.number_of_edges()
    found["width"] = max((depth.count(d) for d in depth if d), default=0)
    found["mean path"] = mean(len(p) for p in paths)
    found["density"] = graph.number_of_edges() / (n * (n - 1) / 2)
    found["clustering"] = nx.transitivity(active.to_networkx().to_undirected())
    found["walk"] = sum(b * len(p) for p, b in zip(paths, backward, strict=True))
    found["forward walk"] = sum(f * len(p) for p, f in zip(paths, forward, strict=True))
    return found


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_features_are_those_of_the_list_of_all_paths(space):
    features = OperationFeatures(space)
    batch = space.sample_batch(np.random.default_rng(0), 12)
    rows = features(batch)
    for architecture, row in zip(batch, rows, strict=True):
        slow = slow_features(space, architecture, features._beyond)
        assert set(slow) == set(features.names)
        expected = [slow[name] for name in features.names]
        np.testing.assert_allclose(row, expected, atol=2e-4, err_msg=str(architecture))


@pytest.mark.parametrize("space", [RandWire(7), NASBench101()], ids=lambda space: space.name)
def test_isomorphic_architectures_have_the_same_features(space, relabel):
    rng = np.random.default_rng(0)
    features = OperationFeatures(space)
    batch = space.sample_batch(rng, 200)
    if space.terminal is not None:  # a cell's output stays last only if every other node leads to it
        batch = space.active_batch(batch)
    changed = [relabel(architecture, rng) for architecture in batch]
    assert sum(a != b for a, b in zip(batch, changed, strict=True)) > 15
    again = features(ArchitectureBatch.from_architectures(changed, space.max_nodes))
    np.testing.assert_allclose(features(batch), again, atol=1e-5)


def test_features_do_not_depend_on_the_rest_of_the_batch():
    space = NASBench101()
    features = OperationFeatures(space)
    batch = space.sample_batch(np.random.default_rng(0), 2000)
    rows = features(batch)
    for k in (0, 17, 1999):
        np.testing.assert_allclose(rows[k], features(batch[[k]])[0], atol=1e-5)


def test_a_cell_without_a_path():
    space = NASBench201()
    features = OperationFeatures(space)
    empty = Architecture(np.zeros((4, 4), np.int8))
    row = features(ArchitectureBatch.from_architectures([empty]))[0]
    by_name = dict(zip(features.names, row, strict=True))
    assert by_name["shortest through nothing"] == features._beyond
    assert by_name["nodes"] == by_name["edges"] == by_name["mean path"] == 0
    assert np.isfinite(row).all()


def test_operations_of_a_space_are_what_it_lets_one_choose():
    names = {space.name: [space.node_labelled_ops[k] for k in space.operation_labels] for space in SPACES}
    assert names["nasbench101"] == ["conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"]
    assert names["nasbench201"] == ["skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
    assert names["gemnet"] == ["conv1x1", "sepconv3x3"]
    assert len(names["randwire"]) == 1


def test_flow_graphs_have_one_input_and_one_output():
    space = GEMNet(6)
    batch = space.active_batch(space.sample_batch(np.random.default_rng(0), 50))
    graphs = flow_graphs(batch, space.operation_labels)
    inner = graphs.inner[1:-1]
    assert (graphs.edges.any(0)[1:-1] == inner).all()  # whoever is there has an input
    assert (graphs.edges.any(1)[1:-1] == inner).all()  # and an output
    assert not graphs.edges[:, 0].any()
    assert not graphs.edges[-1].any()
    assert (graphs.operations.sum(1) == graphs.inner).all()
