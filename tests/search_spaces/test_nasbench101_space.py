"""NAS-Bench-101: validity, pruning, identity and hash of all cells, sampling, and the benchmark's network."""

from __future__ import annotations

import time

import networkx as nx
import numpy as np
import pytest
import torch
from nasbench101_rows import needs_table, rows
from torch import nn

from graphnas import Architecture, ArchitectureBatch
from graphnas.errors import InvalidArchitecture, InvalidArgument
from search_spaces import NASBench101, nasbench101_cells
from search_spaces.backbone import node_inputs
from search_spaces.complexity import count_complexity
from search_spaces.nasbench101_network import Cell, inner_channels

CONV3, CONV1, POOL = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"


def cell(edges: list[tuple[int, int]], *operations: str) -> Architecture:
    adjacency = np.zeros((len(operations) + 2,) * 2, int)
    for source, target in edges:
        adjacency[source, target] = 1
    return NASBench101().from_matrix(adjacency, ["input", *operations, "output"])


def table_cells(numbers: np.ndarray) -> list[Architecture]:
    data = rows()
    batch = ArchitectureBatch.from_arrays(
        *(data[name][numbers] for name in ("adjacency", "operations", "num_nodes"))
    )
    return batch.to_architectures()


def random_graph(rng: np.random.Generator, nodes: int) -> Architecture:
    """Anything with an input, an output and operations between, in the space or not."""
    adjacency = np.triu(rng.random((nodes, nodes)) < rng.uniform(0.2, 0.8), 1)
    return Architecture(adjacency.astype(int), [0, *rng.integers(1, 4, size=nodes - 2), 4])


def slow_alive(architecture: Architecture) -> list[int]:
    """The nodes on some path from input to output, path by path."""
    graph, last = architecture.to_networkx(), architecture.num_nodes - 1
    return sorted({node for path in nx.all_simple_paths(graph, 0, last) for node in path})


def slow_valid(architecture: Architecture) -> bool:
    alive = slow_alive(architecture)
    return len(alive) > 0 and 0 < architecture.adjacency[np.ix_(alive, alive)].sum() <= 9


# ---------------------------------------------------------------- validity and pruning


def test_validity_and_pruning_are_the_benchmarks():
    space, rng = NASBench101(), np.random.default_rng(0)
    valid = 0
    for k in range(600):
        architecture = random_graph(rng, 2 + k % 6)
        assert space.is_valid(architecture) == slow_valid(architecture)
        if space.is_valid(architecture):
            valid += 1
            pruned = space.prune(architecture)
            assert pruned == architecture.subgraph(slow_alive(architecture))
            assert space.prune(space.completed(architecture)) == pruned
            assert space.key(pruned) == space.key(architecture)
    assert 100 < valid < 550


def test_more_than_nine_edges_are_allowed_where_pruning_removes_them():
    edges = [(0, 1), (1, 6), (0, 6)]
    dead_ends = [(0, 2), (0, 3), (0, 4), (0, 5), (1, 2), (1, 3), (2, 3), (4, 5)]
    architecture = cell(edges + dead_ends, CONV3, POOL, POOL, POOL, POOL)
    assert architecture.num_edges == 11
    assert NASBench101().key(architecture) == NASBench101().key(cell([(0, 1), (1, 2), (0, 2)], CONV3))


@pytest.mark.parametrize(
    ("adjacency", "operations", "message"),
    [
        (np.triu(np.ones((7, 7), int), 1), [0, 1, 1, 1, 1, 1, 4], "21 edges.*at most 9"),
        (np.triu(np.ones((5, 5), int), 1), [0, 1, 1, 1, 4], "10 edges.*at most 9"),
        ([[0, 1, 0], [0, 0, 0], [0, 0, 0]], [0, 1, 4], "no path"),
        (np.triu(np.ones((8, 8), int), 1), [0, 1, 1, 1, 1, 1, 1, 4], "8 nodes, at most 7"),
        ([[0]], [0], "1 node, at least 2"),
        ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [1, 1, 4], "node 0 of 3 is 'conv3x3-bn-relu', allowed: input"),
        ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [0, 4, 4], "node 1 of 3 is 'output', allowed: conv3x3-bn-relu, "),
        ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [0, 1, 1], "node 2 of 3 .* allowed: output"),
        ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [0, 9, 4], "node 1 of 3 is label 9"),
        ([[0, 2], [0, 0]], [0, 4], "edge label 2"),
    ],
)
def test_what_is_refused(adjacency, operations, message):
    space = NASBench101()
    architecture = Architecture(adjacency, operations)
    for call in (space.validate, space.key, space.prune, space.neighbors, space.complexity):
        with pytest.raises(InvalidArchitecture, match=message):
            call(architecture)
    good = cell([(0, 1), (1, 2)], CONV1)
    with pytest.raises(InvalidArchitecture, match=message):
        space.keys(ArchitectureBatch.from_architectures([good, architecture], 8))


