"""continue_study: a space that has grown goes on with the trials of its old study."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState, create_trial
from sampler_cases import make_sampler, recording_sampler, told
from storage_cases import open_storage

from graphnas import Architecture, GraphSpace
from graphnas.errors import InvalidArchitecture, InvalidArgument
from optuna_graphnas import (
    GraphBOSampler,
    RandomArchitectureSampler,
    architecture_of,
    continue_study,
    suggest_architecture,
)
from optuna_graphnas.history import History, constraints_of


class Growing(GraphSpace):
    """Nodes with operations, the first of which is "none"; any graph is valid that has an edge."""

    name = "growing"

    def __init__(self, nodes: int = 3, operations: Sequence[str] = ("none", "conv")) -> None:
        self.max_nodes, self.node_ops = nodes, tuple(operations)

    def check(self, architecture: Architecture) -> None:
        if not architecture.adjacency.any():
            raise InvalidArchitecture(f"{self.name}: there is no edge")

    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> Any:
        raise NotImplementedError


OLD = Growing()
MORE_OPERATIONS = Growing(3, ("none", "conv", "pool"))
MORE_NODES = Growing(4)
BOTH = Growing(4, ("none", "conv", "pool"))


def value(architecture: Architecture) -> float:
    return float(architecture.num_edges + architecture.operations.sum())


def old_study(storage: str | None = None, trials: int = 8) -> optuna.Study:
    sampler = RandomArchitectureSampler(OLD, seed=0)
    study = optuna.create_study(
        direction="maximize",
        sampler=sampler,
        storage=storage,
        study_name="old",
        pruner=optuna.pruners.NopPruner(),
    )
    study.set_user_attr("note", "first")

    def objective(trial: optuna.Trial) -> float:
        architecture = suggest_architecture(trial, OLD)
        trial.suggest_float("lr", 0, 1)
        trial.report(0.5, 1)
        trial.set_user_attr("seen", trial.number)
        if trial.number == 3:
            raise ValueError("the training failed")
        if trial.number == 4:
            raise optuna.TrialPruned
        return value(architecture)

    study.optimize(objective, n_trials=trials, catch=ValueError)
    return study


@pytest.mark.parametrize("space", [MORE_OPERATIONS, MORE_NODES, BOTH], ids=["operations", "nodes", "both"])
def test_a_study_of_a_smaller_space_is_refused_before_anything_is_proposed(space: Growing) -> None:
    log: list[tuple[Any, ...]] = []
    study = old_study()
    study.sampler = recording_sampler(log, space)
    changed = r"study 'old' has the choices \('none', 'conv'\) for growing/op_\d.*\('none', 'conv', 'pool'\)"
    lacks = r"study 'old' has no growing/op_3 in trial \d"
    expected = rf"({changed}|{lacks}).*continue_study\(study, space\)"
    with pytest.raises(InvalidArgument, match=expected):
        suggest_architecture(study.ask(), space)
    assert not log
    with pytest.raises(InvalidArgument, match="continue_study"):  # and so it stays
        study.optimize(lambda trial: value(suggest_architecture(trial, space)), n_trials=1)
    assert not log


@pytest.mark.parametrize("sampler", [optuna.samplers.RandomSampler, optuna.samplers.TPESampler])
def test_other_samplers_meet_the_same_error(sampler: type[optuna.samplers.BaseSampler]) -> None:
    study = old_study()
    study.sampler = sampler()
    with pytest.raises(InvalidArgument, match=r"choices \('none', 'conv'\) for growing/op_0.*continue_study"):
        suggest_architecture(study.ask(), MORE_OPERATIONS)


def test_a_smaller_space_and_studies_of_several_sizes() -> None:
    study = old_study()
    study.sampler = RandomArchitectureSampler(Growing(2))
    with pytest.raises(InvalidArgument, match="study 'old' has growing/op_2 in trial 0"):
        suggest_architecture(study.ask(), Growing(2))
    study.sampler = RandomArchitectureSampler(OLD)
    # A study that holds both kinds is nothing to refuse.
    part = create_trial(params={"growing/op_0": "conv"}, distributions={"growing/op_0": _choice()}, value=1.0)
    study.add_trial(part)
    study.optimize(lambda trial: value(suggest_architecture(trial, OLD)), n_trials=1)


def _choice() -> optuna.distributions.CategoricalDistribution:
    return optuna.distributions.CategoricalDistribution(("none", "conv"))


@pytest.mark.parametrize("kind", ["memory", "sqlite", "journal"])
def test_everything_is_kept(kind: str, tmp_path: Path) -> None:
    urls = {"sqlite": f"sqlite:///{tmp_path}/s.db", "journal": f"journal://{tmp_path}/s.log"}
    storage: Any = open_storage(urls[kind]) if kind in urls else None
    study = old_study(storage)
    study.enqueue_trial(OLD.to_parameters(architecture_of(study.trials[0], OLD)))
    study.ask({"lr": optuna.distributions.FloatDistribution(0, 1)})  # takes the enqueued one
    study.enqueue_trial({"growing/op_0": "conv", "lr": 0.25})
    study.enqueue_trial(OLD.to_parameters(architecture_of(study.trials[1], OLD)))
    before = study.get_trials()
    new = continue_study(study, BOTH, sampler=RandomArchitectureSampler(BOTH, seed=0))
    assert study.get_trials() == before
    assert (new.study_name, new.direction, new.user_attrs) == (
        "old-continued",
        study.direction,
        study.user_attrs,
    )
    assert isinstance(new.pruner, optuna.pruners.NopPruner)
    kept = [trial for trial in before if trial.state != TrialState.RUNNING]
    assert len(new.trials) == len(kept) == len(before) - 1
    for number, (old, trial) in enumerate(zip(kept, new.trials, strict=True)):
        assert trial.number == number
        for field in (
            "state",
            "values",
            "intermediate_values",
            "user_attrs",
            "datetime_start",
            "datetime_complete",
        ):
            assert getattr(trial, field) == getattr(old, field), field
        assert constraints_of(trial) == constraints_of(old)
        if not old.params:
            continue
        assert trial.params.items() >= old.params.items()
        same, grown = architecture_of(old, OLD), architecture_of(trial, BOTH)
        assert grown.subgraph(range(3)) == same
        assert grown.operations[3] == 0
        assert not grown.adjacency[:, 3].any()
        assert trial.distributions["growing/op_0"].choices == ("none", "conv", "pool")
    fixed = [trial.system_attrs["fixed_params"] for trial in new.trials[-2:]]
    assert fixed[0] == {"growing/op_0": "conv", "lr": 0.25}
    assert fixed[1] == BOTH.to_parameters(BOTH.from_parameters(fixed[1]))


def test_old_trials_go_on_teaching() -> None:
    study = old_study()
    log: list[tuple[Any, ...]] = []
    study.sampler = recording_sampler(log, OLD)
    study.sampler.method_of(study)  # type: ignore[attr-defined]
    before = told(log)
    assert len(before) == 8  # the failed and the pruned one too
    new_log: list[tuple[Any, ...]] = []
    new = continue_study(study, BOTH, sampler=recording_sampler(new_log, BOTH))
    new.optimize(lambda trial: value(suggest_architecture(trial, BOTH)), n_trials=3)
    assert [entry[1:] for entry in told(new_log)[:8]] == [entry[1:] for entry in before]
    keys = [BOTH.key(architecture_of(trial, BOTH)) for trial in new.trials]
    assert len(set(keys)) == len(keys) == 11


def test_a_search_goes_on_in_the_grown_space() -> None:
    study = old_study()
    new = continue_study(study, BOTH, sampler=GraphBOSampler(BOTH, seed=0, n_startup_trials=4))
    new.optimize(lambda trial: value(suggest_architecture(trial, BOTH)), n_trials=20)
    assert new.best_value > study.best_value
    assert "pool" in new.best_params.values()


def test_running_trials_are_left_out_and_records_follow_their_numbers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    study = optuna.create_study(sampler=RandomArchitectureSampler(OLD, seed=0), study_name="old")
    suggest_architecture(study.ask(), OLD)
    failed = study.ask()
    suggest_architecture(failed, OLD)
    study.tell(failed, state=TrialState.FAIL)
    with caplog.at_level(logging.WARNING, "optuna_graphnas"):
        new = continue_study(study, MORE_OPERATIONS)
    assert "1 running trials of the study 'old' were left out" in caplog.text
    (observation,) = History(MORE_OPERATIONS).observations(new.trials, new.directions)
    assert observation.values is None


@pytest.mark.parametrize(("error", "count"), [(ValueError, 1), (KeyboardInterrupt, 0)])
def test_what_ended_a_trial_is_still_known(error: type[BaseException], count: int) -> None:
    study = optuna.create_study(sampler=RandomArchitectureSampler(OLD, seed=0), study_name="old")

    def objective(trial: optuna.Trial) -> float:
        suggest_architecture(trial, OLD)
        raise error

    study.enqueue_trial({})
    with pytest.raises(error):
        study.optimize(objective, n_trials=1)
    new = continue_study(study, MORE_OPERATIONS)
    assert len(History(MORE_OPERATIONS).observations(new.trials, new.directions)) == count


def test_defaults() -> None:
    study = old_study()
    new = continue_study(study, BOTH, defaults={"growing/op_3": "pool", "growing/edge_0_3": True})
    for trial in new.trials:
        architecture = architecture_of(trial, BOTH)
        assert architecture.operations[3] == 2
        assert architecture.adjacency[:, 3].tolist() == [1, 0, 0, 0]
    with pytest.raises(InvalidArgument, match=r"unknown parameter 'growing/op_9'; did you mean"):
        continue_study(study, BOTH, defaults={"growing/op_9": "pool"}, study_name="x")
    with pytest.raises(InvalidArgument, match=r"growing/op_3 = 'lstm' is not one of"):
        continue_study(study, BOTH, defaults={"growing/op_3": "lstm"}, study_name="x")
    with pytest.raises(optuna.exceptions.DuplicatedStudyError):
        continue_study(study, BOTH, study_name="old")


def test_what_the_new_space_refuses_is_kept_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    class Strict(Growing):
        def check(self, architecture: Architecture) -> None:
            super().check(architecture)
            if architecture.num_edges > 1:
                raise InvalidArchitecture("growing: two edges are too many")

    study = old_study()
    many = [t.number for t in study.trials if architecture_of(t, OLD).num_edges > 1]
    assert 0 < len(many) < 8
    with caplog.at_level(logging.WARNING, "optuna_graphnas"):
        new = continue_study(study, Strict(4))
    named = [int(record.getMessage().split(" ")[1]) for record in caplog.records]
    assert named == many
    assert [t.values for t in new.trials] == [t.values for t in study.trials]


def test_a_choice_that_was_removed_takes_the_architecture_with_it(caplog: pytest.LogCaptureFixture) -> None:
    study = old_study()
    space = Growing(3, ("none", "pool"))
    with caplog.at_level(logging.WARNING, "optuna_graphnas"):
        new = continue_study(study, space)
    for old, trial in zip(study.trials, new.trials, strict=True):
        gone = "conv" in old.params.values()
        assert ({"lr"} == set(trial.params)) == gone
        assert (f"trial {old.number}:" in caplog.text) == gone
        assert trial.values == old.values
    new.sampler = make_sampler("random", space=space)
    new.optimize(lambda trial: value(suggest_architecture(trial, space)), n_trials=2)


def test_a_study_without_the_space() -> None:
    study = optuna.create_study()
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    with pytest.raises(InvalidArgument, match=r"no trial of the study .* has an architecture of"):
        continue_study(study, OLD)


def test_names_and_several_architectures() -> None:
    def objective(trial: optuna.Trial, space: Growing) -> float:
        first = suggest_architecture(trial, space, name="first")
        return value(first) - value(suggest_architecture(trial, space, name="second"))

    study = optuna.create_study(sampler=RandomArchitectureSampler({"first": OLD, "second": OLD}, seed=0))
    study.optimize(lambda trial: objective(trial, OLD), n_trials=4)
    grown = {"first": BOTH, "second": BOTH}
    new = continue_study(study, grown, sampler=RandomArchitectureSampler(grown, seed=0))
    new.optimize(lambda trial: objective(trial, BOTH), n_trials=2)
    one = optuna.create_study(sampler=RandomArchitectureSampler({"first": OLD}, seed=0))
    one.optimize(lambda trial: value(suggest_architecture(trial, OLD, name="first")), n_trials=2)
    new = continue_study(one, BOTH, name="first")
    assert architecture_of(new.trials[0], BOTH, name="first").num_nodes == 4
