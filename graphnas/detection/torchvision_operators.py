"""What torchvision's detectors need where its compiled operators do not fit the installed torch."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from graphnas.optional import require
from graphnas.training.torchvision_compat import import_torchvision

_lock = threading.RLock()
_users = 0
_before: tuple[Any, Any, Any] = (None, None, None)


@contextlib.contextmanager
def operators() -> Iterator[None]:
    """Within this block torchvision's detectors run, also on a build without compiled operators.

    Where these are missing, torchvision refuses non-maximum suppression, and compiles the cutting out of
    regions at run time. Inside of the block they are :func:`non_maximum_suppression` and
    :func:`region_features`. With compiled operators nothing is changed.

    Raises:
        MissingExtra: torchvision is not installed.
    """
    import_torchvision()
    if require("torchvision.extension", "images")._has_ops():
        yield
        return
    global _users, _before
    boxes: Any = require("torchvision.ops.boxes", "images")
    regions: Any = require("torchvision.ops.roi_align", "images")
    with _lock:
        if _users == 0:
            _before = boxes.nms, regions._roi_align, regions._assert_has_ops
            boxes.nms = non_maximum_suppression
            regions._roi_align = _region_features
            regions._assert_has_ops = lambda: None
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                boxes.nms, regions._roi_align, regions._assert_has_ops = _before


def non_maximum_suppression(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """The boxes that overlap no better one by more than a threshold, best first.

    Args:
        boxes: ``(N, 4)``: left, top, right, bottom.
        scores: ``(N,)``; of equal ones the first counts as better.
        iou_threshold: Largest intersection over union of two boxes that are kept.

    Returns:
        Their indices, int64.
    """
    order = scores.argsort(descending=True, stable=True)
    ranked = boxes[order].float()
    corners = torch.maximum(ranked[:, None, :2], ranked[None, :, :2])
    opposite = torch.minimum(ranked[:, None, 2:], ranked[None, :, 2:])
    shared = (opposite - corners).clamp_min(0).prod(2)
    areas = (ranked[:, 2:] - ranked[:, :2]).prod(1)
    overlaps = (shared > iou_threshold * (areas[:, None] + areas[None, :] - shared)).cpu().numpy()
    kept, gone = [], np.zeros(len(ranked), bool)
    for index in range(len(ranked)):
        if not gone[index]:
            kept.append(index)
            gone |= overlaps[index]
    return order[torch.tensor(kept, dtype=torch.int64, device=order.device)]


def region_features(
    maps: Tensor,
    regions: Tensor,
    scale: float,
    height: int,
    width: int,
    samples: int,
    aligned: bool,
) -> Tensor:
    """RoIAlign (He et al., "Mask R-CNN", 2017): averages of bilinear samples in the bins of each region.

    Every bin is a weighted sum of pixels, so all of them are one call of ``embedding_bag``, whose table is
    the maps' pixels: no sample is ever stored with its channels.

    Args:
        maps: ``(B, C, H, W)``.
        regions: ``(K, 5)``: number of the image, left, top, right and bottom in pixels of the image.
        scale: Pixels of the map per pixel of the image.
        height: Bins of a region from top to bottom.
        width: Bins from left to right.
        samples: Samples of a bin in each direction, at least 1.
        aligned: Whether a pixel's centre is at one half, as it should be; older detectors were trained with
            centres at whole numbers.

    Returns:
        ``(K, C, height, width)``.
    """
    batch, channels, rows, columns = maps.shape
    if not len(regions):
        return maps.new_zeros((0, channels, height, width))
    offset = 0.5 if aligned else 0.0
    corners = regions[:, 1:].to(maps.dtype) * scale - offset
    extent = corners[:, 2:] - corners[:, :2]
    if not aligned:
        extent = extent.clamp_min(1)
    y, y_weights = _neighbours(corners[:, 1], extent[:, 1], height, samples, rows)
    x, x_weights = _neighbours(corners[:, 0], extent[:, 0], width, samples, columns)
    first = regions[:, 0].long() * (rows * columns)
    # (K, height, width, neighbours of all samples from top to bottom, and from left to right)
    pixels = first[:, None, None, None, None] + y[:, :, None, :, None] * columns + x[:, None, :, None, :]
    weights = y_weights[:, :, None, :, None] * x_weights[:, None, :, None, :]
    bins = len(regions) * height * width
    table = maps.permute(0, 2, 3, 1).reshape(batch * rows * columns, channels)
    summed = F.embedding_bag(
        pixels.reshape(bins, -1), table, mode="sum", per_sample_weights=weights.reshape(bins, -1)
    )
    return summed.view(len(regions), height, width, channels).permute(0, 3, 1, 2)


def _neighbours(start: Tensor, extent: Tensor, bins: int, samples: int, size: int) -> tuple[Tensor, Tensor]:
    """The two pixels beside each sample of each bin, in one direction, with weights: ``(K, bins, 2S)``."""
    steps = (torch.arange(bins * samples, device=start.device, dtype=start.dtype) + 0.5) / samples
    places = start[:, None] + steps * (extent[:, None] / bins)
    inside = (places >= -1) & (places <= size)
    places = places.clamp(0, size - 1)
    low = places.floor().long()
    high = (low + 1).clamp_max(size - 1)
    above = places - low
    weights = torch.stack([1 - above, above], 2) * inside[:, :, None] / samples
    shape = (len(start), bins, 2 * samples)
    return torch.stack([low, high], 2).view(shape), weights.view(shape)


def _region_features(
    maps: Tensor,
    regions: Tensor,
    scale: float,
    height: int,
    width: int,
    samples: int,
    aligned: bool,
) -> Tensor:
    if samples > 0:
        return region_features(maps, regions, scale, height, width, samples, aligned)
    # Then every region has a number of its own, which torchvision's source handles.
    plain: Any = _before[1]
    found: Tensor = getattr(plain, "__wrapped__", plain)(
        maps, regions, scale, height, width, samples, aligned
    )
    return found
