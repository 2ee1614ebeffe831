"""Positions of a DAG's nodes and routes of its edges for a layered drawing, without any drawing library.

The steps of K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual understanding of hierarchical system
structures", IEEE Trans. SMC 11(2), 1981: layers by longest path, a dummy node wherever an edge passes a
layer, fewer crossings by barycentres, then positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

SWEEPS = 12
"""Passes over the layers in each of ordering and positioning; both have settled well before."""

MAX_DUMMIES = 60
"""Above this many passages of edges past layers, routing them one by one no longer helps the eye."""

PASSAGE = 0.45
"""Distance between two edges that pass a layer side by side, where that of two nodes is 1."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """Where to draw a graph.

    Attributes:
        nodes: ``(n, 2)`` positions; x is the layer, y is centred on 0 and neighbours are at least 1 apart.
        routes: For each edge, in the order of ``edges``, the points it passes from source to target.
        arcs: Whether the graph is too dense for routes: every edge is then an arc between two points, and
            nodes lie on a line.
    """

    nodes: NDArray[np.float64]
    routes: tuple[tuple[Point, ...], ...]
    arcs: bool


def longest_path_layers(num_nodes: int, edges: list[tuple[int, int]]) -> list[int]:
    """Layer of each node: the number of edges on the longest path that leads to it.

    A node without inputs other than the first one is drawn right before the first node it feeds.
    """
    layers = [0] * num_nodes
    for source, target in sorted(edges, key=lambda edge: edge[1]):
        layers[target] = max(layers[target], layers[source] + 1)
    has_input = {target for _, target in edges}
    for node in range(1, num_nodes):
        fed = [layers[target] for source, target in edges if source == node]
        if node not in has_input and fed:
            layers[node] = max(0, min(fed) - 1)
    return layers


def layered_layout(num_nodes: int, edges: list[tuple[int, int]]) -> Layout:
    """A left-to-right layout of the DAG with ``edges`` (source < target)."""
    layers = longest_path_layers(num_nodes, edges)
    passages = sum(layers[target] - layers[source] - 1 for source, target in edges)
    if passages > MAX_DUMMIES:
        nodes = np.stack([np.arange(num_nodes, dtype=float), np.zeros(num_nodes)], axis=1)
        ends = [((float(source), 0.0), (float(target), 0.0)) for source, target in edges]
        return Layout(nodes, tuple(ends), arcs=True)
    chains, level = _with_dummies(edges, layers)
    links = [link for chain in chains for link in pairwise(chain)]
    order = _order_layers(level, links)
    heights = _heights(order, links, len(level), num_nodes)
    points = [(float(layer), height) for layer, height in zip(level, heights, strict=True)]
    return Layout(
        np.array(points[:num_nodes], dtype=float).reshape(num_nodes, 2),
        tuple(tuple(points[k] for k in chain) for chain in chains),
        arcs=False,
    )


def _with_dummies(edges: list[tuple[int, int]], layers: list[int]) -> tuple[list[list[int]], list[int]]:
    """Each edge as a chain of nodes that climbs one layer at a time, and the layer of every such node."""
    level, chains = list(layers), []
    for source, target in edges:
        chain = [source]
        for layer in range(layers[source] + 1, layers[target]):
            chain.append(len(level))
            level.append(layer)
        chains.append([*chain, target])
    return chains, level


def _order_layers(level: list[int], links: list[tuple[int, int]]) -> list[list[int]]:
    """Nodes of each layer from bottom to top, with few crossings: the best of several barycentre sweeps."""
    order: list[list[int]] = [[] for _ in range(max(level) + 1)]
    for node, layer in enumerate(level):
        order[layer].append(node)
    before, after = _neighbors(len(level), links)
    best, fewest = [list(layer) for layer in order], _crossings(order, after)
    for sweep in range(SWEEPS):
        forwards = sweep % 2 == 0
        for layer in range(1, len(order)) if forwards else range(len(order) - 2, -1, -1):
            fixed = order[layer - 1] if forwards else order[layer + 1]
            rank = {node: k for k, node in enumerate(fixed)}
            near = before if forwards else after
            # The sort is stable: a node without neighbours there stays where it was.
            weight = {
                node: float(np.mean([rank[m] for m in near[node]])) if near[node] else float(k)
                for k, node in enumerate(order[layer])
            }
            order[layer].sort(key=weight.__getitem__)
        crossings = _crossings(order, after)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in order], crossings
    return best


def _neighbors(count: int, links: list[tuple[int, int]]) -> tuple[list[list[int]], list[list[int]]]:
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for a, b in links:
        after[a].append(b)
        before[b].append(a)
    return before, after


def _crossings(order: list[list[int]], after: list[list[int]]) -> int:
    total = 0
    for lower, upper in pairwise(order):
        rank = {node: k for k, node in enumerate(upper)}
        ends = np.array([rank[m] for node in lower for m in sorted(after[node], key=rank.__getitem__)])
        if len(ends) > 1:
            total += int(np.triu(ends[:, None] > ends[None, :], 1).sum())
    return total


def _heights(order: list[list[int]], links: list[tuple[int, int]], count: int, num_nodes: int) -> list[float]:
    """Heights that keep order and distances, each as near to its neighbours' mean as that allows."""
    before, after = _neighbors(count, links)
    size = [1.0 if node < num_nodes else PASSAGE for node in range(count)]
    floors = [np.cumsum([0.0] + [(size[a] + size[b]) / 2 for a, b in pairwise(layer)]) for layer in order]
    heights = [0.0] * count
    for layer, floor in zip(order, floors, strict=True):
        for node, height in zip(layer, floor - floor[-1] / 2, strict=True):
            heights[node] = float(height)
    for sweep in range(SWEEPS):
        for k in range(len(order)) if sweep % 2 == 0 else range(len(order) - 1, -1, -1):
            layer = order[k]
            wanted = [
                float(np.mean([heights[m] for m in (*before[node], *after[node])] or [heights[node]]))
                for node in layer
            ]
            for node, height in zip(layer, _spaced(wanted, floors[k]), strict=True):
                heights[node] = height
    centre = (max(heights) + min(heights)) / 2
    return [height - centre for height in heights]


def _spaced(wanted: list[float], floor: NDArray[np.float64]) -> list[float]:
    """The least-squares fit to ``wanted`` with distances of at least those in ``floor`` (pool adjacent)."""
    blocks: list[list[float]] = []  # [mean of wanted - floor, size]
    for value, least in zip(wanted, floor, strict=True):
        blocks.append([value - float(least), 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, size = blocks.pop()
            total = blocks[-1][1] + size
            blocks[-1] = [(blocks[-1][0] * blocks[-1][1] + mean * size) / total, total]
    offsets = [mean for mean, size in blocks for _ in range(int(size))]
    return [offset + float(least) for offset, least in zip(offsets, floor, strict=True)]
