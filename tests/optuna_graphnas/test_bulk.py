"""Many parameters at once: the same trials as one by one, on every storage, with every precedence."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler, PartialFixedSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.trial import TrialState
from sampler_cases import SPACE, keys_of, objective
from storage_cases import open_storage, postgresql_binaries, postgresql_server

from optuna_graphnas import RandomArchitectureSampler, bulk, suggest_architecture
from optuna_graphnas.bulk import bulk_writer, suggest_all
from search_spaces import GEMNet

LARGE = GEMNet(30)
BLOCK = {name: CategoricalDistribution(choices) for name, choices in SPACE.parameters().items()}
STORAGES = ["sqlite", "bare", "journal", "memory"]


def make_storage(kind: str, folder: Path) -> BaseStorage:
    if kind == "memory":
        return InMemoryStorage()
    if kind == "journal":
        return open_storage(f"journal://{folder / 'journal.log'}")
    storage = RDBStorage(f"sqlite:///{folder / 'study.db'}")
    return storage if kind == "bare" else optuna.storages.get_storage(storage)


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "bulk_writer", lambda storage: None)


def summary(study: optuna.Study) -> list[tuple[Any, ...]]:
    return [(t.state, t.values, list(t.params.items()), t.distributions) for t in study.trials]


@pytest.mark.parametrize("kind", STORAGES)
def test_what_is_written_at_once(kind: str, tmp_path: Path) -> None:
    assert (bulk_writer(make_storage(kind, tmp_path)) is None) == (kind == "memory")


def _study(kind: str, folder: Path, sampler: BaseSampler) -> optuna.Study:
    return optuna.create_study(
        storage=make_storage(kind, folder), direction="maximize", sampler=sampler, study_name="bulk"
    )


@pytest.mark.parametrize("kind", STORAGES)
@pytest.mark.parametrize(
    "sampler",
    [
        lambda: RandomArchitectureSampler(SPACE, seed=1),
        lambda: RandomSampler(seed=1),
        lambda: TPESampler(seed=1, n_startup_trials=3, multivariate=False),
        lambda: TPESampler(seed=1, n_startup_trials=3, multivariate=True),
        lambda: PartialFixedSampler({"small/op_1": "pool"}, RandomArchitectureSampler(SPACE, seed=1)),
    ],
    ids=["ours", "random", "tpe", "multivariate", "partial"],
)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_the_same_trials_as_one_by_one(
    kind: str, sampler: Callable[[], BaseSampler], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(folder: Path) -> optuna.Study:
        folder.mkdir()
        study = _study(kind, folder, sampler())
        study.enqueue_trial({"small/op_1": "conv", "small/edge_0_3": True})
        study.enqueue_trial({"small/op_2": "pool", "lr": 0.5})

        def mixed(trial: optuna.Trial) -> float:
            before = trial.suggest_categorical("small/op_2", ("conv", "pool"))
            value = objective(trial)
            assert trial.params["small/op_2"] == before
            assert trial.suggest_categorical("small/op_1", ("conv", "pool")) == trial.params["small/op_1"]
            return value + trial.suggest_float("lr", 0, 1)

        study.optimize(mixed, n_trials=8)
        return study

    at_once = run(tmp_path / "at_once")
    with monkeypatch.context() as patch:
        one_by_one(patch)
        singly = run(tmp_path / "singly")
    assert summary(at_once) == summary(singly)
    # What another process reads is what this one has in memory.
    assert summary(optuna.load_study(study_name="bulk", storage=at_once._storage)) == summary(at_once)


def test_one_transaction(tmp_path: Path) -> None:
    from sqlalchemy import event

    study = _study("sqlite", tmp_path, RandomSampler(seed=0))
    commits: list[str] = []
    event.listen(study._storage._backend.engine, "commit", lambda connection: commits.append("commit"))  # type: ignore[attr-defined]
    for _ in range(2):
        trial = study.ask()
        commits.clear()
        suggest_all(trial, {n: CategoricalDistribution(c) for n, c in LARGE.parameters().items()})
        assert len(commits) == 1
    assert len(study.trials[1].params) == 464


def test_one_append(tmp_path: Path) -> None:
    study = _study("journal", tmp_path, RandomSampler(seed=0))
    trial = study.ask()
    appended: list[int] = []
    backend = study._storage._backend  # type: ignore[attr-defined]
    append = backend.append_logs
    backend.append_logs = lambda logs: (appended.append(len(logs)), append(logs))
    suggest_all(trial, BLOCK)
    assert appended == [len(BLOCK)]


@pytest.mark.parametrize("kind", STORAGES)
@pytest.mark.parametrize("fresh", [False, True], ids=["same process", "another process"])
def test_choices_of_a_study_do_not_change(kind: str, fresh: bool, tmp_path: Path) -> None:
    """Optuna's own check still happens; nothing is written then, neither to the storage nor to the trial."""
    study = _study(kind, tmp_path, RandomSampler(seed=0))
    suggest_all(study.ask(), BLOCK)
    if fresh and kind != "memory":
        study = optuna.load_study(study_name="bulk", storage=make_storage(kind, tmp_path))
    changed = {**BLOCK, "other": CategoricalDistribution((1, 2))}
    changed["small/op_2"] = CategoricalDistribution(("conv", "pool", "skip"))
    trial = study.ask()
    with pytest.raises(ValueError, match="dynamic value space"):
        suggest_all(trial, changed)
    if kind != "memory":  # where they are written one by one
        assert study.trials[1].params == trial.params == {}
    suggest_all(trial, BLOCK)
    assert set(study.trials[1].params) >= set(BLOCK)
    suggest_all(study.ask(), BLOCK)


