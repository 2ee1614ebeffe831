"""The Weisfeiler-Lehman subtree kernel of architectures: explicit counts, Gram matrices, pairs and hashes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.wl_labels import DIRECTIONS, Direction, graph_hashes, refined_labels
from graphnas.graph.wl_products import (
    Occurrences,
    all_products,
    count_matrix,
    normalize_in_place,
    occurrences,
    self_products,
)

Graphs = ArchitectureBatch | Sequence[Architecture]

# Pairs that `pairwise` handles at a time, so that their labels stay in the cache.
_PAIRS = 2048


class WeisfeilerLehman:
    """The WL subtree kernel of Shervashidze et al., JMLR 2011, section 3.1, on directed labelled graphs.

    The features of a graph are the counts of its refined node labels, ``k(a, b)`` is the inner product of the
    counts, and the normalised kernel is ``S_g(a, b) = k(a, b) / sqrt(k(a, a) k(b, b))``, the target of
    NASGEM's encoder (arXiv 2007.04452, eq. 3).

    Labels are 64-bit hashes (see :mod:`graphnas.graph.wl_labels`), so :meth:`gram`, :meth:`pairwise` and
    :meth:`self_kernel` need no fit. Only :meth:`transform`, whose columns must mean something, does.
    With ``direction="out"``, ``include_initial=True`` and ``edge_labels=False`` the kernel is grakel's.

    Args:
        iterations: Rounds of refinement ``h``.
        direction: Neighbours that a node sees: predecessors ("in"), successors ("out") or both, kept apart.
        include_initial: Whether the labels before the first round are features too. By default they are not:
            on equal-size graphs without operations they add the same constant to every entry.
        node_labels: Whether the operations are the initial labels; otherwise all nodes start equal.
        edge_labels: Whether a node sees the labels of its edges.
        normalize: Whether :meth:`gram` and :meth:`pairwise` give ``S_g`` rather than ``k``.

    Raises:
        InvalidArgument: ``iterations`` is negative, or 0 without ``include_initial`` (no feature is left), or
            ``direction`` is unknown.
    """

    def __init__(
        self,
        iterations: int = 3,
        *,
        direction: Direction = "both",
        include_initial: bool = False,
        node_labels: bool = True,
        edge_labels: bool = True,
        normalize: bool = True,
    ) -> None:
        lowest = 0 if include_initial else 1
        if not isinstance(iterations, int | np.integer) or iterations < lowest:
            raise InvalidArgument(
                f"iterations must be an integer of at least {lowest} with include_initial={include_initial}, "
                f"got {iterations!r}"
            )
        if direction not in DIRECTIONS:
            raise InvalidArgument(f"direction must be one of {DIRECTIONS}, got {direction!r}")
        self.iterations = int(iterations)
        self.direction = direction
        self.include_initial = include_initial
        self.node_labels = node_labels
        self.edge_labels = edge_labels
        self.normalize = normalize
        self._vocabulary: NDArray[np.uint64] | None = None

    # ---------------------------------------------------------------- explicit features

    @property
    def vocabulary(self) -> NDArray[np.uint64]:
        """The label that each column of :meth:`transform` counts, ascending.

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        if self._vocabulary is None:
            raise InvalidArgument("WeisfeilerLehman is not fitted: call fit(batch) first")
        return self._vocabulary

    @vocabulary.setter
    def vocabulary(self, labels: NDArray[np.uint64]) -> None:
        """Take the columns of an earlier fit."""
        self._vocabulary = labels

    def fit(self, batch: Graphs) -> WeisfeilerLehman:
        """Take the labels that occur in ``batch`` as the columns of :meth:`transform`."""
        self._vocabulary = np.unique(self._occurrences(batch).values)
        return self

    def transform(self, batch: Graphs) -> sparse.csr_array:
        """How often each label of the vocabulary occurs in each graph.

        Labels that were not seen by :meth:`fit` have no column and count nothing here. They do belong to
        ``k(x, x)``, by which the kernel is normalised, as in grakel: divide the rows by the square root of
        :meth:`self_kernel` to get features whose inner products are ``S_g``.

        Returns:
            ``(B, n_features)`` counts as float64, rows in the order of the batch, column indices sorted.

        Raises:
            InvalidArgument: Nothing was fitted.
        """
        vocabulary = self.vocabulary
        rows, values, counts, size = self._occurrences(batch)
        columns = np.minimum(np.searchsorted(vocabulary, values), len(vocabulary) - 1)
        known = vocabulary[columns] == values
        return count_matrix(rows[known], columns[known], counts[known], (size, len(vocabulary)))

    def fit_transform(self, batch: Graphs) -> sparse.csr_array:
        """:meth:`fit` and :meth:`transform` of the same batch at once."""
        rows, values, counts, size = self._occurrences(batch)
        self._vocabulary, columns = np.unique(values, return_inverse=True)
        return count_matrix(rows, columns, counts, (size, len(self._vocabulary)))

    # ---------------------------------------------------------------- the kernel

    def gram(self, a: Graphs, b: Graphs | None = None) -> NDArray[np.float64]:
        """The kernel between all graphs of ``a`` and all of ``b`` (by default: of ``a``).

        Returns:
            ``(len(a), len(b))`` float64.
        """
        left = self._occurrences(a)
        right = None if b is None else self._occurrences(b)
        products = all_products(left, right)
        if self.normalize:
            of_left = self_products(left)
            of_right = of_left if right is None else self_products(right)
            normalize_in_place(products, np.outer(of_left, of_right))
        return products

    def pairwise(self, a: Graphs, b: Graphs) -> NDArray[np.float64]:
        """The kernel of each graph of ``a`` with the graph at the same place in ``b``.

        Returns:
            ``(B,)`` float64: the diagonal of ``gram(a, b)``, without the rest of it.

        Raises:
            InvalidArgument: The batches differ in length.
        """
        if len(a) != len(b):
            raise InvalidArgument(f"pairwise needs batches of the same length, got {len(a)} and {len(b)}")
        values = np.empty(len(a))
        for start in range(0, len(a), _PAIRS):
            piece = slice(start, start + _PAIRS)
            left, right = self._sorted_labels(a[piece]), self._sorted_labels(b[piece])
            union = np.sort(np.concatenate([left, right], axis=1), axis=1)
            of_left, of_right, of_union = (self_products(occurrences(x)) for x in (left, right, union))
            # The counts of both graphs together have k(a+b, a+b) = k(a, a) + 2 k(a, b) + k(b, b).
            products = (of_union - of_left - of_right) / 2
            if self.normalize:
                normalize_in_place(products, of_left * of_right)
            values[piece] = products
        return values

    def self_kernel(self, batch: Graphs) -> NDArray[np.float64]:
        """``k(x, x)`` of each graph, over all of its labels, ``(B,)`` float64 and never normalised."""
        return self_products(self._occurrences(batch))

    def _occurrences(self, batch: Graphs) -> Occurrences:
        return occurrences(self._sorted_labels(batch))

    def _sorted_labels(self, batch: Graphs) -> NDArray[np.uint64]:
        """``(B, rounds * N)`` labels of the rounds that count, ascending within a row; 0 at padding."""
        labels = refined_labels(
            *_arrays(batch),
            self.iterations,
            direction=self.direction,
            node_labels=self.node_labels,
            edge_labels=self.edge_labels,
        )
        chosen = labels if self.include_initial else labels[:, 1:]
        return np.sort(chosen.reshape(len(chosen), -1), axis=1)

    def __repr__(self) -> str:
        return (
            f"WeisfeilerLehman(iterations={self.iterations}, direction={self.direction!r}, "
            f"include_initial={self.include_initial}, node_labels={self.node_labels}, "
            f"edge_labels={self.edge_labels}, normalize={self.normalize})"
        )


