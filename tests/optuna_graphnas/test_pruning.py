"""What pruned trials, and the intermediate values of all others, tell a search method."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import optuna
import pytest
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
    ThresholdPruner,
)
from optuna.trial import TrialState
from sampler_cases import SPACE, keys_of, make_sampler, objective, recording_sampler
from small_space import quality

from graphnas.graph.evaluation import Evaluation, Observation
from optuna_graphnas import Objective, suggest_architecture

MAKERS: dict[str, Callable[[], BasePruner]] = {
    "median": lambda: MedianPruner(n_startup_trials=2, n_warmup_steps=1),
    "percentile": lambda: PercentilePruner(80.0, n_startup_trials=2),
    "halving": lambda: SuccessiveHalvingPruner(reduction_factor=2),
    "hyperband": lambda: HyperbandPruner(min_resource=1, max_resource=8, reduction_factor=2),
    "patient": lambda: PatientPruner(MedianPruner(n_startup_trials=2), patience=1),
    "patient_alone": lambda: PatientPruner(None, patience=2),
    "threshold": lambda: ThresholdPruner(lower=0.8),
    "nop": NopPruner,
}


@pytest.fixture(params=MAKERS)
def pruner(request: pytest.FixtureRequest) -> Iterator[BasePruner]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield MAKERS[request.param]()


def trained(trial: optuna.Trial) -> float:
    """Eight epochs whose values rise or fall with the quality, reported to the pruner."""
    sign = 1.0 if trial.study.direction == optuna.study.StudyDirection.MAXIMIZE else -1.0
    final = quality(suggest_architecture(trial, SPACE))
    for epoch in range(1, 9):
        trial.report(sign * (final - 3.0) * epoch / 8, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return sign * final


def observations_of(study: optuna.Study) -> list[Observation]:
    return list(study.sampler.method_of(study).observations)  # type: ignore[attr-defined]


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_every_trial_tells_its_curve_under_every_pruner(pruner: BasePruner, direction: str) -> None:
    study = optuna.create_study(
        study_name="pruning",  # Hyperband's brackets depend on the name
        direction=direction,  # type: ignore[arg-type]
        sampler=recording_sampler([]),
        pruner=pruner,
    )
    study.optimize(trained, n_trials=20)
    assert len(set(keys_of(study))) == 20
    pruned = [t.number for t in study.trials if t.state == TrialState.PRUNED]
    assert bool(pruned) == (not isinstance(pruner, NopPruner))
    sign = 1.0 if direction == "maximize" else -1.0
    observations = observations_of(study)
    assert len(observations) == 20
    for trial, observation in zip(study.trials, observations, strict=True):
        assert SPACE.to_parameters(observation.architecture) == trial.params
        assert observation.curve == tuple((s, sign * v) for s, v in sorted(trial.intermediate_values.items()))
        assert observation.pruned == (trial.number in pruned)
        assert (observation.values is None) == observation.pruned
        # What is maximised rises with the quality, whatever the study does.
        assert observation.curve[-1][1] == pytest.approx(
            (quality(observation.architecture) - 3.0) * len(observation.curve) / 8
        )


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("graphbo", "median"),
        ("graphbo", "hyperband"),
        ("graphpnas", "median"),
        ("latentbo", "median"),
        ("nasgem", "median"),
        ("evolution", "hyperband"),
        ("local_search", "median"),
    ],
)
def test_every_method_goes_on_and_resumes_with_pruned_trials(name: str, kind: str, tmp_path: Any) -> None:
    def run(*batches: int) -> list[str]:
        url = f"sqlite:///{tmp_path}/{len(batches)}.db"
        for batch in batches:
            study = optuna.create_study(
                study_name="pruning",
                storage=url,
                load_if_exists=True,
                direction="maximize",
                sampler=make_sampler(name),
                pruner=MAKERS[kind](),
            )
            study.optimize(trained, n_trials=batch)
        states = [t.state for t in study.trials]
        assert states.count(TrialState.PRUNED) >= 1
        assert states.count(TrialState.PRUNED) + states.count(TrialState.COMPLETE) == 10
        return keys_of(study)

    whole = run(10)
    assert len(set(whole)) == 10
    assert run(4, 6) == whole


def test_several_budgets_in_one_study() -> None:
    def budgeted(trial: optuna.Trial) -> float:
        final = quality(suggest_architecture(trial, SPACE))
        budget = (4, 16, 64)[trial.number % 3]
        for epoch in (64, 16, 4, 1):  # in whichever order they are reported
            if epoch <= budget:
                trial.report(final * epoch, epoch)
        return final

    study = optuna.create_study(direction="maximize", sampler=recording_sampler([]))
    study.optimize(budgeted, n_trials=3)
    assert [[step for step, _ in o.curve] for o in observations_of(study)] == [
        [1, 4],
        [1, 4, 16],
        [1, 4, 16, 64],
    ]


@pytest.mark.parametrize(
    ("reports", "curve", "pruned"),
    [
        ([], (), False),
        ([math.nan], (), False),
        ([math.inf, -math.inf], (), False),
        ([0.5, math.nan], ((0, 0.5),), True),
        ([math.inf, 0.25], ((1, 0.25),), True),
    ],
)
def test_only_finite_reports_count(
    reports: list[float], curve: tuple[tuple[int, float], ...], pruned: bool
) -> None:
    def ended(trial: optuna.Trial) -> float:
        suggest_architecture(trial, SPACE)
        for step, value in enumerate(reports):
            trial.report(value, step)
        raise optuna.TrialPruned

    study = optuna.create_study(sampler=recording_sampler([]), direction="maximize")
    study.optimize(ended, n_trials=1)
    (observation,) = observations_of(study)
    assert (observation.values, observation.curve, observation.pruned) == (None, curve, pruned)


def test_failures_keep_their_curve_and_are_not_pruned() -> None:
    def diverged(trial: optuna.Trial) -> float:
        suggest_architecture(trial, SPACE)
        trial.report(0.5, 3)
        if trial.number == 0:
            raise RuntimeError("loss is not finite")
        return math.nan if trial.number == 1 else math.inf

    study = optuna.create_study(sampler=recording_sampler([]), direction="maximize")
    study.optimize(diverged, n_trials=3, catch=(RuntimeError,))
    assert [(o.values, o.curve, o.pruned) for o in observations_of(study)] == [(None, ((3, 0.5),), False)] * 3


def test_constraints_measured_before_a_trial_ended_are_kept() -> None:
    if not hasattr(optuna.Trial, "set_constraint"):
        pytest.skip("this Optuna has no trial.set_constraint")

    def measured(trial: optuna.Trial) -> float:
        value = objective(trial)
        trial.set_constraint("memory", float(trial.number))
        trial.report(value, 1)
        if trial.number == 0:
            raise optuna.TrialPruned
        if trial.number == 1:
            raise RuntimeError("out of memory")
        trial.set_constraint("latency", -1.0)
        return value

    study = optuna.create_study(sampler=recording_sampler([]), direction="maximize")
    study.optimize(measured, n_trials=3, catch=(RuntimeError,))
    first, second, third = (o.constraints for o in observations_of(study))
    assert math.isnan(first[0])  # "latency" comes first, in the order of names
    assert math.isnan(second[0])
    assert (first[1], second[1]) == (0.0, 1.0)
    assert third == (-1.0, 2.0)
    assert observations_of(study) == observations_of(study)  # nothing is learned anew


@pytest.mark.parametrize("name", ["graphbo", "graphpnas", "latentbo", "nasgem"])
def test_an_infinite_constraint_is_infeasible_and_the_study_goes_on(name: str, tmp_path: Any) -> None:
    def worst(trial: optuna.trial.FrozenTrial) -> tuple[float, ...]:
        return (math.inf if trial.number in (2, 5) else trial.number - 6.0, -math.inf)

    url = f"sqlite:///{tmp_path}/study.db"
    for _ in range(2):
        study = optuna.create_study(
            study_name="constrained",
            storage=url,
            load_if_exists=True,
            direction="maximize",
            sampler=make_sampler(name, constraints_func=worst),
        )
        study.optimize(objective, n_trials=6)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 12
    assert len(set(keys_of(study))) == 12
    feasible = [o.feasible for o in observations_of(study)]
    assert feasible == [max(worst(t)) <= 0 for t in study.trials]


def test_the_ready_objective_reports_and_prunes() -> None:
    class Evaluator:
        def evaluate(self, architecture: Any, report: Any = None) -> Evaluation:
            final = quality(architecture)
            for epoch in range(4):
                report(epoch, final * (epoch + 1) / 4)
            return Evaluation(final)

    study = optuna.create_study(
        sampler=recording_sampler([]), direction="maximize", pruner=MedianPruner(n_startup_trials=2)
    )
    study.optimize(Objective(SPACE, Evaluator()), n_trials=12)
    told = observations_of(study)
    assert {o.pruned for o in told} == {False, True}
    assert all(o.curve[0] == (0, quality(o.architecture) / 4) for o in told)
