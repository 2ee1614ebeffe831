"""Training and evaluation of torchvision's detectors."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm.auto import tqdm

from graphnas.detection.average_precision import average_precision
from graphnas.detection.coco import CocoData
from graphnas.detection.coco_images import CocoImages
from graphnas.detection.report import DETECTIONS, NAMES, DetectionReport, Watch
from graphnas.detection.settings import DetectorSettings
from graphnas.detection.torchvision_detectors import feature_maps, sizes, torchvision_detector
from graphnas.detection.torchvision_operators import operators
from graphnas.errors import InvalidArgument, TrainingFailed
from graphnas.files import replacing
from graphnas.optional import require
from graphnas.seeds import derived_seed
from graphnas.training.arguments import choose_device
from graphnas.training.checkpoints import make_folder
from graphnas.training.described import Described
from graphnas.training.failures import network_errors
from graphnas.training.randomness import SeededRandomness
from graphnas.training.tensor_file import read_tensor_file, write_tensor_file

FORMAT, VERSION = "graphnas.detector.checkpoint", 1
CHECKPOINT = "last.pt"
MOMENTUM, WEIGHT_DECAY = 0.9, 1e-4
WARMUP_FACTOR = 0.001

_logger = logging.getLogger(__name__)


def train_torchvision(
    architecture: Any,
    settings: DetectorSettings,
    data: CocoData,
    *,
    output: Path | None = None,
    device: str = "auto",
    report: Watch | None = None,
    progress: bool = True,
    **network: Any,
) -> DetectionReport:
    """Train a detector around a found network, or continue its training, and evaluate it.

    Args:
        architecture: As for :func:`~graphnas.detection.torchvision_detectors.feature_maps`.
        settings: Detector and training.
        data: Images with boxes.
        output: Folder for checkpoints; a training in it is continued, on a CPU with the same result to the
            last bit. None: nothing is written.
        device: ``"auto"`` or a torch device.
        report: Called after each evaluation.
        progress: Show a bar with the time left.
        **network: ``space``, ``shape`` and ``weights`` of ``feature_maps``.

    Returns:
        Figures of the last epoch.

    Raises:
        InvalidArgument: The folder cannot be written to, or holds another training.
        TrainingFailed: The loss is not finite, memory ran out, or the network raised an error when it was
            built or run.
        GraphNASError: The architecture, its weights or an image cannot be read.
    """
    detector, found = built_detector(architecture, settings, data, **network)
    identity = {
        "architecture": found.architecture.to_dict(),
        "settings": dataclasses.asdict(settings),
        "images": str(data.root),
        "network": {name: str(value) for name, value in sorted(network.items()) if name != "space"},
    }
    return train_detector(
        detector, settings, data, identity, output=output, device=device, report=report, progress=progress
    )


def built_detector(
    architecture: Any, settings: DetectorSettings, data: CocoData, **network: Any
) -> tuple[nn.Module, Described]:
    """The detector around a found network with its first weights, and what the network is.

    Arguments and errors are those of :func:`train_torchvision`.
    """
    with network_errors(), SeededRandomness(derived_seed(settings.seed, "weights")):
        maps, found, loaded = feature_maps(architecture, settings, **network)
        detector = torchvision_detector(maps, settings, len(data.classes), mean=found.mean, std=found.std)
    if loaded is not None:
        _logger.info("weights: %s", loaded)
    return detector, found


def train_detector(
    detector: nn.Module,
    settings: DetectorSettings,
    data: CocoData,
    identity: Mapping[str, Any],
    *,
    output: Path | None = None,
    device: str = "auto",
    report: Watch | None = None,
    progress: bool = True,
) -> DetectionReport:
    """Train any detector of torchvision; arguments as for :func:`train_torchvision`.

    Args:
        detector: What :func:`~graphnas.detection.torchvision_detectors.torchvision_detector` returns.
        settings: How to train.
        data: Images with boxes.
        identity: What is trained, in plain JSON; a checkpoint of something else is refused.
        output: Folder for checkpoints.
        device: ``"auto"`` or a torch device.
        report: Called after each evaluation.
        progress: Show a bar.
    """
    require("pycocotools", "detection")
    if output is not None:
        make_folder(output)
    run = TorchvisionTraining(detector, settings, data, choose_device(device))
    with network_errors():
        counted = sizes(detector, settings.image_size)
    path = None if output is None else output / CHECKPOINT
    if path is not None:
        run.resume(path, identity)
    with (
        operators(),
        tqdm(
            total=settings.epochs * len(run.batches),
            initial=run.epoch * len(run.batches),
            desc="training",
            unit="step",
            disable=not progress,
        ) as bar,
    ):
        while run.epoch < settings.epochs and not run.ended:
            with network_errors():
                run.train_epoch(bar)
                last = run.epoch == settings.epochs
                if last or run.epoch % settings.validate_every == 0:
                    run.figures = run.evaluate(None if output is None else output / DETECTIONS)
            if path is not None:
                run.save(path, identity)
            if run.figures and report is not None and report(run.epoch, run.figures["ap"] or 0.0):
                run.ended = True
    backbone, whole = counted
    return DetectionReport(
        detector=settings.detector,
        library=f"torchvision {require('torchvision', 'images').__version__}",
        **{name: run.figures.get(name) for name in NAMES},
        backbone_parameters=backbone.parameters,
        backbone_macs=backbone.macs,
        parameters=whole.parameters,
        macs=whole.macs,
        counted_at=settings.image_size,
        epochs=run.epoch,
        seconds=run.seconds,
    )


@torch.no_grad()
def detections(
    detector: nn.Module, images: CocoImages, device: torch.device | str = "cpu"
) -> list[dict[str, Any]]:
    """What a detector of torchvision finds, as :func:`.average_precision.average_precision` reads it.

    Args:
        detector: It is in evaluation mode afterwards.
        images: The images.
        device: Where the detector is.
    """
    detector.eval()
    found = []
    with operators():
        for index in range(len(images)):
            image, target = images[index]
            (output,) = detector([image.to(device)])
            boxes = output["boxes"].cpu()
            boxes[:, 2:] -= boxes[:, :2]
            rows = zip(boxes.tolist(), output["labels"].tolist(), output["scores"].tolist(), strict=True)
            for box, label, score in rows:
                category = images.categories[label - 1]
                found.append(
                    {"image_id": target["image_id"], "category_id": category, "bbox": box, "score": score}
                )
    return found


class TorchvisionTraining:
    """A training: detector, optimiser, schedule and images."""

    def __init__(
        self, detector: nn.Module, settings: DetectorSettings, data: CocoData, device: torch.device
    ) -> None:
        self.detector, self.settings, self.data, self.device = detector.to(device), settings, data, device
        self.images = CocoImages(data, data.train, empty=False, flip=settings.flip, seed=settings.seed)
        self.test = CocoImages(data, data.val, empty=True)
        trained = [parameter for parameter in detector.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.SGD(trained, settings.rate, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
        self.batches = range(math.ceil(len(self.images) / settings.batch_size))
        self.epoch, self.seconds, self.ended = 0, 0.0, False
        self.figures: dict[str, float | None] = {}

    def train_epoch(self, bar: tqdm[Any]) -> None:
        """One pass over the images, whose random numbers depend on the seed and the epoch only."""
        started = time.perf_counter()
        seed = derived_seed(self.settings.seed, "epoch", self.epoch)
        self.detector.train()
        self.images.epoch = self.epoch
        with SeededRandomness(seed):
            for number, (images, targets) in enumerate(self._batches(seed)):
                self._set_rate(self.epoch * len(self.batches) + number)
                losses = self.detector(images, targets)
                loss = sum(losses.values())
                if not math.isfinite(float(loss.detach())):
                    raise TrainingFailed(
                        f"the loss of epoch {self.epoch + 1} is {float(loss.detach())}; "
                        "a clip of the gradient or a smaller learning_rate may help"
                    )
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()
                if self.settings.clip is not None:
                    trained = self.optimizer.param_groups[0]["params"]
                    torch.nn.utils.clip_grad_norm_(trained, self.settings.clip)
                self.optimizer.step()
                bar.update()
                bar.set_postfix(loss=f"{float(loss.detach()):.3f}", refresh=False)
        self.epoch += 1
        self.seconds += time.perf_counter() - started

    def _batches(self, seed: int) -> Iterator[tuple[list[Any], list[Any]]]:
        order = torch.randperm(len(self.images), generator=torch.Generator().manual_seed(seed))
        loader = torch.utils.data.DataLoader(
            self.images,
            self.settings.batch_size,
            sampler=order.tolist(),
            num_workers=self.settings.workers,
            collate_fn=_apart,
            generator=torch.Generator().manual_seed(seed),
        )
        for images, targets in loader:
            yield (
                [image.to(self.device) for image in images],
                [{k: v.to(self.device) for k, v in t.items() if k != "image_id"} for t in targets],
            )

    def _set_rate(self, step: int) -> None:
        settings = self.settings
        rate = settings.rate * 0.1 ** sum(self.epoch >= milestone for milestone in settings.milestones)
        if step < settings.warmup:
            rate *= WARMUP_FACTOR + (1 - WARMUP_FACTOR) * step / settings.warmup
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def evaluate(self, file: Path | None = None) -> dict[str, float | None]:
        """COCO's figures on the validation images; what was detected in them is written to ``file``."""
        started = time.perf_counter()
        found = detections(self.detector, self.test, self.device)
        figures = average_precision(self.data.val, found, self.data.categories)
        if file is not None:
            with replacing(file) as part:
                part.write_text(json.dumps(found), encoding="utf-8")
        self.seconds += time.perf_counter() - started
        return figures

    def save(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Write everything that the next epoch depends on."""
        content = {
            "identity": json.dumps(identity, sort_keys=True),
            "detector": self.detector.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "seconds": self.seconds,
            "figures": self.figures,
        }
        write_tensor_file(path, FORMAT, VERSION, content)

    def resume(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Continue from the checkpoint, if there is one.

        Raises:
            InvalidArgument: It is of another training.
        """
        if not path.is_file():
            return
        content = read_tensor_file(path, FORMAT, VERSION)
        if content["identity"] != json.dumps(identity, sort_keys=True):
            raise InvalidArgument(
                f"{path} is the checkpoint of another training; continue it with the same arguments, or "
                "choose another folder"
            )
        self.detector.load_state_dict(content["detector"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.epoch, self.seconds = content["epoch"], content["seconds"]
        self.figures = content["figures"]


def _apart(batch: list[Any]) -> tuple[list[Any], list[Any]]:
    images, targets = zip(*batch, strict=True)
    return list(images), list(targets)
