"""What a search method is told of a study's trials, and what it takes to be pending."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.trial import TrialState
from sampler_cases import SPACE, keys_of, objective, recording_sampler, told
from small_space import SmallSpace, quality

from graphnas.errors import InvalidArchitecture, InvalidArgument
from optuna_graphnas import suggest_architecture
from optuna_graphnas.history import constraints_of
from optuna_graphnas.worker import current_worker

Log = list[tuple[Any, ...]]
DEAD_PID = 2**22 + 1  # above the largest process id of Linux


@pytest.fixture
def log() -> Log:
    return []


def study_of(log: Log, direction: str = "maximize", **options: Any) -> optuna.Study:
    return optuna.create_study(direction=direction, sampler=recording_sampler(log, **options))  # type: ignore[arg-type]


def settle(study: optuna.Study, log: Log) -> list[tuple[Any, ...]]:
    """What has been told once another trial has been asked for."""
    study.optimize(objective, n_trials=1)
    return told(log)


def test_values_carry_the_sign_of_the_direction(log: Log) -> None:
    study = study_of(log, "minimize")
    study.optimize(objective, n_trials=3)
    entries = settle(study, log)
    assert [e[1] for e in entries] == [-trial.value for trial in study.trials[:3]]  # type: ignore[operator]
    assert [e[0] for e in entries] == keys_of(study)[:3]


def test_exceptions_nan_and_pruning_without_a_report_are_failures(log: Log) -> None:
    def failing(trial: optuna.Trial) -> float:
        suggest_architecture(trial, SPACE)
        if trial.number == 0:
            raise RuntimeError("out of memory")
        if trial.number == 1:
            raise optuna.TrialPruned
        return math.nan if trial.number == 2 else 1.0

    study = study_of(log)
    study.optimize(failing, n_trials=4, catch=(RuntimeError,))
    assert [t.state for t in study.trials] == [
        TrialState.FAIL,
        TrialState.PRUNED,
        TrialState.FAIL,
        TrialState.COMPLETE,
    ]
    entries = settle(study, log)
    assert [e[1] for e in entries] == [None, None, None, 1.0]
    assert len(set(keys_of(study))) == 5
    assert not any(o.pruned for o in study.sampler.method_of(study).observations)  # type: ignore[attr-defined]


def test_running_trials_are_pending_unless_their_process_is_dead(log: Log) -> None:
    study = study_of(log)
    study.optimize(objective, n_trials=2)
    running = study.ask()
    architecture = suggest_architecture(running, SPACE)
    other = study.ask()
    assert suggest_architecture(other, SPACE) != architecture
    assert log[-1] == ("ask", [SPACE.key(architecture)])

    _let_worker_die(study, running._trial_id, running.number)
    third = study.ask()
    assert suggest_architecture(third, SPACE) == architecture
    assert log[-1] == ("ask", [keys_of(study)[other.number]])


def _let_worker_die(study: optuna.Study, trial_id: int, number: int, **other: Any) -> None:
    record = {"trial": number, **current_worker().__dict__, "pid": DEAD_PID, **other}
    study._storage.set_trial_system_attr(trial_id, "graphnas:worker", record)


@pytest.mark.parametrize("other", [{"host": "elsewhere"}, {"namespace": "pid:[1]"}, {"boot": "earlier"}])
def test_a_process_elsewhere_is_not_taken_for_dead(log: Log, other: dict[str, str]) -> None:
    study = study_of(log)
    running = study.ask()
    architecture = suggest_architecture(running, SPACE)
    _let_worker_die(study, running._trial_id, running.number, **other)
    suggest_architecture(study.ask(), SPACE)
    assert log[-1] == ("ask", [SPACE.key(architecture)])


def test_a_later_process_with_the_same_id_is_not_the_same_process(log: Log) -> None:
    worker = current_worker()
    if not worker.started:
        pytest.skip("this system does not tell when a process was started")
    study = study_of(log)
    running = study.ask()
    architecture = suggest_architecture(running, SPACE)
    _let_worker_die(study, running._trial_id, running.number, pid=worker.pid, started="1")
    assert suggest_architecture(study.ask(), SPACE) == architecture


def test_a_trial_takes_three_writes_and_one_read_of_its_own(log: Log) -> None:
    study, calls = study_of(log), []
    storage = study._storage
    with pytest.MonkeyPatch.context() as patch:
        for name in ("set_trial_system_attr", "get_all_trials"):
            original = getattr(storage, name)
            patch.setattr(storage, name, lambda *a, n=name, f=original, **k: calls.append(n) or f(*a, **k))
        trial = study.ask()
        suggest_architecture(trial, SPACE)
    assert calls.count("set_trial_system_attr") == 3  # its process, its turn, its claim
    foreign: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        study.sampler = optuna.samplers.TPESampler(seed=0)
        original = storage.get_all_trials
        patch.setattr(storage, "get_all_trials", lambda *a, **k: foreign.append("") or original(*a, **k))
        suggest_architecture(study.ask(), SPACE)
    assert calls.count("get_all_trials") <= len(foreign) + 1


# ---------------------------------------------------------------- what the user decides


def test_an_enqueued_architecture_is_told_as_evaluated_and_not_proposed(log: Log) -> None:
    study = study_of(log)
    proposal = recording_sampler([])._factory(seed=0).ask()[0]  # what would have come first
    study.enqueue_trial(SPACE.to_parameters(proposal))
    asked = study.ask()  # pops the enqueued one, so that it is running, with nothing suggested yet
    assert suggest_architecture(study.ask(), SPACE) != proposal
    assert log[-1] == ("ask", [SPACE.key(proposal)])
    assert suggest_architecture(asked, SPACE) == proposal
    study.tell(asked, 1.5)
    assert settle(study, log) == [(SPACE.key(proposal), 1.5, ())]


def test_a_waiting_architecture_is_pending(log: Log) -> None:
    study = study_of(log)
    first = study.ask()
    proposal = recording_sampler([])._factory(seed=0).ask()[0]
    study.enqueue_trial(SPACE.to_parameters(proposal))
    assert suggest_architecture(first, SPACE) != proposal


@pytest.mark.parametrize("how", ["enqueued", "PartialFixedSampler"])
def test_a_partly_fixed_architecture_is_completed_to_new_valid_ones(log: Log, how: str) -> None:
    study = study_of(log)
    fixed = {"small/op_1": "pool", "small/edge_0_3": True, "small/edge_1_2": False}
    if how == "enqueued":
        for _ in range(8):
            study.enqueue_trial(fixed)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.sampler = optuna.samplers.PartialFixedSampler(fixed, study.sampler)
    study.optimize(objective, n_trials=8)
    assert all(t.params[name] == value for t in study.trials for name, value in fixed.items())
    assert all(t.state == TrialState.COMPLETE for t in study.trials)
    assert len(set(keys_of(study))) == 8
    assert [e[0] for e in settle(study, log)] == keys_of(study)[:8]


def test_a_repeated_enqueued_architecture_is_not_completed_at_random(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_of(log)
    study.optimize(objective, n_trials=1)
    study.enqueue_trial(study.trials[0].params)
    again, drawn, sample = study.ask(), [], type(SPACE).sample
    monkeypatch.setattr(type(SPACE), "sample", lambda self, rng: drawn.append(1) or sample(self, rng))
    again.suggest_float("rate", 0, 1)  # Optuna 5 asks the sampler for the first value that is not fixed
    assert suggest_architecture(again, SPACE) == SPACE.from_parameters(study.trials[0].params)
    assert len(drawn) < 100  # some by the method


def test_everything_fixed_by_a_wrapper_asks_the_method_nothing(log: Log) -> None:
    fixed = SPACE.to_parameters(SPACE.sample(recording_sampler(log)._factory(seed=0).rng(9)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.PartialFixedSampler(fixed, recording_sampler(log))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=2)
    assert study.best_trial.params == fixed
    assert log == []


def test_switching_samplers_in_the_middle(log: Log) -> None:
    study = optuna.create_study(direction="maximize", sampler=TPESampler(seed=0))
    study.optimize(objective, n_trials=12)  # some of them are pruned: TPE does not know the rule
    valid = [t for t in study.trials if t.state == TrialState.COMPLETE]
    assert len(valid) < 12
    study.sampler = recording_sampler(log)
    study.optimize(objective, n_trials=3)
    assert [e[1] for e in told(log)][: len(valid)] == [t.value for t in valid]
    ours = keys_of_valid(study)[len(valid) :]
    assert len(ours) == len(set(ours)) == 3
    assert not set(ours) & set(keys_of_valid(study)[: len(valid)])
    study.sampler = TPESampler(seed=1)
    study.optimize(objective, n_trials=3)
    assert len(study.trials) == 18


def keys_of_valid(study: optuna.Study) -> list[str]:
    complete = [t for t in study.trials if t.state == TrialState.COMPLETE]
    return [SPACE.key(SPACE.from_parameters(t.params)) for t in complete]


def test_trials_of_another_kind_are_ignored(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    class Stricter(SmallSpace):
        def check(self, architecture: Any) -> None:
            super().check(architecture)
            if architecture.adjacency[0, 3]:
                raise InvalidArchitecture("the input must not feed the output")

    study = optuna.create_study(direction="maximize", sampler=recording_sampler([], seed=1))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    study.optimize(objective, n_trials=8)
    allowed = [key for t, key in zip(study.trials[2:], keys_of(study), strict=True) if _allowed(t)]
    assert 0 < len(allowed) < 7
    study.sampler = recording_sampler(log, Stricter())
    with caplog.at_level(logging.WARNING, "optuna_graphnas"):
        for _ in range(2):
            study.optimize(lambda trial: quality(suggest_architecture(trial, Stricter())), n_trials=1)
    assert [e[0] for e in told(log)][: len(allowed)] == allowed
    assert [r.message.split(":")[0] for r in caplog.records] == [
        f"Trial {next(t.number for t in study.trials[2:] if not _allowed(t))} is ignored"
    ]


def _allowed(trial: optuna.trial.FrozenTrial) -> bool:
    return not trial.params["small/edge_0_3"]


def test_a_study_without_the_architecture_is_warned_about_once(
    log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    study = study_of(log, warn_independent_sampling=True, n_startup_trials=2)
    with caplog.at_level(logging.WARNING, "optuna_graphnas"):
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=6)
    assert len(caplog.records) == 1
    assert "has the parameters of small" in caplog.text


def test_one_sampler_in_several_studies(log: Log) -> None:
    sampler = recording_sampler(log)
    studies = [optuna.create_study(direction="maximize", sampler=sampler) for _ in range(2)]
    for _ in range(4):
        for study in studies:
            study.optimize(objective, n_trials=1)
    assert keys_of(studies[0]) == keys_of(studies[1])
    assert len(set(keys_of(studies[0]))) == 4


# ---------------------------------------------------------------- constraints and objectives


def _edges_left(trial: optuna.trial.FrozenTrial) -> tuple[float, ...]:
    return (sum(v is True for v in trial.params.values()) - 4.0, -1.0)


def _constrained(trial: optuna.Trial) -> float:
    value = objective(trial)
    trial.set_constraint("edges", sum(v is True for v in trial.params.values()) - 4.0)
    trial.set_constraint("always", -1.0)
    return value


needs_set_constraint = pytest.mark.skipif(
    not hasattr(optuna.Trial, "set_constraint"), reason="this Optuna has no trial.set_constraint"
)


@pytest.mark.parametrize(
    ("constraints_func", "run"),
    [
        pytest.param(_edges_left, objective, id="constraints_func"),
        pytest.param(None, _constrained, id="set_constraint", marks=needs_set_constraint),
    ],
)
def test_constraints_reach_the_method_and_the_study(log: Log, constraints_func: Any, run: Any) -> None:
    study = study_of(log, constraints_func=constraints_func)
    study.optimize(run, n_trials=10)
    entries = settle(study, log)
    for trial, entry in zip(study.trials, entries, strict=False):
        assert sorted(entry[2]) == sorted(_edges_left(trial))
        named = constraints_of(trial)
        assert tuple(named[name] for name in sorted(named)) == entry[2]
    infeasible = [t for t in study.trials[:10] if max(_edges_left(t)) > 0]
    assert infeasible
    assert study.best_trial.number not in [t.number for t in infeasible]


def test_a_nan_constraint_is_infeasible_and_loses_no_result(log: Log) -> None:
    study = study_of(log, constraints_func=lambda trial: (math.nan,))
    study.optimize(objective, n_trials=2)
    assert [constraints_of(trial) for trial in study.trials] == [{"0": math.inf}] * 2
    assert all(trial.state == TrialState.COMPLETE for trial in study.trials)


def test_several_objectives_are_told_together(log: Log) -> None:
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=recording_sampler(log))
    study.optimize(lambda trial: (objective(trial), float(trial.number)), n_trials=4)
    study.optimize(lambda trial: (objective(trial), math.nan), n_trials=2)
    entries = told(log)
    assert [e[1] for e in entries[:4]] == [(t.values[0], -t.values[1]) for t in study.trials[:4]]
    assert entries[4][1] is None


# ---------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ({"seed": -1}, "-1"),
        ({"seed": 2**32}, "4294967296"),
        ({"n_startup_trials": -2}, "-2"),
        ({"lease_seconds": 0.0}, "0.0"),
        ({"lease_seconds": math.inf}, "inf"),
    ],
)
def test_bad_options_are_refused(option: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidArgument, match=complaint):
        recording_sampler([], **option)


def test_an_inner_sampler_of_ones_own_is_used(log: Log) -> None:
    class Ones(optuna.samplers.RandomSampler):
        def sample_independent(self, *arguments: Any) -> Any:
            return 1.0

    study = study_of(log, independent_sampler=Ones())
    study.optimize(lambda trial: objective(trial) * trial.suggest_float("x", 0.0, 2.0), n_trials=3)
    assert [trial.params["x"] for trial in study.trials] == [1.0, 1.0, 1.0]


Making = Callable[[], optuna.samplers.BaseSampler]


@pytest.mark.parametrize(
    "make",
    [
        lambda: optuna.samplers.RandomSampler(seed=0),
        lambda: optuna.samplers.GPSampler(seed=0, n_startup_trials=3),
        lambda: optuna.samplers.QMCSampler(seed=0),
        lambda: optuna.samplers.NSGAIISampler(seed=0, population_size=4),
    ],
)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_inner_samplers_of_every_kind(log: Log, make: Making) -> None:
    study = study_of(log, independent_sampler=make())

    def mixed(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("rate", 1e-4, 1.0, log=True)
        return objective(trial) - rate - trial.suggest_int("size", 1, 8)

    study.optimize(mixed, n_trials=9)
    assert len(set(keys_of(study))) == 9
    assert all(trial.state == TrialState.COMPLETE for trial in study.trials)
