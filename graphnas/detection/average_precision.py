"""COCO's average precision by pycocotools, in percent and without its prints."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from graphnas.detection.coco import CocoSplit
from graphnas.detection.report import NAMES
from graphnas.optional import require


def average_precision(
    split: CocoSplit, detections: Sequence[Mapping[str, Any]], categories: Sequence[int] | None = None
) -> dict[str, float | None]:
    """The six figures of COCO by the names of :data:`.report.NAMES`, in percent.

    Args:
        split: The images and their boxes.
        detections: ``image_id``, ``category_id``, ``bbox`` as left, top, width and height in pixels of the
            image's file, and ``score``.
        categories: The categories to average over; by default all that the images have objects of.

    Returns:
        0 for all if nothing was detected; None for a size of which the images have no object.

    Raises:
        MissingExtra: pycocotools is not installed.
    """
    coco, cocoeval = _quiet("pycocotools.coco"), _quiet("pycocotools.cocoeval")
    if not detections:
        return dict.fromkeys(NAMES, 0.0)
    truth = coco.COCO(str(split.annotations))
    evaluation = cocoeval.COCOeval(truth, truth.loadRes([dict(d) for d in detections]), "bbox")
    if categories is not None:
        evaluation.params.catIds = list(categories)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    figures = [float(value) for value in evaluation.stats[:6]]
    return {name: None if value < 0 else 100 * value for name, value in zip(NAMES, figures, strict=True)}


@cache
def _quiet(module: str) -> Any:
    """A copy of a module, for us alone, whose ``print`` does nothing.

    To redirect the process's output instead would swallow what other threads print, and two evaluations at
    once would leave it redirected for ever.
    """
    require(module, "detection")
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.loader is not None
    copy: Any = importlib.util.module_from_spec(spec)
    copy.print = lambda *_values, **_options: None
    spec.loader.exec_module(copy)
    return copy
