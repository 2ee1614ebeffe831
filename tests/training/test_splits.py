"""Stratified splits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphnas.errors import InvalidArgument
from graphnas.training.images import ImageData, MemoryImages, channel_statistics
from graphnas.training.splits import apportion, some_images, stratified_split

COUNTS = [100, 50, 20, 7]
LABELS = torch.from_numpy(np.random.default_rng(0).permutation(np.repeat(np.arange(4), COUNTS)))


@pytest.mark.parametrize("fraction", [0.1, 0.35, 0.5, 0.9])
def test_every_class_gives_its_fraction(fraction):
    first, rest = stratified_split(LABELS, fraction, seed=1)
    assert torch.bincount(LABELS[first]).tolist() == [round(fraction * c) for c in COUNTS]
    assert sorted(first.tolist() + rest.tolist()) == list(range(len(LABELS)))
    assert (first.diff() > 0).all()
    assert (rest.diff() > 0).all()


def test_either_part_has_every_class():
    first, rest = stratified_split(LABELS, 0.001, seed=1)
    assert torch.bincount(LABELS[first]).tolist() == [1, 1, 1, 1]
    first, rest = stratified_split(LABELS, 0.999, seed=1)
    assert torch.bincount(LABELS[rest]).tolist() == [1, 1, 1, 1]


def test_seeded():
    first, _ = stratified_split(LABELS, 0.5, seed=1)
    assert torch.equal(first, stratified_split(LABELS, 0.5, seed=1)[0])
    assert not torch.equal(first, stratified_split(LABELS, 0.5, seed=2)[0])


def test_the_rest_is_cut_in_proportion():
    first, all_of_it = stratified_split(LABELS, 0.1, seed=1)
    again, rest = stratified_split(LABELS, 0.1, seed=1, rest_limit=80)
    assert torch.equal(first, again)
    assert len(rest) == 80
    assert set(rest.tolist()) <= set(all_of_it.tolist())
    whole = torch.bincount(LABELS[all_of_it])
    assert (torch.bincount(LABELS[rest]) - whole * 80 / whole.sum()).abs().max() < 1


def test_apportion_is_exact_and_never_above():
    rng = np.random.default_rng(3)
    for _ in range(200):
        counts = rng.integers(1, 30, size=int(rng.integers(1, 8)))
        total = int(rng.integers(0, counts.sum() + 1))
        shares = apportion(total, counts)
        assert shares.sum() == total
        assert (shares <= counts).all()
        assert (shares >= 0).all()


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_a_bad_fraction_is_named(fraction):
    with pytest.raises(InvalidArgument, match=f"fraction must be .* {fraction!r}"):
        stratified_split(LABELS, fraction, seed=0)


def test_a_lonely_image_is_named():
    with pytest.raises(InvalidArgument, match="class 3 has a single image"):
        stratified_split(torch.tensor([0, 0, 3, 1, 1]), 0.5, seed=0)
    with pytest.raises(InvalidArgument, match="rest_limit must be at least 1, got 0"):
        stratified_split(LABELS, 0.5, seed=0, rest_limit=0)


def numbered(count: int) -> MemoryImages:
    """Images that show their own number; two of three are of class 0."""
    numbers = torch.arange(count, dtype=torch.uint8)
    return MemoryImages(numbers[:, None, None, None].expand(-1, 1, 2, 2), (numbers % 3 == 2).long())


def test_some_images_are_a_random_part_with_the_classes_shares():
    train = numbered(90)
    whole = ImageData("own", train, lambda: numbered(60), 2, channel_statistics(train))
    part = some_images(whole, 30, 12)
    assert "test" not in vars(whole)
    assert part.name == "30 images of own"
    for images, shares in ((part.train, [20, 10]), (part.test, [8, 4])):
        assert torch.bincount(images.labels).tolist() == shares
        numbers = images.take(torch.arange(len(images)))[:, 0, 0, 0].int()
        assert torch.equal((numbers % 3 == 2).long(), images.labels)
        assert numbers.max() > sum(shares)  # not the first ones
    assert torch.equal(some_images(whole, 30).train.take(torch.arange(30)), part.train.take(torch.arange(30)))
    assert len(some_images(whole, 30).test) == 60
    with pytest.raises(InvalidArgument, match="train must be at least 1 image, got 0"):
        some_images(whole, 0)
    with pytest.raises(InvalidArgument, match="test must be at least 1 image, got -3"):
        some_images(whole, 30, -3)
    all_of_it = some_images(whole, 1000, 1000)
    assert (all_of_it.name, all_of_it.train, len(all_of_it.test)) == ("own", train, 60)
