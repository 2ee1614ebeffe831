"""RandWire: priors, stages, sources and sinks, and the networks of GraphPNAS with their published sizes."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch import nn

from graphnas import Architecture, ArchitectureBatch
from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph import canonical_key
from search_spaces import RandWire
from search_spaces.randwire import PRIORS

SMALL = {"stem_widths": (4, 4), "stem_strides": (1, 1), "widths": (4, 6), "head_width": 8}


def with_sources(space: RandWire, sources: int) -> Architecture:
    """The complete graph less the edges between its first nodes."""
    adjacency = space.complete().adjacency.copy()
    adjacency[:sources, :sources] = 0
    return space.from_matrix(adjacency)


def parameters(space: RandWire, architecture: Architecture, **shape) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in space.build(architecture, 200, **shape).parameters())


# ---------------------------------------------------------------- the published sizes


def test_base_network_of_the_full_graph_has_3475_thousand_parameters():
    space = RandWire()
    assert space.complete().num_edges == 496
    assert parameters(space, space.complete()) == 3_474_936
    assert parameters(space, space.complete(), aggregation="sum") == 3_474_936 - 3 * 496


def test_each_further_source_saves_43_thousand_parameters():
    space = RandWire()
    sizes = [parameters(space, with_sources(space, s), aggregation="sum") for s in range(1, 9)]
    assert np.diff(sizes).tolist() == [-42_688] * 7
    # GraphPNAS reports 3.22 to 3.32 M for the graphs that it compares.
    assert all(3.215e6 <= size <= 3.325e6 for size in sizes[4:7])


def test_watts_strogatz_graphs_have_the_published_size():
    space = RandWire(prior_ranges={"neighbors": (4, 4), "rewiring_probability": (0.75, 0.75)})
    graphs = space.sample_batch(np.random.default_rng(0), 12)
    mean = np.mean([parameters(space, graph) for graph in graphs])
    assert 3.2e6 <= mean <= 3.34e6


def test_large_network():
    """With Table 7 as printed, and with 576 for its 586, which fits the reported 19.2 to 19.8 M better."""
    space = RandWire()

    def sizes(sources: range, **shape) -> np.ndarray:
        graphs = [with_sources(space, s) for s in sources]
        return np.array([parameters(space, g, network="large", aggregation="sum", **shape) for g in graphs])

    printed = sizes(range(1, 11))
    assert np.unique(np.diff(printed)).tolist() == [-205_726]
    assert printed[0] == 20_897_690
    assert round((printed[0] + 205_726) / 1e6, 1) == 21.1  # no source at all, the start of the line
    assert all(19.2e6 <= size <= 19.8e6 for size in printed[6:9])  # 7 to 9 sources
    assert all(19.3e6 <= size <= 19.75e6 for size in sizes(range(5, 8), widths=(192, 288, 384, 576)))


def test_resolutions_of_table_7():
    space = RandWire(3)
    for network, expected in (
        ("base", [(64, 28), (128, 14), (256, 7)]),
        ("large", [(192, 28), (288, 14), (384, 14), (586, 7)]),
    ):
        with torch.device("meta"):
            built = space.build(space.complete(), 200, network=network)
            maps = built.features(torch.zeros(1, 3, 224, 224))
            assert built.stem(torch.zeros(1, 3, 224, 224)).shape[2:] == (56, 56)
        assert [(m.shape[1], m.shape[2]) for m in maps] == expected


# ---------------------------------------------------------------- the network computes the graph


def reduced_to_numbers(network: nn.Module) -> nn.Module:
    """Nodes that let positive numbers pass unchanged, random edge weights."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for stage in network.stages:
            for _, depthwise, pointwise, norm in stage.nodes:
                depthwise.weight.zero_()
                depthwise.weight[:, :, 1, 1] = 1
                pointwise.weight.fill_(1)
                norm.eps = 0.0
            if stage.edge_weights is not None:
                stage.edge_weights.copy_(torch.randn(len(stage.edge_weights), generator=generator))
    return network.eval()


