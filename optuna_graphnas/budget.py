"""Budget: the trials of a study that many processes run together, counted so that none is one too many.

Optuna's ``n_trials`` counts those of one process. Here the number is that of the study: a process begins a
trial only while fewer than the wanted ones are done or under way, in whichever process. Two that look at the
same moment may both begin the last one; trial numbers, which the storage gives out one after another, decide
which of them is evaluated. The other ends at once in state FAIL, noted as stopped from outside, and counts as
never started.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from optuna_graphnas.prior import IMPORTED
from optuna_graphnas.records import (
    WORKER,
    Fate,
    NotNeeded,
    fate_of,
    is_abandoned,
    own_record,
    place_of,
    record_worker,
)

BLANK_SECONDS = 60.0
"""How long a trial may be without a parameter and a note of its process before it counts as lost."""


def trials_done(study: Study) -> int:
    """The trials that were evaluated in this study, whether or not that gave a value."""
    return sum(map(_is_done, study.get_trials(deepcopy=False)))


def trials_under_way(study: Study) -> int:
    """The trials that run, in any process that is not known to be dead."""
    place = place_of(study._storage)
    return sum(_is_under_way(trial, place) for trial in study.get_trials(deepcopy=False))


def trials_left(study: Study, total: int, *, before: int | None = None) -> int:
    """How many of ``total`` trials nobody has begun, by the trials whose number is below ``before``."""
    place = place_of(study._storage)
    trials = study.get_trials(deepcopy=False)
    begun = sum(
        _is_done(trial) or _is_under_way(trial, place)
        for trial in trials
        if before is None or trial.number < before
    )
    return max(0, total - begun)


def optimize_up_to(
    study: Study,
    objective: Callable[[Trial], float | Sequence[float]],
    total: int,
    *,
    callbacks: Sequence[Callable[[Study, FrozenTrial], None]] = (),
) -> None:
    """Run trials until ``total`` of the study's are done or under way, in whichever process.

    Args:
        study: The study; each of the processes that do this has an object of its own.
        objective: As for ``study.optimize``.
        total: Number of trials of the whole study, beside imported ones.
        callbacks: As for ``study.optimize``.
    """

    def wanted(trial: Trial) -> float | Sequence[float]:
        if trials_left(study, total, before=trial.number) == 0:
            raise NotNeeded(f"{total} trials are done or under way without trial {trial.number}")
        frozen = study._storage.get_trial(trial._trial_id)
        if own_record(frozen, WORKER) is None:  # a sampler of Optuna's own
            record_worker(study, frozen)
        return objective(trial)

    while trials_left(study, total):
        with contextlib.suppress(NotNeeded):
            study.optimize(wanted, n_trials=1, callbacks=list(callbacks))


class LostTrials:
    """The trials of a study whose process is gone, ended without waiting for a heartbeat to be missed.

    That is a trial whose process is known to be dead, and one that shows no sign of a process for
    :data:`BLANK_SECONDS`, by the clock of this one: it died between the two steps in which a trial is made
    and notes its process. Their architectures are proposed again, as those of any trial that lost its worker.

    Args:
        study: The study.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._blank_since: dict[int, float] = {}

    def free(self) -> int:
        """End those that there are; returns how many."""
        place, freed, now = place_of(self._study._storage), 0, time.monotonic()
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        blank = {trial.number for trial in running if not trial.system_attrs and not trial.params}
        self._blank_since = {number: self._blank_since.get(number, now) for number in blank}
        for trial in running:
            since = self._blank_since.get(trial.number)
            unclaimed = since is not None and now - since > BLANK_SECONDS
            if unclaimed or fate_of(trial, place) is Fate.INTERRUPTED:
                self._blank_since.pop(trial.number, None)
                with contextlib.suppress(UpdateFinishedTrialError):  # another process was faster
                    self._study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
                    freed += 1
        return freed

    def suspected(self) -> bool:
        """Whether a trial showed no sign of a process when :meth:`free` looked."""
        return bool(self._blank_since)


def _is_done(trial: FrozenTrial) -> bool:
    attributes: dict[str, Any] = trial.user_attrs
    if IMPORTED in attributes:
        return False
    ended = trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
    return ended or (trial.state == TrialState.FAIL and "reason" in attributes)


def _is_under_way(trial: FrozenTrial, place: str) -> bool:
    return trial.state == TrialState.RUNNING and not is_abandoned(trial, place)
