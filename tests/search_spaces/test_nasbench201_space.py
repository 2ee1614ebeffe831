"""NAS-Bench-201: official strings, identity, and a network that is the benchmark's."""

from __future__ import annotations

import csv
import gzip

import networkx as nx
import numpy as np
import pytest
import torch
from torch import nn

from graphnas import Architecture
from graphnas.data_directory import data_directory
from graphnas.errors import InvalidArchitecture, InvalidArgument
from search_spaces import NASBench201
from search_spaces.complexity import count_complexity
from search_spaces.nasbench201 import OPERATIONS

TABLE = data_directory() / "nasbench201" / "nasbench201.csv.gz"
needs_table = pytest.mark.skipif(not TABLE.is_file(), reason=f"the NAS-Bench-201 table is not at {TABLE}")
FIRST = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
"""The benchmark's cell number 0."""


def cell(**labels: int) -> Architecture:
    """``cell(e01=3)``: a 3x3 convolution from node 0 to node 1, none elsewhere."""
    adjacency = np.zeros((4, 4), int)
    for name, label in labels.items():
        adjacency[int(name[1]), int(name[2])] = label
    return Architecture(adjacency)


def test_parameters_have_official_names():
    space = NASBench201()
    names = [f"nasbench201/op_{edge}" for edge in ("0_1", "0_2", "1_2", "0_3", "1_3", "2_3")]
    assert space.parameters() == dict.fromkeys(names, OPERATIONS)
    values = space.to_parameters(space.from_string(FIRST))
    assert list(values.values()) == [
        "avg_pool_3x3", "nor_conv_1x1", "skip_connect", "nor_conv_1x1", "skip_connect", "skip_connect",
    ]  # fmt: skip


def test_official_string_of_each_cell():
    space = NASBench201()
    strings = {space.to_string(architecture) for architecture in space.enumerate()}
    assert len(strings) == 15625
    assert FIRST in strings
    for text in list(strings)[::50]:
        assert space.to_string(space.from_string(text)) == text
    architecture = space.from_string(FIRST)
    assert architecture.labelled_edges() == [(0, 1, 4), (0, 2, 2), (0, 3, 2), (1, 2, 1), (1, 3, 1), (2, 3, 1)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected 3 nodes"),
        (FIRST + "+|none~0|none~1|none~2|none~3|", "expected 3 nodes"),
        (FIRST.replace("avg_pool_3x3", "max_pool_3x3"), "max_pool_3x3"),
        (FIRST.replace("|avg_pool_3x3~0|", "|avg_pool_3x3~1|"), "node 1"),
        (FIRST.replace("|avg_pool_3x3~0|", "avg_pool_3x3~0"), "node 1"),
        (FIRST.replace("nor_conv_1x1~0|skip_connect~1|+", "nor_conv_1x1~0|+"), "node 2"),
    ],
)
def test_strings_of_another_form(text, message):
    with pytest.raises(InvalidArchitecture, match=message):
        NASBench201().from_string(text)


def test_ordinals_are_positions():
    space = NASBench201()
    everything = list(space.enumerate())
    assert space.size() == len(everything) == 15625
    assert (space.ordinals(everything) == np.arange(15625)).all()
    batch = space.sample_batch(np.random.default_rng(0), 30)
    assert [everything[k] for k in space.ordinals(batch)] == list(batch)
    assert all(space.at(k) == everything[k] for k in (0, 1, 7000, 15624))
    with pytest.raises(InvalidArgument, match="15625"):
        space.at(15625)
    with pytest.raises(InvalidArchitecture):
        space.ordinals([Architecture([[0, 1], [0, 0]])])


def test_neighbors_equal_brute_force():
    """Those of every cell whose labels, as digits of its ordinal, differ in one place."""
    space = NASBench201()
    digits = np.arange(15625)[:, None] // 5 ** np.arange(6) % 5
    for ordinal in [0, 15624, *np.random.default_rng(4).integers(15625, size=60).tolist()]:
        expected = np.flatnonzero((digits != digits[ordinal]).sum(1) == 1)
        assert len(expected) == 24
        found = space.ordinals(space.neighbors(space.at(ordinal)))
        assert sorted(found.tolist()) == expected.tolist()


