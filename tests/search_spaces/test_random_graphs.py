"""The random graphs agree with networkx's generators, whose edges are directed from lower to higher index."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from search_spaces.random_graphs import barabasi_albert, erdos_renyi, watts_strogatz

NODES = 32
REFERENCE = 400


def directed(graph: nx.Graph) -> np.ndarray:
    return np.triu(nx.to_numpy_array(graph, nodelist=range(len(graph)), dtype=int), 1)


def reference(prior: str, *parameters: float) -> np.ndarray:
    graphs = []
    for seed in range(REFERENCE):
        if prior == "er":
            graph = nx.gnp_random_graph(NODES, parameters[0], seed=seed)
        elif prior == "ws":
            graph = nx.watts_strogatz_graph(NODES, *parameters, seed=seed)
        else:
            m = int(parameters[0])
            # Xie et al.: m nodes without edges, and the next one is connected to all of them.
            start = nx.Graph([(i, m) for i in range(m)])
            graph = nx.barabasi_albert_graph(NODES, m, seed=seed, initial_graph=start)
        graphs.append(directed(graph))
    return np.array(graphs)


def ours(prior: str, count: int, *parameters: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    drawn = [np.full(count, value) for value in parameters]
    if prior == "er":
        return erdos_renyi(rng, NODES, *drawn)
    if prior == "ws":
        return watts_strogatz(rng, NODES, *drawn)
    return barabasi_albert(rng, NODES, *drawn)


def statistics(adjacency: np.ndarray) -> dict[str, np.ndarray]:
    """Per graph: edges, spread of the degrees, the largest, sources, sinks, triangles, paths of two edges."""
    edges = adjacency.astype(float)
    both = edges + edges.transpose(0, 2, 1)
    degrees = both.sum(1)
    return {
        "edges": edges.sum((1, 2)),
        "variance": degrees.var(1),
        "largest": degrees.max(1),
        "sources": (degrees.astype(bool) & ~edges.any(1)).sum(1),
        "sinks": (degrees.astype(bool) & ~edges.any(2)).sum(1),
        "triangles": np.einsum("bij,bji->b", both @ both, both) / 6,
        "middle": edges[:, :, NODES // 2].sum(1),
        "chains": (edges @ edges).sum((1, 2)),
    }


CASES = [
    ("er", 0.1),
    ("er", 0.5),
    ("ws", 2, 0.3),
    ("ws", 4, 0.75),
    ("ws", 6, 0.5),
    ("ba", 1),
    ("ba", 3),
    ("ba", 7),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_same_statistics_as_networkx(case):
    expected, found = statistics(reference(*case)), statistics(ours(case[0], 4000, *case[1:]))
    for name, values in expected.items():
        error = np.sqrt(values.var() / REFERENCE + found[name].var() / 4000)
        # Eight statistics of eight cases: four standard errors are exceeded by chance once in 250 seeds.
        assert abs(values.mean() - found[name].mean()) <= 4 * error, name
        assert abs(values.std() - found[name].std()) <= 0.2 * values.std() + 0.05, name


def test_graphs_of_one_batch_have_their_own_parameters():
    rng = np.random.default_rng(1)
    wanted = np.array([2, 4, 6] * 40)
    edges = watts_strogatz(rng, NODES, wanted, np.full(120, 0.5)).sum((1, 2), dtype=int)
    assert edges.tolist() == (NODES * wanted // 2).tolist()
    wanted = np.arange(1, NODES).repeat(3)
    edges = barabasi_albert(rng, NODES, wanted).sum((1, 2), dtype=int)
    assert edges.tolist() == (wanted * (NODES - wanted)).tolist()
    probability = np.array([0.0, 1.0] * 10)
    edges = erdos_renyi(rng, NODES, probability).sum((1, 2), dtype=int)
    assert edges.tolist() == (probability * NODES * (NODES - 1) // 2).tolist()


def test_without_rewiring_the_ring_is_left():
    ring = watts_strogatz(np.random.default_rng(2), 9, np.array([4]), np.array([0.0]))[0]
    assert np.array_equal(ring, directed(nx.watts_strogatz_graph(9, 4, 0)))


def test_a_node_connected_to_all_others_keeps_its_edges():
    full = watts_strogatz(np.random.default_rng(3), 5, np.full(50, 4), np.ones(50))
    assert (full == np.triu(np.ones((5, 5), int), 1)).all()


def test_every_graph_is_strictly_upper_triangular_and_binary():
    for case in CASES:
        drawn = ours(case[0], 50, *case[1:])
        assert drawn.dtype == np.int8
        assert np.array_equal(drawn, np.triu(drawn, 1))
        assert set(np.unique(drawn)) == {0, 1}
