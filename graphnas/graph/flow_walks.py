"""Random walks through flow graphs: which operations a signal meets where inputs are averaged.

A walk starts at the output and goes to a random input of the node it is at, until it reaches the input of the
graph. What it meets is what an average unit of the output is made of: a node that joins k inputs by a mean, a
sum or a concatenation in equal parts takes a k-th from each. Counts over paths, in contrast, give a node with
many paths behind it more weight. Graphs are the last axis, as in :class:`graphnas.graph.flow.FlowGraphs`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Walks(NamedTuple):
    """Both directions of the random walk on ``(n, n, B)`` graphs.

    Attributes:
        steps: ``(n, n, B)``, the probability that a walk at node j goes on to its input i, at ``[i, j]``.
        backward: ``(n, B)`` probability that the walk from the output visits a node.
        forward: The same of the walk from the input along the edges.
    """

    steps: Floats
    backward: Floats
    forward: Floats


class WalkCounts(NamedTuple):
    """Nodes of each operation on the backward walk, ``(K, B)`` each.

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
    n = len(edges)
    into, out = edges.sum(0, dtype=np.float32), edges.sum(1, dtype=np.float32)
    steps = edges / np.maximum(into, 1)
    onward = edges / np.maximum(out, 1)[:, None]
    backward, forward = np.zeros((2, *edges.shape[1:]), np.float32)
    backward[-1] = forward[0] = 1
    for i in range(n - 2, -1, -1):
        backward[i] = (steps[i, i + 1 :] * backward[i + 1 :]).sum(0)
    for j in range(1, n):
        forward[j] = (onward[:j, j] * forward[:j]).sum(0)
    return Walks(steps, backward, forward)


def walk_counts(edges: Mask, operations: Mask, walk: Walks) -> WalkCounts:
    """What the backward walk meets of the operations ``(n, K, B)``."""
    # First and second moment of the number of nodes on the part of the walk between a node and the input.
    first, second, absent, most = np.zeros((4, *operations.shape), np.float32)
    absent[0] = 1
    for j in range(1, len(operations)):
        step, own = walk.steps[:j, j], operations[j]
        before = np.einsum("ikb,ib->kb", first[:j], step)
        first[j] = before + own
        second[j] = np.einsum("ikb,ib->kb", second[:j], step) + own * (2 * before + 1)
        absent[j] = np.einsum("ikb,ib->kb", absent[:j], step) * ~own
        most[j] = (most[:j] * edges[:j, j, None]).max(0) + own
    mean = first[-1]
    deviation = np.sqrt(np.maximum(second[-1] - mean**2, 0))
    return WalkCounts(mean, deviation, absent[-1], np.einsum("ikb,ib->kb", most, walk.steps[:, -1]))


def between_classes(weights: Floats, classes: Floats) -> Floats:
    """Sums ``(C, C, B)`` of the weights ``(n, n, B)`` of the edges between classes of nodes ``(n, C, B)``."""
    pulled = np.einsum("iab,ijb->ajb", classes, weights)
    return np.asarray(np.einsum("ajb,jcb->acb", pulled, classes), np.float32)
