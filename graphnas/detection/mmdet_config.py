"""A complete configuration of mmdet, written as a file that people read and change and mmdet's tools run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphnas.detection.coco import CocoData
from graphnas.detection.feature_maps import Weights, starting_weights
from graphnas.detection.mmdet_templates import FASTER_RCNN, HEAD, RETINANET, TRAINING
from graphnas.detection.settings import DetectorSettings
from graphnas.errors import InvalidArgument
from graphnas.files import replacing
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.training.described import describe
from graphnas.training.saved_space import describe_space
from search_spaces.gemnet_imagenet import NAMES

COARSEST = {"retinanet": 128, "faster-rcnn": 64}
"""Stride of the coarsest level: P7 of RetinaNet, P6 of Faster R-CNN."""

WARMUP = """
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end={settings.warmup}),"""
CLIP = """
    clip_grad=dict(max_norm={settings.clip}),"""
WIDTH = 100
"""Columns of the file."""


def write_config(
    path: Path,
    architecture: Architecture | Mapping[str, Any] | str | os.PathLike[str],
    settings: DetectorSettings,
    data: CocoData,
    *,
    space: GraphSpace | str | None = None,
    shape: Mapping[str, Any] | None = None,
    weights: Weights = None,
) -> Path:
    """Write the configuration of a detector.

    What follows from the network is computed here and stands in the file as numbers: the channels that the
    neck reads, and the strides of the anchors.

    Args:
        path: The file.
        architecture: As for :class:`~graphnas.detection.feature_maps.FeatureMaps`, with ``space`` and
            ``shape``.
        settings: Detector and training.
        data: The images, whose paths the file holds.
        space: The space of an architecture alone.
        shape: Arguments of the space's ``build``, over those of the description.
        weights: A file or folder to start from; None takes what lies beside the architecture if there is
            something; False nothing.

    Returns:
        The path.

    Raises:
        GraphNASError: The architecture cannot be read, or does not fit the detector.
    """
    if isinstance(architecture, str | os.PathLike):
        text = str(architecture)
        by_itself = text in NAMES or text.lstrip().startswith("|")
        architecture = text if by_itself else str(Path(text).resolve())
    written: dict[str, Any] | str | None = space if isinstance(space, str) else None
    if isinstance(space, GraphSpace):
        written = describe_space(space)
        if written["arguments"] is None:
            raise InvalidArgument(f"the space {space.name!r} is not one of graphnas: no file can name it")
    found = describe(architecture, space)
    weights_at = starting_weights(found, weights)
    normalisation = settings.normalisation_with(weights_at is not None)
    backbone: dict[str, Any] = {
        "type": "GraphNAS",
        "architecture": architecture.to_dict() if isinstance(architecture, Architecture) else architecture,
    }
    if written is not None:
        backbone["space"] = written
    if shape:
        backbone["shape"] = dict(shape)
    outline = found.with_shape(shape).outline()
    indices = outline.map_indices(settings.chosen_maps(outline.strides))
    strides = [outline.strides[index] for index in indices]
    backbone |= {
        "out_indices": tuple(indices),
        "frozen_stages": settings.frozen_stages,
        "norm_eval": normalisation == "frozen",
        "normalisation": "batch" if normalisation == "frozen" else normalisation,
        "pretrained": False if weights_at is None else str(weights_at.resolve()),
    }
    levels = levels_of(strides, COARSEST[settings.detector])
    values = {
        "settings": settings,
        "backbone": _literal(backbone, 4),
        "name": found.space.name,
        "mean": [round(255 * value, 3) for value in _rgb(found.mean)],
        "std": [round(255 * value, 3) for value in _rgb(found.std)],
        "in_channels": [outline.out_channels[index] for index in indices],
        "map_strides": strides,
        "finest_scale": 14 * strides[0],
        "strides": levels,
        "levels": len(levels),
        "classes": _literal(data.classes, 0),
        "num_classes": len(data.classes),
        "root": str(data.root.resolve()),
        "train_annotations": _inside(data.root, data.train.annotations),
        "train_images": _inside(data.root, data.train.images) + "/",
        "val_annotations": _inside(data.root, data.val.annotations),
        "val_images": _inside(data.root, data.val.images) + "/",
        "val_file": str(data.val.annotations.resolve()),
        "scale": (settings.image_size[1], settings.image_size[0]),
        "clip": CLIP.format(settings=settings) if settings.clip is not None else "",
        "warmup": WARMUP.format(settings=settings) if settings.warmup else "",
        "milestones": list(settings.milestones),
    }
    model = RETINANET if settings.detector == "retinanet" else FASTER_RCNN
    text = "".join(part.format(**values) for part in (HEAD, model, TRAINING))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def _inside(root: Path, path: Path) -> str:
    return path.resolve().relative_to(root.resolve()).as_posix()


def _rgb(values: tuple[float, ...]) -> tuple[float, ...]:
    return values * 3 if len(values) == 1 else values


def levels_of(strides: Sequence[int], coarsest: int) -> list[int]:
    """Strides of the pyramid's levels: those of the maps, then twice the last until the coarsest."""
    levels = list(strides)
    while levels[-1] < coarsest:
        levels.append(2 * levels[-1])
    return levels


def _literal(value: Any, indent: int) -> str:
    """``value`` as mmdet's configurations write it, with long containers over several lines."""
    if isinstance(value, dict) and all(str(key).isidentifier() for key in value):
        rows = [f"{key}={_literal(entry, indent + 4)}" for key, entry in value.items()]
        opening, closing = "dict(", ")"
    elif isinstance(value, dict):
        rows = [f"{key!r}: {_literal(entry, indent + 4)}" for key, entry in value.items()]
        opening, closing = "{", "}"
    elif isinstance(value, list | tuple):
        rows = [_literal(entry, indent + 4) for entry in value]
        opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")")
        if len(rows) == 1 and isinstance(value, tuple):
            closing = ",)"
    else:
        return repr(value)
    flat = opening + ", ".join(rows) + closing
    if len(flat) + indent <= WIDTH and "\n" not in flat:
        return flat
    inner = " " * (indent + 4)
    if not isinstance(value, dict) and max(map(len, rows)) < WIDTH // 4:
        rows = _filled(rows, WIDTH - indent - 5)
    return opening + "\n" + "".join(f"{inner}{row},\n" for row in rows) + " " * indent + closing.lstrip(",")


def _filled(words: list[str], width: int) -> list[str]:
    """The words joined by commas, as many in a line as fit."""
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + len(word) + 2 <= width:
            lines[-1] += f", {word}"
        else:
            lines.append(word)
    return lines
