"""Lengths and numbers of the paths from input to output, over all paths or those through few operations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


class LimitedPaths(NamedTuple):
    """Paths through allowed nodes only, ``(B, S)`` each; lengths in edges.

    Attributes:
        shortest: Infinity where there is no such path.
        longest: Minus infinity where there is none.
        number: How many there are.
    """

    shortest: Floats
    longest: Floats
    number: Floats


class PathSums(NamedTuple):
    """Least, largest and mean number of marked nodes on a path from input to output, ``(B, S)`` each.

    The mean is over all paths, each counted once. All are 0 where no path leads to the output.
    """

    least: Floats
    largest: Floats
    mean: Floats


def limited_paths(edges: Mask, allowed: Mask) -> LimitedPaths:
    """Paths from node 0 to the last of ``(B, n, n)`` graphs through the nodes of ``(B, S, n)`` masks.

    The ends are always allowed.
    """
    count, sets, n = allowed.shape
    shortest = np.full((count, sets, n), np.inf, np.float32)
    longest = np.full((count, sets, n), -np.inf, np.float32)
    number = np.zeros((count, sets, n), np.float32)
    shortest[:, :, 0] = longest[:, :, 0] = 0
    number[:, :, 0] = 1
    for j in range(1, n):
        into = edges[:, None, :j, j]
        least = np.where(into, shortest[:, :, :j], np.inf).min(2) + 1
        most = np.where(into, longest[:, :, :j], -np.inf).max(2) + 1
        ways = np.where(into, number[:, :, :j], 0).sum(2)
        if j < n - 1:
            open_ = allowed[:, :, j]
            least, most = np.where(open_, least, np.inf), np.where(open_, most, -np.inf)
            ways = np.where(open_, ways, 0)
        shortest[:, :, j], longest[:, :, j], number[:, :, j] = least, most, ways
    return LimitedPaths(shortest[:, :, -1], longest[:, :, -1], number[:, :, -1])


def path_sums(edges: Mask, marked: Mask) -> PathSums:
    """Marked nodes (``(B, S, n)``) on the paths from node 0 to the last of ``(B, n, n)`` graphs."""
    count, sets, n = marked.shape
    least = np.full((count, sets, n), np.inf, np.float32)
    largest = np.full((count, sets, n), -np.inf, np.float32)
    least[:, :, 0] = largest[:, :, 0] = 0
    for j in range(1, n):
        into = edges[:, None, :j, j]
        least[:, :, j] = np.where(into, least[:, :, :j], np.inf).min(2) + marked[:, :, j]
        largest[:, :, j] = np.where(into, largest[:, :, :j], -np.inf).max(2) + marked[:, :, j]
    share = path_shares(edges)
    mean = (marked * share[:, None, :]).sum(2, dtype=np.float32)
    connected = share[:, -1:] > 0
    return PathSums(np.where(connected, least[:, :, -1], 0), np.where(connected, largest[:, :, -1], 0), mean)


def path_shares(edges: Mask) -> Floats:
    """``(B, n)`` share of the paths from node 0 to the last node that go through each node."""
    count, n = edges.shape[:2]
    before, after = np.zeros((2, count, n))
    before[:, 0] = after[:, -1] = 1
    for j in range(1, n):
        before[:, j] = (edges[:, :j, j] * before[:, :j]).sum(1)
    for i in range(n - 2, -1, -1):
        after[:, i] = (edges[:, i, i + 1 :] * after[:, i + 1 :]).sum(1)
    return np.asarray(before * after / np.maximum(before[:, -1:], 1), np.float32)


def depths(edges: Mask) -> tuple[Floats, Floats]:
    """Edges on the longest path from node 0 to each node, and from it to the last one, ``(B, n)`` each.

    0 for a node that nothing leads to, or from.
    """
    count, n = edges.shape[:2]
    below, above = np.zeros((2, count, n), np.float32)
    for j in range(1, n):
        below[:, j] = np.where(edges[:, :j, j], below[:, :j] + 1, 0).max(1)
    for i in range(n - 2, -1, -1):
        above[:, i] = np.where(edges[:, i, i + 1 :], above[:, i + 1 :] + 1, 0).max(1)
    return below, above
