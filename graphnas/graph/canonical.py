"""Canonical form of a labelled DAG: equal exactly for isomorphic architectures.

Colour refinement on in- and out-neighbours, then individualisation of the first colour class that is not
a single node, keeping the smallest certificate over its members. Classes of twins (same neighbours, same
label) need one member only, which removes the exponential cases that search spaces really contain.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from graphnas.graph.architecture import Architecture

MAX_LEAVES = 5000
"""Certificates compared before falling back on the refined colours alone (never reached by our spaces)."""


def canonical_key(architecture: Architecture) -> str:
    """A hexadecimal digest that is equal for isomorphic architectures, and only for those.

    For graphs so symmetric that :data:`MAX_LEAVES` labellings do not settle the matter, the digest is that of
    the stable colouring: still equal for isomorphic graphs, in theory also for some that are not.
    """
    adjacency = architecture.adjacency.astype(np.int64)
    colours = _refine(adjacency, _rank(architecture.operations.astype(np.int64)[:, None]))
    budget = [MAX_LEAVES]
    certificate = _search(adjacency, colours, budget)
    if certificate is None:
        order = np.argsort(colours, kind="stable")
        degrees = np.stack([colours, (adjacency > 0).sum(0), (adjacency > 0).sum(1)], 1)[order]
        certificate = b"colours" + degrees.tobytes()
    # Equal certificates must mean equal labels too: the colours are ranks, so the label values are added.
    labels = np.sort(architecture.operations).astype(np.int16).tobytes()
    return hashlib.blake2b(labels + certificate, digest_size=16).hexdigest()


def _rank(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rank of each row among the distinct rows in lexicographic order."""
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _refine(adjacency: NDArray[np.int64], colours: NDArray[np.int64]) -> NDArray[np.int64]:
    """The coarsest stable refinement of ``colours`` under labelled in- and out-neighbourhoods."""
    count = colours.max() + 1
    while True:
        # A neighbour contributes (edge label, colour); 0 stands for "no edge" and sorts first.
        codes = adjacency * (count + 1) + (adjacency > 0) * (colours[None, :] + 1)
        codes_in = adjacency.T * (count + 1) + (adjacency.T > 0) * (colours[None, :] + 1)
        refined = _rank(
            np.concatenate([colours[:, None], np.sort(codes, axis=1), np.sort(codes_in, axis=1)], axis=1)
        )
        refined_count = refined.max() + 1
        if refined_count == count:
            return refined
        colours, count = refined, refined_count


def _search(adjacency: NDArray[np.int64], colours: NDArray[np.int64], budget: list[int]) -> bytes | None:
    sizes = np.bincount(colours)
    classes = np.flatnonzero(sizes > 1)
    if len(classes) == 0:
        budget[0] -= 1
        order = np.argsort(colours)
        return adjacency[np.ix_(order, order)].astype(np.int8).tobytes()
    members = np.flatnonzero(colours == classes[0])
    if _all_twins(adjacency, members):
        members = members[:1]
    best: bytes | None = None
    for node in members:
        if budget[0] <= 0:
            return None
        split = colours * 2 + 1
        split[node] -= 1
        certificate = _search(adjacency, _refine(adjacency, _rank(split[:, None])), budget)
        if certificate is None:
            return None
        if best is None or certificate < best:
            best = certificate
    return best


def _all_twins(adjacency: NDArray[np.int64], members: NDArray[np.int64]) -> bool:
    """Whether the members have identical neighbourhoods, so that swapping two is an automorphism."""
    rows, columns = adjacency[members], adjacency[:, members]
    return bool((rows == rows[0]).all() and (columns == columns[:, :1]).all())
