"""Lengths and numbers of the paths from input to output, over all paths or those through few operations.

Graphs are the last axis, as in :class:`graphnas.graph.flow.FlowGraphs`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_INFINITY = np.float32(np.inf)


class LimitedPaths(NamedTuple):
    """Paths through allowed nodes only, ``(S, B)`` each; lengths in edges.

    Attributes:
        shortest: Infinity where there is no such path.
        longest: Minus infinity where there is none.
        number: Number of these paths.
    """

    shortest: Floats
    longest: Floats
    number: Floats


class PathSums(NamedTuple):
    """Least, largest and mean number of marked nodes on a path from input to output, ``(S, B)`` each.

    The mean is over all paths, each counted once. All are 0 where no path leads to the output.
    """

    least: Floats
    largest: Floats
    mean: Floats


def limited_paths(edges: Mask, allowed: Mask) -> LimitedPaths:
    """Paths from node 0 to the last of ``(n, n, B)`` graphs through the nodes of ``(n, S, B)`` masks.

    The ends are always allowed.
    """
    n = len(allowed)
    shortest = np.full(allowed.shape, np.inf, np.float32)
    longest = np.full(allowed.shape, -np.inf, np.float32)
    number = np.zeros(allowed.shape, np.float32)
    shortest[0] = longest[0] = 0
    number[0] = 1
    barrier = np.where(edges, np.float32(1), _INFINITY)
    for j in range(1, n):
        # One more edge, or infinitely many where there is none.
        far = barrier[:j, j, None]
        np.min(shortest[:j] + far, axis=0, out=shortest[j])
        np.max(longest[:j] + (2 - far), axis=0, out=longest[j])
        np.einsum("isb,ib->sb", number[:j], edges[:j, j].astype(np.float32), out=number[j])
        if j < n - 1:
            shut = ~allowed[j]
            shortest[j][shut], longest[j][shut], number[j][shut] = np.inf, -np.inf, 0
    return LimitedPaths(shortest[-1], longest[-1], number[-1])


def path_sums(edges: Mask, marked: Mask) -> PathSums:
    """Marked nodes (``(n, S, B)``) on the paths from node 0 to the last of ``(n, n, B)`` graphs."""
    n = len(marked)
    least = np.full(marked.shape, np.inf, np.float32)
    largest = np.full(marked.shape, -np.inf, np.float32)
    least[0] = largest[0] = 0
    barrier = np.where(edges, np.float32(0), _INFINITY)
    for j in range(1, n):
        far = barrier[:j, j, None]
        np.min(least[:j] + far, axis=0, out=least[j])
        np.max(largest[:j] - far, axis=0, out=largest[j])
        least[j] += marked[j]
        largest[j] += marked[j]
    share = path_shares(edges)
    mean = np.einsum("isb,ib->sb", marked.astype(np.float32), share)
    connected = share[-1] > 0
    return PathSums(np.where(connected, least[-1], 0), np.where(connected, largest[-1], 0), mean)


def path_shares(edges: Mask) -> Floats:
    """``(n, B)`` share of the paths from node 0 to the last node that go through each node."""
    n = len(edges)
    before, after = np.zeros((2, *edges.shape[1:]))
    before[0] = after[-1] = 1
    for j in range(1, n):
        before[j] = (edges[:j, j] * before[:j]).sum(0)
    for i in range(n - 2, -1, -1):
        after[i] = (edges[i, i + 1 :] * after[i + 1 :]).sum(0)
    return np.asarray(before * after / np.maximum(before[-1], 1), np.float32)


def depths(edges: Mask) -> tuple[Floats, Floats]:
    """Edges on the longest path from node 0 to each node, and from it to the last one, ``(n, B)`` each.

    0 for a node that nothing leads to, or from.
    """
    n = len(edges)
    below, above = np.zeros((2, *edges.shape[1:]), np.float32)
    for j in range(1, n):
        below[j] = ((below[:j] + 1) * edges[:j, j]).max(0)
    for i in range(n - 2, -1, -1):
        above[i] = ((above[i + 1 :] + 1) * edges[i, i + 1 :]).max(0)
    return below, above
