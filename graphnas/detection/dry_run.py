"""What training a detector would cost: a few steps and evaluated images, timed, times how often."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from graphnas.detection.coco import CocoData
from graphnas.detection.coco_images import CocoImages
from graphnas.detection.mmdet_config import write_config
from graphnas.detection.mmdet_training import detector_sizes, new_runner
from graphnas.detection.mmengine_compat import import_mmdet, session
from graphnas.detection.settings import DetectorSettings
from graphnas.detection.torchvision_detectors import sizes
from graphnas.detection.torchvision_training import TorchvisionTraining, built_detector, detections
from graphnas.dry_run import DryRun, Work, measured_seconds
from graphnas.training.arguments import choose_device
from graphnas.training.failures import network_errors
from search_spaces.complexity import Complexity

SOME = 3
"""Batches and images that are measured, at most."""


def dry_run_of_detector(
    library: str,
    architecture: Any,
    settings: DetectorSettings,
    data: CocoData,
    *,
    device: str = "auto",
    **network: Any,
) -> DryRun:
    """Counts, sizes and time of a training by ``"torchvision"`` or ``"mmdet"``.

    Arguments and errors are those of :func:`.train_torchvision` and :func:`.write_config`.
    """
    measure = _torchvision if library == "torchvision" else _mmdet
    (backbone, whole), step, found = measure(architecture, settings, data, device, network)
    images, held = len(CocoImages(data, data.train, empty=False)), len(data.val.entries)
    steps = settings.epochs * math.ceil(images / settings.batch_size)
    evaluations = math.ceil(settings.epochs / settings.validate_every)
    height, width = settings.image_size
    facts = {
        "detector": f"{settings.detector} of {library}",
        "parameters": f"{whole.parameters:,}, of the backbone {backbone.parameters:,}",
        f"multiply-accumulates at {height} x {width}": f"{whole.macs:,}, of the backbone {backbone.macs:,}",
        "images trained on": images,
        "images evaluated on": held,
        "classes": len(data.classes),
        "epochs": settings.epochs,
        "images per step": settings.batch_size,
        "device": str(choose_device(device)),
    }
    work = [
        Work(f"training step of {settings.batch_size} images", steps, step),
        Work("evaluated image", evaluations * held, found),
    ]
    return DryRun(f"a training of a detector on {data.root.name}", facts, work)


Measured = tuple[tuple[Complexity, Complexity], float, float]
"""Sizes of backbone and detector, seconds of a step, seconds of an evaluated image."""


def _torchvision(
    architecture: Any, settings: DetectorSettings, data: CocoData, device: str, network: dict[str, Any]
) -> Measured:
    batch = CocoImages(data, data.train, empty=False).entries[: settings.batch_size]
    few = dataclasses.replace(
        data,
        train=dataclasses.replace(data.train, entries=tuple(batch)),
        val=dataclasses.replace(data.val, entries=data.val.entries[:SOME]),
    )
    detector, _ = built_detector(architecture, settings, data, **network)
    run = TorchvisionTraining(detector, settings, few, choose_device(device))
    with network_errors(), tqdm(disable=True) as bar:
        counted = sizes(detector, settings.image_size)
        step = measured_seconds(lambda: run.train_epoch(bar))  # an epoch of one step
        found = measured_seconds(lambda: detections(detector, run.test, run.device)) / len(run.test)
    return counted, step, found


def _mmdet(
    architecture: Any, settings: DetectorSettings, data: CocoData, device: str, network: dict[str, Any]
) -> Measured:
    import_mmdet()
    with (
        tempfile.TemporaryDirectory() as folder,
        session(cpu=device == "cpu"),
        contextlib.redirect_stdout(io.StringIO()),  # pycocotools prints what it reads
        network_errors(),
    ):
        config = Path(folder) / "config.py"
        write_config(config, architecture, settings, data, **network)
        runner, read = new_runner(config, Path(folder))
        model: Any = runner.model
        optimiser = runner.build_optim_wrapper(read.optim_wrapper)
        model.train()
        step = _seconds_of_batch(
            runner.build_dataloader(read.train_dataloader), lambda batch: model.train_step(batch, optimiser)
        )
        model.eval()
        with torch.no_grad():
            found = _seconds_of_batch(runner.build_dataloader(read.val_dataloader), model.val_step)
        counted = detector_sizes(read)
    return counted, step, found / read.val_dataloader.batch_size


def _seconds_of_batch(batches: Iterable[Any], work: Callable[[Any], object]) -> float:
    """Seconds of a batch, without the time of reading it; the first one is not counted."""
    some: Iterator[Any] = itertools.cycle(list(itertools.islice(batches, SOME)))
    return measured_seconds(lambda: work(next(some)), calls=SOME)
