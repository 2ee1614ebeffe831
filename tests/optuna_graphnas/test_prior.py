"""What is known before a study: prior tasks kept with it, imported results, and trials that a user adds."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.storages import BaseStorage
from optuna.trial import TrialState
from sampler_cases import SPACE, keys_of, objective, recording_sampler, told
from small_space import quality
from storage_cases import open_storage

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.results_file import Result
from graphnas.methods import PriorTask
from optuna_graphnas import (
    GraphBOSampler,
    NASGEMSampler,
    RandomArchitectureSampler,
    add_prior,
    add_results,
    prior_of,
    suggest_architecture,
)
from optuna_graphnas.history import constraints_of
from optuna_graphnas.prior import DATA, HEAD, PART
from search_spaces import GEMNet

ALL = list(SPACE.enumerate())


def task(name: str = "other", count: int = 60, sign: float = 1.0) -> PriorTask:
    rows = np.random.default_rng(0).choice(len(ALL), count, replace=False).tolist()
    return PriorTask(name, [ALL[r] for r in rows], [sign * quality(ALL[r]) for r in rows])


def study_with(sampler: Any = None, **options: Any) -> optuna.Study:
    return optuna.create_study(**{"direction": "maximize", **options}, sampler=sampler)


def results(architectures: list[Architecture], *constraints: float) -> list[Result]:
    return [Result(f"line {k}", a, (quality(a),), constraints) for k, a in enumerate(architectures, 2)]


# ---------------------------------------------------------------- prior tasks


@pytest.mark.parametrize("kind", ["memory", "sqlite", "journal"])
def test_every_sampler_of_the_study_finds_its_prior_tasks(kind: str, tmp_path: Any) -> None:
    """In another process too, which opens the storage anew; and as if they were given to the sampler."""
    url = {"sqlite": f"sqlite:///{tmp_path}/s.db", "journal": f"journal://{tmp_path}/s.log"}.get(kind)

    def opened() -> BaseStorage | None:
        return None if url is None else open_storage(url)

    study = study_with(storage=opened(), study_name="s")
    for known in (task("b", sign=-1.0), task("a")):
        add_prior(study, SPACE, known)
    assert prior_of(study, SPACE) == (task("a"), task("b", sign=-1.0))
    assert not study.trials
    for _ in range(2):
        if url is not None:
            study = optuna.load_study(study_name="s", storage=opened())
        study.sampler = GraphBOSampler(SPACE, seed=0)
        study.optimize(objective, n_trials=3)
    given = study_with(GraphBOSampler(SPACE, seed=0, prior=[task("a"), task("b", sign=-1.0)]))
    given.optimize(objective, n_trials=6)
    assert keys_of(study) == keys_of(given)


def test_a_task_that_is_added_or_replaced_in_the_middle_counts_from_then_on() -> None:
    study = study_with(GraphBOSampler(SPACE, seed=0))
    study.optimize(objective, n_trials=2)
    add_prior(study, SPACE, task())
    study.optimize(objective, n_trials=2)
    other = study_with(GraphBOSampler(SPACE, seed=0, prior=[task()]))
    other.add_trials(study.trials[:2])
    other.optimize(objective, n_trials=2)
    assert keys_of(study) == keys_of(other)
    add_prior(study, SPACE, task(sign=-1.0))
    assert prior_of(study, SPACE) == (task(sign=-1.0),)
    other.sampler = GraphBOSampler(SPACE, seed=0, prior=[task(sign=-1.0)])
    for one in (study, other):
        one.optimize(objective, n_trials=1)
    assert keys_of(study) == keys_of(other)


def test_a_copy_of_the_study_has_them(tmp_path: Any) -> None:
    storage = f"sqlite:///{tmp_path}/s.db"
    study = study_with(storage=storage, study_name="s")
    add_prior(study, SPACE, task())
    optuna.copy_study(from_study_name="s", from_storage=storage, to_storage=storage, to_study_name="t")
    assert prior_of(optuna.load_study(study_name="t", storage=storage), SPACE) == (task(),)


def test_large_tasks_are_thinned_and_stored_in_parts() -> None:
    space = GEMNet(num_nodes=20)
    rng = np.random.default_rng(0)
    architectures = [space.sample(rng) for _ in range(700)]
    study = study_with()
    large = PriorTask("large", architectures, [a.num_edges for a in architectures])
    add_prior(study, space, large)
    attributes = study._storage.get_study_system_attrs(study._study_id)
    parts = [value for key, value in attributes.items() if key.startswith(DATA)]
    assert len(parts) > 1
    assert max(map(len, parts)) <= PART
    assert prior_of(study, space) == (large.thinned(500),)


def test_tasks_of_another_space_and_damaged_ones_are_ignored(caplog: Any) -> None:
    study = study_with(GraphBOSampler(SPACE, seed=0))
    space = GEMNet(num_nodes=5)
    cells = [space.sample(np.random.default_rng(k)) for k in range(3)]
    add_prior(study, space, PriorTask("gemnet", cells, [1, 2, 3]))
    add_prior(study, SPACE, task("whole"))
    add_prior(study, SPACE, task("damaged", 20))
    storage, study_id = study._storage, study._study_id
    head = storage.get_study_system_attrs(study_id)[HEAD + "damaged"]
    storage.set_study_system_attr(study_id, f"{DATA}{head['digest']}:0", "x")
    with caplog.at_level(logging.WARNING):
        study.optimize(objective, n_trials=2)
    assert caplog.text.count("Prior task 'damaged' of the study is ignored") == 1
    assert prior_of(study, SPACE) == (task("whole"),)
    assert len(study.trials) == 2


@pytest.mark.parametrize("make", [RandomArchitectureSampler, NASGEMSampler])
def test_methods_that_cannot_use_them_say_so(make: Any, caplog: Any) -> None:
    with pytest.raises(InvalidArgument, match="cannot use prior tasks; GraphBO can"):
        make(SPACE, prior=[task()])
    study = study_with(make(SPACE, seed=0))
    add_prior(study, SPACE, task())
    with caplog.at_level(logging.WARNING):
        study.optimize(objective, n_trials=2)
    assert caplog.text.count("cannot use prior tasks") == 1


def test_a_study_that_minimises() -> None:
    """Values of prior tasks are to be maximised whatever the direction."""
    study = study_with(GraphBOSampler(SPACE, seed=0, prior=[task()]), direction="minimize")
    study.optimize(lambda trial: -objective(trial), n_trials=6)
    other = study_with(GraphBOSampler(SPACE, seed=0, prior=[task()]))
    other.optimize(objective, n_trials=6)
    assert keys_of(study) == keys_of(other)


def test_what_does_not_fit_is_refused_before_a_trial() -> None:
    two = study_with(direction=None, directions=["maximize", "minimize"])
    with pytest.raises(InvalidArgument, match=r"'other' has 1 objectives, but the study .* has 2"):
        add_prior(two, SPACE, task())
    two.sampler = GraphBOSampler(SPACE, prior=[task()])
    with pytest.raises(InvalidArgument, match=r"have \[1\] objectives, but the study .* has 2"):
        two.optimize(lambda trial: (objective(trial), 0.0), n_trials=1)
    study = study_with()
    with pytest.raises(InvalidArchitecture, match="architecture 0"):
        add_prior(study, GEMNet(9), task())
    with pytest.raises(InvalidArgument, match="200 characters"):
        add_prior(study, SPACE, task("x" * 201))
    with pytest.raises(InvalidArchitecture, match="architecture 0"):
        GraphBOSampler(GEMNet(9), prior=[task()])
    assert not prior_of(study, SPACE)


# ---------------------------------------------------------------- results of the study's own task


def test_results_are_trials_that_count_and_are_not_proposed_again() -> None:
    log: list[Any] = []
    study = study_with(recording_sampler(log))
    assert add_results(study, SPACE, results(ALL[:30]), source="a.csv") == len({*map(SPACE.key, ALL[:30])})
    study.optimize(objective, n_trials=1)
    assert [entry[1] for entry in told(log)] == [t.value for t in study.trials[:-1]]
    assert study.trials[0].user_attrs == {"architecture": ALL[0].to_json(), "imported": "a.csv line 2"}
    study.sampler = GraphBOSampler(SPACE, seed=0)
    study.optimize(objective, n_trials=10)
    assert len(set(keys_of(study))) == len(study.trials)
    assert max(t.value for t in study.trials[-10:]) > max(t.value for t in study.trials[:-10])


def test_an_import_can_be_repeated() -> None:
    study = study_with()
    different = [ALL[k] for k in (0, 40, 80, 120, 160)]
    assert add_results(study, SPACE, results(different[:3])) == 3
    assert add_results(study, SPACE, results(different)) == 2
    again = [Result("line 9", different[0], (99.0,), ())]
    assert add_results(study, SPACE, again) == 1  # measured twice, with another value
    assert len(study.trials) == 6


def test_constraints_of_results() -> None:
    study = study_with(GraphBOSampler(SPACE, seed=0))
    add_results(study, SPACE, results(ALL[:2], 0.5, -1.0), ["size", "latency"])
    for trial in study.trials:
        assert sorted(constraints_of(trial).values()) == [-1.0, 0.5]
    study.optimize(objective, n_trials=1)


def test_results_that_do_not_fit_add_nothing() -> None:
    study = study_with()
    wrong = [*results(ALL[:2]), Result("line 4", GEMNet(9).sample(np.random.default_rng(0)), (1.0,), ())]
    with pytest.raises(InvalidArchitecture, match="line 4: "):
        add_results(study, SPACE, wrong)
    with pytest.raises(InvalidArgument, match=r"line 5 has 2 values, but the study .* has 1 directions"):
        add_results(study, SPACE, [*results(ALL[:2]), Result("line 5", ALL[0], (1.0, 2.0), ())])
    assert not study.trials


# ---------------------------------------------------------------- trials that a user adds or enqueues


def added(architecture: Architecture, **options: Any) -> optuna.trial.FrozenTrial:
    return optuna.trial.create_trial(
        params=dict(SPACE.to_parameters(architecture)),
        distributions={n: CategoricalDistribution(c) for n, c in SPACE.parameters().items()},
        **{"value": quality(architecture), **options},
    )


@pytest.mark.parametrize("when", ["before the first", "in the middle", "by another process"])
def test_trials_that_a_user_adds_count(when: str, tmp_path: Any) -> None:
    log: list[Any] = []
    storage = f"sqlite:///{tmp_path}/s.db"
    study = study_with(recording_sampler(log), storage=storage, study_name="s")
    if when != "before the first":
        study.optimize(objective, n_trials=3)
    target = study
    if when == "by another process":
        target = optuna.load_study(study_name="s", storage=storage)
    fresh = [a for a in (ALL[0], ALL[60], ALL[120]) if SPACE.key(a) not in set(keys_of(study))][:2]
    target.add_trials([added(a) for a in fresh])
    target.add_trial(added(ALL[-1], state=TrialState.PRUNED, value=None, intermediate_values={1: 0.5}))
    study.optimize(objective, n_trials=1)
    entries = told(log)
    assert [SPACE.key(a) for a in fresh] == [entry[0] for entry in entries][-3:-1]
    assert [quality(a) for a in fresh] == [entry[1] for entry in entries][-3:-1]
    assert len({SPACE.key(suggestion) for suggestion in map(read, study.trials)}) == len(study.trials)


def read(trial: optuna.trial.FrozenTrial) -> Architecture:
    return SPACE.from_parameters(trial.params)  # type: ignore[arg-type]


def test_enqueued_trials_are_evaluated_first_and_not_again() -> None:
    study = study_with(GraphBOSampler(SPACE, seed=0, prior=[task()]))
    wanted = [ALL[3], ALL[77]]
    for architecture in wanted:
        study.enqueue_trial(dict(SPACE.to_parameters(architecture)))
    seen: list[Architecture] = []

    def recorded(trial: optuna.Trial) -> float:
        seen.append(suggest_architecture(trial, SPACE))
        return quality(seen[-1])

    study.optimize(recorded, n_trials=8)
    assert seen[:2] == wanted
    assert len(set(keys_of(study))) == 8
