"""Graph properties of batches against networkx, and against the published correlations on ENAS."""

from __future__ import annotations

import itertools
import math
import os
import time
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from graphnas import Architecture, ArchitectureBatch
from graphnas.errors import InvalidArgument
from graphnas.graph import graph_properties, properties
from graphnas.graph.properties import (
    average_path_length,
    clustering_coefficient,
    density,
    input_output_paths,
)


def random_graphs(seed: int, count: int, largest: int) -> list[Architecture]:
    """DAGs of 1 to ``largest`` nodes, from empty to complete, with several edge labels."""
    rng = np.random.default_rng(seed)
    graphs = []
    for _ in range(count):
        n = int(rng.integers(1, largest + 1))
        edges = np.triu(rng.random((n, n)) < rng.choice([0.0, 0.2, 0.5, 0.8, 1.0]), 1)
        graphs.append(Architecture(edges * rng.integers(1, 4, (n, n))))
    return graphs


def slow_paths(graph: nx.DiGraph, starts: list[int], ends: list[int]) -> tuple[float, float, float]:
    lengths = []
    for start, end in itertools.product(starts, ends):
        if start == end:
            lengths.append(0)
        else:
            lengths += [len(path) - 1 for path in nx.all_simple_paths(graph, start, end)]
    if not lengths:
        return math.nan, math.nan, 0
    return max(lengths), sum(lengths) / len(lengths), len(lengths)


def slow_properties(architecture: Architecture, terminals: str) -> tuple[float, ...]:
    graph = architecture.to_networkx()
    n = len(graph)
    distances = [
        length
        for start, reached in nx.all_pairs_shortest_path_length(graph)
        for end, length in reached.items()
        if start != end
    ]
    if terminals == "first-and-last":
        starts, ends = [0], [n - 1]
    else:
        starts = [node for node in graph if graph.in_degree(node) == 0]
        ends = [node for node in graph if graph.out_degree(node) == 0]
    return (
        sum(distances) / (n * (n - 1)) if n > 1 else 0.0,
        float(np.mean(distances)) if distances else math.nan,
        nx.transitivity(graph.to_undirected()),
        2 * nx.density(graph),
        *slow_paths(graph, starts, ends),
    )


@pytest.mark.parametrize("terminals", ["first-and-last", "sources-and-sinks"])
def test_equal_to_networkx_on_random_graphs(terminals, monkeypatch):
    monkeypatch.setattr(properties, "CHUNK_ENTRIES", 1000)  # several chunks, of graphs of mixed sizes
    graphs = random_graphs(0, 200, 9)
    found = graph_properties(ArchitectureBatch.from_architectures(graphs, 10), terminals)
    expected = np.array([slow_properties(graph, terminals) for graph in graphs]).T
    for name, ours, theirs in zip(found._fields, found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, err_msg=name)
    assert np.isnan(found.average_path_length_reachable).any()
    assert found.num_paths.max() > 20


def test_large_graphs_match_networkx():
    graphs = [g for g in random_graphs(1, 12, 34) if g.num_nodes > 1]
    batch = ArchitectureBatch.from_architectures(graphs)
    for graph, eq12, clustering, longest in zip(
        graphs,
        average_path_length(batch),
        clustering_coefficient(batch),
        input_output_paths(batch, "sources-and-sinks").longest,
        strict=True,
    ):
        other = graph.to_networkx()
        lengths = dict(nx.all_pairs_shortest_path_length(other))
        total = sum(sum(reached.values()) for reached in lengths.values())
        assert eq12 == pytest.approx(total / (len(other) * (len(other) - 1)), rel=1e-12)
        assert clustering == pytest.approx(nx.transitivity(other.to_undirected()), rel=1e-12)
        assert longest == nx.dag_longest_path_length(other, weight=None)


def test_worked_example():
    # 0 -> 1 -> 2 -> 3 and the shortcut 0 -> 2: distances 1, 1, 2, 1, 2, 1; one triangle, five triples.
    batch = ArchitectureBatch.from_architectures(
        [Architecture([[0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]])]
    )
    found = graph_properties(batch)
    assert [float(value[0]) for value in found] == pytest.approx([8 / 12, 8 / 6, 3 / 5, 4 / 6, 3, 2.5, 2])