def test_graph_identity_is_isomorphism_that_respects_input_and_output():
    space = NASBench201(identity="graph")
    keys = [space.key(architecture) for architecture in space.enumerate()]
    # The 3,125 cells without an edge between the inner nodes fall into 5 * (625 + 25) / 2 classes.
    assert len(set(keys)) == 12500 + 5 * 325
    # One operation, on its way to nowhere, from nowhere, or from input to output: three different networks.
    assert len({space.key(cell(**{edge: 3})) for edge in ("e01", "e13", "e03")}) == 3
    assert space.key(cell(e01=3, e13=2)) == space.key(cell(e02=3, e23=2))
    assert space.key(cell(e01=3, e13=2, e12=1)) != space.key(cell(e02=3, e23=2, e12=1))
    same_node = nx.algorithms.isomorphism.categorical_node_match("operation", 0)
    same_edge = nx.algorithms.isomorphism.categorical_edge_match("label", 1)
    rng = np.random.default_rng(1)
    graphs = []
    for _ in range(60):
        labels = rng.integers(0, 3, size=6) * (rng.random(6) < 0.6)
        architecture = cell(**dict(zip(("e01", "e02", "e12", "e03", "e13", "e23"), labels, strict=True)))
        marked = Architecture(architecture.adjacency, [0, 1, 1, 2]).to_networkx()
        graphs.append((space.key(architecture), marked))
    equal = 0
    for k, (key, one) in enumerate(graphs):
        for other_key, other in graphs[:k]:
            equal += key == other_key
            assert (key == other_key) == nx.is_isomorphic(one, other, same_node, same_edge)
    assert equal > 0


@needs_table
def test_key_groups_exactly_as_the_table():
    """The table's column ``iso_class``, over all cells."""
    space = NASBench201()
    with gzip.open(TABLE, "rt") as file:
        rows = list(csv.DictReader(file))
    pairs = {(space.key(space.from_string(row["arch"])), row["iso_class"]) for row in rows}
    assert len(pairs) == len({key for key, _ in pairs}) == len({number for _, number in pairs}) == 6466


def test_identities_do_not_contain_each_other():
    """The benchmark's classes hold cells that are not isomorphic, and tell most mirror images apart."""
    space = NASBench201()
    by_key: dict[str, list[Architecture]] = {}
    by_graph: dict[str, list[Architecture]] = {}
    for architecture in space.enumerate():
        by_key.setdefault(space.key(architecture), []).append(architecture)
        by_graph.setdefault(space.graph_key(architecture), []).append(architecture)
    assert (len(by_key), len(by_graph)) == (6466, 14125)
    mirror_images = [members for members in by_graph.values() if len(members) > 1]
    assert {len(members) for members in mirror_images} == {2}
    apart = [pair for pair in mirror_images if len({space.key(member) for member in pair}) == 2]
    assert (len(mirror_images), len(apart)) == (1500, 1436)
    # Both cells of such a pair are the same network.
    for one, other in apart[::100]:
        assert space.complexity(one) == space.complexity(other)
        assert not one.adjacency[1, 2]
        order = [0, 2, 1, 3]
        assert (one.adjacency[np.ix_(order, order)] == other.adjacency).all()
    merged = [group for group in by_key.values() if len({space.graph_key(member) for member in group}) > 1]
    assert len(merged) == 1350