def by_hand(adjacency: np.ndarray, weights: np.ndarray, x: float) -> float:
    values: list[float] = []
    position = 0
    for j in range(len(adjacency)):
        sources = np.flatnonzero(adjacency[:, j])
        terms = [values[i] * weights[position + k] for k, i in enumerate(sources)]
        position += len(sources)
        values.append(sum(terms) if len(sources) else x)
    return float(np.mean([values[j] for j in range(len(adjacency)) if not adjacency[j].any()]))


@pytest.mark.parametrize("aggregation", ["weighted_sum", "sum"])
@pytest.mark.parametrize("prior", PRIORS)
def test_the_forward_pass_computes_the_graph(prior, aggregation):
    space = RandWire(7, prior=prior, stages=2)
    for architecture in space.sample_batch(np.random.default_rng(1), 5):
        shape = {**SMALL, "stem_widths": (1, 1), "widths": (1, 1), "aggregation": aggregation}
        network = reduced_to_numbers(space.build(architecture, 1, **shape))
        x = 2.0
        for stage, graph in zip(network.stages, space.stage_graphs(architecture), strict=True):
            weights = np.ones(graph.num_edges)
            if aggregation == "weighted_sum":
                weights = torch.sigmoid(stage.edge_weights).detach().numpy()
            expected = by_hand(graph.adjacency, weights, x)
            assert stage(torch.full((1, 1, 1, 1), x)).item() == pytest.approx(expected, rel=1e-5)
            x = expected


