"""Canonical form of a labelled DAG: equal exactly for isomorphic architectures.

Colour refinement on in- and out-neighbours (the labels of :mod:`graphnas.graph.wl_labels`) orders most graphs
completely. Where nodes keep equal colours, one of them is individualised and the colours are refined again,
keeping the smallest certificate over the choices. Two rules remove the exponential cases that search spaces
really contain. Twins (same label, same neighbours) are numbered at once in any order, since swapping them
changes nothing. And a choice that reaches a certificate seen below an earlier choice is equivalent to that
choice and is not searched further (pruning by automorphisms: McKay and Piperno, "Practical graph isomorphism,
II", Journal of Symbolic Computation 60, 2014).
"""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from graphnas.graph.architecture import Architecture
from graphnas.graph.wl_labels import mix, relation_coefficients

MAX_LEAVES = 2000
"""Certificates compared before falling back on the refined colours alone (never reached by our spaces)."""

Colours = NDArray[np.uint64]


def canonical_key(architecture: Architecture) -> str:
    """A hexadecimal digest that is equal for isomorphic architectures, and only for those.

    For graphs so symmetric that :data:`MAX_LEAVES` labellings do not settle the matter, the digest is that of
    the stable colouring: still equal for isomorphic graphs, in theory also for some that are not.
    """
    search = _Search(architecture)
    colours = search.refine(mix(architecture.operations.astype(np.uint64) + np.uint64(1)))
    if len(set(colours.tolist())) < len(colours):
        colours = search.refine(search.separate_twins(colours))
    leaves = search.certificates(colours)
    certificate = b"colours" + np.sort(colours).tobytes() if leaves is None else min(leaves)
    return hashlib.blake2b(certificate, digest_size=16).hexdigest()


class _Search:
    def __init__(self, architecture: Architecture) -> None:
        self.adjacency = architecture.adjacency
        self.operations = architecture.operations
        self.coefficients = relation_coefficients(architecture.adjacency)
        self.leaves_left = MAX_LEAVES

    def refine(self, colours: Colours) -> Colours:
        """Refine until the number of colours stops growing."""
        number = len(set(colours.tolist()))
        while number < len(colours):
            refined = mix(self.coefficients @ colours)
            refined_number = len(set(refined.tolist()))
            if refined_number <= number:
                break
            colours, number = refined, refined_number
        return colours

    def separate_twins(self, colours: Colours) -> Colours:
        """Different colours for nodes with the same label and the same neighbours."""
        met: Counter[tuple[int, bytes, bytes]] = Counter()
        rank = np.zeros(len(colours), np.uint64)
        for node, label in enumerate(self.operations.tolist()):
            likeness = (label, self.adjacency[node].tobytes(), self.adjacency[:, node].tobytes())
            rank[node] = met[likeness]
            met[likeness] += 1
        return mix(colours + rank)

    def certificates(self, colours: Colours) -> set[bytes] | None:
        """The certificates of all orders below this colouring; None when too many leaves were seen."""
        class_members = self._first_class(colours)
        if class_members is None:
            return self._leaf(colours)
        found: set[bytes] = set()
        for node in class_members:
            split = self._individualised(colours, node)
            if found:
                path = split
                while (members := self._first_class(path)) is not None:
                    path = self._individualised(path, members[0])
                leaf = self._leaf(path)
                if leaf is None:
                    return None
                # Equal certificates are an automorphism. It maps colours to equal colours, hence this choice
                # to the earlier one, since a colour records at which step its node was chosen.
                if leaf <= found:
                    continue
            below = self.certificates(split)
            if below is None:
                return None
            found |= below
        return found

    def _first_class(self, colours: Colours) -> list[int] | None:
        """The nodes of the smallest colour that several nodes have; None when all colours differ."""
        ordered = np.sort(colours)
        repeated = ordered[1:][ordered[1:] == ordered[:-1]]
        if len(repeated) == 0:
            return None
        return [int(node) for node in np.flatnonzero(colours == repeated[0])]

    def _individualised(self, colours: Colours, node: int) -> Colours:
        marks = np.zeros(len(colours), np.uint64)
        marks[node] = 1
        return self.refine(mix(colours + marks))

    def _leaf(self, colours: Colours) -> set[bytes] | None:
        self.leaves_left -= 1
        if self.leaves_left < 0:
            return None
        order = np.argsort(colours)
        graph = self.adjacency[order[:, None], order].tobytes() + self.operations[order].tobytes()
        return {colours[order].tobytes() + graph}