def wl_hash(batch: Graphs, iterations: int = 3) -> NDArray[np.uint64]:
    """A 64-bit hash of each graph that is equal for isomorphic ones, the same in every process.

    It covers operations, edge labels and both directions. A label contains the node's earlier labels, so
    those of the last round stand for rounds 0 to ``iterations``. Unequal graphs may share a hash where WL
    cannot tell them apart, which :func:`graphnas.graph.canonical.canonical_key` can.

    Returns:
        ``(B,)`` uint64.

    Raises:
        InvalidArgument: ``iterations`` is negative.
    """
    if iterations < 0:
        raise InvalidArgument(f"iterations must be at least 0, got {iterations}")
    adjacency, operations, num_nodes = _arrays(batch)
    labels = refined_labels(adjacency, operations, num_nodes, iterations)
    return graph_hashes(labels[:, -1], num_nodes)


def _arrays(batch: Graphs) -> tuple[NDArray[np.int8], NDArray[np.int16], NDArray[np.int64]]:
    if not isinstance(batch, ArchitectureBatch):
        if not isinstance(batch, Sequence) or not all(isinstance(a, Architecture) for a in batch):
            raise InvalidArgument(
                f"expected an ArchitectureBatch or a sequence of Architecture, got {type(batch).__name__}"
            )
        batch = ArchitectureBatch.from_architectures(batch)
    if len(batch) == 0:
        raise InvalidArgument("the batch is empty")
    return batch.to_arrays()
