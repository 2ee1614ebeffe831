"""Budget: the trials of a study that many processes run together, counted so that none is one too many.

Optuna's ``n_trials`` counts those of one process. Here the number is that of the study: a process begins a
trial only while fewer than the wanted ones are done or under way, in whichever process. Two that look at the
same moment may both begin the last one; trial numbers, which the storage gives out one after another, decide
which of them is evaluated. The other ends at once in state FAIL, noted as stopped from outside, and counts as
never started.
"""

from __future__ import annotations

import contextlib
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


def free_lost_trials(study: Study) -> int:
    """End the trials whose process is known to be dead, without waiting for a heartbeat to be missed.

    Returns:
        How many. Their architectures are proposed again, as those of any trial that lost its worker.
    """
    place, freed = place_of(study._storage), 0
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if fate_of(trial, place) is Fate.INTERRUPTED:
            with contextlib.suppress(UpdateFinishedTrialError):  # another process was faster
                study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
                freed += 1
    return freed


def _is_done(trial: FrozenTrial) -> bool:
    attributes: dict[str, Any] = trial.user_attrs
    if IMPORTED in attributes:
        return False
    ended = trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
    return ended or (trial.state == TrialState.FAIL and "reason" in attributes)


def _is_under_way(trial: FrozenTrial, place: str) -> bool:
    return trial.state == TrialState.RUNNING and not is_abandoned(trial, place)
