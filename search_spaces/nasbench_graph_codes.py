"""Codes of NAS-Bench-Graph's architectures: the number that the benchmark files each one's results under.

Qin et al., "NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search" (NeurIPS 2022), section 3.1. The
number has five decimal digits: the tree, as its index in :data:`TREES`, and the operation of each node. Trees
that differ in the order of their nodes have one code, and skip connections that only copy are moved to the
front first.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
SKIP = OPERATIONS.index("skip")
NODES = 4
TREES = (
    (0, 0, 0, 0),
    (0, 0, 0, 1),
    (0, 0, 1, 1),
    (0, 0, 1, 2),
    (0, 0, 1, 3),
    (0, 1, 1, 1),
    (0, 1, 1, 2),
    (0, 1, 2, 2),
    (0, 1, 2, 3),
)
"""The nine trees of an input and four nodes: which node each of 1 to 4 reads, 0 being the input."""

ALL_LINKS = tuple(itertools.product(range(1), range(2), range(3), range(4)))
"""The 24 ways to write them: each node reads an earlier one."""

ALL_SKIPS = 80_000 + 1111 * SKIP
"""The code of what has skip connections only, which the benchmark leaves out."""


def codes_of(links: NDArray[np.int64], operations: NDArray[np.int64]) -> NDArray[np.int64]:
    """The codes ``(B,)`` of trees given as ``(B, 4)`` links and ``(B, 4)`` operations in 0..8."""
    tree = (links[:, 1] * 3 + links[:, 2]) * 4 + links[:, 3]
    codes: NDArray[np.int64] = _all_codes()[tree, *operations.T]
    return codes


def decoded(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Links and operations, ``(B, 4)`` each, of the tree that each code spells."""
    digits = codes[:, None] // 10 ** np.arange(NODES, -1, -1) % 10
    return np.array(TREES)[digits[:, 0]], digits[:, 1:]


@functools.lru_cache(maxsize=1)
def known_codes() -> NDArray[np.int64]:
    """The 26,206 codes of the space in ascending order."""
    codes = np.unique(_all_codes())
    codes = codes[codes != ALL_SKIPS]
    codes.setflags(write=False)
    return codes


@functools.lru_cache(maxsize=1)
def _all_codes() -> NDArray[np.int64]:
    """``(24, 9, 9, 9, 9)``: the code of each way to write a tree, for all operations at once."""
    grid = np.stack(np.meshgrid(*[np.arange(len(OPERATIONS))] * NODES, indexing="ij"), -1).reshape(-1, NODES)
    skips = grid == SKIP
    table = np.zeros((len(ALL_LINKS), len(grid)), np.int64)
    for row, links in enumerate(ALL_LINKS):
        for pattern in itertools.product((False, True), repeat=NODES):
            same = np.flatnonzero((skips == pattern).all(1))
            moved_links, order = _skips_in_front(links, pattern)
            moved = grid[same][:, order]
            table[row, same] = np.min([_spelled(t, moved[:, p]) for t, p in _spellings(moved_links)], axis=0)
    table.setflags(write=False)
    return table.reshape(len(ALL_LINKS), *[len(OPERATIONS)] * NODES)


def _spelled(tree: int, operations: NDArray[np.int64]) -> NDArray[np.int64]:
    digits: NDArray[np.int64] = operations @ 10 ** np.arange(NODES - 1, -1, -1)
    return tree * 10**NODES + digits


def _skips_in_front(links: Sequence[int], skips: Sequence[bool]) -> tuple[tuple[int, ...], list[int]]:
    """The tree in which skip connections that only copy make a chain behind the input.

    Such are those that another node reads, that are the only reader of their input, or that read the input of
    the network itself (whose features have another width than the output's other terms, so that the benchmark
    leaves them out). What is left are leaves beside another reader of the same node: residual connections.

    Returns:
        The links, and for each new node (from 0) the number of the old one.
    """
    parent = dict(enumerate(links, start=1))
    front: list[int] = []
    for node in range(1, NODES + 1):
        read = any(link == node for link in parent.values())
        alone = sum(link == parent[node] for link in parent.values()) == 1
        if skips[node - 1] and (read or alone or parent[node] == 0):
            above = parent.pop(node)
            parent = {other: above if link == node else link for other, link in parent.items()}
            front.append(node)
    order = [*front, *parent]
    place = {node: k for k, node in enumerate(order, start=1)} | {0: len(front)}
    moved = [*range(len(front)), *(place[link] for link in parent.values())]
    return tuple(moved), [node - 1 for node in order]


@functools.lru_cache(maxsize=len(ALL_LINKS))
def _spellings(links: tuple[int, ...]) -> list[tuple[int, list[int]]]:
    """The ways to write a tree as one of :data:`TREES`: its index, and which node each of its nodes is."""
    spellings = []
    for order in itertools.permutations(range(1, NODES + 1)):
        place = {node: k for k, node in enumerate(order, start=1)} | {0: 0}
        written = tuple(place[links[node - 1]] for node in order)
        if written in TREES:
            spellings.append((TREES.index(written), [node - 1 for node in order]))
    return spellings
