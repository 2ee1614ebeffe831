"""Every search space keeps the contract of GraphSpace."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from space_cases import CASES, hooked_macs, relabelled

from graphnas import Architecture, ArchitectureBatch, GraphSpace, ProductSpace
from graphnas.errors import InvalidArchitecture, InvalidArgument
from search_spaces import GEMNet, NASBench201, TransNASBench101
from search_spaces.complexity import count_complexity


def fingerprint(space: GraphSpace) -> str:
    """A digest of what the space proposes from one seed."""
    batch = space.sample_batch(np.random.default_rng(5), 40)
    rng = np.random.default_rng(7)
    singles = [space.sample(rng) for _ in range(10)]
    children = [space.mutate(a, rng) for a in singles]
    around = space.neighbors(singles[0])
    text = "".join(a.to_json() + space.key(a) for a in [*batch, *singles, *children, *around])
    return hashlib.sha256(text.encode()).hexdigest()


def test_samples_are_valid(space):
    rng = np.random.default_rng(0)
    for _ in range(200):
        space.validate(space.sample(rng))
    batch = space.sample_batch(rng, 200)
    assert len(batch) == 200
    assert batch.max_nodes == space.max_nodes
    for architecture in batch:
        space.validate(architecture)
    assert len({architecture.to_json() for architecture in batch}) > 100


def test_a_batch_has_at_least_one(space):
    with pytest.raises(InvalidArgument, match="0"):
        space.sample_batch(np.random.default_rng(0), 0)


def test_same_seed_same_proposals_in_another_process():
    script = (
        "import json, test_space_contract as t; "
        "print(json.dumps({c.name: t.fingerprint(c.space()) for c in t.CASES}))"
    )
    # Another hash seed: nothing may depend on the order of a set of strings.
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "PYTHONHASHSEED": "123"}
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(run.stdout) == {case.name: fingerprint(case.space()) for case in CASES}


def differing(space: GraphSpace, a: Architecture, b: Architecture) -> int:
    one, other = space.to_parameters(a), space.to_parameters(b)
    return sum(one[name] != other[name] for name in one)


def test_mutations_and_neighbors_differ_in_one_parameter(space):
    rng = np.random.default_rng(1)
    for _ in range(20):
        parent = space.sample(rng)
        child = space.mutate(parent, rng)
        space.validate(child)
        assert differing(space, parent, child) == 1
    neighbors = space.neighbors(parent)
    assert len(set(neighbors)) == len(neighbors) > 0
    assert parent not in neighbors
    assert child in neighbors
    for neighbor in neighbors[:: max(1, len(neighbors) // 20)]:
        space.validate(neighbor)
        assert differing(space, parent, neighbor) == 1


def test_a_batch_is_checked_like_its_architectures(space):
    """Valid and invalid ones, with labels and sizes of every kind."""
    rng = np.random.default_rng(13)
    valid = space.sample_batch(rng, 60)
    adjacency, operations, sizes = (part.copy() for part in valid.to_arrays())
    rows, n = np.arange(60), space.max_nodes
    i, j = (np.sort(rng.permuted(np.tile(np.arange(n), (60, 1)), axis=1)[:, :2], axis=1)).T
    adjacency[rows[:30], i[:30], j[:30]] = rng.integers(len(space.edge_ops) + 1, size=30)
    operations[rows[20:40], i[20:40]] = rng.integers(len(space.node_ops) + 1, size=20)
    adjacency[40:45] = 0  # most rules refuse graphs without edges
    sizes[45:] = rng.integers(1, n + 1, size=15)
    for row, size in enumerate(sizes):
        adjacency[row, size:], adjacency[row, :, size:], operations[row, size:] = 0, 0, 0
    batch = ArchitectureBatch.from_arrays(adjacency, operations, sizes)
    mask = space.valid_batch(batch)
    assert mask.tolist() == [space.is_valid(architecture) for architecture in batch]
    assert 0 < mask.sum() < 60
    wider = ArchitectureBatch.cat([batch, ArchitectureBatch.from_architectures([chain(n + 2)])])
    assert space.valid_batch(wider).tolist() == [*mask.tolist(), False]
    # The rules beyond labels and size, for the graphs that parameters describe.
    allowed = batch[space.layout.check_batch(batch) & (sizes == n)]
    rules = [accepts(space.check, architecture) for architecture in allowed]
    assert space.check_batch(allowed).tolist() == rules


def chain(nodes: int) -> Architecture:
    return Architecture(np.eye(nodes, k=1, dtype=int))


def accepts(check: Callable[[Architecture], None], architecture: Architecture) -> bool:
    try:
        check(architecture)
    except InvalidArchitecture:
        return False
    return True


def test_parameters_round_trip(space):
    choices = space.parameters()
    prefixes = tuple(f"{part}/" for part in getattr(space, "spaces", (space.name,)))
    assert all(name.startswith(prefixes) for name in choices)
    assert all(len(set(values)) == len(values) > 1 for values in choices.values())
    rng = np.random.default_rng(2)
    for _ in range(200):
        architecture = space.sample(rng)
        values = space.to_parameters(architecture)
        assert list(values) == list(choices)
        assert all(values[name] in choices[name] for name in values)
        assert space.from_parameters({**values, "learning_rate": 0.1}) == architecture
    assert space.from_parameters({**nested(values), "learning_rate": 0.1}) == architecture


def nested(values):
    """Names cut at the slash, as Ray Tune does."""
    outer = {}
    for name, value in values.items():
        *path, last = name.split("/")
        inner = outer
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return outer


def test_parameters_that_do_not_fit(space):
    values = space.to_parameters(space.sample(np.random.default_rng(3)))
    name = next(iter(values))
    with pytest.raises(InvalidArchitecture, match=name):
        space.from_parameters({**values, name: "nonsense"})
    with pytest.raises(InvalidArchitecture, match=name):
        space.from_parameters(nested({**values, name: "nonsense"}))
    del values[name]
    with pytest.raises(InvalidArchitecture, match=name):
        space.from_parameters(values)


def test_key_does_not_depend_on_the_order_of_nodes(case):
    space = case.space()
    rng = np.random.default_rng(4)
    moved = changed = 0
    for _ in range(120):
        architecture = space.sample(rng)
        other = relabelled(architecture, rng, keeps_last=case.keeps_last, blocks=case.blocks)
        space.validate(other)
        moved += other != architecture
        changed += space.key(other) != space.key(architecture)
    assert (changed == 0) if case.invariant else (changed > 0)
    assert (moved == 0) if case.rigid else (moved >= 5)


def test_key_tells_different_graphs_apart():
    space = GEMNet(4)
    members: dict[str, list[nx.DiGraph]] = {}
    for architecture in space.enumerate():
        members.setdefault(space.key(architecture), []).append(space.prune(architecture).to_networkx())
    same = nx.algorithms.isomorphism.categorical_node_match("operation", 0)
    for graphs in members.values():
        assert all(nx.is_isomorphic(graphs[0], graph, same) for graph in graphs[1:])
    firsts = [graphs[0] for graphs in members.values()]
    for k, graph in enumerate(firsts):
        for other in firsts[:k]:
            assert not (len(graph) == len(other) and nx.is_isomorphic(graph, other, same))


def test_json_and_pickle_round_trips(space):
    rng = np.random.default_rng(6)
    for _ in range(20):
        architecture = space.sample(rng)
        assert Architecture.from_json(architecture.to_json()) == architecture
    copy = pickle.loads(pickle.dumps(space))
    assert copy.key(architecture) == space.key(architecture)
    assert copy.parameters() == space.parameters()


def test_from_matrix_takes_names(space):
    architecture = space.sample(np.random.default_rng(8))
    names = [space.node_ops[label] for label in architecture.operations]
    assert space.from_matrix(architecture.adjacency, names) == architecture
    with pytest.raises(InvalidArchitecture, match="nonsense"):
        space.from_matrix(architecture.adjacency, ["nonsense", *names[1:]])


def test_networks_train(image_case):
    """Every parameter on a way to the output gets a finite gradient, and most are not zero."""
    space = image_case.space()
    rng = np.random.default_rng(9)
    generator = torch.Generator().manual_seed(0)
    for architecture in [space.sample(rng) for _ in range(6)]:
        network = space.build(architecture, 5, in_channels=2, **image_case.shape)
        images = torch.randn(3, 2, 8, 8, generator=generator)
        logits = network(images)
        assert logits.shape == (3, 5)
        logits.square().sum().backward()
        nonzero = 0
        parameters = {
            name: p for name, p in network.named_parameters() if takes_part(space, architecture, name)
        }
        for name, parameter in parameters.items():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            nonzero += bool(parameter.grad.any())
        assert nonzero >= min(len(parameters) * 0.5, 5)


def takes_part(space: GraphSpace, architecture: Architecture, parameter: str) -> bool:
    """NAS-Bench-201 and TransNAS keep edges whose target does not lead to the output; others have none."""
    if isinstance(space, ProductSpace):
        _, part, own = parameter.split(".", 2)
        return takes_part(space.spaces[part], space.parts(architecture)[part], own)
    if ".edges." not in parameter:
        return True
    target = int(parameter.split(".edges.")[1][2])
    graph = architecture.to_networkx()
    return nx.has_path(graph, target, space.max_nodes - 1)


def test_meta_count_equals_the_real_network(image_case):
    space = image_case.space()
    rng = np.random.default_rng(10)
    for architecture in [space.sample(rng) for _ in range(4)]:
        counted = count_complexity(lambda a=architecture: space.build(a, 7, **image_case.shape), (3, 12, 12))
        network = space.build(architecture, 7, **image_case.shape)
        assert counted.parameters == sum(p.numel() for p in network.parameters())
        assert counted.macs == hooked_macs(network, torch.zeros(1, 3, 12, 12))


def test_strangers_are_refused(case):
    space = case.space()
    stranger = Architecture(np.triu(np.ones((space.max_nodes + 1,) * 2, int), 1))
    for call in (space.validate, space.to_parameters, lambda a: space.build(a, 10, **case.shape)):
        with pytest.raises(InvalidArchitecture, match=str(space.max_nodes)):
            call(stranger)
    with pytest.raises(InvalidArchitecture):
        space.validate("not a graph")
    member = space.sample(np.random.default_rng(11))
    labels = member.operations.copy()
    labels[1] = len(space.node_ops)
    with pytest.raises(InvalidArchitecture, match=str(len(space.node_ops))):
        space.validate(Architecture(member.adjacency, labels))


@pytest.mark.parametrize("make", [NASBench201, TransNASBench101, lambda: GEMNet(5), lambda: GEMNet(2)])
def test_small_spaces_can_be_walked_through(make):
    space = make()
    size = space.size()
    everything = list(space.enumerate())
    assert len(set(everything)) == len(everything) == size
    for architecture in everything[:: 1 + size // 100]:
        space.validate(architecture)
    sampled = set(space.sample_batch(np.random.default_rng(12), 500))
    assert sampled <= set(everything)
