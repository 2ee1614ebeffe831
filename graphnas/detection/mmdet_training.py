"""Training and evaluation of mmdet's detectors by mmengine's Runner, and their sizes."""

from __future__ import annotations

import logging
import math
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from graphnas.detection.mmengine_compat import import_mmdet, session
from graphnas.detection.report import DETECTIONS, NAMES, REGIONS, DetectionReport, Watch, counted
from graphnas.detection.settings import IMAGE_SIZE
from graphnas.errors import CorruptData, TrainingFailed
from graphnas.optional import require
from graphnas.training.failures import network_errors
from search_spaces.complexity import Complexity

KEYS = dict(zip(NAMES, ("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l"), strict=True))
"""What mmdet's CocoMetric calls COCO's figures; it rounds them to a thousandth, so to .1 %."""


def train_mmdet(
    config: Path,
    output: Path,
    *,
    device: str = "auto",
    report: Watch | None = None,
    progress: bool = True,
    threads: int | None = None,
) -> DetectionReport:
    """Train the detector of a configuration, or continue its training, and evaluate it.

    Args:
        config: A file that :func:`~graphnas.detection.mmdet_config.write_config` wrote, edited or not.
        output: Folder of checkpoints and logs; a training in it is continued. mmengine's log, with the losses
            and what became of the weights to start from, is in the folder that is named by the time; on the
            screen there are only its warnings.
        device: ``"auto"``, ``"cpu"`` or a card; mmengine takes a card if torch finds one.
        report: Called after each evaluation.
        progress: Show bars of training and evaluation with the time left.
        threads: Threads of torch; None leaves them.

    Returns:
        Figures of the last epoch; AP is 0 if nothing was detected.

    Raises:
        CorruptData: The file is no configuration.
        TrainingFailed: The loss is not finite, memory ran out, or a module raised an error.
    """
    import_mmdet()
    started = time.perf_counter()
    with session(threads=threads, cpu=device == "cpu"):
        watch = _watcher(report, progress)
        with network_errors(), closing(watch):
            runner, settings = new_runner(config, output)
            runner.register_hook(watch, priority="VERY_LOW")
            runner.train()
            if watch.figures is None:
                runner.val_loop.run()
        if watch.error is not None:  # no error of the network
            raise watch.error
        figures = watch.figures or {}
        sizes = detector_sizes(settings)
        epochs = runner.epoch
    values = {name: _percent(figures.get(f"coco/bbox_{key}", 0.0)) for name, key in KEYS.items()}
    return DetectionReport(
        detector={"RetinaNet": "retinanet", "FasterRCNN": "faster-rcnn"}.get(
            settings.model.type, settings.model.type
        ),
        library=f"mmdet {require('mmdet', 'detection').__version__}",
        **values,
        backbone_parameters=sizes[0].parameters,
        backbone_macs=sizes[0].macs,
        parameters=sizes[1].parameters,
        macs=sizes[1].macs,
        counted_at=_image_size(settings),
        epochs=epochs,
        seconds=time.perf_counter() - started,
    )


def new_runner(config: Path, output: Path) -> tuple[Any, Any]:
    """A Runner of mmengine, which goes on with what is in ``output``, and the configuration that was read.

    It is made and used inside of a :func:`.session`.

    Raises:
        CorruptData: The file is no configuration.
    """
    settings = _read(config)
    settings.work_dir, settings.launcher = str(output), "none"
    if (output / "last_checkpoint").is_file():  # goes before a checkpoint to start from
        settings.resume, settings.load_from = True, None
    settings.val_evaluator.outfile_prefix = str(output / DETECTIONS.removesuffix(".bbox.json"))
    return _quiet_runner().from_cfg(settings), settings


def _read(config: Path) -> Any:
    try:
        return require("mmengine.config", "detection").Config.fromfile(config)
    except (SyntaxError, NameError, OSError, KeyError) as error:
        raise CorruptData(f"{config} is no configuration of mmdet: {error}") from error


def _percent(value: float) -> float | None:
    return None if value < 0 else 100 * float(value)