@pytest.mark.parametrize("kind", ["sqlite", "bare", "journal"])
def test_a_finished_trial_takes_no_more(kind: str, tmp_path: Path) -> None:
    study = _study(kind, tmp_path, RandomSampler(seed=0))
    trial = study.ask()
    study.tell(trial, 1.0)
    with pytest.raises(RuntimeError):
        suggest_all(trial, BLOCK)
    assert study.trials[0].params == {}
    suggest_all(study.ask(), BLOCK)  # the storage still works


def test_equal_choices_of_other_types_keep_theirs(tmp_path: Path) -> None:
    study = _study("sqlite", tmp_path, RandomSampler(seed=0))
    mixed = {"a": CategoricalDistribution((0, 1)), "b": CategoricalDistribution((False, True))}
    suggest_all(study.ask(), mixed)
    stored = optuna.load_study(study_name="bulk", storage=make_storage("sqlite", tmp_path)).trials[0]
    assert [type(stored.params[name]) for name in mixed] == [int, bool]


def test_unknown_kinds_of_storage_are_written_one_by_one(tmp_path: Path) -> None:
    class Own(RDBStorage):
        """A storage that may do more than Optuna's when a parameter is set."""

    assert bulk_writer(Own(f"sqlite:///{tmp_path / 'study.db'}")) is None


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_other_samplers_and_copies_see_ordinary_trials(kind: str, tmp_path: Path) -> None:
    study = _study(kind, tmp_path, RandomArchitectureSampler(SPACE, seed=0))
    study.optimize(objective, n_trials=6)
    others = [
        TPESampler(seed=0, n_startup_trials=2),
        RandomSampler(seed=0),
        optuna.samplers.NSGAIISampler(seed=0, population_size=4),
    ]
    for sampler in others:
        study.sampler = sampler
        study.optimize(objective, n_trials=3)
    study.sampler = RandomArchitectureSampler(SPACE, seed=0)
    study.optimize(objective, n_trials=3)
    ours = [
        key for key, trial in zip(keys_of(study), study.trials, strict=True) if trial.number in (15, 16, 17)
    ]
    assert not set(ours) & set(keys_of(study)[:15])
    optuna.copy_study(
        from_study_name="bulk", from_storage=study._storage, to_storage=study._storage, to_study_name="copy"
    )
    copied = optuna.load_study(study_name="copy", storage=study._storage)
    assert summary(copied) == summary(study)
    assert len(study.trials_dataframe()) == 18


def test_postgresql() -> None:
    binaries = postgresql_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's server is not installed (Debian and Ubuntu: the package postgresql)")
    pytest.importorskip("psycopg2")
    with postgresql_server(binaries) as url:
        study = optuna.create_study(
            study_name="bulk",
            storage=url,
            direction="maximize",
            sampler=RandomArchitectureSampler(LARGE, seed=0),
        )
        study.optimize(lambda trial: suggest_architecture(trial, LARGE).num_edges, n_trials=3)
        stored = optuna.load_study(study_name="bulk", storage=url).trials
        assert [len(trial.params) for trial in stored] == [464] * 3
        assert summary(study) == [
            (t.state, t.values, list(t.params.items()), t.distributions) for t in stored
        ]
        assert all(isinstance(trial.datetime_start, datetime.datetime) for trial in stored)
        assert {trial.state for trial in stored} == {TrialState.COMPLETE}
        changed = CategoricalDistribution(("conv1x1", "conv3x3", "sepconv3x3"))
        with pytest.raises(ValueError, match="dynamic value space"):
            suggest_all(study.ask(), {"gemnet/op_1": changed, "gemnet/op_2": changed})
        study._storage.remove_session()