# ---------------------------------------------------------------- identity


def test_single_keys_equal_the_vectorised_ones():
    space, rng = NASBench101(), np.random.default_rng(1)
    architectures = [*space.sample_batch(rng, 300)]
    architectures += [a for a in (random_graph(rng, 2 + k % 6) for k in range(300)) if space.is_valid(a)]
    keys = [space.key(a) for a in architectures]
    assert space.keys(architectures) == keys
    assert space.keys(ArchitectureBatch.from_architectures(architectures, 9)) == keys
    assert space.keys([]) == []


def test_key_is_isomorphism_of_pruned_cells():
    space, rng = NASBench101(), np.random.default_rng(2)
    graphs = []
    for _ in range(120):
        small = random_graph(rng, int(rng.integers(4, 6)))
        if space.is_valid(small):
            graphs.append((space.key(small), space.prune(small).to_networkx()))
    same = nx.algorithms.isomorphism.categorical_node_match("operation", 0)
    equal = 0
    for k, (key, one) in enumerate(graphs):
        for other_key, other in graphs[:k]:
            equal += key == other_key
            assert (key == other_key) == nx.is_isomorphic(one, other, same)
    assert equal > 20


def test_the_rules_alone_give_the_published_number_of_cells():
    space = NASBench101()
    sizes = [0] * 8
    seen = set()
    for adjacency, operations in nasbench101_cells.enumerate_cells():
        sizes[len(operations)] += 1
        if len(operations) < 6:
            architecture = Architecture(adjacency, operations)
            assert space.prune(architecture) == architecture
            seen.add(space.key(architecture))
    assert np.cumsum(sizes)[3:].tolist() == [7, 91, 2532, 64542, 423624]
    assert len(seen) == 2532
    assert space.size() == 423624
    assert next(iter(space.enumerate())) == cell([(0, 1)])


@needs_table
def test_keys_of_all_cells_group_as_the_tables_hashes():
    data, space = rows(), NASBench101()
    batch = ArchitectureBatch.from_arrays(data["adjacency"], data["operations"], data["num_nodes"])
    started = time.process_time()
    keys = space.keys(batch)
    assert time.process_time() - started < 30
    # Every hash of the table is different, and so must the keys be; then both group in the same way.
    assert len(np.unique(data["md5"], axis=0)) == len(set(keys)) == 423624
    adjacency, operations = nasbench101_cells.complete(
        data["adjacency"], data["operations"], data["num_nodes"]
    )
    moved, labels = shuffled(adjacency, operations, np.random.default_rng(3))
    assert (moved != adjacency).any((1, 2)).mean() > 0.3
    assert space.keys(ArchitectureBatch.from_arrays(moved, labels)) == keys


