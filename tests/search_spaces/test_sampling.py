"""Which distribution the spaces sample from, on spaces small enough to write it down."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from graphnas import Architecture, GraphSpace
from search_spaces import GEMNet, NASBench201, get_space, space_names

UNLIKELY = 1e-4


def likelihood_of(counts: Counter[str], probabilities: dict[str, float]) -> float:
    """The p-value of the counts under the probabilities, which must name every graph that was drawn."""
    assert set(counts) <= set(probabilities)
    total = sum(counts.values())
    observed = [counts[text] for text in probabilities]
    expected = np.array(list(probabilities.values())) * total
    assert expected.min() > 5
    return float(chisquare(observed, expected).pvalue)


def drawn(space: GraphSpace, how: str, size: int) -> Counter[str]:
    rng = np.random.default_rng(0)
    if how == "batch":
        return Counter(architecture.to_json() for architecture in space.sample_batch(rng, size))
    return Counter(space.sample(rng).to_json() for _ in range(size))


@pytest.mark.parametrize("how", ["batch", "single"])
def test_gemnet_draws_an_edge_probability_for_each_graph(how):
    space = GEMNet(3, edge_probability=(0.2, 0.8))
    # The probability of k edges, averaged over p by Gauss-Legendre quadrature (exact for polynomials).
    nodes, weights = np.polynomial.legendre.leggauss(8)
    p = 0.5 + 0.3 * nodes
    unnormalised = {}
    for first, second, third in itertools.product((0, 1), repeat=3):
        if not (first or second):  # node 0 feeds nothing: drawn again
            continue
        edges = first + second + third
        likelihood = float((weights * p**edges * (1 - p) ** (3 - edges)).sum())
        for operations in itertools.product((1, 2), repeat=2):
            adjacency = [[0, first, second], [0, 0, third], [0, 0, 0]]
            unnormalised[Architecture(adjacency, [0, *operations]).to_json()] = likelihood / 4
    total = sum(unnormalised.values())
    probabilities = {text: value / total for text, value in unnormalised.items()}
    counts = drawn(space, how, 20_000)
    assert likelihood_of(counts, probabilities) > UNLIKELY
    # The test can tell: with one p = 1/2 for all graphs every likelihood would be the same.
    assert likelihood_of(counts, dict.fromkeys(probabilities, 1 / len(probabilities))) < UNLIKELY


@pytest.mark.parametrize("how", ["batch", "single"])
def test_nasbench201_is_uniform(how):
    space = NASBench201()
    rng = np.random.default_rng(1)
    if how == "batch":
        ordinals = space.ordinals(space.sample_batch(rng, 50_000 * 4))
    else:
        ordinals = space.ordinals([space.sample(rng) for _ in range(10_000)])
    # All cells for the large sample, groups of 25 of them for the small one.
    group = 1 if how == "batch" else 25
    counts = np.bincount(ordinals // group, minlength=space.size() // group)
    assert chisquare(counts).pvalue > UNLIKELY


@pytest.mark.parametrize("name", space_names())
def test_batches_and_singles_have_the_same_distribution(name):
    """Frequencies of every edge label and operation, and the spread of the number of edges."""
    space = get_space(name)
    size = 3000
    rng = np.random.default_rng(2)
    singles = [space.sample(rng) for _ in range(size)]
    one = space.sample_batch(np.random.default_rng(3), size).to_arrays()
    adjacency, operations = np.zeros_like(one[0]), np.zeros_like(one[1])
    for row, architecture in enumerate(singles):
        n = architecture.num_nodes
        adjacency[row, :n, :n], operations[row, :n] = architecture.adjacency, architecture.operations
    two = (adjacency, operations, np.array([a.num_nodes for a in singles]))
    for a, b in zip(one, two, strict=True):
        for value in np.union1d(a, b):
            # Five standard deviations of the difference of two frequencies, at worst.
            assert abs((a == value).mean(0) - (b == value).mean(0)).max() < 5 * np.sqrt(0.5 / size)
    edges = [np.count_nonzero(arrays[0], axis=(1, 2)) for arrays in (one, two)]
    assert edges[0].std() == pytest.approx(edges[1].std(), rel=0.15)
    assert edges[0].mean() == pytest.approx(edges[1].mean(), abs=5 * edges[1].std() * np.sqrt(2 / size))
