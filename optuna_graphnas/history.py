"""History: a study's trials as observations that a search method learns from, and as pending architectures.

===========  ========================================================================================
COMPLETE     an observation with its values (negated where the study minimises), its constraints and the
             curve of its intermediate values; a failed one where a value is infinite
PRUNED       a pruned observation with its curve; a failed one if it reported nothing finite
FAIL         a failed observation, unless Ctrl-C or the loss of its worker ended it
RUNNING      pending, unless its process is known to be dead or it came with the copy of a study
WAITING      pending, if the whole architecture was enqueued
===========  ========================================================================================

A trial that lost its worker counts as never started, so that the study goes on after a crash as if nothing
had happened. But an architecture may be what kills the workers: once more than ``max_retries`` of its trials
ended like that, it counts as failed. Ctrl-C is never counted. :mod:`optuna_graphnas.records` says how these
are told apart.

The architecture is always read from what the trial evaluated, never from what was proposed for it. Trials
without an architecture of the space are ignored.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import weakref
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from graphnas.errors import InvalidArchitecture
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Observation, Proposal
from graphnas.graph.space import GraphSpace
from optuna_graphnas.exclusion import read_claim
from optuna_graphnas.joint import settings_of
from optuna_graphnas.records import Fate, fate_of, is_abandoned, place_of

_logger = logging.getLogger(__name__)


def constraints_of(trial: FrozenTrial) -> dict[str, float]:
    """The constraint values of ``trial`` by name, or by place where they have none."""
    named = getattr(trial, "constraints", None)
    if named is None:  # Optuna 4.9
        named = {str(place): value for place, value in enumerate(trial.system_attrs.get("constraints") or ())}
    return dict(named)


@dataclasses.dataclass(frozen=True)
class _Ending:
    """How a trial ended, without its constraints in the observation: their order depends on other trials."""

    number: int
    complete: datetime | None
    fate: Fate
    observation: Observation | None
    constraints: Mapping[str, float]


class History:
    """Reads trials, each finished one once.

    Args:
        space: The search space.
        max_retries: Lost workers after which an architecture is proposed once more.
    """

    def __init__(self, space: GraphSpace, max_retries: int = 1) -> None:
        self._space = space
        self._max_retries = max_retries
        self._names = frozenset(space.parameters())
        self._storage: weakref.ref[BaseStorage] | None = None
        self._study_id = -1
        self._place = ""
        self._forget()
        self._warned = False

    def _forget(self) -> None:
        self._finished: dict[int, _Ending] = {}
        self._constraint_names: tuple[str, ...] = ()
        self._told: dict[int, Observation] = {}
        self._given_up: set[int] = set()

    def belongs_to(self, storage: BaseStorage, study_id: int) -> None:
        """Forget what was read, if it was read from another study."""
        if self._storage is None or self._storage() is not storage or self._study_id != study_id:
            self._storage, self._study_id = weakref.ref(storage), study_id
            self._place = place_of(storage)
            self._forget()

    def observations(
        self, trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection]
    ) -> list[Observation]:
        """The trials that ended in the order of their numbers, with values that are to be maximised."""
        endings = [ending for ending, started in self._endings(trials, directions) if started]
        names = tuple(sorted({name for ending in endings for name in ending.constraints}))
        if names != self._constraint_names:
            self._constraint_names, self._told = names, {}
        return [o for o in map(self._with_constraints, endings) if o is not None]

    def never_started(
        self, trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection]
    ) -> frozenset[int]:
        """The numbers of the trials that were stopped or lost their worker, and will be made up for."""
        return frozenset(e.number for e, started in self._endings(trials, directions) if not started)

    def _endings(
        self, trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection]
    ) -> Iterator[tuple[_Ending, bool]]:
        """How each trial ended that is not open, and whether it counts as started."""
        signs = [-1.0 if direction == StudyDirection.MINIMIZE else 1.0 for direction in directions]
        losses: Counter[str] = Counter()
        for trial in trials:
            ending = self._ending(trial, signs)
            if ending.fate is Fate.OPEN:
                continue
            started = ending.fate is Fate.FINISHED
            if ending.fate is Fate.INTERRUPTED and ending.observation is not None:
                key = self._space.key(ending.observation.architecture)
                losses[key] += 1
                started = losses[key] > self._max_retries
                if started and trial.number not in self._given_up:
                    self._given_up.add(trial.number)
                    _logger.warning(
                        "Trial %d lost its worker, as %d earlier ones with its architecture did. The "
                        "architecture counts as failed; see max_retries.",
                        trial.number,
                        losses[key] - 1,
                    )
            yield ending, started

    def _ending(self, trial: FrozenTrial, signs: Sequence[float]) -> _Ending:
        if not trial.state.is_finished():
            return self._read(trial, signs)
        # The date tells a trial from that of a deleted study whose id the database has used again.
        known = self._finished.get(trial.number)
        if known is None or known.complete != trial.datetime_complete:
            known = self._finished[trial.number] = self._read(trial, signs)
            self._told.pop(trial.number, None)
        return known

    def _read(self, trial: FrozenTrial, signs: Sequence[float]) -> _Ending:
        fate = fate_of(trial, self._place)
        ended = fate in (Fate.FINISHED, Fate.INTERRUPTED)
        observation = self._observation(trial, signs) if ended else None
        constraints = {} if observation is None else constraints_of(trial)
        return _Ending(trial.number, trial.datetime_complete, fate, observation, constraints)

    def _observation(self, trial: FrozenTrial, signs: Sequence[float]) -> Observation | None:
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
        reported = sorted(trial.intermediate_values.items())
        curve = tuple((step, signs[0] * value) for step, value in reported if math.isfinite(value))
        pruned = trial.state == TrialState.PRUNED and bool(curve)
        settings = settings_of(trial.params, self._names)
        return Observation(architecture, values, curve=curve, pruned=pruned, settings=settings)

    def _with_constraints(self, ending: _Ending) -> Observation | None:
        """What is told of a trial: the same object each time, as long as no other trial adds a constraint."""
        observation, names = ending.observation, self._constraint_names
        if observation is None or not names:
            return observation
        if ending.number not in self._told or ending.complete is None:
            constraints = tuple(ending.constraints.get(name, math.nan) for name in names)
            self._told[ending.number] = dataclasses.replace(observation, constraints=constraints)
        return self._told[ending.number]

    def pending(self, trials: Sequence[FrozenTrial], number: int) -> list[Proposal]:
        """What the trials evaluate that are not finished, other than trial ``number``."""
        pending = []
        for trial in trials:
            if trial.state.is_finished() or trial.number == number or is_abandoned(trial, self._place):
                continue
            claim = read_claim(trial) if trial.state == TrialState.RUNNING else None
            params: dict[str, Any] = {}
            if claim is not None and self._space.is_valid(claim.architecture):
                params.update(self._space.to_parameters(claim.architecture))
                params.update(claim.settings)
            # What was enqueued or is already suggested will be evaluated, whatever was claimed.
            params.update(trial.system_attrs.get("fixed_params", {}))
            params.update(trial.params)
            architecture = self._architecture(params)
            if architecture is not None:
                pending.append(Proposal(architecture, settings_of(params, self._names)))
        return pending

    def _architecture(self, params: Mapping[str, Any]) -> Architecture | None:
        if not self._names <= params.keys():
            return None
        try:
            return self._space.from_parameters(params)
        except InvalidArchitecture:
            return None
