"""Random graphs and parameters fed to every space: a member, or a typed error that names what is wrong."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphnas import Architecture, GraphSpace
from graphnas.errors import InvalidArchitecture, InvalidArgument
from search_spaces import GEMNet, get_space, space_names

SPACES = (*space_names(), "gemnet of 4 nodes")  # a small one is disconnected more often by chance
# NAS-Bench-201 counts cells that output zeros; in RandWire every node without inputs reads the stage's input.
NEVER_CUT = {"transnasbench101", "nasbench201", "randwire"}
bounded = settings(
    max_examples=50,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
seeds = st.integers(0, 2**32 - 1)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
)


@functools.cache
def named(name: str) -> GraphSpace:
    return GEMNet(4) if name.startswith("gemnet of") else get_space(name)


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest) -> GraphSpace:
    return named(request.param)


def attempt(function: Callable[..., Architecture], *arguments: Any) -> Architecture | InvalidArchitecture:
    """The result, or the error if it is the right one; any other error fails the test."""
    try:
        return function(*arguments)
    except InvalidArchitecture as error:
        return error


def assert_member(space: GraphSpace, architecture: Architecture) -> None:
    """What holds for every valid architecture."""
    space.validate(architecture)
    key = space.key(architecture)
    assert isinstance(key, str)
    assert space.key(space.from_parameters(space.to_parameters(architecture))) == key


def feed(space: GraphSpace, adjacency: Any, operations: Any) -> InvalidArchitecture | None:
    """The error with which the space refuses a matrix; None if it accepts it, which is then checked."""
    result = attempt(space.from_matrix, adjacency, operations)
    if isinstance(result, InvalidArchitecture):
        assert str(result)
        return result
    assert_member(space, result)
    return None


# ---------------------------------------------------------------- graphs


@given(
    seed=seeds, change=st.integers(-3, 2), density=st.floats(0, 1), cyclic=st.booleans(), beyond=st.booleans()
)
@bounded
def test_random_matrices(space, seed, change, density, cyclic, beyond):
    """Of every size up to two nodes too many, cyclic or not, with labels that may not exist."""
    rng = np.random.default_rng(seed)
    nodes = max(0, space.max_nodes + change)
    edges = rng.random((nodes, nodes)) < density
    adjacency = edges * rng.integers(1, len(space.edge_ops) + beyond, (nodes, nodes))
    if not cyclic:
        adjacency = np.triu(adjacency, 1)
    labels = rng.integers(0, len(space.node_ops) + beyond, nodes)
    error = feed(space, adjacency, labels.tolist())
    if nodes == 0 or nodes > space.max_nodes:
        assert error is not None
    if np.tril(adjacency).any():
        assert "->" in str(error) or "in 0..127" in str(error)


@given(seed=seeds, data=st.data())
@bounded
def test_members_that_are_damaged(space, seed, data):
    """One thing is wrong, and the error names it."""
    rng = np.random.default_rng(seed)
    member = space.sample(rng)
    adjacency, labels = member.adjacency.astype(int), member.operations.tolist()
    nodes = member.num_nodes
    node = data.draw(st.integers(0, nodes - 1))
    damage = data.draw(
        st.sampled_from(
            ["cycle", "self-loop", "operation", "label", "edge label", "negative", "size", "ragged"]
        )
    )
    if damage == "cycle":
        source, target = (int(k) for k in rng.choice(np.argwhere(adjacency)))
        adjacency[target, source] = 1
        expected = f"{target} -> {source}"
    elif damage == "self-loop":
        adjacency[node, node] = 1
        expected = f"{node} -> {node}"
    elif damage == "operation":
        labels[node] = data.draw(st.text(max_size=5).filter(lambda name: name not in space.node_ops))
        expected = repr(labels[node])
    elif damage == "label":
        labels[node] = len(space.node_ops) + data.draw(st.integers(0, 50_000))
        expected = str(labels[node])
    elif damage == "edge label":
        adjacency[0, nodes - 1] = len(space.edge_ops) + data.draw(st.integers(0, 500))
        expected = str(adjacency[0, nodes - 1])
    elif damage == "negative":
        labels[node] = data.draw(st.integers(max_value=-1, min_value=-(2**63)))
        expected = str(labels[node])
    elif damage == "size":
        labels.append(labels[-1])
        expected = str(nodes)
    else:
        adjacency = [*adjacency.tolist()[:-1], [0]]
        expected = "adjacency"
    error = feed(space, adjacency, labels)
    assert error is not None
    assert expected in str(error)


@given(seed=seeds)
@bounded
def test_a_cut_between_input_and_output(space, seed):
    """Nothing leaves node 0; see :data:`NEVER_CUT` for the spaces that allow it."""
    member = space.sample(np.random.default_rng(seed))
    adjacency = member.adjacency.astype(int)
    adjacency[0] = 0
    error = feed(space, adjacency, member.operations.tolist())
    if space.name in NEVER_CUT:
        assert error is None
    else:
        assert error is not None
        assert space.name in str(error)


@given(
    adjacency=st.one_of(scalars, st.lists(scalars, max_size=4)),
    operations=st.one_of(scalars, st.lists(scalars)),
)
@bounded
def test_what_is_no_matrix(space, adjacency, operations):
    feed(space, adjacency, operations)
    feed(space, space.sample(np.random.default_rng(0)).adjacency, operations)
    with pytest.raises(InvalidArchitecture, match="expected an Architecture"):
        space.validate(adjacency)
    with pytest.raises(InvalidArchitecture, match="expected an Architecture"):
        space.to_parameters(operations)


@given(
    edges=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=14),
    attribute=st.one_of(st.just(1), st.just(0), scalars),
)
@bounded
def test_graphs_of_networkx(edges, attribute):
    graph = nx.DiGraph(edges)
    if edges:
        graph.edges[edges[0]]["label"] = attribute
        graph.nodes[edges[0][0]]["operation"] = attribute
    result = attempt(Architecture.from_networkx, graph)
    if isinstance(result, Architecture):
        assert nx.is_directed_acyclic_graph(graph)
        assert result.num_edges == graph.number_of_edges()
    elif nx.is_directed_acyclic_graph(graph):
        assert not edges or attribute != 1
    else:
        assert "cycle" in str(result)


# ---------------------------------------------------------------- parameters


@given(seed=seeds)
@bounded
def test_random_values(space, seed):
    """Any combination of choices is a member or refused by the rule."""
    rng = np.random.default_rng(seed)
    values = {name: choices[int(rng.integers(len(choices)))] for name, choices in space.parameters().items()}
    result = attempt(space.from_parameters, values)
    if isinstance(result, Architecture):
        assert_member(space, result)
    else:
        assert space.name in str(result)


@given(seed=seeds, data=st.data())
@bounded
def test_parameters_that_are_missing_unknown_or_foreign(space, seed, data):
    member = space.sample(np.random.default_rng(seed))
    choices = space.parameters()
    values: dict[Any, Any] = dict(space.to_parameters(member))
    names = st.sampled_from(sorted(choices))
    missing = data.draw(st.lists(names, max_size=2), label="missing")
    for name in missing:
        values.pop(name, None)
    extra = [f"{space.name}/{text}" for text in data.draw(st.lists(st.text(max_size=6), max_size=2))]
    extra = [name for name in extra if name not in choices]
    values.update(dict.fromkeys(extra, True))
    foreign = data.draw(st.dictionaries(names.filter(values.__contains__), scalars, max_size=2))
    values.update(foreign)
    wrong = [name for name, value in foreign.items() if value not in choices[name]]
    # What has another name is another hyper-parameter of the study.
    values.update({"learning_rate": 0.1, "other/op_1": "conv", None: None, 3: 4, f"{space.name}2/op_1": 5})

    # So has an unknown name under the space's prefix, unless it is one of a space of another size.
    culprits = [*missing, *filter(space.layout.resembles, extra), *wrong]
    result = attempt(space.from_parameters, values)
    if culprits:
        assert isinstance(result, InvalidArchitecture)
        assert any(repr(name)[1:-1] in str(result) for name in culprits)
    elif isinstance(result, Architecture):
        assert_member(space, result)
        assert foreign or space.key(result) == space.key(member)
    else:  # other values of the right kind, which the rule may refuse
        assert foreign


@given(parameters=scalars)
@bounded
def test_what_is_no_mapping(space, parameters):
    with pytest.raises(InvalidArchitecture, match="mapping"):
        space.from_parameters(parameters)


# ---------------------------------------------------------------- text

documents = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
)


@given(operations=documents, edges=documents, version=st.one_of(st.just(1), scalars))
@bounded
def test_documents(operations, edges, version):
    for document in (
        operations,
        {"format": "graphnas.architecture", "version": version, "operations": operations, "edges": edges},
        {"format": "graphnas.architecture", "version": 1, "operations": [0, 0, 0], "edges": edges},
        {"format": "graphnas.architecture", "version": 1, "operations": [operations, 0], "edges": []},
    ):
        for read in (Architecture.from_dict, lambda d: Architecture.from_json(json.dumps(d))):
            result = attempt(read, document)
            if isinstance(result, Architecture):
                assert Architecture.from_dict(result.to_dict()) == result


@pytest.mark.parametrize("name", [name for name in SPACES if hasattr(named(name), "from_string")])
@given(seed=seeds, position=st.integers(0, 200), text=st.text(max_size=10))
@bounded
def test_strings(name, seed, position, text):
    space: Any = named(name)
    good = space.to_string(space.sample(np.random.default_rng(seed)))
    for damaged in (text, good[:position] + text + good[position:], good[:position]):
        result = attempt(space.from_string, damaged)
        if isinstance(result, Architecture):
            assert_member(space, result)
        else:
            assert space.name in str(result)


@given(name=st.text(max_size=12))
@bounded
def test_names_of_spaces(name):
    """A known space, under its name or its class's, or an error that quotes the name."""
    try:
        space = get_space(name)
    except InvalidArgument as error:
        message = str(error)
    else:
        message = f"found {space.name}: {name!r}"
        assert space.name in space_names()
    assert repr(name) in message
