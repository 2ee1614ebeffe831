"""ArchitectureBatch: padding, mask, parts and the way back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphnas import Architecture, ArchitectureBatch
from graphnas.errors import InvalidArgument


@pytest.fixture
def mixed(make_architecture) -> list[Architecture]:
    rng = np.random.default_rng(3)
    return [make_architecture(rng, nodes, operations=4, edge_labels=3) for nodes in (4, 1, 7, 2, 7)]


def test_round_trip_with_padding(mixed):
    batch = ArchitectureBatch.from_architectures(mixed, max_nodes=9)
    assert len(batch) == 5
    assert batch.max_nodes == 9
    assert batch.adjacency.shape == (5, 9, 9)
    assert batch.adjacency.dtype == torch.int8
    assert batch.operations.dtype == torch.int16
    assert batch.num_nodes.tolist() == [4, 1, 7, 2, 7]
    assert batch.to_architectures() == mixed
    assert list(batch) == mixed
    assert batch.architecture(-2) == mixed[3]
    assert ArchitectureBatch.from_architectures(mixed).max_nodes == 7


def test_mask_marks_the_real_nodes_and_padding_is_zero(mixed):
    batch = ArchitectureBatch.from_architectures(mixed, max_nodes=9)
    assert batch.mask.sum(1).tolist() == batch.num_nodes.tolist()
    for row, architecture in zip(batch.mask, mixed, strict=True):
        assert row[: architecture.num_nodes].all()
    assert not batch.operations[~batch.mask].any()
    assert not batch.adjacency[~batch.mask].any()
    assert not batch.adjacency.transpose(1, 2)[~batch.mask].any()


def test_architectures_of_one_size_take_the_same_way(make_architecture):
    rng = np.random.default_rng(4)
    equal = [make_architecture(rng, 6) for _ in range(10)]
    batch = ArchitectureBatch.from_architectures(equal)
    assert batch.mask.all()
    assert batch.to_architectures() == equal


def test_architectures_do_not_share_memory_with_the_batch(mixed):
    batch = ArchitectureBatch.from_architectures(mixed)
    taken = batch.to_architectures()
    batch.adjacency.zero_()
    batch.operations.fill_(9)
    assert taken == mixed
    assert not taken[0].adjacency.flags.writeable


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (slice(1, 3), [1, 2]),
        (slice(None, None, 2), [0, 2, 4]),
        ([3, 0, 3], [3, 0, 3]),
        (np.array([4, 1]), [4, 1]),
        (torch.tensor([2]), [2]),
        (torch.tensor([True, False, False, True, False]), [0, 3]),
        (np.array([False, True, False, False, True]), [1, 4]),
    ],
)
def test_parts(mixed, index, expected):
    part = ArchitectureBatch.from_architectures(mixed)[index]
    assert part.to_architectures() == [mixed[k] for k in expected]


def test_cat_pads_to_the_widest(mixed):
    first = ArchitectureBatch.from_architectures(mixed[:2])
    second = ArchitectureBatch.from_architectures(mixed[2:])
    joined = ArchitectureBatch.cat([first, second])
    assert joined.max_nodes == 7
    assert joined.to_architectures() == mixed
    whole = ArchitectureBatch.from_architectures(mixed)
    assert torch.equal(joined.adjacency, whole.adjacency)
    assert torch.equal(joined.operations, whole.operations)


def test_arrays_are_wrapped_without_a_copy_and_read_only_ones_are_copied():
    adjacency, operations = np.zeros((2, 3, 3), np.int8), np.zeros((2, 3), np.int16)
    batch = ArchitectureBatch.from_arrays(adjacency, operations)
    adjacency[0, 0, 1] = 1
    assert batch.adjacency[0, 0, 1] == 1
    assert batch.num_nodes.tolist() == [3, 3]
    back, _, _ = batch.to_arrays()
    assert np.shares_memory(back, adjacency)
    single = Architecture([[0, 1], [0, 0]])
    assert ArchitectureBatch.from_arrays(
        single.adjacency[None], single.operations[None]
    ).to_architectures() == [single]


def test_to_moves_everything(mixed):
    batch = ArchitectureBatch.from_architectures(mixed).to("cpu")
    assert batch.to_architectures() == mixed
    moved = batch.to("meta")
    assert {moved.adjacency.device.type, moved.operations.device.type, moved.num_nodes.device.type} == {
        "meta"
    }


def test_bad_batches(mixed):
    with pytest.raises(InvalidArgument, match="at least one architecture"):
        ArchitectureBatch.from_architectures([])
    with pytest.raises(InvalidArgument, match="has 7 nodes, more than max_nodes=5"):
        ArchitectureBatch.from_architectures(mixed, max_nodes=5)
    with pytest.raises(InvalidArgument, match=r"shape \(B, N, N\), got \(2, 3, 4\)"):
        ArchitectureBatch(torch.zeros(2, 3, 4), torch.zeros(2, 3))
    with pytest.raises(InvalidArgument, match=r"operations must have shape \(2, 3\), got \(2, 4\)"):
        ArchitectureBatch(torch.zeros(2, 3, 3), torch.zeros(2, 4))
    with pytest.raises(InvalidArgument, match=r"num_nodes must have shape \(2,\), got \(3,\)"):
        ArchitectureBatch(torch.zeros(2, 3, 3), torch.zeros(2, 3), torch.ones(3))
    for wrong in (0, 4):
        with pytest.raises(InvalidArgument, match=rf"num_nodes must be in 1\.\.3, got {wrong}"):
            ArchitectureBatch.from_arrays(
                np.zeros((2, 3, 3), np.int8), np.zeros((2, 3), np.int16), np.array([3, wrong])
            )
    with pytest.raises(InvalidArgument, match="nothing to concatenate"):
        ArchitectureBatch.cat([])
    assert repr(ArchitectureBatch.from_architectures(mixed)) == (
        "ArchitectureBatch(5 architectures of at most 7 nodes)"
    )
