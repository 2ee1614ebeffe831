"""Random DAGs from the three classical models of random graphs, many at once.

Xie et al., "Exploring Randomly Wired Neural Networks for Image Recognition" (ICCV 2019), section 3.2: an
undirected random graph becomes a DAG by directing each edge from the smaller to the larger node index. In
Erdos-Renyi graphs the indices are a random permutation, which does not change their distribution, so none is
drawn here; in Watts-Strogatz graphs they go around the ring; in Barabasi-Albert graphs they are the order in
which the nodes were added.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def erdos_renyi(
    rng: np.random.Generator, num_nodes: int, edge_probability: NDArray[np.float64]
) -> NDArray[np.int8]:
    """Each pair of nodes is connected with the same probability, independently.

    Args:
        rng: Source of randomness.
        num_nodes: Nodes ``N``.
        edge_probability: ``(B,)``, one for each graph.

    Returns:
        ``(B, N, N)`` adjacency matrices, strictly upper triangular.
    """
    sources, targets = np.triu_indices(num_nodes, 1)
    adjacency = np.zeros((len(edge_probability), num_nodes, num_nodes), np.int8)
    drawn = rng.random((len(edge_probability), len(sources)), np.float32)
    adjacency[:, sources, targets] = drawn < edge_probability[:, None]
    return adjacency


def watts_strogatz(
    rng: np.random.Generator,
    num_nodes: int,
    neighbors: NDArray[np.int64],
    rewiring_probability: NDArray[np.float64],
) -> NDArray[np.int8]:
    """A ring in which each node is connected to its ``k`` nearest nodes, then rewired edge by edge.

    For each distance 1 to k/2 and, clockwise, each node u, the edge to the node at that distance is moved,
    with the rewiring probability, to a node that is drawn uniformly among those not yet connected to u.

    Args:
        rng: Source of randomness.
        num_nodes: Nodes ``N``.
        neighbors: ``(B,)`` even numbers ``k`` below ``N``.
        rewiring_probability: ``(B,)``.

    Returns:
        ``(B, N, N)`` adjacency matrices, strictly upper triangular, with N k/2 edges each.
    """
    linked = np.zeros((len(neighbors), num_nodes, num_nodes), bool)
    distances = range(1, int(neighbors.max(initial=0)) // 2 + 1)
    nodes = np.arange(num_nodes)
    for distance in distances:
        rows = np.flatnonzero(neighbors >= 2 * distance)[:, None]
        others = (nodes + distance) % num_nodes
        linked[rows, nodes, others] = linked[rows, others, nodes] = True
    for distance in distances:
        wide_enough = neighbors >= 2 * distance
        for node in range(num_nodes):
            moved = np.flatnonzero(wide_enough & (rng.random(len(neighbors)) < rewiring_probability))
            score = rng.random((len(moved), num_nodes), np.float32)
            score[linked[moved, node]] = -1
            score[:, node] = -1
            target = score.argmax(1)
            # A node connected to all others keeps its edge.
            free = score[np.arange(len(moved)), target] >= 0
            moved, target = moved[free], target[free]
            old = (node + distance) % num_nodes
            linked[moved, node, old] = linked[moved, old, node] = False
            linked[moved, node, target] = linked[moved, target, node] = True
    return np.triu(linked, 1).astype(np.int8)


def barabasi_albert(
    rng: np.random.Generator, num_nodes: int, attachments: NDArray[np.int64]
) -> NDArray[np.int8]:
    """Nodes are added one by one, each with ``m`` edges to nodes drawn in proportion to their degrees.

    The first ``m`` nodes start without edges, and the next one is connected to all of them.

    Args:
        rng: Source of randomness.
        num_nodes: Nodes ``N``.
        attachments: ``(B,)`` numbers ``m`` from 1 to ``N`` - 1.

    Returns:
        ``(B, N, N)`` adjacency matrices, strictly upper triangular, with m (N - m) edges each.
    """
    adjacency = np.zeros((len(attachments), num_nodes, num_nodes), np.int8)
    degree = np.zeros((len(attachments), num_nodes))
    for node in range(1, num_nodes):
        first = attachments == node
        adjacency[first, :node, node] = 1
        growing = np.flatnonzero(attachments < node)
        if len(growing):
            # The m smallest of exponential times with the degrees as rates are m draws without replacement
            # in proportion to the degrees (Efraimidis and Spirakis, 2006).
            times = rng.standard_exponential((len(growing), node)) / degree[growing, :node]
            last = np.sort(times, axis=1)[np.arange(len(growing)), attachments[growing] - 1]
            adjacency[growing, :node, node] = times <= last[:, None]
        degree[:, :node] += adjacency[:, :node, node]
        degree[:, node] = adjacency[:, :node, node].sum(1)
    return adjacency


# For a single graph, array operations cost more than plain Python numbers.


def watts_strogatz_singly(
    rng: np.random.Generator,
    num_nodes: int,
    neighbors: NDArray[np.int64],
    rewiring_probability: NDArray[np.float64],
) -> NDArray[np.int8]:
    """The distribution of :func:`watts_strogatz`, one graph after the other: quicker for a few graphs."""
    graphs = np.zeros((len(neighbors), num_nodes, num_nodes), np.int8)
    for graph, k, probability in zip(graphs, neighbors.tolist(), rewiring_probability, strict=True):
        distances = range(1, k // 2 + 1)
        linked = [
            {(node + step) % num_nodes for distance in distances for step in (distance, -distance)}
            for node in range(num_nodes)
        ]
        moved = np.flatnonzero(rng.random(num_nodes * (k // 2)) < probability)
        for place, draw in zip(moved.tolist(), rng.random(len(moved)).tolist(), strict=True):
            distance, node = divmod(place, num_nodes)
            free = num_nodes - 1 - len(linked[node])
            if not free:  # a node connected to all others keeps its edge
                continue
            target = int(draw * free)  # a rank among the free nodes, then the node of that rank
            for taken in sorted((node, *linked[node])):
                target += taken <= target
            old = (node + distance + 1) % num_nodes
            linked[node].remove(old)
            linked[old].remove(node)
            linked[node].add(target)
            linked[target].add(node)
        ends = [(node, other) for node in range(num_nodes) for other in linked[node] if node < other]
        sources, targets = np.array(ends, np.int64).reshape(-1, 2).T
        graph[sources, targets] = 1
    return graphs


def barabasi_albert_singly(
    rng: np.random.Generator, num_nodes: int, attachments: NDArray[np.int64]
) -> NDArray[np.int8]:
    """The distribution of :func:`barabasi_albert`, one graph after the other: quicker for a few graphs."""
    graphs = np.zeros((len(attachments), num_nodes, num_nodes), np.int8)
    for graph, m in zip(graphs, attachments.tolist(), strict=True):
        sources, targets = [*range(m)], [m] * m
        # Every node once for each of its edges, so that a uniform draw is one in proportion to the degrees.
        ends = [*range(m), *[m] * m]
        for node in range(m + 1, num_nodes):
            chosen: set[int] = set()
            while len(chosen) < m:
                chosen.add(ends[int(rng.random() * len(ends))])
            sources += chosen
            targets += [node] * m
            ends += chosen
            ends += [node] * m
        graph[sources, targets] = 1
    return graphs