def shuffled(
    adjacency: np.ndarray, operations: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Every complete cell with its inner nodes in another random topological order."""
    count = len(adjacency)
    priority = rng.random((count, 7))
    order = np.zeros((count, 7), int)
    placed = np.zeros((count, 7), bool)
    every = np.arange(count)
    for place in range(7):
        waiting = (adjacency.astype(bool) & ~placed[:, :, None]).any(1) | placed
        waiting[:, 0] |= place > 0
        waiting[:, 6] |= place < 6
        if place == 0:
            waiting[:, 1:] = True
        order[:, place] = np.where(waiting, -1, priority).argmax(1)
        placed[every, order[:, place]] = True
    moved = adjacency[every[:, None, None], order[:, :, None], order[:, None, :]]
    return moved, operations[every[:, None], order]


@needs_table
def test_hashes_are_the_benchmarks():
    data, space, rng = rows(), NASBench101(), np.random.default_rng(4)
    numbers = np.concatenate([rng.integers(423624, size=1000), np.flatnonzero(data["num_nodes"] < 5)])
    for number, architecture in zip(numbers, table_cells(numbers), strict=True):
        assert space.md5_hash(architecture) == data["md5"][number].tobytes().hex()


def test_the_hash_does_not_depend_on_how_a_cell_is_written():
    space = NASBench101()
    one = cell([(0, 1), (0, 2), (1, 3), (2, 3)], CONV3, POOL)
    other = cell([(0, 1), (0, 2), (1, 3), (2, 3)], POOL, CONV3)
    assert space.md5_hash(one) == space.md5_hash(other) == space.md5_hash(space.completed(other))
    assert len(space.md5_hash(one)) == 32
    assert space.md5_hash(one) != space.md5_hash(cell([(0, 1), (0, 2), (1, 3), (2, 3)], CONV1, POOL))


# ---------------------------------------------------------------- parameters, neighbors, samples


def test_smaller_cells_are_completed_for_the_host():
    space, rng = NASBench101(), np.random.default_rng(5)
    names = list(space.parameters())
    assert len(names) == 21 + 5
    assert space.parameters()["nasbench101/edge_0_6"] == (False, True)
    assert space.parameters()["nasbench101/op_5"] == (CONV3, CONV1, POOL)
    small = cell([(0, 1), (1, 2)], POOL)
    values = space.to_parameters(small)
    assert [name for name in names if values[name] is True] == [
        "nasbench101/edge_0_1",
        "nasbench101/edge_1_6",
    ]
    assert values["nasbench101/op_1"] == POOL
    assert values["nasbench101/op_4"] == CONV3
    for k in range(100):
        architecture = random_graph(rng, 2 + k % 6)
        if space.is_valid(architecture):
            again = space.from_parameters(space.to_parameters(architecture))
            assert again == space.completed(architecture)
            assert space.key(again) == space.key(architecture)
            assert space.md5_hash(again) == space.md5_hash(architecture)
            assert space.complexity(again) == space.complexity(architecture)


def test_neighbors_equal_brute_force():
    space, rng = NASBench101(), np.random.default_rng(6)
    cases = [
        cell([(0, 1)]),
        cell([(0, 1), (1, 2)], POOL),
        cell([(0, 1), (0, 2), (1, 3), (2, 3)], CONV1, POOL),
    ]
    cases += [*space.sample_batch(rng, 5)]
    for architecture in cases:
        complete = space.completed(architecture)
        expected = set()
        for i in range(7):
            for j in range(i + 1, 7):
                adjacency = complete.adjacency.copy()
                adjacency[i, j] = 1 - adjacency[i, j]
                expected.add(Architecture(adjacency, complete.operations))
        for node in range(1, 6):
            for label in (1, 2, 3):
                operations = complete.operations.copy()
                operations[node] = label
                expected.add(Architecture(complete.adjacency, operations))
        expected = {a for a in expected if a != complete and slow_valid(a)}
        neighbors = space.neighbors(architecture)
        assert len(neighbors) == len(expected)
        assert set(neighbors) == expected
        for _ in range(5):
            assert space.mutate(architecture, rng) in expected


def test_samples_are_uniform_over_the_valid_encodings():
    """Sizes of the pruned cells, against the exact shares among all 2^21 sets of edges."""
    exact = np.zeros(8)
    sources, targets = np.triu_indices(7, 1)
    for start in range(0, 2**21, 2**18):
        numbers = np.arange(start, start + 2**18)
        adjacency = np.zeros((len(numbers), 7, 7), np.int8)
        adjacency[:, sources, targets] = numbers[:, None] >> np.arange(21) & 1
        pruned = nasbench101_cells.prune(adjacency, np.ones((len(numbers), 7), np.int16))
        sizes = 2 + (pruned.labels[pruned.valid] > 0).sum(1)
        exact += np.bincount(sizes, minlength=8)
    exact /= exact.sum()
    space = NASBench101()
    started = time.process_time()
    batch = space.sample_batch(np.random.default_rng(7), 50_000)
    assert time.process_time() - started < 5
    found = np.bincount(space.active_batch(batch).num_nodes.numpy(), minlength=8) / 50_000
    assert np.abs(found - exact).max() < 0.01
    operations = batch.to_arrays()[1][:, 1:-1]
    assert all(abs((operations == label).mean() - 1 / 3) < 0.01 for label in (1, 2, 3))
    assert len(space.keys(batch)) == 50_000  # which validates all of them


# ---------------------------------------------------------------- the network


@needs_table
def test_parameters_and_macs_of_all_cells_equal_the_table():
    data = rows()
    complete = nasbench101_cells.complete(data["adjacency"], data["operations"], data["num_nodes"])
    parameters, macs = nasbench101_cells.complexity(nasbench101_cells.prune(*complete))
    assert np.array_equal(parameters, data["params"])
    assert np.array_equal(macs, data["macs"])


@needs_table
def test_modules_have_the_tables_parameters_and_macs():
    data, space = rows(), NASBench101()
    numbers = np.random.default_rng(8).integers(423624, size=15)
    for number, architecture in zip(numbers, table_cells(numbers), strict=True):
        counted = count_complexity(lambda a=architecture: space.build(a, 10), (3, 32, 32))
        assert counted == (data["params"][number], data["macs"][number])


def test_closed_form_equals_the_modules():
    space = NASBench101()
    cells = [cell([(0, 1)]), *space.sample_batch(np.random.default_rng(9), 10)]
    for k, architecture in enumerate(cells):
        classes, side = ((10, 32), (100, 30), (7, 9))[k % 3]
        counted = count_complexity(lambda a=architecture, c=classes: space.build(a, c), (3, side, side))
        assert counted == space.complexity(architecture, classes, side)


def cell_module(architecture: Architecture, in_channels: int, out_channels: int) -> Cell:
    names = [NASBench101.node_ops[label] for label in architecture.operations]
    return Cell(node_inputs(architecture.adjacency), names, in_channels, out_channels)


def test_channels_are_shared_as_the_benchmark_does():
    # 1 feeds 3 and 4, which with 2 feed the output: 128 = 43 + 43 + 42.
    edges = [(0, 1), (1, 3), (1, 4), (0, 2), (2, 5), (3, 5), (4, 5)]
    architecture = cell(edges, CONV3, CONV3, POOL, CONV1)
    assert inner_channels(node_inputs(architecture.adjacency), 128) == [128, 43, 43, 43, 42, 128]
    pruned = NASBench101().pruned_cells([architecture])
    assert nasbench101_cells.vertex_channels(pruned, 128).tolist() == [[43, 43, 43, 42, 0]]
    module = cell_module(architecture, 64, 128)
    assert sorted(module.projections) == ["1", "2"]
    assert module.operations["4"][0].in_channels == 42  # the first 42 channels of node 1
    rng = np.random.default_rng(10)
    for architecture in NASBench101().sample_batch(rng, 100):
        pruned = NASBench101().prune(architecture)
        expected = inner_channels(node_inputs(pruned.adjacency), 64)[1:-1]
        batch = NASBench101().pruned_cells([pruned])
        assert nasbench101_cells.vertex_channels(batch, 64)[0].tolist()[: len(expected)] == expected


def test_the_forward_pass_computes_the_graph():
    """With 1x1 convolutions set by hand, the output can be worked out on paper."""
    edges = [(0, 1), (1, 2), (1, 3), (0, 3), (2, 4), (3, 4), (0, 4)]
    architecture = cell(edges, CONV1, POOL, CONV1)
    module = cell_module(architecture, 1, 3).eval()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = 0.0
    with torch.no_grad():
        weight = {name: parameter for name, parameter in module.named_parameters() if parameter.ndim == 4}
        assert {name: tuple(w.shape[:2]) for name, w in weight.items()} == {
            "projections.1.0.weight": (2, 1),
            "projections.3.0.weight": (1, 1),
            "projections.4.0.weight": (3, 1),
            "operations.1.0.weight": (2, 2),
            "operations.3.0.weight": (1, 1),
        }
        weight["projections.1.0.weight"].copy_(torch.tensor([2.0, 3.0]).view(2, 1, 1, 1))
        weight["operations.1.0.weight"].copy_(torch.eye(2).view(2, 2, 1, 1))
        weight["projections.3.0.weight"].fill_(5)
        weight["operations.3.0.weight"].fill_(-1)
        weight["projections.4.0.weight"].copy_(torch.tensor([100.0, 200.0, 300.0]).view(3, 1, 1, 1))
        x = torch.tensor([[[[1.0, 4.0]]]])
        # Node 1 = (2x, 3x), node 2 pools it over both pixels: (8, 12), node 3 = relu(-(first of 1 + 5x)) = 0.
        expected = torch.tensor([[8 + 100.0, 8 + 400.0], [12 + 200.0, 12 + 800.0], [300.0, 1200.0]])
        assert torch.equal(module(x), expected.view(1, 3, 1, 2))
        weight["operations.3.0.weight"].fill_(1)  # node 3 = 2x + 5x
        assert module(x)[0, 2, 0].tolist() == [307.0, 1228.0]


def test_resolution_and_width_of_the_stacks():
    space = NASBench101()
    architecture = cell([(0, 1), (1, 2)], CONV3)
    network = space.build(architecture, 4, channels=4, stacks=4, cells_per_stack=1)
    shapes = [tuple(m.shape[1:]) for m in network.features(torch.zeros(2, 3, 9, 9))]
    assert shapes == [(4, 9, 9), (8, 5, 5), (16, 3, 3), (32, 2, 2)]
    with pytest.raises(InvalidArgument, match=r"stacks.*0"):
        space.build(architecture, 10, stacks=0)
    wide = cell([(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)], POOL, POOL, POOL)
    with pytest.raises(InvalidArgument, match="channels must be at least 3"):
        space.build(wide, 10, channels=2)


def test_fifty_networks_run_forward_and_backward():
    space, rng = NASBench101(), np.random.default_rng(11)
    generator = torch.Generator().manual_seed(0)
    for k, architecture in enumerate(space.sample_batch(rng, 50)):
        side, channels, classes = (8, 9, 12)[k % 3], (5, 8)[k % 2], (2, 10, 100)[k % 3]
        network = space.build(architecture, classes, in_channels=2, channels=channels, cells_per_stack=1)
        logits = network(torch.randn(2, 2, side, side, generator=generator))
        assert logits.shape == (2, classes)
        logits.square().sum().backward()
        assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())
        assert network.stem[0].weight.grad.any()
