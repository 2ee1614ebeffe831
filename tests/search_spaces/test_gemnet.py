"""GEMNet: dropping, identity, sampling, and the network that is built."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch import nn

from graphnas import Architecture, ArchitectureBatch
from graphnas.errors import InvalidArchitecture, InvalidArgument
from search_spaces import GEMNet
from search_spaces.complexity import count_complexity


def graph(space: GEMNet, edges: list[tuple[int, int]], operations: list[str] | None = None) -> Architecture:
    adjacency = np.zeros((space.max_nodes,) * 2, int)
    for source, target in edges:
        adjacency[source, target] = 1
    names = operations or [space.operations[0]] * (space.max_nodes - 1)
    return space.from_matrix(adjacency, ["input", *names])


def slowly_pruned(adjacency: np.ndarray) -> list[int]:
    """The paper's rule as it is worded: drop nodes without inputs until there are none."""
    kept = set(range(len(adjacency)))
    while True:
        dropped = {j for j in kept if j and not any(adjacency[i, j] for i in kept)}
        if not dropped:
            return sorted(kept)
        kept -= dropped


def test_nodes_without_inputs_are_dropped_recursively():
    space = GEMNet(7)
    # 2 has no input; dropping it leaves 3 without one, and then 5 with that of 1 only; 6 is isolated.
    architecture = graph(space, [(0, 1), (2, 3), (3, 5), (1, 4), (1, 5)])
    pruned = space.prune(architecture)
    assert pruned == architecture.subgraph([0, 1, 4, 5])
    assert space.key(architecture) == space.key(graph(space, [(0, 1), (1, 4), (1, 5)]))
    assert space.key(architecture) != space.key(graph(space, [(0, 1), (1, 4), (4, 5)]))


@pytest.mark.parametrize("nodes", [2, 3, 8, 30])
def test_pruning_equals_the_wording_of_the_paper(nodes):
    space = GEMNet(nodes, edge_probability=(0.0, 0.3))
    batch = space.sample_batch(np.random.default_rng(0), 100)
    active = space.active_batch(batch)
    dropped = 0
    for architecture, fast in zip(batch, active, strict=True):
        kept = slowly_pruned(architecture.adjacency)
        dropped += nodes - len(kept)
        assert space.prune(architecture) == architecture.subgraph(kept) == fast
    assert dropped > 0 or nodes == 2


def test_operations_make_a_difference_only_where_they_are_used():
    space = GEMNet(4)
    edges = [(0, 1), (1, 2)]  # node 3 is dropped
    same = graph(space, edges, ["conv1x1", "conv1x1", "sepconv3x3"])
    assert space.key(same) == space.key(graph(space, edges, ["conv1x1", "conv1x1", "conv1x1"]))
    assert space.key(same) != space.key(graph(space, edges, ["conv1x1", "sepconv3x3", "conv1x1"]))


