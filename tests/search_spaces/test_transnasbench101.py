"""TransNAS-Bench-101's micro space: strings, classes of cells, and the benchmark's networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from space_cases import hooked_macs
from torch import nn

from graphnas.data_directory import data_directory
from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.evaluate import TabularEvaluator
from search_spaces import TransNASBench101
from search_spaces.complexity import count_complexity
from search_spaces.tables.transnasbench101 import TASKS

TABLE = data_directory() / "transnasbench101" / "transnasbench101_micro.csv.gz"
needs_table = pytest.mark.skipif(not TABLE.is_file(), reason=f"the table is not at {TABLE}")
EXAMPLE = "64-41414-1_02_333"


def test_the_example_of_the_benchmark():
    """1: node 1 copies the input; 02: node 2 is a 1x1 convolution of node 1; 333: 3x3 convolutions."""
    space = TransNASBench101()
    cell = space.from_string(EXAMPLE)
    assert cell.labelled_edges() == [(0, 1, 1), (0, 3, 3), (1, 2, 2), (1, 3, 3), (2, 3, 3)]
    assert space.to_string(cell) == EXAMPLE
    assert len({space.to_string(architecture) for architecture in space.enumerate()}) == 4096


@pytest.mark.parametrize("text", ["", "64-41414-4_00_000", "64-41414-1_02_33", "32-41414-1_02_333", 7])
def test_what_is_no_official_string(text):
    with pytest.raises(InvalidArchitecture, match="64-41414-1_02_333"):
        TransNASBench101().from_string(text)


def key(code: str) -> str:
    space = TransNASBench101()
    return space.key(space.from_string(f"64-41414-{code[0]}_{code[1:3]}_{code[3:]}"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("200010", "000200"),  # a copy of node 1 is node 1
        ("020001", "000200"),
        ("100010", "000100"),
        ("320011", "230011"),  # the inner nodes change places
        ("220000", "000000"),  # nothing reaches the output
        ("000021", "000020"),  # node 2 is nothing
    ],
)
def test_cells_of_one_function(one, other):
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("300020", "200030"),  # the order of two convolutions
        ("201011", "220011"),  # twice one convolution, and two convolutions
        ("000020", "000000"),  # a convolution of nothing has a learned constant
        ("000100", "000000"),
    ],
)
def test_cells_of_different_functions(one, other):
    assert key(one) != key(other)


def test_number_of_classes():
    space = TransNASBench101()
    assert len(set(space.keys(list(space.enumerate())))) == 1666


def outputs_of(code: str) -> torch.Tensor:
    """What the cell's network gives with weights that only depend on their order."""
    space = TransNASBench101()
    network = space.build(space.from_string(f"64-41414-{code}"), 4, channels=4).eval()
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)
    return network(torch.randn(2, 3, 32, 32, generator=generator))


def test_cells_of_one_class_compute_the_same_with_the_same_weights():
    expected = outputs_of("0_00_200")
    assert torch.equal(outputs_of("2_00_010"), expected)
    assert torch.equal(outputs_of("0_20_001"), expected)
    assert not torch.allclose(outputs_of("0_00_100"), expected)


# ---------------------------------------------------------------- the network


def test_resolutions_and_widths_of_the_five_modules():
    space = TransNASBench101()
    with torch.device("meta"):
        network = space.build(space.from_string(EXAMPLE), 75).eval()
        maps = network.features(torch.empty(1, 3, 256, 256))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (128, 32, 32), (128, 32, 32), (256, 16, 16), (256, 16, 16), (512, 8, 8),
    ]  # fmt: skip


@pytest.mark.parametrize("size", [256, 100])
def test_complexity_is_that_of_the_network(size):
    space = TransNASBench101()
    rng = np.random.default_rng(0)
    for cell in [space.from_string(EXAMPLE), *(space.sample(rng) for _ in range(6))]:
        counted = count_complexity(lambda c=cell: space.build(c, 75), (3, size, size))
        assert space.complexity(cell, 75, size) == counted
    small = space.build(cell, 9, channels=4)
    assert count_complexity(lambda: space.build(cell, 9, channels=4), (3, 64, 64)).macs == hooked_macs(
        small, torch.zeros(1, 3, 64, 64)
    )


