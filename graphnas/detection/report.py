"""What a trained detector reports: COCO's average precisions, and the sizes of detector and backbone."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from graphnas.errors import CorruptData
from graphnas.files import replacing
from search_spaces.complexity import Complexity, count_complexity

NAMES = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
"""COCO's figures, in the order of its own evaluation."""
REPORT = "report.json"
DETECTIONS = "detections.bbox.json"
"""What was detected in the validation images, in COCO's format; mmdet adds the end of the name itself."""
REGIONS = 1000
"""Regions for which the second stage of Faster R-CNN is counted: what its test configuration keeps."""

Watch = Callable[[int, float], bool | None]
"""Told the epoch and AP after each evaluation; True ends the training."""


def counted(module: nn.Module, shape: tuple[int, ...]) -> Complexity:
    """All parameters of a module, frozen ones too, and its multiply-accumulates for one such input."""
    outline = copy.deepcopy(module).to("meta")
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return Complexity(parameters, count_complexity(lambda: outline, shape).macs)


@dataclass(frozen=True)
class DetectionReport:
    """Figures of a detector; average precisions are in percent, as COCO's papers print them.

    Attributes:
        detector: ``"retinanet"`` or ``"faster-rcnn"``.
        library: ``"mmdet"`` or ``"torchvision"``, with its version.
        ap: AP over the thresholds .50 to .95; None if the detector was not evaluated.
        ap50: AP at .50.
        ap75: AP at .75.
        ap_small: AP of objects below 32 x 32 pixels; None where the images have none.
        ap_medium: AP of objects from 32 x 32 to 96 x 96.
        ap_large: AP of larger ones.
        backbone_parameters: Parameters of the found network in it.
        backbone_macs: Its multiply-accumulates for one image of ``counted_at``.
        parameters: Parameters of the whole detector.
        macs: Its multiply-accumulates for one image of ``counted_at``.
        counted_at: Height and width of the image for which they are counted.
        epochs: Epochs trained.
        seconds: Time of training and evaluation.
    """

    detector: str
    library: str
    ap: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    backbone_parameters: int
    backbone_macs: int
    parameters: int
    macs: int
    counted_at: tuple[int, int]
    epochs: int
    seconds: float

    def save(self, folder: Path) -> Path:
        """Write it as ``report.json``."""
        path = folder / REPORT
        with replacing(path) as part:
            part.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, folder: Path) -> DetectionReport:
        """Read what :meth:`save` wrote.

        Raises:
            CorruptData: It is damaged.
        """
        path = folder / REPORT
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{**content, "counted_at": tuple(content["counted_at"])})
        except (ValueError, TypeError, KeyError) as error:
            raise CorruptData(f"{path} is not a report of a detector: {error}") from error
