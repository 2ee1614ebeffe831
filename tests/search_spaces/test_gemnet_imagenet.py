"""GEMNet-A and GEMNet-B: their published size, their feature maps for detection, and that they train."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphnas.errors import InvalidArgument
from search_spaces import GEMNet
from search_spaces.complexity import count_complexity
from search_spaces.gemnet_imagenet import CELL, WIDTHS, gemnet_a, gemnet_b, gemnet_cell


@pytest.mark.parametrize(("make", "parameters", "macs"), [(gemnet_a, 4.3e6, 463e6), (gemnet_b, 4.5e6, 563e6)])
def test_size_is_the_published_one(make, parameters, macs):
    counted = count_complexity(make, (3, 224, 224))
    assert counted.parameters == pytest.approx(parameters, rel=0.02)
    assert counted.macs == pytest.approx(macs, rel=0.02)


def test_the_cell_is_what_its_module_says():
    cell = gemnet_cell()
    assert cell == GEMNet(edge_probability=(0.15, 0.15)).sample(np.random.default_rng(0))
    pruned = GEMNet().prune(cell)
    assert (pruned.num_nodes, pruned.num_edges) == (26, 52)
    assert (pruned.adjacency.any(1) == 0).sum() == 8
    assert len(CELL) == 30


@pytest.mark.parametrize("make", [gemnet_a, gemnet_b])
def test_maps_for_detection_and_training(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = make(5)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    maps = network.features(images)
    assert network.strides == (4, 8, 16, 32)
    assert [tuple(m.shape) for m in maps] == [
        (2, channels, 64 // stride, 64 // stride)
        for channels, stride in zip(network.out_channels, network.strides, strict=True)
    ]
    logits = network(images)
    assert logits.shape == (2, 5)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 3])).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    assert sum(bool(p.grad.any()) for p in network.parameters()) > 0.95 * len(list(network.parameters()))


def test_images_of_other_sizes_are_rounded_up():
    with torch.device("meta"):
        network = gemnet_a(10, in_channels=1).eval()
        maps = network.features(torch.empty(1, 1, 100, 75))
    assert [tuple(m.shape[2:]) for m in maps] == [(25, 19), (13, 10), (7, 5), (4, 3)]
    assert tuple(m.shape[1] for m in maps) == network.out_channels == WIDTHS["GEMNet-A"]


def test_bad_sizes_are_refused():
    with pytest.raises(InvalidArgument, match="num_classes must be at least 1, got 0"):
        gemnet_a(0)
    with pytest.raises(InvalidArgument, match="in_channels must be at least 1, got -1"):
        gemnet_b(10, in_channels=-1)
