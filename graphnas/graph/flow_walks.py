"""Random walks through flow graphs: which operations a signal meets where inputs are averaged.

A walk starts at the output and goes to a random input of the node it is at, until it reaches the input of the
graph. What it meets is what an average unit of the output is made of: a node that joins k inputs by a mean, a
sum or a concatenation in equal parts takes a k-th from each. Counts over paths, in contrast, give a node with
many paths behind it more weight.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Walks(NamedTuple):
    """Both directions of the random walk on ``(B, n, n)`` graphs.

    Attributes:
        steps: ``(B, n, n)``, the probability that a walk at node j goes on to its input i, at ``[i, j]``.
        backward: ``(B, n)`` probability that the walk from the output visits a node.
        forward: The same of the walk from the input along the edges.
    """

    steps: Floats
    backward: Floats
    forward: Floats


class WalkCounts(NamedTuple):
    """Nodes of each operation on the backward walk, ``(B, K)`` each.

    Attributes:
        mean: Expected number.
        deviation: Its standard deviation.
        absent: Probability of none.
        chain: Largest number on any path up to an input of the output, averaged over these inputs.
    """

    mean: Floats
    deviation: Floats
    absent: Floats
    chain: Floats


def walks(edges: Mask) -> Walks:
    """Visiting probabilities of the two walks between node 0 and the last node."""
    count, n = edges.shape[:2]
    into, out = edges.sum(1, dtype=np.float32), edges.sum(2, dtype=np.float32)
    steps = edges / np.maximum(into, 1)[:, None, :]
    onward = edges / np.maximum(out, 1)[:, :, None]
    backward, forward = np.zeros((2, count, n), np.float32)
    backward[:, -1] = forward[:, 0] = 1
    for i in range(n - 2, -1, -1):
        backward[:, i] = (steps[:, i, i + 1 :] * backward[:, i + 1 :]).sum(1)
    for j in range(1, n):
        forward[:, j] = (onward[:, :j, j] * forward[:, :j]).sum(1)
    return Walks(steps, backward, forward)


def walk_counts(edges: Mask, operations: Mask, walk: Walks) -> WalkCounts:
    """What the backward walk meets of the operations ``(B, K, n)``."""
    # First and second moment of the number of nodes on the part of the walk between a node and the input.
    first, second, absent, most = np.zeros((4, *operations.shape), np.float32)
    absent[:, :, 0] = 1
    n = operations.shape[2]
    for j in range(1, n):
        step, own = walk.steps[:, None, :j, j], operations[:, :, j]
        before = (step * first[:, :, :j]).sum(2)
        first[:, :, j] = before + own
        second[:, :, j] = (step * second[:, :, :j]).sum(2) + own * (2 * before + 1)
        absent[:, :, j] = (step * absent[:, :, :j]).sum(2) * ~own
        most[:, :, j] = np.where(edges[:, None, :j, j], most[:, :, :j], 0).max(2) + own
    mean = first[:, :, -1]
    deviation = np.sqrt(np.maximum(second[:, :, -1] - mean**2, 0))
    return WalkCounts(mean, deviation, absent[:, :, -1], (walk.steps[:, None, :, -1] * most).sum(2))


def walk_transitions(walk: Walks, classes: Mask) -> Floats:
    """Expected steps of the backward walk between two classes of nodes, ``(B, C, C)``, input first.

    Args:
        walk: From :func:`walks`.
        classes: ``(B, C, n)`` masks.
    """
    expected = walk.steps * walk.backward[:, None, :]
    marks = classes.astype(np.float32)
    return np.asarray(marks @ expected @ marks.transpose(0, 2, 1), np.float32)
