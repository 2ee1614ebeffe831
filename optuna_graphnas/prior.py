"""What is known before a study: results of its own task as trials, and prior tasks kept with the study.

A prior task lies in the study's system attributes, so that every sampler of ours on this study finds it, in
any process, and no trial of the study is about it. Its text comes first, in parts that fit into a column of
any database, under names that its content decides; a head under the task's name, written last, points at
them. So several processes may add tasks at once, and a reader never meets half of one.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from graphnas.errors import CorruptData, InvalidArchitecture, InvalidArgument
from graphnas.graph.results_file import Result
from graphnas.graph.space import GraphSpace
from graphnas.surrogate.prior import PriorTask, check_prior

if TYPE_CHECKING:
    from optuna._typing import JSONSerializable

HEAD = "graphnas:prior-task:"
DATA = "graphnas:prior-data:"
PART = 30_000
"""Characters of a part: MySQL's columns of text hold 65,535 bytes."""

KEPT = 500
"""Architectures of a task that are kept: as many as the model takes."""

IMPORTED = "imported"
"""User attribute of a trial that :func:`add_results` added: where the result was read."""

_LONGEST_NAME = 200

_logger = logging.getLogger(__name__)


def add_prior(study: Study, space: GraphSpace, task: PriorTask) -> None:
    """Keep ``task`` with ``study`` for every sampler of ours; one of the same name is replaced.

    Args:
        study: The study that is to profit.
        space: Its search space.
        task: The prior task, whose values are to be maximised, also where the study minimises.

    Raises:
        InvalidArchitecture: An architecture of the task is not in the space.
        InvalidArgument: The task has another number of objectives than the study, or too long a name.
    """
    (task,) = check_prior([task], space)
    if task.values.shape[1] != len(study.directions):
        raise InvalidArgument(
            f"prior task {task.name!r} has {task.values.shape[1]} objectives, but the study "
            f"{study.study_name!r} has {len(study.directions)}"
        )
    if len(task.name) > _LONGEST_NAME:
        raise InvalidArgument(f"the name of a prior task may have {_LONGEST_NAME} characters: {task.name!r}")
    task = task.thinned(KEPT)
    storage, study_id = study._storage, study._study_id
    text = task.to_text()
    parts = [text[start : start + PART] for start in range(0, len(text), PART)]
    for number, part in enumerate(parts):
        storage.set_study_system_attr(study_id, f"{DATA}{task.digest}:{number}", part)
    head: JSONSerializable = {"space": space.name, "digest": task.digest, "parts": len(parts)}
    storage.set_study_system_attr(study_id, HEAD + task.name, head)


class StoredPrior:
    """Reads the prior tasks that are kept with a study, each once.

    Args:
        space: The search space; tasks of other spaces are ignored.
    """

    def __init__(self, space: GraphSpace) -> None:
        self._space = space
        self._read: dict[str, PriorTask | None] = {}

    def tasks(self, storage: BaseStorage, study_id: int) -> tuple[PriorTask, ...]:
        """The tasks in the order of their names."""
        attributes = storage.get_study_system_attrs(study_id)
        tasks = []
        for key in sorted(attributes):
            head = attributes[key]
            if key.startswith(HEAD) and isinstance(head, dict) and head.get("space") == self._space.name:
                digest = str(head.get("digest"))
                if digest not in self._read:
                    self._read[digest] = self._task(key.removeprefix(HEAD), head, attributes)
                task = self._read[digest]
                if task is not None:
                    tasks.append(task)
        return tuple(tasks)

    def _task(self, name: str, head: dict[str, Any], attributes: dict[str, Any]) -> PriorTask | None:
        try:
            parts = [attributes[f"{DATA}{head['digest']}:{number}"] for number in range(head["parts"])]
            task = PriorTask.from_text("".join(parts))
            task.check(self._space)
        except (KeyError, TypeError, CorruptData, InvalidArchitecture) as error:
            _logger.warning("Prior task %r of the study is ignored: %s", name, error)
            return None
        return task


def prior_of(study: Study, space: GraphSpace) -> tuple[PriorTask, ...]:
    """The prior tasks of ``space`` that are kept with ``study``, in the order of their names."""
    return StoredPrior(space).tasks(study._storage, study._study_id)


def add_results(
    study: Study,
    space: GraphSpace,
    results: Sequence[Result],
    constraints: Sequence[str] = (),
    source: str = "",
) -> int:
    """Add results of the study's own task as finished trials, which count like any other.

    A result that the study has already, the same values of the same architecture, is not added again: an
    import that was interrupted can be repeated.

    Args:
        study: The study.
        space: Its search space.
        results: Architectures and values, in the study's directions.
        constraints: Names of the constraints of each result.
        source: Where they come from, for the user attribute ``imported``.

    Returns:
        The number of trials that were added.

    Raises:
        InvalidArchitecture: An architecture is not in the space; nothing is added then.
        InvalidArgument: The study has another number of objectives; nothing is added then.
    """
    for result in results:
        if len(result.values) != len(study.directions):
            raise InvalidArgument(
                f"{result.place} has {len(result.values)} values, but the study {study.study_name!r} has "
                f"{len(study.directions)} directions"
            )
        try:
            space.validate(result.architecture)
        except InvalidArchitecture as error:
            raise InvalidArchitecture(f"{result.place}: {error}") from error
    known = set()
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        with contextlib.suppress(InvalidArchitecture):  # of something else in the same study
            if IMPORTED in trial.user_attrs:
                known.add((space.key(space.from_parameters(trial.params)), tuple(trial.values)))
    added = 0
    for result in results:
        one = space.key(result.architecture), result.values
        if one not in known:
            known.add(one)
            study.add_trial(_trial(space, result, constraints, source))
            added += 1
    return added


def _trial(space: GraphSpace, result: Result, constraints: Sequence[str], source: str) -> FrozenTrial:
    named = dict(zip(constraints, result.constraints, strict=True))
    if hasattr(optuna.trial.Trial, "set_constraint"):
        stored: dict[str, Any] = {f"constraints:{name}": value for name, value in named.items()}
    else:  # Optuna 4.9 keeps a list
        stored = {"constraints": [named[name] for name in sorted(named)]} if named else {}
    return optuna.trial.create_trial(
        params=dict(space.to_parameters(result.architecture)),
        distributions={
            name: CategoricalDistribution(choices) for name, choices in space.parameters().items()
        },
        values=list(result.values),
        user_attrs={
            "architecture": result.architecture.to_json(),
            IMPORTED: f"{source} {result.place}".strip(),
        },
        system_attrs=stored,
    )
