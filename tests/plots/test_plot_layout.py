"""The layered layout: layers, order, distances, and when it gives up for arcs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from graphnas.plots.layout import PASSAGE, layered_layout, longest_path_layers


def random_edges(rng, count, probability):
    return [(i, j) for i in range(count) for j in range(i + 1, count) if rng.random() < probability]


def test_layers_are_longest_paths():
    assert longest_path_layers(4, [(0, 1), (1, 2), (0, 2), (2, 3)]) == [0, 1, 2, 3]
    assert longest_path_layers(3, [(0, 2)]) == [0, 0, 1]


def test_a_node_without_inputs_stands_right_before_what_it_feeds():
    assert longest_path_layers(5, [(0, 1), (1, 2), (2, 4), (3, 4)]) == [0, 1, 2, 2, 3]


@pytest.mark.parametrize("seed", range(20))
def test_edges_point_right_and_nodes_of_a_layer_keep_their_distance(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 9))
    edges = random_edges(rng, count, 0.4)
    layout = layered_layout(count, edges)
    assert not layout.arcs
    assert layout.nodes.shape == (count, 2)
    assert abs(layout.nodes[:, 1]).max() <= count
    for (a, b), route in zip(edges, layout.routes, strict=True):
        assert route[0] == tuple(layout.nodes[a])
        assert route[-1] == tuple(layout.nodes[b])
        assert [x for x, _ in route] == list(range(int(route[0][0]), int(route[-1][0]) + 1))
    for i, j in itertools.combinations(range(count), 2):
        if layout.nodes[i, 0] == layout.nodes[j, 0]:
            assert abs(layout.nodes[i, 1] - layout.nodes[j, 1]) >= 1 - 1e-9


@pytest.mark.parametrize("seed", range(20))
def test_no_edge_passes_through_a_node(seed):
    rng = np.random.default_rng(seed)
    edges = random_edges(rng, 8, 0.5)
    layout = layered_layout(8, edges)
    for route in layout.routes:
        for x, y in route[1:-1]:
            heights = layout.nodes[layout.nodes[:, 0] == x, 1]
            assert (abs(heights - y) >= (1 + PASSAGE) / 2 - 1e-9).all()


def test_crossings_that_can_be_avoided_are():
    # 0 feeds 1 and 2; 1 feeds 4, 2 feeds 3: in the order of the numbers the last two edges would cross.
    layout = layered_layout(5, [(0, 1), (0, 2), (1, 4), (2, 3)])
    heights = layout.nodes[:, 1]
    assert (heights[1] - heights[2]) * (heights[4] - heights[3]) > 0


def test_a_dense_graph_becomes_arcs_over_a_line():
    edges = list(itertools.combinations(range(30), 2))
    layout = layered_layout(30, edges)
    assert layout.arcs
    np.testing.assert_array_equal(layout.nodes, [[k, 0] for k in range(30)])
    assert layout.routes[0] == ((0.0, 0.0), (1.0, 0.0))