def test_isolated_nodes_read_the_input_and_count_in_the_mean():
    space = RandWire(4)
    adjacency = np.zeros((4, 4), int)
    adjacency[0, 1] = 1  # nodes 2 and 3 are isolated
    network = space.build(space.from_matrix(adjacency), 2, **{**SMALL, "stem_widths": (1, 1), "widths": (1,)})
    stage = reduced_to_numbers(network).stages[0]
    with torch.no_grad():
        stage.edge_weights.fill_(0)
    assert stage(torch.full((1, 1, 1, 1), 3.0)).item() == pytest.approx((1.5 + 3 + 3) / 3)
    without_edges = space.build(space.from_matrix(np.zeros((4, 4))), 2, **SMALL)
    assert all(stage.edge_weights is None for stage in without_edges.stages)
    without_edges(torch.ones(2, 3, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in without_edges.parameters())


def test_sources_change_the_width_and_the_resolution():
    space = RandWire(4)
    graph = with_sources(space, 2)
    network = space.build(graph, 10, stem_widths=(4, 6), widths=(8, 10), strides=(2, 1), head_width=12)
    for stage, before, width, stride in zip(network.stages, (6, 8), (8, 10), (2, 1), strict=True):
        kinds = [(node[1].in_channels, node[2].out_channels, node[1].stride[0]) for node in stage.nodes]
        assert kinds == [(before, width, stride)] * 2 + [(width, width, 1)] * 2
        assert len(stage.edge_weights) == graph.num_edges == 5
        assert [type(m).__name__ for m in stage.nodes[0]] == ["ReLU", "Conv2d", "Conv2d", "BatchNorm2d"]
    assert [tuple(m.shape[1:]) for m in network.features(torch.zeros(2, 3, 33, 33))] == [
        (8, 5, 5),
        (10, 5, 5),
    ]


def test_sums_stay_in_low_precision_under_autocast():
    space = RandWire(5)
    network = space.build(space.complete(), 3, **SMALL)
    with torch.autocast("cpu", torch.bfloat16):
        assert network.features(torch.ones(2, 3, 8, 8))[-1].dtype == torch.bfloat16


def test_fifty_networks_learn_at_several_sizes():
    """Gradients reach every parameter of 50 random networks."""
    generator = torch.Generator().manual_seed(0)
    spaces = [RandWire(prior=prior) for prior in PRIORS] + [RandWire(8, stages=2)]
    rng = np.random.default_rng(2)
    for k in range(50):
        space = spaces[k % 4]
        side, classes, widths = (8, 11, 16)[k % 3], (2, 10, 37)[k % 3], ((4, 6), (3, 5))[k % 2]
        network = space.build(
            space.sample(rng), classes, in_channels=1 + k % 3, **{**SMALL, "widths": widths}
        )
        logits = network(torch.randn(3, 1 + k % 3, side, side, generator=generator))
        assert logits.shape == (3, classes)
        nn.functional.cross_entropy(logits, torch.arange(3) % classes).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.any(), name


# ---------------------------------------------------------------- the space


@pytest.mark.parametrize("prior", PRIORS)
def test_fifty_thousand_samples_take_less_than_ten_seconds(prior):
    space = RandWire(prior=prior)
    started = time.process_time()
    batch = space.sample_batch(np.random.default_rng(3), 50_000)
    assert time.process_time() - started < 10.0
    assert tuple(batch.adjacency.shape) == (50_000, 32, 32)
    edges = batch.adjacency.sum((1, 2)).numpy()
    if prior == "erdos-renyi":
        assert abs(edges.mean() - 0.3 * 496) < 1
        assert abs((edges / 496).std() - 0.4 / np.sqrt(12)) < 0.005
    elif prior == "watts-strogatz":
        found, counts = np.unique(edges, return_counts=True)
        assert found.tolist() == [32, 64, 96]
        assert abs(counts / 50_000 - 1 / 3).max() < 0.01
    else:
        found, counts = np.unique(edges, return_counts=True)
        assert sorted(found) == sorted(m * (32 - m) for m in range(1, 8))
        assert abs(counts / 50_000 - 1 / 7).max() < 0.01


@pytest.mark.parametrize("prior", PRIORS)
def test_one_by_one_sampling_is_quick(prior):
    """benchmarks/graphs/sampling_speed.py demands 50,000 in ten seconds; here half of that speed will do."""
    space, rng = RandWire(prior=prior), np.random.default_rng(6)
    started = time.process_time()
    for _ in range(2500):
        space.sample(rng)
    assert time.process_time() - started < 1.0


def test_one_graph_per_stage():
    space = RandWire(8, stages=3)
    architecture = space.sample(np.random.default_rng(4))
    graphs = space.stage_graphs(architecture)
    assert architecture.num_edges == sum(graph.num_edges for graph in graphs)
    assert len(set(graphs)) > 1
    values = space.to_parameters(architecture)
    assert len(values) == 84
    assert values["randwire/stage_2/edge_1_4"] is bool(graphs[2].adjacency[1, 4])
    between = architecture.adjacency.copy()
    between[7, 8] = 1
    with pytest.raises(InvalidArchitecture, match="edge 7 -> 8 is 'edge', allowed: none"):
        space.from_matrix(between)
    network = space.build(architecture, 10, head_width=8)
    assert [len(stage.edge_weights) for stage in network.stages] == [graph.num_edges for graph in graphs]
    with pytest.raises(InvalidArgument, match=r"3 graphs.*4 stages"):
        space.build(architecture, 10, network="large")


@pytest.mark.parametrize("prior", list(PRIORS))
def test_the_parameters_of_each_draw_are_told(prior):
    space = RandWire(12, prior=prior)
    batch, drawn = space.sample_with_parameters(np.random.default_rng(0), 30)
    assert list(batch) == list(space.sample_batch(np.random.default_rng(0), 30))
    for row in drawn:
        assert row.keys() == space.prior_ranges.keys()
        for name, (low, high) in space.prior_ranges.items():
            assert low <= row[name] <= high
    if prior == "watts-strogatz":
        assert [graph.num_edges for graph in batch] == [12 * row["neighbors"] / 2 for row in drawn]
    # A prior with these parameters alone, as ER-BEST and WS-BEST are drawn.
    best = {name: (value, value) for name, value in drawn[3].items()}
    _, again = RandWire(12, prior=prior, prior_ranges=best).sample_with_parameters(
        np.random.default_rng(1), 5
    )
    assert again == [drawn[3]] * 5
    with pytest.raises(InvalidArgument, match="stages must be 1"):
        RandWire(6, stages=2).sample_with_parameters(np.random.default_rng(0), 2)


def test_the_order_of_the_stages_matters():
    space = RandWire(4, stages=2)
    one, other = np.zeros((8, 8), int), np.zeros((8, 8), int)
    one[0, 1] = one[4, 5] = one[5, 6] = 1
    other[0, 1] = other[1, 2] = other[4, 5] = 1
    pair = [space.from_matrix(matrix) for matrix in (one, other)]
    keys = [space.key(architecture) for architecture in pair]
    assert keys[0] != keys[1]
    assert sorted(keys[0].split("-")) == sorted(keys[1].split("-"))
    assert canonical_key(pair[0]) == canonical_key(pair[1])  # what the blocks alone do not show
    connected = list(space.active_batch(ArchitectureBatch.from_architectures(pair)))
    assert canonical_key(connected[0]) != canonical_key(connected[1])


def test_active_graphs_show_the_inputs_and_connect_the_stages():
    space = RandWire(6, stages=3)
    batch = space.sample_batch(np.random.default_rng(5), 30)
    assert space.node_labelled_ops == ("sepconv3x3", "input")
    for architecture, active in zip(batch, space.active_batch(batch), strict=True):
        assert np.flatnonzero(active.operations).tolist() == [0, 7, 14]
        expected = set()
        for stage, graph in enumerate(space.stage_graphs(architecture)):
            first = 7 * stage + 1
            expected |= {(first + i, first + j) for i, j, _ in graph.labelled_edges()}
            expected |= {(first - 1, first + int(j)) for j in np.flatnonzero(~graph.adjacency.any(0))}
            if stage < 2:
                expected |= {(first + int(i), first + 6) for i in np.flatnonzero(~graph.adjacency.any(1))}
        assert {(i, j) for i, j, _ in active.labelled_edges()} == expected


def test_sizes_and_names():
    assert RandWire(3).size() == 8
    assert RandWire(3, stages=2).size() == 64
    assert len(list(RandWire(3, stages=2).enumerate())) == 64
    assert RandWire().size() == 2**496
    assert "randwire/edge_3_17" in RandWire().parameters()
    keys = {RandWire(4).key(graph) for graph in RandWire(4).enumerate()}
    assert len(keys) == 31  # unlabelled DAGs of 4 nodes, OEIS A003087


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_nodes": 1}, r"num_nodes.*1"),
        ({"stages": 0}, r"stages.*0"),
        ({"prior": "small-world"}, r"'small-world'.*erdos-renyi"),
        ({"prior_ranges": {"edge_probability": (0, 1)}}, r"'edge_probability'.*neighbors"),
        ({"prior_ranges": {"rewiring_probability": (0.8, 0.2)}}, "rewiring_probability must be"),
        ({"prior_ranges": {"neighbors": (3, 3)}}, "no even integer below"),
        ({"num_nodes": 2}, "no even integer below num_nodes=2"),
        ({"num_nodes": 3, "prior": "barabasi-albert", "prior_ranges": {"attachments": (4, 5)}}, "no integer"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        RandWire(**arguments)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"network": "huge"}, r"'huge'.*base, large"),
        ({"aggregation": "max"}, r"'max'.*weighted_sum, sum"),
        ({"widths": ()}, "widths"),
        ({"widths": (4, 0)}, r"widths.*\(4, 0\)"),
        ({"widths": (4, 4), "strides": (2,)}, r"strides.*2 numbers"),
        ({"stem_strides": (2, 3)}, r"stem_strides.*\(2, 3\)"),
        ({"stem_widths": (4,)}, "stem_widths must be 2"),
        ({"head_width": 0}, r"head_width.*0"),
    ],
)
def test_bad_shapes(shape, message):
    space = RandWire(3)
    with pytest.raises(InvalidArgument, match=message):
        space.build(space.complete(), 10, **shape)