def test_counts_of_paths_of_the_complete_graph():
    complete = ArchitectureBatch.from_architectures([Architecture(np.triu(np.ones((32, 32), int), 1))])
    paths = input_output_paths(complete)
    assert paths.num_paths[0] == 2**30  # every subset of the inner nodes is a path
    assert paths.mean[0] == 1 + 30 / 2
    assert paths.longest[0] == 31
    assert density(complete)[0] == 1.0


def test_an_empty_part_of_a_batch_has_no_properties():
    batch = ArchitectureBatch.from_architectures(random_graphs(2, 3, 5))[np.zeros(3, bool)]
    assert all(value.shape == (0,) for value in graph_properties(batch))


def test_unknown_options_are_refused():
    batch = ArchitectureBatch.from_architectures(random_graphs(3, 2, 5))
    with pytest.raises(InvalidArgument, match="'igraph'"):
        average_path_length(batch, "igraph")
    with pytest.raises(InvalidArgument, match="'leaves'"):
        graph_properties(batch, "leaves")


def enas_table() -> dict[str, np.ndarray]:
    path = Path(os.environ.get("GRAPHNAS_DATA", "")) / "enas" / "enas6.npz"
    if not os.environ.get("GRAPHNAS_DATA") or not path.is_file():
        pytest.skip("the ENAS table (enas/enas6.npz in $GRAPHNAS_DATA) is absent")
    with np.load(path) as table:
        return dict(table)


def test_correlations_with_accuracy_on_enas():
    """Published for eq. 12 and the clustering coefficient (Figs. 7-8): .32 and -.39."""
    table = enas_table()
    skip = table["skip"]
    adjacency = np.zeros((len(skip), 8, 8), np.int8)
    position = np.arange(7)
    adjacency[:, position, position + 1] = 1
    for layer in range(1, 6):
        for earlier in range(layer):
            # The skip bits of the table count the input of the network as layer 0.
            adjacency[:, earlier, layer + 1] = skip[:, layer * (layer - 1) // 2 + earlier]
    batch = ArchitectureBatch.from_arrays(adjacency, np.zeros((len(skip), 8), np.int16))
    found = graph_properties(batch)
    accuracy = table["ws_acc"].astype(np.float64)
    assert len(accuracy) == 19_020

    def correlation(values: np.ndarray) -> float:
        return float(np.corrcoef(values, accuracy)[0, 1])

    assert correlation(found.average_path_length) == pytest.approx(0.3185, abs=5e-4)
    assert correlation(found.clustering) == pytest.approx(-0.3952, abs=5e-4)
    np.testing.assert_allclose(found.average_path_length_reachable, 2 * found.average_path_length)
    # Every chain of all layers is there, so the longest path has seven edges.
    assert (found.longest_path == 7).all()


def test_all_cells_of_nasbench101_take_less_than_a_minute():
    path = Path(os.environ.get("GRAPHNAS_DATA", "")) / "nasbench101" / "nasbench101.npz"
    if not os.environ.get("GRAPHNAS_DATA") or not path.is_file():
        pytest.skip("the NAS-Bench-101 table (nasbench101/nasbench101.npz in $GRAPHNAS_DATA) is absent")
    with np.load(path) as table:
        bits, sizes = table["adj_bits"], table["n_nodes"].astype(np.int64)
    adjacency = np.zeros((len(bits), 7, 7), np.int8)
    for source, target in itertools.combinations(range(7), 2):
        adjacency[:, source, target] = bits >> (source + target * (target - 1) // 2) & 1
    batch = ArchitectureBatch.from_arrays(adjacency, np.zeros((len(bits), 7), np.int16), sizes)
    started = time.process_time()
    found = graph_properties(batch)
    assert time.process_time() - started < 60
    assert len(batch) == 423_624
    # A cell has no dead nodes, so a path leads from input to output, and at most 9 edges.
    assert found.num_paths.min() == 1
    assert found.longest_path.max() == 6
    some = np.random.default_rng(4).choice(len(batch), 40, replace=False)
    expected = [slow_properties(cell, "first-and-last") for cell in batch[some]]
    np.testing.assert_allclose(np.array([value[some] for value in found]).T, expected, rtol=1e-12)
