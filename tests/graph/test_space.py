"""GraphSpace's defaults, on spaces small enough to be walked through by hand."""

from __future__ import annotations

import itertools
import pickle
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from torch import nn

from graphnas import Architecture, ArchitectureBatch, GraphSpace
from graphnas.errors import InvalidArchitecture, InvalidArgument, SpaceExhausted
from graphnas.graph import canonical_key


class Toy(GraphSpace):
    """Four nodes between an input and an output; the output must be fed, and 0 -> 3 is not on offer."""

    name = "toy"
    node_ops = ("input", "conv", "pool", "output")
    max_nodes = 4

    def node_choices(self, node: int) -> Sequence[int]:
        return {0: [0], 3: [3]}.get(node, [1, 2])

    def edge_choices(self, source: int, target: int) -> Sequence[int]:
        return [0] if (source, target) == (0, 3) else [0, 1]

    def check(self, architecture: Architecture) -> None:
        if architecture.num_nodes != 4:
            raise InvalidArchitecture(f"toy: expected 4 nodes, got {architecture.num_nodes}")
        if not architecture.adjacency[:, 3].any():
            raise InvalidArchitecture("toy: nothing feeds the output")

    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> nn.Module:
        return nn.Linear(1, num_classes)


class EdgeToy(GraphSpace):
    """Three nodes, operations on edges."""

    name = "edges"
    edge_ops = ("none", "skip", "conv")
    max_nodes = 3

    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> nn.Module:
        return nn.Linear(1, num_classes)


class Impossible(Toy):
    """Nothing satisfies its rule."""

    def check(self, architecture: Architecture) -> None:
        raise InvalidArchitecture("never")


class Rigid(Toy):
    """One architecture, hence no parameters."""

    def node_choices(self, node: int) -> Sequence[int]:
        return [[0], [1], [2], [3]][node]

    def edge_choices(self, source: int, target: int) -> Sequence[int]:
        return [1] if target == source + 1 else [0]


def by_hand() -> list[Architecture]:
    """All members of Toy, without using any of GraphSpace."""
    members = []
    for a, b in itertools.product((1, 2), repeat=2):
        for e01, e02, e12, e13, e23 in itertools.product((0, 1), repeat=5):
            if e13 or e23:
                matrix = [[0, e01, e02, 0], [0, 0, e12, e13], [0, 0, 0, e23], [0, 0, 0, 0]]
                members.append(Architecture(matrix, [0, a, b, 3]))
    return members


MEMBERS = by_hand()


def test_enumerate_gives_every_member_once():
    space = Toy()
    found = list(space.enumerate())
    assert len(found) == len(set(found)) == 96
    assert set(found) == set(MEMBERS)
    assert found == list(Toy().enumerate())
    assert len(list(EdgeToy().enumerate())) == 27
    assert space.size() is None


def test_parameters_are_readable_and_make_a_round_trip():
    space = Toy()
    assert space.parameters() == {
        "toy/op_1": ("conv", "pool"),
        "toy/edge_0_1": (False, True),
        "toy/op_2": ("conv", "pool"),
        "toy/edge_0_2": (False, True),
        "toy/edge_1_2": (False, True),
        "toy/edge_1_3": (False, True),
        "toy/edge_2_3": (False, True),
    }
    for architecture in MEMBERS:
        parameters = space.to_parameters(architecture)
        assert list(parameters) == list(space.parameters())
        assert all(type(value) in (str, bool) for value in parameters.values())
        assert space.from_parameters({**parameters, "learning_rate": 0.1}) == architecture
    edges = EdgeToy()
    assert edges.parameters()["edges/edge_0_1"] == ("none", "skip", "conv")
    for architecture in edges.enumerate():
        assert edges.from_parameters(edges.to_parameters(architecture)) == architecture


def test_from_parameters_says_what_is_wrong():
    space = Toy()
    good = space.to_parameters(MEMBERS[0])
    with pytest.raises(InvalidArchitecture, match="parameter 'toy/op_2' is missing"):
        space.from_parameters({name: value for name, value in good.items() if name != "toy/op_2"})
    with pytest.raises(InvalidArchitecture, match=r"toy/op_1 = 'lstm' is not one of \('conv', 'pool'\)"):
        space.from_parameters({**good, "toy/op_1": "lstm"})
    with pytest.raises(InvalidArchitecture, match="nothing feeds the output"):
        space.from_parameters({**good, "toy/edge_1_3": False, "toy/edge_2_3": False})


