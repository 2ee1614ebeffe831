"""Non-maximum suppression and RoIAlign in plain torch, against slow ones and other libraries."""

from __future__ import annotations

import pytest
import torch

from graphnas.detection.torchvision_operators import non_maximum_suppression, operators, region_features


def random_boxes(count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    corners = 50 * torch.rand(count, 2, generator=generator)
    return torch.cat([corners, corners + 1 + 30 * torch.rand(count, 2, generator=generator)], 1)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.9])
def test_suppression_is_that_of_the_definition(threshold):
    boxes = random_boxes(60, 0)
    scores = torch.rand(60, generator=torch.Generator().manual_seed(1))
    kept: list[int] = []
    for index in scores.argsort(descending=True).tolist():
        a = boxes[index]

        def overlap(other: int, a=a) -> float:
            b = boxes[other]
            sides = (torch.minimum(a[2:], b[2:]) - torch.maximum(a[:2], b[:2])).clamp(min=0)
            shared = float(sides.prod())
            return shared / (float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - shared)

        if all(overlap(other) <= threshold for other in kept):
            kept.append(index)
    assert non_maximum_suppression(boxes, scores, threshold).tolist() == kept


def test_suppression_of_nothing():
    assert non_maximum_suppression(torch.zeros(0, 4), torch.zeros(0), 0.5).shape == (0,)


def regions(count: int, seed: int, *, beyond: bool) -> torch.Tensor:
    boxes = random_boxes(count, seed)
    if beyond:
        boxes[0] = torch.tensor([-20.0, -5.0, 200.0, 90.0])
    image = torch.arange(count) % 2
    return torch.cat([image[:, None].float(), boxes], 1)


@pytest.mark.parametrize("aligned", [True, False])
def test_features_of_regions_are_torchvisions(aligned):
    pytest.importorskip("torchvision")
    from graphnas.training.torchvision_compat import import_torchvision

    import_torchvision()
    from torchvision.ops import roi_align

    module = __import__("sys").modules["torchvision.ops.roi_align"]
    plain = module._roi_align.__wrapped__
    maps = torch.randn(2, 5, 21, 24, generator=torch.Generator().manual_seed(3)).double().requires_grad_()
    given = regions(9, 4, beyond=False).double()
    ours = region_features(maps, given, 0.25, 7, 6, 2, aligned)
    theirs = plain(maps, given, 0.25, 7, 6, 2, aligned)
    torch.testing.assert_close(ours, theirs)
    gradient = torch.randn(ours.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(
        torch.autograd.grad(ours, maps, gradient)[0], torch.autograd.grad(theirs, maps, gradient)[0]
    )
    with operators():
        inside = roi_align(maps, given, (7, 6), 0.25, 2, aligned)
    torch.testing.assert_close(inside, ours)


@pytest.mark.detection
def test_both_are_those_of_mmcv():
    ops = pytest.importorskip("mmcv.ops")
    boxes = random_boxes(80, 7)
    scores = torch.rand(80, generator=torch.Generator().manual_seed(8))
    _, kept = ops.nms(boxes, scores, 0.4)
    assert non_maximum_suppression(boxes, scores, 0.4).tolist() == kept.tolist()
    maps = torch.randn(2, 4, 20, 20, generator=torch.Generator().manual_seed(9))
    given = regions(6, 10, beyond=True)
    theirs = ops.roi_align(maps, given, (7, 7), 0.25, 2, "avg", True)
    torch.testing.assert_close(
        region_features(maps, given, 0.25, 7, 7, 2, True), theirs, atol=1e-4, rtol=1e-4
    )


def test_features_of_no_region():
    assert region_features(torch.rand(1, 3, 4, 4), torch.zeros(0, 5), 1.0, 7, 7, 2, True).shape == (
        0,
        3,
        7,
        7,
    )


def test_what_was_changed_is_as_before():
    pytest.importorskip("torchvision")
    with operators():
        pass
    import torchvision.ops.boxes as boxes

    before = boxes.nms
    with operators(), operators():
        kept = boxes.batched_nms(
            torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 1.9]]), torch.tensor([0.9, 0.8]), torch.zeros(2), 0.5
        )
    assert kept.tolist() == [0]
    assert boxes.nms is before
