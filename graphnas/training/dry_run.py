"""What training a network would cost: a few steps of it, timed, times how often they are done."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from graphnas.configuration import replaced
from graphnas.dry_run import DryRun, Work, measured_seconds
from graphnas.training.images import ImageData, ImageSet
from graphnas.training.loop import Training
from graphnas.training.plan import TrainingPlan
from graphnas.training.training_config import TrainingConfig

STEPS = 2
"""Training steps in one measurement."""
PIXELS = 2**18
"""Pixels of the images of one measured step or pass, at most: 256 images of 32 x 32. A larger batch is taken
to last as many times as long as it has more images."""


def training_work(
    module: nn.Module,
    data: ImageData,
    images: ImageSet,
    indices: torch.Tensor,
    config: TrainingConfig,
    *,
    seed: int,
    measured: Mapping[str, float],
    trainings: int = 1,
) -> list[Work]:
    """The work of training a network ``trainings`` times, and of measuring it.

    Args:
        module: The network, on the device; it is trained for a few steps.
        data: The data set.
        images: Its training images, on the device if they are in memory.
        indices: Those that are trained on.
        config: How.
        seed: Seed of the order of the images and their augmentation.
        measured: How many images are measured in one training, by what they are called.
        trainings: Number of trainings.
    """

    def training(some: torch.Tensor, config: TrainingConfig) -> Training:
        return Training(
            module, images, some, config, data.normalisation, seed=seed, num_classes=data.num_classes
        )

    steps = training(indices, config).steps_per_epoch
    size = min(config.batch_size, math.ceil(len(indices) / steps))
    most = max(2, PIXELS // (images.shape[1] * images.shape[2]))
    few = min(size, most)
    short = training(indices[: STEPS * few], replaced(config, batch_size=few))

    def train() -> None:
        short.epoch = 0  # an epoch of a few steps, as if it were the first
        short.run_epoch()

    step = measured_seconds(train) / short.steps_per_epoch * size / few
    some = torch.arange(min(most, len(images)))
    each = measured_seconds(lambda: short.measure(images, some)) / len(some)
    return [
        Work(f"training step of {size} images", trainings * config.epochs * steps, step),
        *(Work(name, trainings * count, each) for name, count in measured.items() if count),
    ]


def dry_run_of_training(plan: TrainingPlan, *, trainings: int = 1) -> DryRun:
    """Counts, sizes and time of :func:`.train`.

    Args:
        plan: What it would do.
        trainings: Number of such trainings.

    Raises:
        TrainingFailed: The network cannot be built.
    """
    data, config = plan.data, plan.config
    indices, held = plan.split
    module, size = plan.built()
    measurings = 0 if held is None else sum(plan.validated(epoch) for epoch in range(1, config.epochs + 1))
    held_out = 0 if held is None else len(held)
    facts: dict[str, object] = {
        "space": repr(plan.space),
        "parameters": "not counted" if size.parameters is None else size.parameters,
        "multiply-accumulates": "not counted" if size.macs is None else size.macs,
        "data set": data.name,
        "images": "x".join(map(str, data.train.shape)),
        "classes": data.num_classes,
        "images trained on": len(indices),
        "images held out": held_out,
        "test images": len(data.test),
        "recipe": plan.recipe or "none",
        "epochs": config.epochs,
        "batch size": config.batch_size,
        "device": str(plan.device),
    }
    work = training_work(
        module,
        data,
        data.train.to(plan.device),
        indices,
        config,
        seed=plan.seed,
        measured={"image held out": measurings * held_out, "test image": len(data.test)},
        trainings=trainings,
    )
    return DryRun(f"a training of {plan.space.name} on {data.name}", facts, work)