FED = np.diag([1, 1, 1], 1)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("toy", "expected an Architecture, got str"),
        (Architecture(np.zeros((5, 5))), "toy: 5 nodes, at most 4 are allowed"),
        (Architecture(FED, [0, 1, 9, 3]), r"toy: node label 9 is not one of 0..3 \('input', 'conv'"),
        (Architecture(FED * 2, [0, 1, 1, 3]), r"toy: edge label 2 is not one of 0..1 \('none', 'edge'\)"),
        (Architecture(FED, [0, 3, 1, 3]), "toy: node 1 is 'output', allowed: conv, pool"),
        (Architecture(FED, [1, 1, 1, 3]), "toy: node 0 is 'conv', allowed: input"),
        (Architecture(FED + np.eye(4, k=3), [0, 1, 1, 3]), "toy: edge 0 -> 3 is 'edge', allowed: none"),
        (Architecture(np.diag([1, 1, 0], 1), [0, 1, 1, 3]), "toy: nothing feeds the output"),
        (Architecture(np.diag([1, 1], 1), [0, 1, 1]), "toy: expected 4 nodes, got 3"),
    ],
)
def test_validate_says_which_rule_broke(architecture, message):
    space = Toy()
    with pytest.raises(InvalidArchitecture, match=message):
        space.validate(architecture)
    assert not space.is_valid(architecture)
    rng = np.random.default_rng(0)
    for refused in (space.to_parameters, space.neighbors, lambda a: space.mutate(a, rng)):
        with pytest.raises(InvalidArchitecture, match=message):
            refused(architecture)


def test_a_rule_that_admits_smaller_graphs_does_not_break_the_parameters():
    small = Architecture([[0, 1], [0, 0]])
    assert EdgeToy().is_valid(small)
    with pytest.raises(InvalidArchitecture, match="parameters describe 3 nodes, got 2"):
        EdgeToy().to_parameters(small)
    with pytest.raises(InvalidArchitecture, match="parameters describe 3 nodes, got 2"):
        EdgeToy().neighbors(small)


def differences(a: Architecture, b: Architecture) -> int:
    return int((a.adjacency != b.adjacency).sum() + (a.operations != b.operations).sum())


@pytest.mark.parametrize("space", [Toy(), EdgeToy()], ids=["toy", "edges"])
def test_neighbors_are_all_members_at_distance_one(space):
    members = list(space.enumerate())
    for architecture in members:
        neighbors = space.neighbors(architecture)
        assert len(neighbors) == len(set(neighbors))
        assert set(neighbors) == {other for other in members if differences(architecture, other) == 1}


def test_mutations_are_neighbors_and_reach_all_of_them():
    space, rng = Toy(), np.random.default_rng(1)
    for architecture in MEMBERS[::7]:
        mutated = {space.mutate(architecture, rng) for _ in range(300)}
        assert mutated == set(space.neighbors(architecture))


def test_samples_are_uniform_over_the_members():
    space, rng = Toy(), np.random.default_rng(2)
    counts = Counter(space.sample(rng) for _ in range(9600))
    assert set(counts) == set(MEMBERS)
    chi_squared = sum((count - 100) ** 2 / 100 for count in counts.values())
    assert chi_squared < 150  # 95 degrees of freedom: exceeded with probability 0.0003
    batch = space.sample_batch(np.random.default_rng(3), 50)
    assert isinstance(batch, ArchitectureBatch)
    assert all(space.is_valid(architecture) for architecture in batch)
    with pytest.raises(InvalidArgument, match="size must be at least 1, got 0"):
        space.sample_batch(rng, 0)


def test_the_same_seed_gives_the_same_architectures():
    def walk(space: GraphSpace) -> list[Architecture]:
        rng = np.random.default_rng(4)
        start = space.sample(rng)
        return [start, *(space.mutate(start, rng) for _ in range(20)), *space.sample_batch(rng, 5)]

    used = Toy()
    walk(used)
    assert walk(used) == walk(Toy()) == walk(pickle.loads(pickle.dumps(used)))