def _quiet_runner() -> Any:
    """A Runner whose log is in its file, and of which the screen shows only warnings."""
    base = require("mmengine.runner", "detection").Runner

    class QuietRunner(base):  # type: ignore[misc, valid-type]
        def build_logger(self, *args: Any, **options: Any) -> Any:
            logger = super().build_logger(*args, **options)
            for handler in logger.handlers:
                if not isinstance(handler, logging.FileHandler):
                    handler.setLevel(max(handler.level, logging.WARNING))
            return logger

    return QuietRunner


def _watcher(report: Watch | None, progress: bool) -> Any:
    """A hook that shows progress, keeps the figures, and ends a training whose loss is not finite."""
    hook = require("mmengine.hooks", "detection").Hook

    class Watcher(hook):  # type: ignore[misc, valid-type]
        figures: dict[str, float] | None = None
        error: Exception | None = None
        bar: Any = None
        evaluated: Any = None

        def before_train(self, runner: Any) -> None:
            self.bar = tqdm(
                total=runner.max_iters,
                initial=runner.iter,
                desc="training",
                unit="step",
                disable=not progress,
            )

        def before_val_epoch(self, runner: Any) -> None:
            self.evaluated = tqdm(
                total=len(runner.val_dataloader),
                desc="evaluation",
                unit="batch",
                leave=False,
                disable=not progress,
            )

        def after_val_iter(
            self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
        ) -> None:
            self.evaluated.update()

        def after_train_iter(
            self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
        ) -> None:
            loss = float(outputs["loss"].detach())
            if not math.isfinite(loss):
                raise TrainingFailed(f"the loss of epoch {runner.epoch + 1} is {loss}")
            self.bar.update()
            self.bar.set_postfix(loss=f"{loss:.3f}", refresh=False)

        def close(self) -> None:
            for bar in (self.evaluated, self.bar):
                if bar is not None:
                    bar.close()

        def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
            self.evaluated.close()
            self.figures = dict(metrics or {})
            ap = 100 * self.figures.get("coco/bbox_mAP", 0.0)
            if report is None:
                return
            try:
                ended = report(runner.epoch, ap)
            except Exception as error:
                self.error, ended = error, True
            if ended:
                runner.train_loop.stop_training = True

    return Watcher()


# ---------------------------------------------------------------- sizes


def detector_sizes(config: Any, image_size: tuple[int, int] | None = None) -> tuple[Complexity, Complexity]:
    """Parameters and multiply-accumulates of the backbone and of the whole detector, without weights.

    Args:
        config: A file of a configuration, or what mmengine read from it.
        image_size: Height and width in pixels; by default the configuration's short and long side, 800 x 1333
            in the 1x schedule. Counted as they are, as in papers; in use mmdet pads them to multiples of 32.

    Returns:
        The backbone's and the detector's. The second stage of Faster R-CNN is counted for 1,000 regions;
        non-maximum suppression and the cutting out of regions have no products.
    """
    import_mmdet()
    settings = _read(Path(config)) if isinstance(config, str | Path) else config
    shape = (3, *(image_size or _image_size(settings)))
    with session():
        require("mmdet.utils", "detection").register_all_modules(init_default_scope=True)
        models = require("mmdet.registry", "detection").MODELS
        with torch.device("meta"):
            detector = models.build(settings.model)
        return counted(detector.backbone, shape), counted(_Counted(detector), shape)


def _image_size(settings: Any) -> tuple[int, int]:
    steps = settings.val_dataloader.dataset.pipeline
    scale = next((step.scale for step in steps if step.type == "Resize"), IMAGE_SIZE)
    return min(scale), max(scale)


class _Counted(nn.Module):
    """What of a detector has products: its maps, heads, and the second stage on so many regions."""

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> list[Any]:
        detector: Any = self.detector
        maps = detector.extract_feat(images)
        if not hasattr(detector, "roi_head"):
            return [detector.bbox_head(maps)]
        head = detector.roi_head.bbox_head
        size = head.roi_feat_size
        regions = torch.empty((REGIONS, maps[0].shape[1], *size), device=images.device)
        return [detector.rpn_head(maps), head(regions)]
