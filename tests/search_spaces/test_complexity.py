"""Counting on the meta device: exact, without weights, without a trace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode

from search_spaces import GEMNet, NASBench201
from search_spaces.complexity import Complexity, count_complexity, unused_parameters


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


# ---------------------------------------------------------------- against torch's own counter


class Weighted(nn.Module):
    """One product of the input ``(1, 5, 4)`` with weights."""

    def __init__(self, product) -> None:
        super().__init__()
        self.product = product
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.product(x, self.weight)


# Each vector product, and the same as a product of matrices, which torch's counter knows.
VECTOR_PRODUCTS = {
    "mv": (lambda x, w: torch.mv(x[0], w), lambda x, w: x[0] @ w[:, None]),
    "addmv": (lambda x, w: torch.addmv(x[0, :, 0], x[0], w), lambda x, w: x[0] @ w[:, None]),
    "dot": (lambda x, w: torch.dot(x[0, 0], w), lambda x, w: x[0, :1] @ w[:, None]),
    "vdot": (lambda x, w: torch.vdot(x[0, 0], w), lambda x, w: x[0, :1] @ w[:, None]),
    "matmul": (lambda x, w: x @ w, lambda x, w: x @ w[:, None]),
    "matmul of vectors": (lambda x, w: w @ w, lambda x, w: w[None] @ w[:, None]),
    "einsum": (lambda x, w: torch.einsum("bij,j->bi", x, w), lambda x, w: x @ w[:, None]),
    "einsum of vectors": (lambda x, w: torch.einsum("i,i", w, w), lambda x, w: w[None] @ w[:, None]),
}


def torch_count(module: nn.Module, shape: tuple[int, ...]) -> int:
    counter = FlopCounterMode(display=False)
    # torch's counter knows the two products of attention, but not the CPU's kernel for both of them.
    with counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        module(torch.ones(1, *shape))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("name", VECTOR_PRODUCTS)
def test_vector_products_count_as_those_of_matrices(name):
    product, as_matrices = VECTOR_PRODUCTS[name]
    expected = torch_count(Weighted(as_matrices), (5, 4))
    assert expected > 0
    assert count(Weighted(product), (5, 4)) == (4, expected)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: Weighted(lambda x, w: scaled_dot_product_attention(x * w, x, x)), (5, 4)),
        (lambda: Weighted(lambda x, w: scaled_dot_product_attention(x[None] * w, x[None], x[None])), (5, 4)),
        (lambda: nn.MultiheadAttention(8, 2, batch_first=True), (5, 8)),
        (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (5, 8)),
        (
            lambda: nn.Sequential(nn.Conv2d(3, 8, 3, groups=1), nn.ConvTranspose2d(8, 4, 3, stride=2)),
            (3, 9, 9),
        ),
        (lambda: nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.Flatten(), nn.Linear(8 * 25, 3)), (4, 7, 7)),
        (lambda: nn.GRU(6, 5, batch_first=True), (7, 6)),
    ],
    ids=["attention", "attention of heads", "multi-head", "encoder", "transposed", "grouped", "recurrent"],
)
def test_layers_count_as_in_torch(make, shape):
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = make()

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x, x, x)[0] if isinstance(self.layer, nn.MultiheadAttention) else self.layer(x)

    # In training mode, torch does not fuse a whole attention layer into an operator that it does not count.
    network = Network().train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    expected = torch_count(network, shape)
    assert expected > 0
    assert count(Network(), shape).macs == expected


def test_lazy_layers_are_counted():
    def lazy() -> nn.Module:
        return nn.Sequential(nn.LazyConv2d(8, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5))

    def plain() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 5))

    assert count_complexity(lazy, (3, 8, 8)) == count_complexity(plain, (3, 8, 8))


# ---------------------------------------------------------------- what takes no part


def test_parameters_of_dead_edges_are_named():
    space = NASBench201()
    cell = space.from_string("|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|none~0|none~1|skip_connect~2|")
    network = space.build(cell, 10, channels=2, cells_per_stage=1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    unused = unused_parameters(network, (3, 32, 32))
    # From the second stage on, a reduction comes before the cell.
    edges = [f"stages.{stage}.{min(stage, 1)}.edges.0_1.{layer}" for stage in range(3) for layer in (1, 2)]
    assert {name.rpartition(".")[0] for name in unused} == set(edges)
    assert len(unused) == 3 * 3  # a convolution's weight, and weight and bias of its normalisation
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    network(torch.randn(2, 3, 32, 32)).sum().backward()
    assert unused == [name for name, value in network.named_parameters() if value.grad is None]


def test_where_everything_takes_part_nothing_is_named():
    space = GEMNet(6)
    network = space.build(space.sample(np.random.default_rng(0)), 10, width=2, in_channels=1).double()
    assert unused_parameters(network, (1, 8, 8)) == []
    frozen = nn.Linear(3, 2).requires_grad_(False)
    assert unused_parameters(frozen, (3,)) == []
