"""Pictures of what a detector found, beside what there is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphnas.detection.coco import CocoData
from graphnas.detection.coco_images import read_image
from graphnas.errors import CorruptData, DataNotFound
from graphnas.optional import require
from graphnas.plots.style import INK, colour, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 15
"""Detections that are drawn in one image."""


def plot_detections(
    data: CocoData, detections: Path | Sequence[Mapping[str, Any]], *, count: int = 4, threshold: float = 0.3
) -> Figure:
    """Draw the objects of a few validation images on the left and what was detected in them on the right.

    Args:
        data: The images.
        detections: COCO's results, or the file of them that a training wrote.
        count: Number of images; those with the best detections are drawn.
        threshold: Lowest score that is drawn, unless an image would then be empty: it has its best one.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        DataNotFound: There is no such file.
        CorruptData: It is no list of results, or an image cannot be read.
        MissingExtra: matplotlib is not installed.
    """
    found = _read(detections) if isinstance(detections, Path) else list(detections)
    by_image: dict[int, list[Mapping[str, Any]]] = {}
    for entry in sorted(found, key=lambda entry: -entry["score"]):
        by_image.setdefault(entry["image_id"], []).append(entry)
    chosen = sorted(
        data.val.entries, key=lambda e: -by_image[e["id"]][0]["score"] if e["id"] in by_image else 0.0
    )[:count]
    names = dict(zip(data.categories, data.classes, strict=True))
    figure = new_figure(9.0, 3.2 * len(chosen))
    figure.set_layout_engine("constrained")
    for row, entry in enumerate(chosen):
        pixels = read_image(data.val, entry).permute(1, 2, 0).numpy()
        ranked = by_image.get(entry["id"], [])[:MOST]
        drawn = [d for d in ranked if d["score"] >= threshold] or ranked[:1]
        truth = [(box, names[box["category_id"]]) for box in data.val.boxes[entry["id"]]]
        guesses = [(d, f"{names[d['category_id']]} {d['score']:.2f}") for d in drawn]
        for column, (title, boxes) in enumerate((("objects", truth), ("detected", guesses))):
            axes = figure.add_subplot(len(chosen), 2, 2 * row + column + 1)
            axes.imshow(pixels)
            axes.set_axis_off()
            if row == 0:
                axes.set_title(title, color=INK)
            for box, text in boxes:
                _draw_box(axes, box["bbox"], text, colour(column))
    return figure


def _read(path: Path) -> list[Mapping[str, Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataNotFound(f"there is no file {path}") from error
    except ValueError as error:
        raise CorruptData(f"{path} is not JSON: {error}") from error
    if not isinstance(content, list):
        raise CorruptData(f"{path} is no list of detections")
    return content


def _draw_box(axes: Any, box: Sequence[float], text: str, paint: Any) -> None:
    rectangle = require("matplotlib.patches", "plots").Rectangle
    left, top, width, height = box
    axes.add_patch(rectangle((left, top), width, height, fill=False, edgecolor=paint, linewidth=1.5))
    axes.text(
        left,
        top,
        text,
        fontsize=7,
        color="white",
        verticalalignment="bottom",
        bbox={"facecolor": paint, "edgecolor": "none", "pad": 1},
        clip_on=True,
    )