@pytest.mark.parametrize(
    ("head", "outputs", "inputs", "expected"),
    [
        ("classification", 9, (2, 3, 64, 64), (2, 9)),
        ("jigsaw", 11, (2, 9, 3, 32, 32), (2, 11)),
        ("segmentation", 17, (2, 3, 64, 64), (2, 17, 64, 64)),
        ("image", 3, (2, 3, 64, 64), (2, 3, 64, 64)),
    ],
)
def test_heads(head, outputs, inputs, expected):
    space = TransNASBench101()
    network = space.build(space.from_string(EXAMPLE), outputs, channels=4, head=head)
    result = network(torch.randn(inputs, generator=torch.Generator().manual_seed(0)))
    assert result.shape == expected
    if head == "image":
        assert result.abs().max() <= 1
    result.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_jigsaw_tells_tiles_apart():
    space = TransNASBench101()
    network = space.build(space.from_string(EXAMPLE), 5, channels=4, head="jigsaw").eval()
    tiles = torch.randn(1, 9, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert not torch.allclose(network(tiles), network(tiles.flip(1)))


def test_an_unknown_head():
    space = TransNASBench101()
    with pytest.raises(InvalidArgument, match=r"classification, jigsaw, segmentation, image, got 'depth'"):
        space.build(space.from_string(EXAMPLE), 3, head="depth")


# ---------------------------------------------------------------- the table


@needs_table
@pytest.mark.parametrize(
    ("task", "best", "unit"),
    [
        ("class_scene", 54.936, "%"),
        ("class_object", 45.586, "%"),
        ("jigsaw", 95.372, "%"),
        ("room_layout", -0.6010, "-loss"),
        ("autoencoder", 0.5772, "SSIM"),
        ("normal", 0.5873, "SSIM"),
        ("segmentsemantic", 94.613, "%"),
    ],
)
def test_best_of_each_task(task, best, unit):
    evaluator = TabularEvaluator(TransNASBench101(), task)
    assert evaluator.optimum == pytest.approx(best, abs=6e-4)
    assert evaluator.unit == unit
    result = evaluator.evaluate(evaluator.best()[0])
    assert result.value == evaluator.optimum == result.metrics["validation_score"]
    assert (result.parameters is not None) == (task in ("class_scene", "class_object", "room_layout"))


@needs_table
def test_cells_of_one_class_differ_by_noise():
    """The spread within a class is a small part of that of all cells."""
    space = TransNASBench101()
    cells = list(space.enumerate())
    values = np.stack([TabularEvaluator(space, task).values(cells) for task in TASKS], 1)

    def spread(keys: list[str]) -> np.ndarray:
        _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        means = np.stack([np.bincount(inverse, column) / counts for column in values.T], 1)
        several = counts[inverse] > 1
        return np.sqrt(((values - means[inverse])[several] ** 2).mean(0)) / values.std(0)

    own = spread(space.keys(cells))
    assert own.max() < 0.2
    assert np.median(own) < 0.1
    shuffled = np.random.default_rng(0).permutation(space.keys(cells)).tolist()
    assert spread(shuffled).min() > 0.5


@needs_table
def test_what_is_not_recorded():
    with pytest.raises(InvalidArgument, match="validation_score"):
        TabularEvaluator(TransNASBench101(), "jigsaw", metric="test_accuracy")
    with pytest.raises(InvalidArgument, match="10 epochs"):
        TabularEvaluator(TransNASBench101(), "jigsaw", 25)
    with pytest.raises(InvalidArgument, match="class_scene, class_object"):
        TabularEvaluator(TransNASBench101(), "depth")
