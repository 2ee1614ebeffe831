"""Objective: suggests an architecture, evaluates it, and stores the measurements on the trial."""

from __future__ import annotations

import dataclasses
import inspect
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import optuna
from optuna.study import Study, StudyDirection
from optuna.trial import BaseTrial, Trial

from graphnas.errors import GraphNASError, InvalidArgument
from graphnas.evaluate.base import Evaluator
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Evaluation
from graphnas.graph.space import GraphSpace
from optuna_graphnas.suggest import suggest_architecture

_logger = logging.getLogger(__name__)

MEASURED = ("value", "parameters", "macs", "seconds")
"""Fields of an Evaluation; any other name is looked up in its metrics."""


class Objective:
    """A ready objective for ``study.optimize``.

    It stores on each trial the user attributes ``architecture`` (JSON), ``parameters``, ``macs``,
    ``seconds``, ``metrics`` and, where the evaluation failed, ``reason``. A failed evaluation gives NaN:
    Optuna marks the trial as failed and the search continues. Where the evaluator reports values during
    training (``evaluate(architecture, report=...)``) and the study has one objective, they are reported to
    the trial, and the study's pruner may end it; with a ``NopPruner`` nothing is reported, since evaluators
    measure less where nobody watches.

    Args:
        space: The search space.
        evaluator: The evaluator that measures an architecture.
        score: What the objective ``value`` is instead of the evaluation's value: a function of the
            :class:`~graphnas.Evaluation`, such as :class:`graphnas.evaluate.EfficiencyScore`. The value
            itself is then kept among the metrics, as ``accuracy``. Values reported during training are
            scored as evaluations of that value alone. A score that needs more than the value leaves them as
            they are in a study that maximises; in one that minimises they are not reported, since the pruner
            would end the most accurate.
        objectives: The values to return, in the order of the study's directions: ``value``, ``parameters``,
            ``macs``, ``seconds`` or the name of a metric, such as ``("value", "macs")``.
        constraints: The largest feasible value by name, such as ``{"parameters": 1_000_000}``; NaN is
            infeasible.
        on_invalid: As in :func:`optuna_graphnas.suggest_architecture`.

    Raises:
        InvalidArgument: ``objectives`` is empty or has a name twice, a bound is not a finite number, or
            ``score`` cannot be called.
    """

    def __init__(
        self,
        space: GraphSpace,
        evaluator: Evaluator,
        *,
        score: Callable[[Evaluation], float] | None = None,
        objectives: Sequence[str] = ("value",),
        constraints: Mapping[str, float] | None = None,
        on_invalid: Literal["prune", "raise"] = "prune",
    ) -> None:
        self.objectives = (objectives,) if isinstance(objectives, str) else tuple(objectives)
        if not self.objectives or len(set(self.objectives)) < len(self.objectives):
            raise InvalidArgument(f"objectives must be one or more different names, got {objectives!r}")
        self.constraints = dict(constraints or {})
        for name, bound in self.constraints.items():
            if not math.isfinite(bound):
                raise InvalidArgument(f"the bound of {name} must be a finite number, got {bound!r}")
        if score is not None and not callable(score):
            raise InvalidArgument(f"score must be a function of an Evaluation or None, got {score!r}")
        self.score = score
        self.space = space
        self.evaluator = evaluator
        self.on_invalid = on_invalid
        self._reports = "report" in inspect.signature(evaluator.evaluate).parameters

    def __call__(self, trial: BaseTrial) -> float | tuple[float, ...]:
        """Evaluate what ``trial`` suggests.

        Returns:
            One number per objective; just the number where there is one. NaN where the evaluation failed.

        Raises:
            optuna.TrialPruned: The pruner ended the trial, or the space refuses what was suggested.
            InvalidArgument: The evaluator does not measure one of the objectives or constraints, or the
                study has another number of objectives.
        """
        study = trial.study if isinstance(trial, Trial) else None
        if study is not None and len(study.directions) != len(self.objectives):
            raise InvalidArgument(
                f"the study has {len(study.directions)} directions, but the objectives are {self.objectives}"
            )
        architecture = suggest_architecture(trial, self.space, on_invalid=self.on_invalid)
        trial.set_user_attr("architecture", architecture.to_json())
        evaluation = self._evaluate(trial, architecture)
        self._store(trial, evaluation)
        if evaluation.failed:
            values = (math.nan,) * len(self.objectives)
        else:
            try:
                evaluation = self._scored(evaluation)
                values = tuple(_measured(evaluation, name) for name in self.objectives)
                self._constrain(trial, study, evaluation)
            except InvalidArgument:  # it was paid for
                _note(trial, "value", evaluation.value)
                raise
        return values[0] if len(values) == 1 else values

    def _scored(self, evaluation: Evaluation) -> Evaluation:
        """The evaluation with the score as its value."""
        if self.score is None:
            return evaluation
        try:
            value = float(self.score(evaluation))
        except (GraphNASError, optuna.TrialPruned):
            raise
        except Exception as error:  # a user's function, which raises anything
            raise InvalidArgument(f"the score cannot be computed: {type(error).__name__}: {error}") from error
        if not math.isfinite(value):
            raise InvalidArgument(f"the score must be a finite number, got {value}")
        return dataclasses.replace(evaluation, value=value)

    def _evaluate(self, trial: BaseTrial, architecture: Architecture) -> Evaluation:
        # Optuna prunes single-objective studies only.
        unwatched = isinstance(trial, Trial) and isinstance(trial.study.pruner, optuna.pruners.NopPruner)
        if not self._reports or len(self.objectives) > 1 or unwatched:
            return self.evaluator.evaluate(architecture)

        def report(step: int, value: float) -> bool:
            reported = self._reported(trial, float(value))
            if reported is None:
                return False
            trial.report(reported, int(step))
            if trial.should_prune():
                raise optuna.TrialPruned(f"pruned at step {step} with value {value}")
            return False

        return self.evaluator.evaluate(architecture, report=report)  # type: ignore[call-arg]

    def _reported(self, trial: BaseTrial, value: float) -> float | None:
        """What the pruner compares for ``value``, in the study's direction; None: nothing."""
        if self.score is None:
            return value
        try:
            return self._scored(Evaluation(value)).value
        except (InvalidArgument, optuna.TrialPruned):  # it needs what is measured only at the end
            minimises = isinstance(trial, Trial) and trial.study.direction == StudyDirection.MINIMIZE
            return None if minimises else value

    def _store(self, trial: BaseTrial, evaluation: Evaluation) -> None:
        for name in ("parameters", "macs", "seconds"):
            if getattr(evaluation, name) is not None:
                _note(trial, name, getattr(evaluation, name))
        metrics = dict(evaluation.metrics)
        if self.score is not None and not evaluation.failed:
            metrics["accuracy"] = evaluation.value
        if metrics:
            _note(trial, "metrics", metrics)
        if evaluation.reason:
            _note(trial, "reason", evaluation.reason)

    def _constrain(self, trial: BaseTrial, study: Study | None, evaluation: Evaluation) -> None:
        excess = {name: _measured(evaluation, name) - bound for name, bound in self.constraints.items()}
        # Optuna takes no NaN, and what could not be measured is not known to be within the bound.
        excess = {name: math.inf if math.isnan(value) else value for name, value in excess.items()}
        if hasattr(trial, "set_constraint"):
            for name, value in excess.items():
                trial.set_constraint(name, value)
        elif excess and study is not None:  # Optuna 4.9 keeps a list, which its samplers set themselves
            study._storage.set_trial_system_attr(
                trial._trial_id,  # type: ignore[attr-defined]
                "constraints",
                [excess[name] for name in sorted(excess)],
            )


def _note(trial: BaseTrial, name: str, content: object) -> None:
    """Store a user attribute; what the storage does not take costs a warning, not the measured value."""
    try:
        trial.set_user_attr(name, content)
    except Exception as error:  # storages raise whatever their database does
        _logger.warning("%s of trial %d is not stored: %r", name, trial.number, error)


def _measured(evaluation: Evaluation, name: str) -> float:
    value = getattr(evaluation, name) if name in MEASURED else evaluation.metrics.get(name)
    if value is None:
        known = [n for n in MEASURED if getattr(evaluation, n) is not None] + sorted(evaluation.metrics)
        raise InvalidArgument(f"the evaluator does not measure {name!r}; it measures {', '.join(known)}")
    return float(value)
