"""Motifs of the Weisfeiler-Lehman kernel: their words, their counts, the same for isomorphic graphs."""

from __future__ import annotations

import numpy as np
import pytest

from graphnas import Architecture, ArchitectureBatch, ProductSpace
from graphnas.graph import WeisfeilerLehman
from graphnas.graph.wl_motifs import Motifs
from search_spaces import GEMNet, NASBench201, RandWire

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|"


def words(space, architecture, number):
    motifs = Motifs(space, ArchitectureBatch.from_architectures([architecture]), number)
    labels = motifs.of_round(number)
    counts = motifs.counts(number, labels)[0]
    return dict(zip(motifs.names(number, labels), counts.tolist(), strict=True))


def test_the_motifs_of_a_cell_are_those_that_one_can_see():
    space = NASBench201()
    cell = space.from_string(CELL)
    assert words(space, cell, 0) == dict.fromkeys(
        ("input", "nor_conv_3x3", "skip_connect", "avg_pool_3x3", "nor_conv_1x1", "output"), 1
    )
    assert words(space, cell, 1) == {
        "input → avg_pool_3x3, nor_conv_3x3": 1,
        "input → nor_conv_3x3 → skip_connect": 1,
        "nor_conv_3x3 → skip_connect → nor_conv_1x1": 1,
        "skip_connect → nor_conv_1x1 → output": 1,
        "input → avg_pool_3x3 → output": 1,
        "avg_pool_3x3, nor_conv_1x1 → output": 1,
    }
    further = words(space, cell, 2)
    assert (
        "[input → nor_conv_3x3 → skip_connect] → skip_connect → [skip_connect → nor_conv_1x1 → output]"
        in further
    )


def test_equal_neighbours_are_counted():
    space = NASBench201()
    cell = space.from_string(
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|skip_connect~1|skip_connect~2|"
    )
    assert words(space, cell, 1) == {
        "input → 2 nor_conv_3x3": 1,
        "input → nor_conv_3x3 → skip_connect": 2,
        "nor_conv_3x3 → skip_connect → output": 2,
        "2 skip_connect → output": 1,
    }


def test_what_has_no_neighbours_says_so_except_input_and_output():
    space = ProductSpace({"a": GEMNet(num_nodes=3), "b": GEMNet(num_nodes=3)})
    found = set()
    for seed in range(5):
        found |= set(words(space, space.sample(np.random.default_rng(seed)), 1))
    assert any(name.endswith(" → nothing") for name in found)
    assert any(name.startswith("a:input → ") for name in found)
    assert not any(name.startswith("nothing → a:input") for name in found)


@pytest.mark.parametrize("space", [GEMNet(num_nodes=7), NASBench201(), RandWire(num_nodes=10)])
def test_counts_are_those_of_the_kernel_and_each_name_has_one_label(space):
    batch = space.sample_batch(np.random.default_rng(0), 40)
    active = space.active_batch(batch)
    motifs = Motifs(space, batch, 2)
    for number, kernel in ((0, WeisfeilerLehman(0, include_initial=True)), (1, WeisfeilerLehman(1))):
        expected = kernel.fit(active).transform(active).toarray()
        labels = motifs.of_round(number)
        assert np.array_equal(labels, kernel.vocabulary)
        assert np.array_equal(motifs.counts(number, labels), expected)
        assert np.array_equal(motifs.counts(number, labels[::2]), expected[:, ::2])
        names = motifs.names(number, labels)
        assert len(set(names)) == len(names)


def test_isomorphic_graphs_have_the_same_motifs():
    space = GEMNet(num_nodes=6)
    rng = np.random.default_rng(1)
    for _ in range(20):
        one = space.sample(rng)
        # Two neighbours in the order of the nodes may change places if no edge joins them.
        free = [k for k in range(1, 5) if not one.adjacency[k, k + 1]]
        if not free:
            continue
        order = np.arange(6)
        order[[free[0], free[0] + 1]] = order[[free[0] + 1, free[0]]]
        other = Architecture(one.adjacency[np.ix_(order, order)], one.operations[order])
        for number in (0, 1, 2):
            assert words(space, one, number) == words(space, other, number)
