"""What measuring architectures would cost: a few steps of it, timed, times how often they are done."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Sequence

from graphnas.dry_run import Work, measured_seconds
from graphnas.evaluate.base import Evaluator
from graphnas.evaluate.oracle import OracleEvaluator
from graphnas.evaluate.supernet import SupernetEvaluator
from graphnas.graph.architecture import Architecture
from graphnas.training.dry_run import STEPS, training_work
from graphnas.training.network import built_network

SOME = 10
"""Architectures that are measured with shared weights at once; the time of more is in proportion."""


def evaluation_work(
    evaluator: Evaluator, architecture: Architecture, times: int, *, watched: bool = False
) -> list[Work]:
    """The work of measuring ``times`` architectures of the size of ``architecture``.

    Args:
        evaluator: Nothing of it is changed; only :class:`.OracleEvaluator` is taken apart, any other one is
            timed as a whole.
        architecture: What is measured.
        times: Number of evaluations.
        watched: Whether somebody wants the accuracy between epochs, as a pruner does.
    """
    if not isinstance(evaluator, OracleEvaluator):
        return [Work("evaluation", times, measured_seconds(lambda: evaluator.evaluate(architecture)))]
    config, data = evaluator.config, evaluator.data
    module, _ = built_network(
        evaluator.space,
        architecture,
        data.num_classes,
        data.train.shape,
        evaluator.shape,
        seed=evaluator.seed,
        device=evaluator.device,
    )
    validated = evaluator._validated(watched)
    epochs = sum(validated(epoch) for epoch in range(1, config.epochs + 1))
    return training_work(
        module,
        data,
        evaluator._images,
        evaluator.train_indices,
        config,
        seed=evaluator.seed,
        measured={"validation image": epochs * len(evaluator.validation_indices)},
        trainings=times,
    )


def supernet_work(
    evaluator: SupernetEvaluator,
    trained: Sequence[Architecture],
    measured: Sequence[Architecture],
    *,
    steps: int,
    epochs_per_step: int,
    final: int = 0,
) -> list[Work]:
    """The work of a search on shared weights: training in epochs, and measuring many architectures at once.

    Args:
        evaluator: Its weights are trained for a few steps, so it is of no use afterwards.
        trained: Architectures of a step's training.
        measured: Architectures that a step measures.
        steps: Steps of the search.
        epochs_per_step: Epochs of training in each.
        final: Architectures that are measured once more at the end.
    """
    config = evaluator.config
    per_epoch = config.steps_per_epoch
    if per_epoch is None:
        per_epoch = math.ceil(len(evaluator.train_indices) / config.batch_size)
    short = copy.copy(evaluator)
    short.progress = False
    short.config = dataclasses.replace(config, steps_per_epoch=STEPS)
    held = evaluator.validation_indices
    short.validation_indices = held[: config.validation_batch_size]
    batches = math.ceil(len(held) / config.validation_batch_size)
    batch = min(len(held), config.validation_batch_size)
    training = measured_seconds(lambda: short.train(1, list(trained))) / STEPS
    # One batch of images for some of a step's architectures, which share few layers with the others.
    some = list(measured[:SOME])
    measuring = measured_seconds(lambda: short.evaluate_batch(some), calls=2) * len(measured) / len(some)
    return [
        Work(f"training step of {config.batch_size} images", steps * epochs_per_step * per_epoch, training),
        Work(
            f"measuring {len(measured)} architectures on {batch} images",
            batches * (steps + final / len(measured)),
            measuring,
        ),
    ]
