"""The random graphs agree with networkx's generators, whose edges are directed from lower to higher index."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from scipy.stats import chi2_contingency

from search_spaces.random_graphs import (
    barabasi_albert,
    barabasi_albert_singly,
    erdos_renyi,
    watts_strogatz,
    watts_strogatz_singly,
)

FUNCTIONS = {
    "ws": (watts_strogatz, watts_strogatz_singly),
    "ba": (barabasi_albert, barabasi_albert_singly),
}
NODES = 32
REFERENCE = 400


def directed(graph: nx.Graph) -> np.ndarray:
    return np.triu(nx.to_numpy_array(graph, nodelist=range(len(graph)), dtype=int), 1)


def reference(prior: str, *parameters: float) -> np.ndarray:
    graphs = []
    for seed in range(REFERENCE):
        if prior == "er":
            graph = nx.gnp_random_graph(NODES, parameters[0], seed=seed)
        elif prior.startswith("ws"):
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
    return FUNCTIONS[prior[:2]][prior.endswith("singly")](rng, NODES, *drawn)


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
    ("ws singly", 4, 0.75),
    ("ws singly", 6, 0.5),
    ("ba singly", 1),
    ("ba singly", 7),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_same_statistics_as_networkx(case):
    expected, found = statistics(reference(*case)), statistics(ours(case[0], 4000, *case[1:]))
    for name, values in expected.items():
        error = np.sqrt(values.var() / REFERENCE + found[name].var() / 4000)
        # Eight statistics of twelve cases: four standard errors are exceeded by chance once in 160 seeds.
        assert abs(values.mean() - found[name].mean()) <= 4 * error, name
        assert abs(values.std() - found[name].std()) <= 0.2 * values.std() + 0.05, name


WATTS_STROGATZ = pytest.mark.parametrize("function", FUNCTIONS["ws"])


@WATTS_STROGATZ
def test_watts_strogatz_graphs_of_one_batch_have_their_own_parameters(function):
    wanted = np.array([2, 4, 6, 30] * 40)
    edges = function(np.random.default_rng(1), NODES, wanted, np.full(160, 0.5)).sum((1, 2), dtype=int)
    assert edges.tolist() == (NODES * wanted // 2).tolist()


@pytest.mark.parametrize("function", FUNCTIONS["ba"])
def test_barabasi_albert_graphs_of_one_batch_have_their_own_parameters(function):
    wanted = np.arange(1, NODES).repeat(3)
    edges = function(np.random.default_rng(1), NODES, wanted).sum((1, 2), dtype=int)
    assert edges.tolist() == (wanted * (NODES - wanted)).tolist()


def test_erdos_renyi_graphs_of_one_batch_have_their_own_parameters():
    rng = np.random.default_rng(1)
    probability = np.array([0.0, 1.0] * 10)
    edges = erdos_renyi(rng, NODES, probability).sum((1, 2), dtype=int)
    assert edges.tolist() == (probability * NODES * (NODES - 1) // 2).tolist()


@WATTS_STROGATZ
def test_without_rewiring_the_ring_is_left(function):
    ring = function(np.random.default_rng(2), 9, np.array([4]), np.array([0.0]))[0]
    assert np.array_equal(ring, directed(nx.watts_strogatz_graph(9, 4, 0)))


@WATTS_STROGATZ
def test_a_node_connected_to_all_others_keeps_its_edges(function):
    full = function(np.random.default_rng(3), 5, np.full(50, 4), np.ones(50))
    assert (full == np.triu(np.ones((5, 5), int), 1)).all()


def test_every_graph_is_strictly_upper_triangular_and_binary():
    for case in CASES:
        drawn = ours(case[0], 50, *case[1:])
        assert drawn.dtype == np.int8
        assert np.array_equal(drawn, np.triu(drawn, 1))
        assert set(np.unique(drawn)) == {0, 1}


@pytest.mark.parametrize("prior", ["ws", "ba"])
def test_singly_and_together_have_the_same_distribution(prior):
    """Every graph of four nodes as often, within chance."""
    size = 6000
    counts = []
    for function in FUNCTIONS[prior]:
        parameters = [np.full(size, value) for value in ((2, 0.6) if prior == "ws" else (1,))]
        graphs = function(np.random.default_rng(4), 4, *parameters)
        codes = graphs[:, *np.triu_indices(4, 1)] @ 2 ** np.arange(6)
        counts.append(np.bincount(codes, minlength=64))
    table = np.array(counts)
    table = table[:, table.sum(0) > 0]
    assert table.shape[1] > 5
    assert chi2_contingency(table).pvalue > 1e-4