def test_key_simplifies():
    space = NASBench201()
    # A path that a none cuts does not count, and a skip connection hands on what it gets.
    assert space.key(cell(e03=3, e01=2)) == space.key(cell(e03=3, e12=4, e13=2)) == space.key(cell(e03=3))
    assert space.key(cell(e01=1, e13=3)) == space.key(cell(e03=3))
    # The benchmark keeps the zero that node 2 gets from node 1, and so tells mirror images apart.
    assert space.key(cell(e02=1, e23=3)) == "#+#+(#+0)@nor_conv_3x3"
    assert space.key(cell(e01=3, e13=1)) == space.key(cell(e03=3))
    assert space.key(cell(e03=3)) == space.function_string(cell(e03=3)) == "#+#+(0)@nor_conv_3x3"
    assert space.key(cell(e03=3)) != space.key(cell(e03=2))
    assert repr(space) == "NASBench201()"
    assert space.arguments() == {"identity": "function"}
    graphs = NASBench201(identity="graph")
    assert graphs.key(cell(e03=3)) == graphs.graph_key(cell(e03=3)) == "000300"
    assert repr(graphs) == "NASBench201(identity='graph')"
    assert graphs.arguments() == {"identity": "graph"}
    with pytest.raises(InvalidArgument, match="'shape'"):
        NASBench201(identity="shape")


@needs_table
def test_parameters_of_all_cells_equal_the_table():
    space = NASBench201()
    with gzip.open(TABLE, "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15625
    for row in rows:
        parameters, _ = space.complexity(space.from_string(row["arch"]))
        assert parameters == round(float(row["params_m"]) * 1e6), row["arch"]


def test_closed_form_equals_the_modules():
    space = NASBench201()
    cells = [
        *space.sample_batch(np.random.default_rng(2), 16),
        cell(),
        cell(e01=3),
        cell(e03=1),
        space.at(15624),
    ]
    for k, architecture in enumerate(cells):
        classes, side = ((10, 32), (100, 32), (120, 16))[k % 3]
        counted = count_complexity(lambda a=architecture, c=classes: space.build(a, c), (3, side, side))
        assert counted == space.complexity(architecture, classes, side)


def test_macs_are_the_official_flops():
    """The benchmark's paper and API give 7.78 to 220.12 million for CIFAR-10."""
    space = NASBench201()
    macs = [space.complexity(architecture)[1] for architecture in space.enumerate()]
    assert round(min(macs) / 1e6, 2) == 7.78
    assert round(max(macs) / 1e6, 2) == 220.12


def test_networks_without_a_path_train():
    space = NASBench201()
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for architecture in (cell(), cell(e01=3), cell(e13=2, e23=4), cell(e01=1, e12=1)):
        network = space.build(architecture, 10)
        logits = network(images)
        logits.square().sum().backward()
        assert torch.isfinite(logits).all()
        assert network.classifier.bias.grad.any()
        assert network.stem[0].weight.grad is not None


def test_a_skip_connection_cell_is_the_identity():
    space = NASBench201()
    network = space.build(cell(e03=1), 10, channels=4, cells_per_stage=1)
    x = torch.randn(1, 4, 6, 6, generator=torch.Generator().manual_seed(1))
    assert torch.equal(network.stages[0][0](x), x)
    twice = space.build(cell(e03=1, e01=1, e13=1), 10, channels=4, cells_per_stage=1)
    assert torch.equal(twice.stages[0][0](x), 2 * x)


def test_pooling_at_the_border_averages_real_pixels():
    network = NASBench201().build(cell(e03=4), 10, channels=1, cells_per_stage=1)
    assert torch.equal(network.stages[0][0](torch.ones(1, 1, 5, 5)), torch.ones(1, 1, 5, 5))


def test_normalisation_precedes_the_global_pooling():
    """Without it, cells that differ in scale are not comparable (5-6 points are lost when retraining)."""
    network = NASBench201().build(cell(e03=1), 10)
    kinds = [type(layer) for layer in network.head]
    assert kinds == [nn.BatchNorm2d, nn.ReLU, nn.AdaptiveAvgPool2d, nn.Flatten]


def test_resolution_and_width_of_the_stages():
    network = NASBench201().build(cell(e03=3), 10, channels=4, cells_per_stage=1)
    shapes = [tuple(m.shape[1:]) for m in network.features(torch.zeros(2, 3, 9, 9))]
    assert shapes == [(4, 9, 9), (8, 5, 5), (16, 3, 3)]
    with pytest.raises(InvalidArgument, match=r"channels.*0"):
        NASBench201().build(cell(e03=3), 10, channels=0)
