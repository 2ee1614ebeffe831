"""The evaluated architectures of a study with the values of one of its objectives."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optuna.study import Study, StudyDirection
from optuna.trial import TrialState

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from optuna_graphnas.block import Block


@dataclass(frozen=True)
class Evaluated:
    """The finished trials of a study that have an architecture of the space, in their order.

    Attributes:
        numbers: Numbers of the trials.
        architectures: What they evaluated.
        values: ``(n,)`` of one objective; NaN where a trial failed or was pruned.
        minimize: Whether the study minimises it.
        value_name: Its name.
    """

    numbers: tuple[int, ...]
    architectures: tuple[Architecture, ...]
    values: NDArray[np.float64]
    minimize: bool
    value_name: str


def evaluated(study: Study, space: GraphSpace, *, name: str | None = None, objective: int = 0) -> Evaluated:
    """Read a study.

    Args:
        study: The study.
        space: The space of the architectures.
        name: As in :func:`optuna_graphnas.suggest_architecture`.
        objective: Which of several objectives.

    Raises:
        InvalidArgument: No such objective, or no finished trial with an architecture of the space.
    """
    if not 0 <= objective < len(study.directions):
        raise InvalidArgument(
            f"objective must be from 0 to {len(study.directions) - 1} in the study {study.study_name!r}, "
            f"got {objective}"
        )
    block = Block(space, name)
    numbers, architectures, values = [], [], []
    for trial in study.get_trials(deepcopy=False):
        if not trial.state.is_finished():
            continue
        try:
            architecture = block.architecture(trial.params)
        except InvalidArchitecture:
            continue
        complete = trial.state == TrialState.COMPLETE and trial.values is not None
        value = trial.values[objective] if complete else math.nan
        numbers.append(trial.number)
        architectures.append(architecture)
        values.append(value if math.isfinite(value) else math.nan)
    if not architectures:
        raise InvalidArgument(
            f"no finished trial of the study {study.study_name!r} has an architecture of {block!r}"
        )
    names = study.metric_names
    return Evaluated(
        tuple(numbers),
        tuple(architectures),
        np.array(values, float),
        study.directions[objective] == StudyDirection.MINIMIZE,
        names[objective] if names else "value",
    )
