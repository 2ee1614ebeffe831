"""torchvision's RetinaNet and Faster R-CNN around a found network."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from graphnas.detection.feature_maps import FeatureMaps, Loaded, Weights, starting_weights
from graphnas.detection.report import REGIONS, counted
from graphnas.detection.settings import DetectorSettings
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.optional import require
from graphnas.training.described import Described, describe
from graphnas.training.torchvision_compat import import_torchvision
from search_spaces.complexity import Complexity

CHANNELS = 256
"""Of every level of the pyramid (Lin et al., "Feature pyramid networks", CVPR 2017)."""


class Pyramid(nn.Module):
    """Maps of a network and a feature pyramid on them.

    Args:
        maps: Gives a tuple of maps and has ``out_channels`` and ``strides``: :class:`.FeatureMaps`, or any
            other network to compare with.
        detector: ``"retinanet"`` adds P6 and P7 by convolutions, ``"faster-rcnn"`` one level by pooling.

    Attributes:
        out_channels: 256.
        strides: Strides of the levels.
    """

    def __init__(self, maps: Any, detector: str) -> None:
        super().__init__()
        import_torchvision()
        ops = require("torchvision.ops.feature_pyramid_network", "images")
        self.maps = maps
        self.out_channels = CHANNELS
        last = maps.strides[-1]
        if detector == "retinanet":
            extra = ops.LastLevelP6P7(maps.out_channels[-1], CHANNELS)
            self.strides = (*maps.strides, 2 * last, 4 * last)
        else:
            extra = ops.LastLevelMaxPool()
            self.strides = (*maps.strides, 2 * last)
        self.fpn = ops.FeaturePyramidNetwork(list(maps.out_channels), CHANNELS, extra_blocks=extra)

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        """The levels by name, the finest first."""
        named = OrderedDict((str(number), level) for number, level in enumerate(self.maps(images)))
        levels: OrderedDict[str, Tensor] = self.fpn(named)
        return levels


def torchvision_detector(
    maps: Any,
    settings: DetectorSettings,
    num_classes: int,
    *,
    mean: tuple[float, ...] = (0.485, 0.456, 0.406),
    std: tuple[float, ...] = (0.229, 0.224, 0.225),
) -> nn.Module:
    """A detector of torchvision with new weights, which torch's random numbers draw.

    Anchors, losses and thresholds are torchvision's defaults, which are those of the papers.

    Args:
        maps: As for :class:`Pyramid`.
        settings: Which detector, and the size of images.
        num_classes: Classes without the background; labels of boxes are from 1.
        mean: Mean of the images' values, which are in 0..1, per channel.
        std: Standard deviation of them.

    Raises:
        MissingExtra: torchvision is not installed.
    """
    import_torchvision()
    pyramid = Pyramid(maps, settings.detector)
    anchors = require("torchvision.models.detection.anchor_utils", "images").AnchorGenerator
    common = {
        "min_size": settings.image_size[0],
        "max_size": settings.image_size[1],
        "image_mean": list(mean * 3 if len(mean) == 1 else mean),
        "image_std": list(std * 3 if len(std) == 1 else std),
    }
    ratios = ((0.5, 1.0, 2.0),) * len(pyramid.strides)
    detector: nn.Module
    if settings.detector == "retinanet":
        sizes = tuple(tuple(4 * s * 2 ** (k / 3) for k in range(3)) for s in pyramid.strides)
        retinanet = require("torchvision.models.detection.retinanet", "images")
        detector = retinanet.RetinaNet(
            pyramid, num_classes + 1, anchor_generator=anchors(sizes, ratios), **common
        )
    else:
        sizes = tuple((8 * stride,) for stride in pyramid.strides)
        names = [str(number) for number in range(len(maps.strides))]
        pooling = require("torchvision.ops", "images").MultiScaleRoIAlign(names, 7, 2)
        faster_rcnn = require("torchvision.models.detection.faster_rcnn", "images")
        detector = faster_rcnn.FasterRCNN(
            pyramid,
            num_classes + 1,
            rpn_anchor_generator=anchors(sizes, ratios),
            box_roi_pool=pooling,
            **common,
        )
    return detector


def feature_maps(
    architecture: Architecture | Mapping[str, Any] | str | os.PathLike[str],
    settings: DetectorSettings,
    *,
    space: GraphSpace | str | None = None,
    shape: Mapping[str, Any] | None = None,
    weights: Weights = None,
) -> tuple[FeatureMaps, Described, Loaded | None]:
    """The maps of a found network as ``settings`` ask for them, with their weights if there are some.

    Args:
        architecture: As for :class:`.FeatureMaps`, with ``space`` and ``shape``.
        settings: Which maps, what is frozen, how the network normalises.
        space: The space of an architecture alone.
        shape: Arguments of the space's ``build``, over those of the description.
        weights: A file or folder to start from; None takes what lies beside the architecture if there is
            something; False nothing.

    Returns:
        The maps, what is known of the network, and what of the weights was loaded.

    Raises:
        GraphNASError: The architecture or the weights cannot be read, or do not fit.
    """
    found = describe(architecture, space)
    weights_at = starting_weights(found, weights)
    normalisation = settings.normalisation_with(weights_at is not None)
    outline = found.with_shape(shape).outline()
    maps = FeatureMaps(
        architecture,
        space=space,
        shape=shape,
        out_indices=settings.chosen_maps(outline.strides),
        frozen_stages=settings.frozen_stages,
        norm_eval=normalisation == "frozen",
        normalisation="batch" if normalisation == "frozen" else normalisation,
    )
    loaded = maps.load_weights(weights_at) if weights_at else None
    return maps, found, loaded


def sizes(detector: Any, image_size: tuple[int, int]) -> tuple[Complexity, Complexity]:
    """Parameters and multiply-accumulates of the backbone and of the whole detector for one image.

    Args:
        detector: What :func:`torchvision_detector` returns.
        image_size: Height and width in pixels.
    """
    shape = (3, *image_size)
    return counted(detector.backbone.maps, shape), counted(_Counted(detector), shape)


class _Counted(nn.Module):
    """What of a detector has products: its levels, heads, and the second stage on so many regions."""

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> list[Any]:
        detector: Any = self.detector
        levels = list(detector.backbone(images).values())
        if hasattr(detector, "head"):
            return [detector.head(levels)]
        regions = torch.empty((REGIONS, CHANNELS, 7, 7), device=images.device)
        heads = detector.roi_heads
        return [detector.rpn.head(levels), heads.box_predictor(heads.box_head(regions))]
