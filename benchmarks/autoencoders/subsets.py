"""Which architectures to train a predictor on: VS-GAE's splits and ways to sample part of a training set.

Source: Friede et al., "A Variational-Sequential Graph Autoencoder for Neural Architecture Performance
Prediction" (2019), Table 1 and Fig. 8, and their code. All functions return ascending indices.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas import Architecture, ArchitectureBatch
from graphnas.errors import InvalidArgument

Indices = NDArray[np.int64]

SHARES = (0.7, 0.1, 0.2)
"""Training, validation and test."""

MOST_BINS = 4096
"""Per dimension, of a grid that is looked for."""

BISECTIONS = 20

DIMENSIONS = 4
"""Principal components in which latents are binned."""

_CHUNK = 20_000


class Split(NamedTuple):
    """Three disjoint sets of rows."""

    train: Indices
    validation: Indices
    test: Indices


def random_split(count: int, seed: int, shares: Sequence[float] = SHARES) -> Split:
    """A random split of ``count`` rows into 70 % training, 10 % validation and 20 % test.

    The paper's own split takes equal shares of every edit distance and is not published; at its size a random
    split has nearly the same shares.

    Raises:
        InvalidArgument: Shares that are not three positive numbers of sum 1, or too few rows.
    """
    if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9:
        raise InvalidArgument(f"shares must be three positive numbers of sum 1, got {tuple(shares)}")
    ends = np.round(np.cumsum(shares[:2]) * count).astype(int)
    parts = np.split(np.random.default_rng(seed).permutation(count), ends)
    if min(len(part) for part in parts) < 1:
        raise InvalidArgument(f"{count} rows are too few for the shares {tuple(shares)}")
    return Split(*(np.sort(part) for part in parts))


def zero_shot_split(sizes: ArrayLike, held_out: int, seed: int, validation: float = 0.1) -> Split:
    """Test on the graphs of one size, train on all others (the paper: on 6 or on 7 vertices).

    Args:
        sizes: (n,) numbers of vertices.
        held_out: The size of the test graphs.
        seed: Seed of the choice of the validation rows.
        validation: Share of the other graphs that is used for validation.

    Raises:
        InvalidArgument: No graph, or every graph, has that size; or a share that is not between 0 and 1.
    """
    if not 0 < validation < 1:
        raise InvalidArgument(f"validation must be between 0 and 1, exclusive, got {validation}")
    values = np.asarray(sizes)
    test, others = np.flatnonzero(values == held_out), np.flatnonzero(values != held_out)
    cut = max(round(validation * len(others)), 1)
    if not len(test) or len(others) <= cut:
        raise InvalidArgument(f"{len(test)} graphs have size {held_out}, {len(others)} another size")
    order = np.random.default_rng(seed).permutation(others)
    return Split(np.sort(order[cut:]), np.sort(order[:cut]), test)


# -------------------------------------------------------------------- part of a training set


def uniform_over_sizes(sizes: ArrayLike, share: float, seed: int) -> Indices:
    """A random share of the graphs of each size (the code's "random").

    Args:
        sizes: (n,) numbers of vertices.
        share: In 0..1.
        seed: Seed of the draws.

    Raises:
        InvalidArgument: A share out of range.
    """
    return _of_every_group(np.asarray(sizes), share, seed)


def by_edit_distance(distances: ArrayLike, share: float, seed: int) -> Indices:
    """A random share of the graphs at each edit distance (the code's "edit").

    The released code takes the first of each group in the order of a Python set; here the draw is random.

    Args:
        distances: (n,) from :func:`edit_distances`.
        share: In 0..1; the number taken from each group is rounded up, as in the code.
        seed: Seed of the draws.

    Raises:
        InvalidArgument: A share out of range.
    """
    return _of_every_group(np.asarray(distances), share, seed, up=True)


def _of_every_group(groups: NDArray[np.int64], share: float, seed: int, *, up: bool = False) -> Indices:
    _check_share(share)
    rng, chosen = np.random.default_rng(seed), []
    for group in np.unique(groups):
        members = rng.permutation(np.flatnonzero(groups == group))
        # A product such as .07 * 100 must not be rounded up because of its last bit.
        wanted = np.ceil(share * len(members) - 1e-9) if up else np.round(share * len(members))
        chosen.append(members[: int(wanted)])
    return np.sort(np.concatenate(chosen))


def edit_distances(graphs: ArchitectureBatch, reference: Architecture) -> Indices:
    """``(B,)``: the smallest number of changed edges and operations that turns a graph into the reference.

    This is the edit distance of NAS-Bench-101 (Ying et al., 2019, section 4.3), over all orders of the inner
    vertices; the first and the last vertex stay. VS-GAE's reference is not published: we take the cell with
    the best validation accuracy.

    Args:
        graphs: Graphs of any sizes; a graph whose size differs from the reference's is compared as if padded
            with vertices before its last, each of which costs one change besides its edges.
        reference: Any graph of at most 8 vertices, which have 720 orders.

    Raises:
        InvalidArgument: A larger reference or larger graphs.
    """
    adjacency, operations, sizes = graphs.to_arrays()
    width = max(int(sizes.max()), reference.num_nodes)
    if width > 8:
        raise InvalidArgument(f"edit distances are for graphs of at most 8 vertices, got {width}")
    edges, labels = _padded(adjacency, operations, sizes, width)
    one, kind = _padded(
        reference.adjacency[None], reference.operations[None], np.array([reference.num_nodes]), width
    )
    # Compare whole matrices, since edges of a reordered graph may point backwards.
    orders = np.array([(0, *inner, width - 1) for inner in itertools.permutations(range(1, width - 1))])
    wanted_edges = one[0][orders[:, :, None], orders[:, None, :]].reshape(len(orders), -1)
    wanted_labels = kind[0][orders]
    distances = np.empty(len(sizes), np.int64)
    codes = np.unique(np.concatenate([labels.ravel(), kind.ravel()]))
    symbols = np.concatenate([wanted_labels == code for code in codes], 1).astype(np.float32)
    pattern = wanted_edges.astype(np.float32)
    for start in range(0, len(sizes), _CHUNK):
        rows = slice(start, start + _CHUNK)
        mine = edges[rows].reshape(len(edges[rows]), -1).astype(np.float32)
        same = np.concatenate([labels[rows] == code for code in codes], 1).astype(np.float32) @ symbols.T
        different = mine.sum(1)[:, None] + pattern.sum(1)[None] - 2 * mine @ pattern.T
        distances[rows] = np.round((different + width - same).min(1))
    return distances


def _padded(
    adjacency: NDArray[np.int8], operations: NDArray[np.int16], sizes: NDArray[np.int64], width: int
) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
    """Graphs padded to ``width`` vertices (label -1, no edges) before the last one."""
    edges = np.zeros((len(sizes), width, width), np.int8)
    labels = np.full((len(sizes), width), -1, np.int16)
    for n in np.unique(sizes).tolist():
        rows = np.flatnonzero(sizes == n)
        places = np.array([*range(n - 1), width - 1])
        edges[rows[:, None, None], places[:, None], places] = adjacency[rows, :n, :n] != 0
        labels[rows[:, None], places] = operations[rows, :n]
    return edges, labels


def latent_bins(
    latents: ArrayLike, share: float, seed: int, *, bins: float | None = None, dimensions: int = DIMENSIONS
) -> Indices:
    """Graphs spread evenly over a latent space (Fig. 8; the code's "even").

    The first principal components are cut into bins of equal width on a randomly shifted grid, and the graph
    nearest to the centre of each bin is taken. If these are too many, some are dropped at random; while there
    are too few, every bin, or a random part of them, gives another of its graphs at random.

    The number of bins is the one whose grid has about as many bins with a graph as are wanted. The released
    code takes it from a table, which fits its own latents only. It also shifts by a fraction of the number of
    bins rather than of their width, and advances at most one bin per graph, so that every gap shifts the bins
    after it.

    Args:
        latents: (n, d) posterior means.
        share: In 0..1; ``round(share n)`` graphs are taken.
        seed: Seed of the shift and the draws.
        bins: Bins per dimension; by default they are chosen as said above.
        dimensions: Number of principal components.

    Raises:
        InvalidArgument: Latents of another shape, or a share or count out of range.
    """
    _check_share(share)
    points = np.asarray(latents, np.float64)
    if points.ndim != 2 or not len(points):
        raise InvalidArgument(f"latents must have shape (n, d), got {points.shape}")
    if dimensions < 1 or (bins is not None and bins < 1):
        raise InvalidArgument(f"bins and dimensions must be at least 1, got {bins} and {dimensions}")
    rng = np.random.default_rng(seed)
    wanted = int(np.round(share * len(points)))
    centred = points - points.mean(0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    projected = centred @ vectors[:, ::-1][:, :dimensions]
    shift = rng.random(projected.shape[1])
    if bins is None:
        bins = bins_with(projected, shift, wanted)
    places, width = _on_grid(projected, shift, bins)
    bin_of = np.floor(places)
    from_middle = ((places - bin_of - 0.5) ** 2 * width**2).sum(1)
    number = np.unique(_codes(bin_of), return_inverse=True)[1].reshape(-1)
    # By bin; in each the graph nearest to the centre first, the others in random order.
    order = rng.permutation(len(points))
    order = order[np.argsort(number[order], kind="stable")]
    starts = np.flatnonzero(np.r_[True, np.diff(number[order]) > 0])
    nearest = np.lexsort((from_middle, number))[starts]
    chosen = [nearest]
    rest = order[~np.isin(order, nearest)]
    # The k-th round takes the k-th graph of each bin that has that many.
    firsts = np.r_[True, np.diff(number[rest]) > 0] if len(rest) else np.zeros(0, bool)
    heads = np.flatnonzero(firsts)
    turn = np.arange(len(rest)) - np.repeat(heads, np.diff(np.r_[heads, len(rest)]))
    missing = wanted - len(nearest)
    if missing < 0:
        return np.sort(rng.permutation(nearest)[:wanted])
    for k in range(int(turn.max(initial=-1)) + 1):
        if missing <= 0:
            break
        taken = rng.permutation(rest[turn == k])[:missing]
        chosen.append(taken)
        missing -= len(taken)
    return np.sort(np.concatenate(chosen))


def bins_with(points: NDArray[np.float64], shift: NDArray[np.float64], wanted: int) -> float:
    """Bins per dimension of the grid that has about ``wanted`` bins with a point; any real number.

    Args:
        points: (n, k).
        shift: (k,) of the grid, in bins.
        wanted: Bins that are not empty, at most the number of different points.
    """

    def excess(bins: float) -> int:
        return len(np.unique(_codes(np.floor(_on_grid(points, shift, bins)[0])))) - wanted

    high = 1.0
    while excess(high) < 0 and high < MOST_BINS:
        high *= 2
    found, low = {high: excess(high)}, high / 2
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        found[middle] = excess(middle)
        low, high = (middle, high) if found[middle] < 0 else (low, middle)
    return min(found, key=lambda bins: abs(found[bins]))


def _on_grid(
    points: NDArray[np.float64], shift: NDArray[np.float64], bins: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places of points in units of bins, and the bins' widths."""
    low = points.min(0)
    width = np.maximum((points.max(0) - low) / bins, 1e-12)
    return (points - low) / width + shift, width


def _codes(bin_of: NDArray[np.float64]) -> NDArray[np.int64]:
    """One number per row of bin numbers, the same for the same bin."""
    whole = bin_of.astype(np.int64)
    return np.asarray(np.ravel_multi_index(tuple(whole.T), tuple(whole.max(0) + 1)))


def _check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise InvalidArgument(f"share must be above 0 and at most 1, got {share!r}")