def test_rules_that_nothing_satisfies_end_in_an_error():
    with pytest.raises(SpaceExhausted, match="toy: the rule refuses every combination"):
        Impossible().sample(np.random.default_rng(0))
    assert list(Impossible().enumerate()) == []


def test_a_space_without_a_choice():
    space, rng = Rigid(), np.random.default_rng(0)
    only = Architecture(FED, [0, 1, 2, 3])
    assert list(space.enumerate()) == [only] == [space.sample(rng)]
    assert space.parameters() == {}
    assert space.from_parameters({}) == only
    assert space.neighbors(only) == []
    with pytest.raises(SpaceExhausted, match="no valid change of up to 4 parameters"):
        space.mutate(only, rng)


def test_from_matrix_takes_names_or_labels():
    space = Toy()
    expected = Architecture(FED, [0, 1, 2, 3])
    assert space.from_matrix(FED, ["input", "conv", "pool", "output"]) == expected
    assert space.from_matrix(FED, [0, 1, 2, 3]) == expected
    assert EdgeToy().from_matrix([[0, 1, 2], [0, 0, 0], [0, 0, 0]]).num_edges == 2
    with pytest.raises(InvalidArchitecture, match="operation 'lstm' is not one of"):
        space.from_matrix(FED, ["input", "conv", "lstm", "output"])
    with pytest.raises(InvalidArchitecture, match="nothing feeds the output"):
        space.from_matrix(np.zeros((4, 4)), ["input", "conv", "pool", "output"])


def test_key_is_that_of_the_graph_up_to_isomorphism():
    space = Toy()
    a = Architecture([[0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]], [0, 1, 1, 3])
    b = Architecture([[0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]], [0, 1, 1, 3])
    assert a != b
    assert space.key(a) == space.key(b) == canonical_key(a)
    assert len({space.key(architecture) for architecture in MEMBERS}) < len(MEMBERS)


# ---------------------------------------------------------------- operations moved to nodes


def test_edges_become_nodes():
    space = EdgeToy()
    assert space.node_labelled_ops == ("input", "skip", "conv", "output")
    path = Architecture([[0, 1, 2], [0, 0, 1], [0, 0, 0]])
    moved = space.to_node_labelled(path)
    # In order of target and source: 0 -> 1 (skip), 0 -> 2 (conv), 1 -> 2 (skip).
    assert moved.operations.tolist() == [0, 1, 2, 1, 3]
    assert moved.labelled_edges() == [(0, 1, 1), (0, 2, 1), (1, 3, 1), (2, 4, 1), (3, 4, 1)]
    assert space.to_node_labelled(Architecture(np.zeros((3, 3)))) == Architecture(np.zeros((2, 2)), [0, 3])


def test_paths_keep_their_operations():
    """The node-labelled form has the same sequences of operations from input to output."""

    def edge_paths(a: Architecture, node: int = 0) -> list[tuple[int, ...]]:
        if node == a.num_nodes - 1:
            return [()]
        steps = [(j, int(a.adjacency[node, j])) for j in range(a.num_nodes) if a.adjacency[node, j]]
        return [(label, *rest) for j, label in steps for rest in edge_paths(a, j)]

    def node_paths(a: Architecture, node: int = 0) -> list[tuple[int, ...]]:
        if node == a.num_nodes - 1:
            return [()]
        following = np.flatnonzero(a.adjacency[node]).tolist()
        return [
            ((int(a.operations[j]),) if j < a.num_nodes - 1 else ()) + rest
            for j in following
            for rest in node_paths(a, j)
        ]

    space = EdgeToy()
    for architecture in space.enumerate():
        moved = space.to_node_labelled(architecture)
        assert sorted(node_paths(moved)) == sorted(edge_paths(architecture))


def test_spaces_with_operations_on_nodes_stay_as_they_are():
    assert Toy().to_node_labelled(MEMBERS[5]) is MEMBERS[5]
    assert Toy().node_labelled_ops == Toy.node_ops