def test_nothing_but_the_input_is_refused():
    space = GEMNet(4)
    with pytest.raises(InvalidArchitecture, match="nothing but the input"):
        graph(space, [(1, 2), (2, 3)])
    with pytest.raises(InvalidArchitecture, match="expected 4 nodes, got 3"):
        space.validate(Architecture([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [0, 1, 1]))
    with pytest.raises(InvalidArchitecture, match="node 2 is 'input'"):
        space.validate(Architecture(np.triu(np.ones((4, 4), int), 1), [0, 1, 0, 1]))
    with pytest.raises(InvalidArchitecture, match="node 0 is 'conv1x1'"):
        space.validate(Architecture(np.triu(np.ones((4, 4), int), 1), [1, 1, 1, 1]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_nodes": 1}, "num_nodes.*got 1"),
        ({"operations": ()}, "operations"),
        ({"operations": ("conv7x7",)}, "conv7x7"),
        ({"operations": ("conv1x1", "conv1x1")}, "different"),
        ({"edge_probability": (0.9, 0.1)}, "edge_probability"),
        ({"edge_probability": (0.0, 0.0)}, "edge_probability"),
        ({"edge_probability": (0.5,)}, "edge_probability must be two"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        GEMNet(**arguments)


def test_random_graphs_are_sparse_and_dense():
    space = GEMNet()
    adjacency, operations, _ = space.sample_batch(np.random.default_rng(1), 4000).to_arrays()
    density = adjacency.sum((1, 2)) / 435
    # p ~ U(0.1, 0.9), slightly tilted upwards because a graph without a first edge is drawn again.
    assert abs(density.mean() - 0.5) < 0.02
    assert abs(density.std() - 0.8 / np.sqrt(12)) < 0.02
    assert density.min() < 0.15
    assert density.max() > 0.85
    assert abs((operations[:, 1:] == 1).mean() - 0.5) < 0.01
    rates = adjacency.mean(0)[np.triu_indices(30, 1)]
    assert abs(rates - 0.5).max() < 0.06


def test_fifty_thousand_samples_take_less_than_a_second():
    space = GEMNet()
    seconds = []
    for _ in range(3):
        started = time.process_time()
        batch = space.sample_batch(np.random.default_rng(2), 50_000)
        seconds.append(time.process_time() - started)
    assert isinstance(batch, ArchitectureBatch)
    assert len(batch) == 50_000
    assert bool((batch.adjacency[:, 0] > 0).any(1).all())
    assert min(seconds) < 1.0


def test_size():
    assert GEMNet(2).size() == 2
    assert GEMNet(3).size() == 3 * 2 * 4
    assert GEMNet(4, operations=("conv3x3",)).size() == 7 * 8
    assert len(GEMNet().parameters()) == 435 + 29


def test_the_network_is_wired_as_the_graph_says():
    space = GEMNet(5)
    # 3 concatenates 1 and 2; the leaves are 3 and 4.
    architecture = graph(
        space, [(0, 1), (0, 2), (1, 3), (2, 3), (0, 4)], ["conv1x1", "sepconv3x3", "sepconv3x3", "conv1x1"]
    )
    network = space.build(architecture, 10, in_channels=1, widths=[8, 12])
    for stage, width in zip(network.stages, (8, 12), strict=True):
        inputs = [node[0].in_channels for node in stage.nodes]
        assert inputs == [width, width, 2 * width, width]
        assert stage.squeeze[0].in_channels == 2 * width
    assert isinstance(network.stages[0].source, nn.Identity)
    assert network.stages[1].source[0].stride == (2, 2)
    assert [tuple(f.shape) for f in network.features(torch.zeros(2, 1, 8, 8))] == [
        (2, 8, 8, 8),
        (2, 12, 4, 4),
    ]

    def cell(before: int, w: int, reduces: bool) -> int:
        nodes = w * w + (9 * w + w * w) + (9 * 2 * w + 2 * w * w) + w * w + 4 * 2 * w
        squeeze = 2 * w * w + 2 * w
        return nodes + squeeze + (9 * before + before * w + 2 * w if reduces else 0)

    expected = 9 * 8 + 16 + cell(8, 8, False) + cell(8, 12, True) + 13 * 10
    assert sum(p.numel() for p in network.parameters()) == expected


def test_the_forward_pass_computes_the_graph():
    """With 1x1 convolutions set by hand, the output can be worked out on paper."""
    space = GEMNet(4, operations=("conv1x1",))
    network = space.build(graph(space, [(0, 1), (1, 2), (0, 3), (2, 3)]), 1, in_channels=1, widths=[1])
    cell = network.stages[0].eval()
    for module in cell.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.0
    with torch.no_grad():
        cell.nodes[0][0].weight.fill_(2)  # node 1 = 2x
        cell.nodes[1][0].weight.fill_(-1)  # node 2 = relu(-2x)
        cell.nodes[2][0].weight.copy_(torch.tensor([3.0, 5.0]).view(1, 2, 1, 1))  # node 3 = 3x + 5 * node 2
        cell.squeeze[0].weight.fill_(10)
        x = torch.tensor([[[[1.0, -1.0]]]])
        # x = 1: node 1 = 2, node 2 = 0, node 3 = 3. x = -1: node 1 = 0, node 2 = 0, node 3 = relu(-3) = 0.
        assert cell(x).flatten().tolist() == [30.0, 0.0]
        cell.nodes[1][0].weight.fill_(1)  # node 2 = 2x where x > 0: node 3 = 3 + 10
        assert cell(x).flatten().tolist() == [130.0, 0.0]


@pytest.mark.parametrize(("stem_stride", "sizes"), [(1, [64, 32]), (2, [32, 16]), (4, [16, 8])])
def test_stem_and_stages_set_the_resolution(stem_stride, sizes):
    space = GEMNet(3)
    network = space.build(graph(space, [(0, 1), (1, 2)]), 4, width=4, stages=2, stem_stride=stem_stride)
    with torch.no_grad():
        maps = network.features(torch.zeros(1, 3, 64, 64))
    assert [m.shape[-1] for m in maps] == sizes
    assert [m.shape[1] for m in maps] == [4, 8]


def test_imagenet_shape_is_counted_without_weights():
    space = GEMNet()
    architecture = space.sample(np.random.default_rng(3))
    size = count_complexity(
        lambda: space.build(architecture, 1000, stem_stride=4, stages=4, width=32), (3, 224, 224)
    )
    assert size.parameters > 1_000_000
    assert size.macs > 100_000_000


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"stages": 0}, "stages"),
        ({"widths": []}, "widths"),
        ({"width": 0}, "widths"),
        ({"stem_stride": 3}, "stem_stride.*3"),
        ({"in_channels": 0}, "in_channels"),
    ],
)
def test_bad_shapes(shape, message):
    space = GEMNet(3)
    with pytest.raises(InvalidArgument, match=message):
        space.build(graph(space, [(0, 1)]), 10, **shape)
