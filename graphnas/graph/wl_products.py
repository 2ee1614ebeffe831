"""Counts of hashed labels per graph, and the inner products of those counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

# Features that more than this share of the graphs have are multiplied as a dense matrix: faster then.
_DENSE_SHARE = 0.05


class Occurrences(NamedTuple):
    """Each distinct label of each graph: ``rows[k]`` has label ``values[k]`` ``counts[k]`` times.

    Entries come row by row, and with ascending labels within a row.
    """

    rows: NDArray[np.int64]
    values: NDArray[np.uint64]
    counts: NDArray[np.int64]
    size: int
    """Number of graphs."""


def occurrences(labels: NDArray[np.uint64]) -> Occurrences:
    """Count the labels of each row of ``(B, M)``, which is sorted within rows; 0 is padding."""
    flat = labels.reshape(-1)
    first = np.ones(flat.shape, bool)
    np.not_equal(flat[1:], flat[:-1], out=first[1:])
    first[:: labels.shape[1]] = True
    places = np.flatnonzero(first)
    counts = np.diff(places, append=flat.size)
    values = flat[places]
    real = values != 0
    return Occurrences(places[real] // labels.shape[1], values[real], counts[real], len(labels))


def count_matrix(
    rows: NDArray[np.int64], columns: NDArray[np.int64], counts: NDArray[np.int64], shape: tuple[int, int]
) -> sparse.csr_array:
    """A CSR matrix from entries that come row by row with ascending columns."""
    starts = np.zeros(shape[0] + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=shape[0]), out=starts[1:])
    return sparse.csr_array((counts.astype(float), columns, starts), shape=shape)


def self_products(of: Occurrences) -> NDArray[np.float64]:
    """``(B,)`` inner product of the counts of each graph with themselves."""
    squares = of.counts.astype(float) ** 2
    sums: NDArray[np.float64] = np.bincount(of.rows, weights=squares, minlength=of.size).astype(
        float, copy=False
    )
    return sums


def all_products(left: Occurrences, right: Occurrences | None = None) -> NDArray[np.float64]:
    """``(len(left), len(right))`` inner products; ``right`` None stands for ``left`` itself.

    All sums are of integers below 2**53, hence exact in whatever order they are taken.
    """
    other = left if right is None else right
    values = left.values if right is None else np.concatenate([left.values, right.values])
    distinct, columns = np.unique(values, return_inverse=True)
    left_columns = columns[: len(left.values)]
    other_columns = columns if right is None else columns[len(left.values) :]
    in_left = np.bincount(left_columns, minlength=len(distinct))
    in_other = np.bincount(other_columns, minlength=len(distinct))

    # Most labels of larger graphs occur in one graph only: they meet nothing but themselves.
    shared = in_left > 1 if right is None else (in_left > 0) & (in_other > 0)
    common = shared & (in_left > _DENSE_SHARE * left.size) & (in_other > _DENSE_SHARE * other.size)

    def chosen(of: Occurrences, of_columns: NDArray[np.int64], which: NDArray[np.bool_]) -> sparse.csr_array:
        kept = which[of_columns]
        number = np.cumsum(which) - 1
        shape = (of.size, int(which.sum()))
        return count_matrix(of.rows[kept], number[of_columns[kept]], of.counts[kept], shape)

    rare = shared & ~common
    # A sparse product of what most graphs share would store nearly every entry: slow, hence the dense one.
    products: NDArray[np.float64] = (
        chosen(left, left_columns, common).toarray() @ chosen(other, other_columns, common).toarray().T
    )
    products += (chosen(left, left_columns, rare) @ chosen(other, other_columns, rare).T).toarray()
    if right is None:
        np.fill_diagonal(products, self_products(left))
    return products


def normalize_in_place(products: NDArray[np.float64], norms: NDArray[np.float64]) -> None:
    """Divide ``products`` by ``sqrt(norms)``; where a norm is 0 the product is 0 already and stays it."""
    np.sqrt(norms, out=norms)
    np.divide(products, norms, out=products, where=norms > 0)
