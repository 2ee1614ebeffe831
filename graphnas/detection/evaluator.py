"""DetectionEvaluator: the average precision of a detector with the architecture as its backbone."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphnas.configuration import check_choices, replaced
from graphnas.detection.coco import load_coco
from graphnas.detection.report import NAMES, DetectionReport, Watch
from graphnas.detection.settings import DetectorSettings
from graphnas.errors import InvalidArgument, TrainingFailed
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Evaluation
from graphnas.graph.space import GraphSpace
from graphnas.training.arguments import choose_device
from graphnas.training.failures import network_errors
from graphnas.training.saved_space import describe_space

LIBRARIES = ("torchvision", "mmdet")

_logger = logging.getLogger(__name__)


class DetectionEvaluator:
    """Measures an architecture by training a detector with it from scratch.

    The value is COCO's AP on the validation images, in percent; parameters and multiply-accumulates are those
    of the whole detector at ``settings.image_size``, so ``Objective(space, evaluator, objectives=("value",
    "macs"))`` weighs both. The same architecture gives the same value on a CPU.

    Args:
        space: The space of the architectures.
        data: A folder in COCO's layout; see :func:`~graphnas.detection.coco.load_coco`.
        settings: The detector and its training; by default :class:`.DetectorSettings`.
        library: ``"torchvision"`` or ``"mmdet"``.
        shape: Arguments of the space's ``build``, such as ``{"stem_stride": 4}``.
        device: ``"auto"`` or a torch device.
        progress: Show a progress bar.
        **changes: Single fields of the settings to replace, such as ``epochs=3``.

    Raises:
        InvalidArgument: An argument that does not fit, or a user's own space with mmdet, whose configurations
            are files.
        DataNotFound: The images are missing.
        CorruptData: The annotations are malformed.
    """

    def __init__(
        self,
        space: GraphSpace,
        data: str | os.PathLike[str],
        settings: DetectorSettings | None = None,
        *,
        library: str = "torchvision",
        shape: Mapping[str, Any] | None = None,
        device: str = "auto",
        progress: bool = True,
        **changes: Any,
    ) -> None:
        if not isinstance(space, GraphSpace):
            raise InvalidArgument(f"space must be a GraphSpace, got {type(space).__name__}")
        self.space, self.library, self.shape = space, library, dict(shape or {})
        self.settings = replaced(settings or DetectorSettings(), **changes)
        check_choices(self, {"library": LIBRARIES})
        if library == "mmdet" and describe_space(space)["arguments"] is None:
            raise InvalidArgument(
                f"library must be 'torchvision' for {space.name!r}: mmdet's configurations are files, which "
                "cannot hold a space that is not one of graphnas"
            )
        choose_device(device)
        self.device, self.progress = device, progress
        self.data = load_coco(data)

    def evaluate(self, architecture: Architecture, *, report: Watch | None = None) -> Evaluation:
        """Train the detector and measure it.

        A detector that diverges, or whose network raises an error, is a failed evaluation that says why.
        Interrupts and errors of ``report`` are raised.

        Args:
            architecture: A member of the space.
            report: Called with AP after each measured epoch; returning True ends the training there.

        Returns:
            AP in percent, sizes of the detector, seconds, and the metrics ``ap50``, ``ap75``, ``ap_small``,
            ``ap_medium``, ``ap_large`` (those that the images have), ``backbone_parameters``,
            ``backbone_macs`` and ``epochs``.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        self.space.validate(architecture)
        started = time.perf_counter()
        try:
            found = self._train(architecture, report)
        except TrainingFailed as failure:
            _logger.warning("%s: an evaluation failed: %s", self.space.name, failure)
            return Evaluation.failure(str(failure), seconds=time.perf_counter() - started)
        figures = {name: getattr(found, name) for name in NAMES[1:]}
        return Evaluation(
            value=found.ap or 0.0,
            parameters=found.parameters,
            macs=found.macs,
            seconds=found.seconds,
            metrics={
                **{name: value for name, value in figures.items() if value is not None},
                "backbone_parameters": float(found.backbone_parameters),
                "backbone_macs": float(found.backbone_macs),
                "epochs": float(found.epochs),
            },
        )

    def _train(self, architecture: Architecture, report: Watch | None) -> DetectionReport:
        if self.library == "torchvision":
            from graphnas.detection.torchvision_training import train_torchvision

            return train_torchvision(
                architecture,
                self.settings,
                self.data,
                space=self.space,
                shape=self.shape,
                device=self.device,
                report=report,
                progress=self.progress,
            )
        from graphnas.detection.mmdet_config import write_config
        from graphnas.detection.mmdet_training import train_mmdet

        with tempfile.TemporaryDirectory() as folder:
            with network_errors():
                config = write_config(
                    Path(folder) / "config.py",
                    architecture,
                    self.settings,
                    self.data,
                    space=self.space,
                    shape=self.shape,
                )
            return train_mmdet(
                config, Path(folder), device=self.device, report=report, progress=self.progress
            )

    def __repr__(self) -> str:
        return (
            f"DetectionEvaluator({self.space!r}, {str(self.data.root)!r}, {self.settings}, {self.library!r})"
        )
