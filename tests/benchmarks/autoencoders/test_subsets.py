"""Splits and samples of training sets: against counting and against slow, obvious versions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks.autoencoders.subsets import (
    bins_with,
    by_edit_distance,
    edit_distances,
    latent_bins,
    random_split,
    uniform_over_sizes,
    zero_shot_split,
)
from graphnas import Architecture, ArchitectureBatch
from graphnas.errors import InvalidArgument
from search_spaces import NASBench101


def test_random_split():
    split = random_split(1000, seed=0)
    assert [len(part) for part in split] == [700, 100, 200]
    assert sorted(np.concatenate(split)) == list(range(1000))
    assert all((np.diff(part) > 0).all() for part in split)
    np.testing.assert_array_equal(split.test, random_split(1000, seed=0).test)
    assert (split.test != random_split(1000, seed=1).test).any()


def test_zero_shot_split():
    sizes = np.random.default_rng(0).integers(2, 8, 600)
    for held_out in (6, 7):
        split = zero_shot_split(sizes, held_out, seed=1, validation=0.2)
        assert sorted(np.concatenate(split)) == list(range(600))
        assert set(sizes[split.test]) == {held_out}
        assert set(sizes[split.train]) == set(range(2, 8)) - {held_out}
        assert len(split.validation) == round(0.2 * (len(split.train) + len(split.validation)))


def test_every_size_gives_its_share():
    sizes = np.repeat([3, 5, 7], [10, 101, 400])
    chosen = uniform_over_sizes(sizes, 0.1, seed=0)
    assert np.bincount(sizes[chosen], minlength=8).tolist() == [0, 0, 0, 1, 0, 10, 0, 40]
    assert (np.diff(chosen) > 0).all()
    assert (chosen != uniform_over_sizes(sizes, 0.1, seed=1)).any()
    np.testing.assert_array_equal(uniform_over_sizes(sizes, 1.0, seed=0), np.arange(511))


def test_every_distance_gives_its_share_rounded_up():
    distances = np.repeat([0, 2, 3], [1, 21, 100])
    chosen = by_edit_distance(distances, 0.07, seed=0)
    assert np.bincount(distances[chosen]).tolist() == [1, 0, 2, 7]
    assert (chosen != by_edit_distance(distances, 0.07, seed=1)).any()


def slow_distance(one: Architecture, other: Architecture) -> int:
    """By trying every order of the inner vertices of the padded cell and counting what differs."""
    width = max(one.num_nodes, other.num_nodes)

    def padded(cell):
        place = {v: v for v in range(cell.num_nodes - 1)} | {cell.num_nodes - 1: width - 1}
        edges = {(place[i], place[j]) for i, j, _ in cell.labelled_edges()}
        return edges, {place[v]: int(k) for v, k in enumerate(cell.operations)}

    (edges, labels), (wanted, kinds) = padded(one), padded(other)
    found = []
    for inner in itertools.permutations(range(1, width - 1)):
        to = dict(enumerate([0, *inner, width - 1]))
        moved = {(to[i], to[j]) for i, j in edges}
        names = {to[v]: k for v, k in labels.items()}
        changes = sum(names.get(v) != kinds.get(v) for v in range(width))
        found.append(len(moved ^ wanted) + changes)
    return min(found)


def test_edit_distances():
    space = NASBench101()
    cells = [space.prune(space.sample(np.random.default_rng(k))) for k in range(25)]
    cells += [Architecture(np.eye(n, k=1, dtype=int), [0, *[1] * (n - 2), 4]) for n in (2, 3, 5)]
    batch = ArchitectureBatch.from_architectures(cells)
    for reference in (cells[0], cells[-1], cells[-3]):
        found = edit_distances(batch, reference)
        assert found.tolist() == [slow_distance(cell, reference) for cell in cells]
    assert edit_distances(batch, cells[3])[3] == 0
    diamond = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    first, second = Architecture(diamond, [0, 1, 2, 4]), Architecture(diamond, [0, 2, 1, 4])
    assert edit_distances(ArchitectureBatch.from_architectures([first]), second).tolist() == [0]


def test_bins_of_a_grid():
    """Points around the corners of a square: as many bins as clusters, and of each the middle one."""
    rng = np.random.default_rng(0)
    corners = np.array([[0, 0], [0, 10], [11, 0], [11, 10]])
    points = np.concatenate([c + rng.uniform(-1, 1, (50, 2)) for c in corners])
    chosen = latent_bins(points, 4 / 200, seed=1, bins=1, dimensions=2)
    assert len(chosen) == 4
    sparse = latent_bins(points, 0.5, seed=0, bins=2, dimensions=2)
    counts = np.bincount(sparse // 50, minlength=4)
    assert counts.sum() == 100
    assert counts.min() > 10


def slow_bins(points, bins, shift):
    """The graph nearest to the middle of each bin, bin by bin."""
    low = points.min(0)
    width = (points.max(0) - low) / bins
    members: dict[tuple[int, ...], list[int]] = {}
    for k, point in enumerate(points):
        members.setdefault(tuple(np.floor((point - low + shift * width) / width).astype(int)), []).append(k)
    found = []
    for place, inside in members.items():
        middle = low + (np.array(place) + 0.5 - shift) * width
        found.append(min(inside, key=lambda k: float(((points[k] - middle) ** 2).sum())))
    return sorted(found)


def test_nearest_to_the_middle_of_each_bin():
    rng = np.random.default_rng(3)
    points = rng.standard_normal((400, 4)) * [8, 4, 2, 1]
    # Components of the data themselves, so that the slow version may work on the same axes.
    centred = points - points.mean(0)
    projected = centred @ np.linalg.eigh(centred.T @ centred)[1][:, ::-1]
    shift = np.random.default_rng(7).random(4)
    expected = slow_bins(projected, 3, shift)
    exact = latent_bins(points, len(expected) / 400, seed=7, bins=3)
    assert exact.tolist() == expected
    fewer = latent_bins(points, (len(expected) - 9) / 400, seed=7, bins=3)
    assert set(fewer) < set(expected)
    assert len(fewer) == len(expected) - 9
    more = latent_bins(points, (len(expected) + 5) / 400, seed=7, bins=3)
    assert set(expected) < set(more)
    assert len(more) == len(expected) + 5
    assert latent_bins(points, 1.0, seed=7).tolist() == list(range(400))


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3, 0.9])
def test_as_many_bins_with_a_point_as_wanted(share):
    """Within a tenth, of points that are as unevenly spread as latents are."""
    rng = np.random.default_rng(5)
    points = rng.standard_normal((5000, 4)) ** 3 * [8, 4, 2, 1]
    shift = rng.random(4)
    bins = bins_with(points, shift, round(share * 5000))
    low = points.min(0)
    width = (points.max(0) - low) / bins
    filled = len({tuple(row) for row in np.floor((points - low) / width + shift).astype(int).tolist()})
    assert filled == pytest.approx(share * 5000, rel=0.1)


def test_bins_are_even_where_random_draws_are_not():
    """A dense clump and a thin cloud: bins take far more of the cloud."""
    rng = np.random.default_rng(0)
    points = np.concatenate([0.05 * rng.standard_normal((900, 6)), 4 * rng.standard_normal((100, 6))])
    chosen = latent_bins(points, 0.1, seed=0, bins=6)
    assert len(chosen) == 100
    assert (chosen >= 900).mean() > 0.5
    assert (latent_bins(points, 0.1, seed=1, bins=6) != chosen).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random_split(10, 0, (0.5, 0.5)), "shares"),
        (lambda: random_split(10, 0, (0.5, 0.6, -0.1)), "shares"),
        (lambda: random_split(3, 0), "too few"),
        (lambda: zero_shot_split([3, 4, 4], 7, 0), "0 graphs have size 7"),
        (lambda: zero_shot_split([3, 4, 4], 4, 0, validation=1.0), "validation"),
        (lambda: uniform_over_sizes([3, 4], 0.0, 0), "share"),
        (lambda: by_edit_distance([3, 4], 1.5, 0), "share"),
        (lambda: latent_bins(np.zeros(3), 0.5, 0), "latents"),
        (lambda: latent_bins(np.zeros((3, 2)), 0.5, 0, bins=0), "bins"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InvalidArgument, match=message):
        call()


def test_graphs_that_are_too_large():
    large = ArchitectureBatch.from_architectures([Architecture(np.eye(9, k=1, dtype=int))])
    with pytest.raises(InvalidArgument, match="at most 8"):
        edit_distances(large, large.architecture(0))
