"""Choosing among architectures by short trainings, as GraphPNAS does with samples of its generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphnas.errors import InvalidArgument, TrainingFailed
from graphnas.graph.architecture import Architecture
from graphnas.training.trained_model import TrainedModel

HOLDOUT = 0.1
"""Fraction of the training images on which short trainings are compared."""


@dataclass(frozen=True)
class Candidate:
    """An architecture and the accuracy of its short training in percent; None if that failed."""

    architecture: Architecture
    accuracy: float | None


def ranked_by_training(
    architectures: Sequence[Architecture], train: Callable[[int, Architecture], TrainedModel]
) -> list[Candidate]:
    """Train each and rank them by accuracy on held-out images, the best first and failures last.

    GraphPNAS (TMLR 2023, appendix on the ENAS space): 8 samples, 100 epochs each, the best 4 are trained in
    full. The paper does not say what they are compared on; here it is a part of the training images.

    Args:
        architectures: One or more.
        train: ``train(position, architecture)`` trains with a part of the images held out.

    Raises:
        InvalidArgument: None is given, or nothing is held out.
        TrainingFailed: All of them failed.
    """
    if not architectures:
        raise InvalidArgument("no architectures to choose from")
    candidates: list[Candidate] = []
    reason = ""
    for position, architecture in enumerate(architectures):
        try:
            metrics = train(position, architecture).evaluation.metrics
        except TrainingFailed as error:
            candidates.append(Candidate(architecture, None))
            reason = str(error)
            continue
        if "validation_accuracy" not in metrics:
            raise InvalidArgument("hold out a part of the training images to compare architectures on")
        candidates.append(Candidate(architecture, metrics["validation_accuracy"]))
    if reason and all(candidate.accuracy is None for candidate in candidates):
        raise TrainingFailed(f"every short training failed; the last: {reason}")
    return sorted(candidates, key=lambda c: (c.accuracy is None, -(c.accuracy or 0.0)))
