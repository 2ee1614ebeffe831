"""Graph properties of whole batches: path lengths, clustering, density, and the paths from input to output.

The two that the literature relates to accuracy are average path length and clustering. Sources:
Chatzianastasis et al., "Graph-based Neural Architecture Search with Operation Embeddings" (ICCV Workshops
2021), eq. 12 and Figs. 7-8; the same two appear in GraphPNAS (TMLR 2023), Fig. 3. The others are standard.

Every property reads edges as present or absent, whatever their label. Nothing here loops over graphs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.batch import ArchitectureBatch

Floats = NDArray[np.float64]
Terminals = Literal["first-and-last", "sources-and-sinks"]
TERMINALS = ("first-and-last", "sources-and-sinks")

CHUNK_ENTRIES = 4_000_000
"""Adjacency entries handled at a time: bounds the memory of the intermediate matrices to some 100 MB."""


class GraphProperties(NamedTuple):
    """One value per graph, each ``(B,)`` float64.

    Attributes:
        average_path_length: Eq. 12: distances over all ordered pairs, 0 for an unreachable one, divided by
            ``n (n - 1)``.
        average_path_length_reachable: Mean distance over the ordered pairs that are connected (what igraph
            computes); NaN where there are none.
        clustering: Global clustering coefficient.
        density: Edges by possible edges.
        longest_path: Edges on the longest path from input to output; NaN where there is none.
        mean_path: Mean number of edges of all paths from input to output; NaN where there is none.
        num_paths: Number of paths from input to output.
    """

    average_path_length: Floats
    average_path_length_reachable: Floats
    clustering: Floats
    density: Floats
    longest_path: Floats
    mean_path: Floats
    num_paths: Floats


class InputOutputPaths(NamedTuple):
    """The paths from input to output of each graph, ``(B,)`` float64 each; see :class:`GraphProperties`."""

    longest: Floats
    mean: Floats
    num_paths: Floats


def graph_properties(batch: ArchitectureBatch, terminals: Terminals = "first-and-last") -> GraphProperties:
    """All properties of ``B`` graphs.

    Args:
        batch: The graphs.
        terminals: The nodes taken as input and output; see :func:`input_output_paths`.

    Raises:
        InvalidArgument: Another value of ``terminals``.
    """
    paths = input_output_paths(batch, terminals)
    pairs, total = _distances(batch)
    return GraphProperties(
        _by_all_pairs(batch, total),
        _by_reachable_pairs(pairs, total),
        clustering_coefficient(batch),
        density(batch),
        paths.longest,
        paths.mean,
        paths.num_paths,
    )


def average_path_length(batch: ArchitectureBatch, pairs: Literal["all", "reachable"] = "all") -> Floats:
    """Average path length ``L`` of each graph along the direction of its edges.

    Eq. 12: ``L = 1 / (n (n - 1)) * sum over i != j of d(i, j)``, where ``d`` is the number of edges on a
    shortest path and 0 if there is none. The published code calls igraph instead, which averages over the
    connected pairs only. In a graph with a chain through all nodes half of the ordered pairs are connected,
    and the second form is exactly twice the first.

    Args:
        batch: ``B`` graphs.
        pairs: ``"all"`` for eq. 12, ``"reachable"`` for igraph's form.

    Returns:
        ``(B,)``. A graph of one node has 0 by eq. 12; one without edges has NaN over reachable pairs.

    Raises:
        InvalidArgument: Another value of ``pairs``.
    """
    if pairs not in ("all", "reachable"):
        raise InvalidArgument(f"pairs must be 'all' or 'reachable', got {pairs!r}")
    reachable, total = _distances(batch)
    return _by_all_pairs(batch, total) if pairs == "all" else _by_reachable_pairs(reachable, total)


def clustering_coefficient(batch: ArchitectureBatch) -> Floats:
    """Global clustering coefficient (transitivity) of each graph, directions ignored.

    Three times the triangles, divided by the connected triples; input and output count as nodes.

    Args:
        batch: ``B`` graphs.

    Returns:
        ``(B,)`` in 0..1; 0 where no node has two neighbours.
    """
    triangles, triples = np.zeros((2, len(batch)))
    for part, edges in _chunks(batch):
        # Edges point forwards, so i -> j -> k with i -> k meets every triangle exactly once.
        triangles[part] = ((edges @ edges) * edges).sum((1, 2))
        degrees = (edges.sum(1) + edges.sum(2)).astype(np.float64)
        triples[part] = (degrees * (degrees - 1) / 2).sum(1)
    return _divide(3 * triangles, triples, 0.0)


def density(batch: ArchitectureBatch) -> Floats:
    """Edges of each graph, divided by the ``n (n - 1) / 2`` that a DAG can have; 0 for a single node."""
    adjacency, _, num_nodes = batch.to_arrays()
    edges = np.count_nonzero(adjacency, axis=(1, 2)).astype(np.float64)
    possible = num_nodes * (num_nodes - 1) / 2
    return _divide(edges, possible, 0.0)


def input_output_paths(batch: ArchitectureBatch, terminals: Terminals = "first-and-last") -> InputOutputPaths:
    """Longest and mean length in edges, and number, of the paths from input to output.

    The mean is over all such paths, each counted once. Counts are exact up to ``2^53``; the complete graph of
    55 nodes is the first that has more.

    Args:
        batch: ``B`` graphs.
        terminals: ``"first-and-last"``: from node 0 to the last node, for cells that have an input and an
            output node. ``"sources-and-sinks"``: from any node without inputs to any without outputs, for
            spaces that join their leaves (GEMNet, RandWire); a node with neither is a path of length 0.

    Returns:
        Length NaN and count 0 where no path leads from input to output.

    Raises:
        InvalidArgument: Another value of ``terminals``.
    """
    if terminals not in TERMINALS:
        raise InvalidArgument(f"terminals must be one of {TERMINALS}, got {terminals!r}")
    longest, mean, count = np.empty((3, len(batch)))
    mask = batch.mask.cpu().numpy()
    for part, edges in _chunks(batch):
        real = mask[part]
        if terminals == "first-and-last":
            position = np.arange(real.shape[1])
            starts = (position == 0) & real
            ends = position == real.sum(1)[:, None] - 1
        else:
            starts = real & (edges.sum(1) == 0)
            ends = real & (edges.sum(2) == 0)
        longest[part], mean[part], count[part] = _paths(edges, starts, ends)
    return InputOutputPaths(longest, mean, count)


def _paths(
    edges: NDArray[np.float32], starts: NDArray[np.bool_], ends: NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats]:
    """Longest, mean and number of the paths of ``(b, n, n)`` graphs between nodes of two ``(b, n)`` masks."""
    # Number of paths from a start to each node, their summed length and their largest.
    count = starts.astype(np.float64)
    total = np.zeros_like(count)
    longest = np.where(starts, 0.0, -np.inf)
    for j in range(1, edges.shape[1]):
        into = edges[:, :j, j].astype(np.float64)
        count[:, j] += (into * count[:, :j]).sum(1)
        total[:, j] = (into * (total[:, :j] + count[:, :j])).sum(1)
        longer = np.where(into > 0, longest[:, :j] + 1, -np.inf).max(1)
        longest[:, j] = np.maximum(longest[:, j], longer)
    paths = (count * ends).sum(1)
    furthest = np.where(ends, longest, -np.inf).max(1)
    return np.where(paths > 0, furthest, np.nan), _divide((total * ends).sum(1), paths, np.nan), paths


def _distances(batch: ArchitectureBatch) -> tuple[Floats, Floats]:
    """Number of connected ordered pairs of each graph, and the sum of their distances, ``(B,)`` each."""
    pairs, total = np.zeros((2, len(batch)))
    for part, edges in _chunks(batch):
        frontier, reached = edges, edges
        distance = 1
        while frontier.any():
            found = frontier.sum((1, 2), dtype=np.float64)
            pairs[part] += found
            total[part] += distance * found
            # Pairs at the next distance: one more edge, and not connected by fewer.
            frontier = ((frontier @ edges) > 0).astype(np.float32) * (1 - reached)
            reached = reached + frontier
            distance += 1
    return pairs, total


def _by_all_pairs(batch: ArchitectureBatch, total: Floats) -> Floats:
    num_nodes = batch.num_nodes.cpu().numpy().astype(np.float64)
    return _divide(total, num_nodes * (num_nodes - 1), 0.0)


def _by_reachable_pairs(pairs: Floats, total: Floats) -> Floats:
    return _divide(total, pairs, np.nan)


def _divide(numerator: Floats, denominator: Floats, otherwise: float) -> Floats:
    """The quotient, and ``otherwise`` where the denominator is 0."""
    result = np.full(len(numerator), otherwise)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result


def _chunks(batch: ArchitectureBatch) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Parts of the batch with their edges ``(b, N, N)``, 1 where there is one, whatever its label."""
    adjacency, _, _ = batch.to_arrays()
    step = max(1, CHUNK_ENTRIES // batch.max_nodes**2)
    for start in range(0, len(batch), step):
        part = slice(start, start + step)
        # float32, because the products below are then matrix products of the linear algebra library.
        yield part, (adjacency[part] != 0).astype(np.float32)
