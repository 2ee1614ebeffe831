"""History: a study's trials as observations that a search method learns from, and as pending architectures.

==========  =========================================================================================
COMPLETE    an observation with its values (negated where the study minimises) and its constraints
PRUNED      a failed observation: it has no final value, and its last intermediate one is not comparable
FAIL        a failed observation if the objective failed; ignored otherwise, see :func:`mark_failure`
RUNNING     pending, unless its process is known to be dead
WAITING     pending, if the whole architecture was enqueued
==========  =========================================================================================

The architecture is always read from what the trial evaluated, never from what was proposed for it. Trials
without an architecture of the space are ignored.
"""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from graphnas.errors import InvalidArchitecture
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Observation
from graphnas.graph.space import GraphSpace
from optuna_graphnas.exclusion import read_claim
from optuna_graphnas.worker import is_abandoned, own_record

FAILURE = "graphnas:failed"
INTERRUPTED = "graphnas:interrupted"

_logger = logging.getLogger(__name__)


def mark_failure(storage: BaseStorage, trial: FrozenTrial) -> None:
    """Write on ``trial``, just before it ends in state FAIL, that its objective failed.

    State FAIL alone does not say so: Optuna's heartbeat, or a person tidying up, also gives it to trials
    whose worker was killed. Those count as never started, so that a study continues after a crash as if
    nothing had happened.
    """
    if own_record(trial, INTERRUPTED) is None and not is_abandoned(trial):
        storage.set_trial_system_attr(trial._trial_id, FAILURE, {"trial": trial.number})


def mark_interruption(storage: BaseStorage, trial_id: int, number: int) -> None:
    """Write on a running trial that a person stopped it: the state FAIL that follows is no failure."""
    storage.set_trial_system_attr(trial_id, INTERRUPTED, {"trial": number})


def constraints_of(trial: FrozenTrial) -> tuple[float, ...]:
    """The constraint values of ``trial`` in the order of their names, on Optuna 4.9 and 5."""
    named = getattr(trial, "constraints", None)
    if named is None:
        return tuple(trial.system_attrs.get("constraints") or ())
    return tuple(named[name] for name in sorted(named))


class History:
    """Reads trials, each finished one once.

    Args:
        space: The search space.
    """

    def __init__(self, space: GraphSpace) -> None:
        self._space = space
        self._names = frozenset(space.parameters())
        self._storage: weakref.ref[BaseStorage] | None = None
        self._study_id = -1
        self._finished: dict[int, tuple[datetime | None, Observation | None]] = {}
        self._warned = False

    def belongs_to(self, storage: BaseStorage, study_id: int) -> None:
        """Forget what was read, if it was read from another study."""
        if self._storage is None or self._storage() is not storage or self._study_id != study_id:
            self._storage, self._study_id, self._finished = weakref.ref(storage), study_id, {}

    def observations(
        self, trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection]
    ) -> list[Observation]:
        """The finished trials in the order of their numbers, with values that are to be maximised."""
        signs = [-1.0 if direction == StudyDirection.MINIMIZE else 1.0 for direction in directions]
        observations = []
        for trial in trials:
            if not trial.state.is_finished():
                continue
            # The date tells a trial from that of a deleted study whose id the database has used again.
            known = self._finished.get(trial.number)
            if known is None or known[0] != trial.datetime_complete:
                known = (trial.datetime_complete, self._read(trial, signs))
                self._finished[trial.number] = known
            if known[1] is not None:
                observations.append(known[1])
        return observations

    def _read(self, trial: FrozenTrial, signs: Sequence[float]) -> Observation | None:
        if trial.state == TrialState.FAIL and own_record(trial, FAILURE) is None:
            return None
        architecture = self._architecture(trial.params)
        if architecture is None:
            if trial.state == TrialState.COMPLETE and not self._warned and self._names & set(trial.params):
                self._warned = True
                _logger.warning(
                    "Trial %d is ignored: %s refuses its architecture. Further such trials are not reported.",
                    trial.number,
                    self._space.name,
                )
            return None
        values: tuple[float, ...] | None = None
        if trial.state == TrialState.COMPLETE and all(map(math.isfinite, trial.values)):
            values = tuple(sign * value for sign, value in zip(signs, trial.values, strict=True))
        return Observation(architecture, values, constraints_of(trial))

    def pending(self, trials: Sequence[FrozenTrial], number: int) -> list[Architecture]:
        """The architectures of the trials that are not finished, other than trial ``number``."""
        pending = []
        for trial in trials:
            if trial.state.is_finished() or trial.number == number or is_abandoned(trial):
                continue
            claim = read_claim(trial) if trial.state == TrialState.RUNNING else None
            params: dict[str, Any] = {}
            if claim is not None and self._space.is_valid(claim):
                params.update(self._space.to_parameters(claim))
            # What was enqueued or is already suggested will be evaluated, whatever was claimed.
            params.update(trial.system_attrs.get("fixed_params", {}))
            params.update(trial.params)
            architecture = self._architecture(params)
            if architecture is not None:
                pending.append(architecture)
        return pending

    def _architecture(self, params: Mapping[str, Any]) -> Architecture | None:
        if not self._names <= params.keys():
            return None
        try:
            return self._space.from_parameters(params)
        except InvalidArchitecture:
            return None
