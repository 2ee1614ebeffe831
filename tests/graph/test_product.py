"""ProductSpace: one architecture of named parts, and spaces that label nodes and edges."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from torch import nn

from graphnas import Architecture, ArchitectureBatch, GraphSpace, ProductSpace
from graphnas.errors import InvalidArchitecture, InvalidArgument, SpaceExhausted
from graphnas.graph import OperationFeatures, WeisfeilerLehman
from search_spaces import ENASMacro, GEMNet, NASBench101, NASBench201, RandWire


class Both(GraphSpace):
    """Operations on two inner nodes and on all edges."""

    name = "both"
    node_ops = ("input", "add", "concat", "output")
    edge_ops = ("none", "conv", "pool")
    max_nodes = 4

    def node_choices(self, node: int) -> Sequence[int]:
        return {0: (0,), 3: (3,)}.get(node, (1, 2))

    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> nn.Module:
        return nn.Linear(architecture.num_edges, num_classes)


class Tree(GraphSpace):
    """Rooted trees of five nodes: a rule that few graphs fulfil."""

    name = "tree"
    node_ops = ("root", "conv", "pool")
    max_nodes = 5

    def node_choices(self, node: int) -> Sequence[int]:
        return (0,) if node == 0 else (1, 2)

    def check(self, architecture: Architecture) -> None:
        if (np.count_nonzero(architecture.adjacency, axis=0)[1:] != 1).any():
            raise InvalidArchitecture(f"{self.name}: every node but the root has one input")

    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> nn.Module:
        return nn.Linear(architecture.num_edges, num_classes)


SPACES = {
    "nodes": lambda: ProductSpace(encoder=GEMNet(5), decoder=GEMNet(4, operations=("conv3x3",))),
    "mixed": lambda: ProductSpace(encoder=GEMNet(5), cell=NASBench201(), small=NASBench101()),
    "edges": lambda: ProductSpace(a=NASBench201(), b=NASBench201(identity="graph")),
    "both": lambda: ProductSpace(both=Both(), macro=ENASMacro(3), stages=RandWire(4, stages=2)),
    "nested": lambda: ProductSpace(
        cells=ProductSpace(normal=NASBench201(), reduce=Both()), macro=GEMNet(4), tree=Tree()
    ),
    "one": lambda: ProductSpace(decoder=GEMNet(4)),
}


@pytest.fixture(params=SPACES)
def space(request) -> ProductSpace:
    return SPACES[request.param]()


def test_parts_are_those_of_their_spaces(space):
    rng = np.random.default_rng(0)
    for architecture in [space.sample(rng), *space.sample_batch(rng, 20)]:
        space.validate(architecture)
        parts = space.parts(architecture)
        assert list(parts) == list(space.spaces)
        for part, own in parts.items():
            space.spaces[part].validate(own)
        assert space.join(parts) == space.join(**parts) == architecture
        # A table of the labels says the same.
        start = 0
        for part, own in parts.items():
            n = own.num_nodes
            block = architecture.adjacency[start : start + n, start : start + n]
            names = [space.node_ops[k] for k in architecture.operations[start : start + n]]
            assert names == [f"{part}:{space.spaces[part].node_ops[k]}" for k in own.operations]
            for label, named in zip(own.adjacency[own.adjacency > 0], block[block > 0], strict=True):
                expected = space.spaces[part].edge_ops[label]
                assert space.edge_ops[named] in (f"{part}:{expected}", "edge")
            start += n
        assert architecture.num_edges == sum(own.num_edges for own in parts.values())


def test_parameters_are_those_of_the_parts(space):
    own = [(part, name) for part, inner in space.spaces.items() for name in inner.parameters()]
    names = list(space.parameters())
    assert len(names) == len(set(names)) == len(own)
    architecture = space.sample(np.random.default_rng(1))
    values = space.to_parameters(architecture)
    parts = space.parts(architecture)
    for (part, name), (shown, value) in zip(own, values.items(), strict=True):
        inner = space.spaces[part]
        assert shown == f"{part}/{name.removeprefix(inner.name + '/')}"
        assert value == inner.to_parameters(parts[part])[name]
        assert space.parameters()[shown] == inner.parameters()[name]
    assert space.from_parameters({**values, "lr": 0.1, "encoder/lr": 0.2}) == architecture


def test_keys_are_equal_exactly_where_all_parts_have_equal_keys(space):
    batch = space.sample_batch(np.random.default_rng(2), 30)
    keys = space.keys(batch)
    assert keys == [space.key(architecture) for architecture in batch]
    expected = [
        [space.spaces[part].key(own) for part, own in space.parts(architecture).items()]
        for architecture in batch
    ]
    assert [json.loads(key) for key in keys] == expected


def test_what_computes_is_the_union_of_what_computes_in_the_parts(space):
    batch = space.sample_batch(np.random.default_rng(3), 12)
    active = space.active_batch(batch)
    names = space.node_labelled_ops
    for k, architecture in enumerate(batch):
        whole = active.architecture(k)
        parts = {
            part: space.spaces[part].active_batch(ArchitectureBatch.from_architectures([own])).architecture(0)
            for part, own in space.parts(architecture).items()
        }
        expected = [
            f"{part}:{space.spaces[part].node_labelled_ops[label]}"
            for part, own in parts.items()
            for label in own.operations
        ]
        assert [names[label] for label in whole.operations] == expected
        assert whole.num_edges == sum(own.num_edges for own in parts.values())
        moved = space.to_node_labelled(architecture)
        assert {names[label].split(":")[0] for label in moved.operations} == set(space.spaces)
    chosen = {names[label] for label in space.operation_labels}
    assert chosen == {
        f"{part}:{inner.node_labelled_ops[label]}"
        for part, inner in space.spaces.items()
        for label in inner.operation_labels
    }


def test_kernels_tell_the_parts_apart():
    """The same two graphs with their roles exchanged are different architectures to every feature."""
    inner = GEMNet(4)
    space = ProductSpace(encoder=inner, decoder=inner)
    rng = np.random.default_rng(4)
    a, b = inner.sample(rng), inner.sample(rng)
    assert inner.key(a) != inner.key(b)
    batch = ArchitectureBatch.from_architectures(
        [space.join(encoder=a, decoder=b), space.join(encoder=b, decoder=a)]
    )
    kernel = WeisfeilerLehman(1).fit(space.active_batch(batch))
    rows = kernel.transform(space.active_batch(batch)).toarray()
    assert (rows[0] != rows[1]).any()
    features = OperationFeatures(space)(batch)
    assert (features[0] != features[1]).any()
    assert len(set(space.keys(batch))) == 2


def test_changes_touch_one_part_and_reach_all(space):
    rng = np.random.default_rng(5)
    architecture = space.sample(rng)
    neighbors = space.neighbors(architecture)
    assert len(set(neighbors)) == len(neighbors)
    touched = set()
    for neighbor in [*neighbors, *(space.mutate(architecture, rng) for _ in range(60))]:
        before, after = space.parts(architecture), space.parts(neighbor)
        changed = [part for part in before if before[part] != after[part]]
        assert len(changed) == 1
        touched |= set(changed)
    assert touched == {part for part, inner in space.spaces.items() if inner.neighbors(before[part])}


def test_sizes_and_enumeration_multiply():
    space = ProductSpace(a=GEMNet(3, operations=("conv1x1",)), b=GEMNet(2))
    members = list(space.enumerate())
    assert space.size() == len(set(members)) == len(members) == GEMNet(3, operations=("conv1x1",)).size() * 2
    assert all(space.is_valid(member) for member in members)
    assert ProductSpace(a=GEMNet(3), b=Both()).size() is None


# ---------------------------------------------------------------- rules across the parts


def few_edges(parts):
    return sum(part.num_edges for part in parts.values()) <= 6


class Deeper(ProductSpace):
    """The decoder has at least as many edges as the encoder."""

    def check(self, architecture: Architecture) -> None:
        parts = self.parts(architecture)
        if parts["decoder"].num_edges < parts["encoder"].num_edges:
            raise InvalidArchitecture("the decoder has fewer edges than the encoder")


@pytest.mark.parametrize(
    "make",
    [
        lambda: ProductSpace(encoder=GEMNet(4), decoder=NASBench201(), rule=few_edges),
        lambda: Deeper(encoder=GEMNet(4), decoder=GEMNet(4)),
    ],
    ids=["rule", "subclass"],
)
def test_rules_across_the_parts_hold_everywhere(make):
    space, rng = make(), np.random.default_rng(6)
    free = ProductSpace(space.spaces)
    refused = next(a for a in iter(lambda: free.sample(rng), None) if not space.is_valid(a))
    with pytest.raises(InvalidArchitecture, match=r"refuses these parts|fewer edges"):
        space.validate(refused)
    with pytest.raises(InvalidArchitecture):
        space.from_parameters(free.to_parameters(refused))
    drawn = [space.sample(rng), *space.sample_batch(rng, 200)]
    drawn += [space.mutate(drawn[0], rng) for _ in range(30)] + space.neighbors(drawn[0])
    assert all(space.is_valid(architecture) for architecture in drawn)
    assert space.size() is None


def never(parts):
    return False


def test_a_rule_that_accepts_nothing_ends_in_an_error(monkeypatch):
    monkeypatch.setattr("graphnas.graph.product.MAX_TRIES", 20)
    space = ProductSpace(a=GEMNet(3), rule=never)
    for call in (space.sample, lambda rng: space.sample_batch(rng, 3)):
        with pytest.raises(SpaceExhausted, match="accepted none"):
            call(np.random.default_rng(0))


def test_restricted_parts_and_restricted_products():
    cells, rng = NASBench201(), np.random.default_rng(7)
    known = [cells.sample(rng) for _ in range(12)]
    space = ProductSpace(macro=GEMNet(3), cell=cells.restricted_to(known))
    for architecture in [space.sample(rng), *space.sample_batch(rng, 30)]:
        assert space.parts(architecture)["cell"] in known
        child = space.mutate(architecture, rng)
        assert space.parts(child)["cell"] in known
    members = list(space.sample_batch(rng, 10))
    part = space.restricted_to(members)
    assert set(part.enumerate()) == set(members)
    assert part.parts(members[0]) == space.parts(members[0])


# ---------------------------------------------------------------- networks, and making the space again


def two_heads(parts, num_classes, **shape):
    return nn.Linear(sum(part.num_nodes for part in parts.values()), num_classes, **shape)


def test_networks():
    space = ProductSpace(encoder=GEMNet(3), decoder=GEMNet(4))
    architecture = space.sample(np.random.default_rng(8))
    networks = space.build(architecture, 5, stages=1, encoder={"width": 4}, decoder={"width": 6})
    assert list(networks) == ["encoder", "decoder"]
    weights = [next(iter(network.parameters())).shape[0] for network in networks.values()]
    assert weights == [4, 6]
    built = ProductSpace(encoder=GEMNet(3), decoder=GEMNet(4), build=two_heads)
    assert built.build(architecture, 5, bias=False).weight.shape == (5, 7)


@pytest.mark.parametrize("name", SPACES)
def test_arguments_make_the_space_again(name):
    space = SPACES[name]()
    again = ProductSpace(**json.loads(json.dumps(space.arguments())))
    assert repr(again) == repr(space)
    assert again.parameters() == space.parameters() == pickle.loads(pickle.dumps(space)).parameters()
    architecture = space.sample(np.random.default_rng(9))
    assert again.key(architecture) == space.key(architecture)
    ruled = ProductSpace(space.spaces, rule=few_edges, build=two_heads, name="mine")
    again = ProductSpace(**json.loads(json.dumps(ruled.arguments())))
    assert (again.rule, again.builder, again.name) == (few_edges, two_heads, "mine")
    with pytest.raises(InvalidArgument, match="top of a module"):
        ProductSpace(space.spaces, rule=lambda parts: True).arguments()


# ---------------------------------------------------------------- bad input


def test_bad_products():
    with pytest.raises(InvalidArgument, match="at least one part"):
        ProductSpace()
    with pytest.raises(InvalidArgument, match="part 'a' must be a GraphSpace, got int"):
        ProductSpace(a=3)
    for name in ("a/b", "", " a"):
        with pytest.raises(InvalidArgument, match="without slash"):
            ProductSpace({name: GEMNet(3)})
    with pytest.raises(InvalidArgument, match="127"):
        ProductSpace({f"cell{k}": NASBench201() for k in range(32)})
    assert len(ProductSpace({f"cell{k}": NASBench201() for k in range(31)}).edge_ops) == 125


def test_bad_parts():
    space = ProductSpace(encoder=GEMNet(4), cell=NASBench201())
    parts = space.parts(space.sample(np.random.default_rng(10)))
    with pytest.raises(InvalidArchitecture, match="no parts encoder"):
        space.join(encoder=parts["encoder"])
    with pytest.raises(InvalidArchitecture, match="expected 4 nodes, got 3"):
        space.join({**parts, "encoder": Architecture(np.eye(3, k=1, dtype=int), [0, 1, 1])})
    whole = space.join(parts)
    across = whole.adjacency.copy()
    across[1, 6] = 1
    with pytest.raises(InvalidArchitecture, match="edge 1 -> 6 is 'edge', allowed: none"):
        space.validate(Architecture(across, whole.operations))
    unfed = whole.adjacency.copy()
    unfed[0, :4] = 0
    with pytest.raises(InvalidArchitecture, match="encoder: gemnet: node 0 feeds no node"):
        space.validate(Architecture(unfed, whole.operations))


# ---------------------------------------------------------------- operations on nodes and on edges


def test_labelled_edges_become_nodes_between_their_ends():
    space = Both()
    assert space.node_labelled_ops == ("input", "add", "concat", "output", "conv", "pool")
    assert space.operation_labels == (1, 2, 4, 5)
    architecture = Architecture(
        [[0, 1, 0, 2], [0, 0, 0, 2], [0, 0, 0, 0], [0, 0, 0, 0]],
        [0, 1, 2, 3],
    )
    moved = space.to_node_labelled(architecture)
    # Node 0, edge 0 -> 1, node 1, node 2, edges 0 -> 3 and 1 -> 3, node 3.
    assert moved.operations.tolist() == [0, 4, 1, 2, 5, 5, 3]
    assert [edge[:2] for edge in moved.labelled_edges()] == [(0, 1), (0, 4), (1, 2), (2, 5), (4, 6), (5, 6)]


def test_nothing_is_lost_where_edges_become_nodes():
    space = Both()
    batch = space.sample_batch(np.random.default_rng(11), 100)
    moved = space.active_batch(batch)
    assert list(moved) == [space.to_node_labelled(architecture) for architecture in batch]
    for one, other in zip(batch, moved, strict=True):
        count = len(space.node_ops)
        nodes = [k for k, label in enumerate(other.operations) if label < count]
        assert other.operations[nodes].tolist() == one.operations.tolist()
        found = []
        for k in set(range(other.num_nodes)) - set(nodes):
            (source,), (target,) = np.flatnonzero(other.adjacency[:, k]), np.flatnonzero(other.adjacency[k])
            found.append((nodes.index(source), nodes.index(target), int(other.operations[k]) - count + 1))
        assert sorted(found) == one.labelled_edges()
