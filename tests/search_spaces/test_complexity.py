"""Counting on the meta device: exact, without weights, without a trace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces import GEMNet
from search_spaces.complexity import Complexity, count_complexity


def count(module: nn.Module, shape: tuple[int, ...]) -> Complexity:
    return count_complexity(lambda: module.to("meta"), shape)


def test_convolutions_by_hand():
    assert count(nn.Conv2d(3, 8, 5, padding=2), (3, 10, 10)) == (8 * 75 + 8, 8 * 100 * 75)
    assert count(nn.Conv2d(3, 8, 3, stride=2), (3, 11, 11)) == (8 * 27 + 8, 8 * 25 * 27)
    depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
    assert count(depthwise, (8, 4, 4)) == (72, 8 * 16 * 9)
    grouped = nn.Conv2d(8, 12, 1, groups=4, bias=False)
    assert count(grouped, (8, 5, 5)) == (12 * 2, 12 * 25 * 2)
    transposed = nn.ConvTranspose2d(3, 8, 2, stride=2, bias=False)
    assert count(transposed, (3, 5, 5)) == (3 * 8 * 4, 3 * 25 * 8 * 4)
    assert count(nn.Conv1d(2, 4, 3, bias=False), (2, 10)) == (24, 4 * 8 * 6)


def test_linear_layers_and_matrix_products_by_hand():
    assert count(nn.Linear(7, 5), (7,)) == (40, 35)
    assert count(nn.Linear(7, 5, bias=False), (3, 7)) == (35, 3 * 35)

    class Product(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.bmm(x, x.transpose(1, 2))

    assert count(Product(), (6, 4)) == (0, 6 * 6 * 4)


def test_what_is_not_counted():
    layers = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2), nn.MaxPool2d(2), nn.Flatten())
    assert count(layers, (4, 8, 8)) == (8, 0)
    frozen = nn.Linear(4, 4)
    frozen.weight.requires_grad_(False)
    assert count(frozen, (4,)) == (4, 16)


def test_no_weight_is_allocated():
    size = count_complexity(lambda: nn.Linear(2_000_000, 1_000_000), (2_000_000,))
    assert size == (2_000_001_000_000, 2_000_000_000_000)  # 8 TB, if they were


def test_nothing_global_is_touched():
    state = torch.get_rng_state()
    space = GEMNet(5)
    architecture = space.sample(np.random.default_rng(0))
    count_complexity(lambda: space.build(architecture, 10), (3, 8, 8))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.empty(1).device.type == "cpu"
    assert torch.is_grad_enabled()


def test_threads_do_not_disturb_each_other():
    space = GEMNet(6)
    architectures = list(space.sample_batch(np.random.default_rng(1), 8))
    sizes = [count_complexity(lambda a=a: space.build(a, 10), (3, 8, 8)) for a in architectures]
    with ThreadPoolExecutor(4) as pool:
        again = pool.map(lambda a: count_complexity(lambda: space.build(a, 10), (3, 8, 8)), architectures)
    assert list(again) == sizes
    assert len(set(sizes)) > 4
