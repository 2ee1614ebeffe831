"""Found networks in object detectors: those of mmdet and those of torchvision.

Where mmdet works, importing this package registers the backbone ``GraphNAS``, the neck ``GraphNASFPN``
and the hook ``ExactResumption``: ``custom_imports=dict(imports="graphnas.detection")`` in a configuration.
Other names are imported on first use.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from graphnas.lazy import lazy_names

if TYPE_CHECKING:
    from graphnas.detection.coco import CocoData as CocoData
    from graphnas.detection.coco import load_coco as load_coco
    from graphnas.detection.drawing import plot_detections as plot_detections
    from graphnas.detection.evaluator import DetectionEvaluator as DetectionEvaluator
    from graphnas.detection.feature_maps import FeatureMaps as FeatureMaps
    from graphnas.detection.mmdet_config import write_config as write_config
    from graphnas.detection.mmdet_training import detector_sizes as detector_sizes
    from graphnas.detection.mmdet_training import train_mmdet as train_mmdet
    from graphnas.detection.report import DetectionReport as DetectionReport
    from graphnas.detection.settings import DetectorSettings as DetectorSettings
    from graphnas.detection.torchvision_detectors import torchvision_detector as torchvision_detector
    from graphnas.detection.torchvision_training import train_torchvision as train_torchvision

_HOMES = {
    "CocoData": "graphnas.detection.coco",
    "DetectionEvaluator": "graphnas.detection.evaluator",
    "DetectionReport": "graphnas.detection.report",
    "DetectorSettings": "graphnas.detection.settings",
    "FeatureMaps": "graphnas.detection.feature_maps",
    "detector_sizes": "graphnas.detection.mmdet_training",
    "load_coco": "graphnas.detection.coco",
    "plot_detections": "graphnas.detection.drawing",
    "torchvision_detector": "graphnas.detection.torchvision_detectors",
    "train_mmdet": "graphnas.detection.mmdet_training",
    "train_torchvision": "graphnas.detection.torchvision_training",
    "write_config": "graphnas.detection.mmdet_config",
}
__all__ = [
    "CocoData",
    "DetectionEvaluator",
    "DetectionReport",
    "DetectorSettings",
    "FeatureMaps",
    "detector_sizes",
    "load_coco",
    "plot_detections",
    "torchvision_detector",
    "train_mmdet",
    "train_torchvision",
    "write_config",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)

if all(importlib.util.find_spec(name) for name in ("mmdet", "mmengine", "mmcv")):
    from graphnas.detection.mmengine_compat import why_unusable

    # Where it cannot be used, torchvision's detectors still can; mmdet says itself what is wrong.
    if not why_unusable():
        import graphnas.detection.mmdet_modules  # noqa: F401
