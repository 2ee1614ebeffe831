"""Trials that ended without a result: killed workers, Ctrl-C, results told by others, and copied studies."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage, RetryFailedTrialCallback
from optuna.trial import TrialState
from sampler_cases import SPACE, keys_of, objective, recording_sampler
from small_space import quality
from storage_cases import open_storage

from graphnas.errors import InvalidArgument
from graphnas.graph.evaluation import Evaluation
from optuna_graphnas import Objective, suggest_architecture
from optuna_graphnas.exclusion import Turn
from optuna_graphnas.records import Fate, fate_of, place_of
from optuna_graphnas.worker import current_worker

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
DEAD_PID = 2**22 + 1  # above the largest process id of Linux


def in_a_process(body: Callable[[], object]) -> int:
    """The exit status of a forked process that runs ``body``; -9 if it was killed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            body()
            status = 0
        except SystemExit as error:
            status = int(error.code or 0)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def open_study(storage: BaseStorage, **options: Any) -> optuna.Study:
    return optuna.create_study(
        study_name="study",
        storage=storage,
        load_if_exists=True,
        direction="maximize",
        sampler=recording_sampler([], **options),
    )


def observed(study: optuna.Study) -> list[tuple[str, bool]]:
    """Per observation its architecture's key, and whether it has a value."""
    observations = study.sampler.method_of(study).observations  # type: ignore[attr-defined]
    return [(SPACE.key(o.architecture), o.values is not None) for o in observations]


# ---------------------------------------------------------------- an architecture that kills its worker


DEATHS: dict[str, Callable[[], object]] = {
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exits": lambda: os._exit(134),
    "sys.exit": lambda: sys.exit(3),
}


def heartbeat_storage(path: Path) -> BaseStorage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        retry = RetryFailedTrialCallback(max_retry=1)
        name = "heartbeat_stale_trial_callback"
        if name not in RDBStorage.__init__.__annotations__:
            name = "failed_trial_callback"
        return RDBStorage(f"sqlite:///{path}", heartbeat_interval=60, grace_period=120, **{name: retry})  # type: ignore[arg-type]


def let_heartbeats_age(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE trial_heartbeats SET heartbeat = '2020-01-01 00:00:00.000000'")


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(
    ("storage", "death", "max_retries"),
    [
        ("sqlite", "killed", 1),
        ("sqlite", "exits", 0),
        ("sqlite", "sys.exit", 1),
        ("journal", "killed", 2),
        ("heartbeat", "killed", 1),
    ],
)
def test_an_architecture_that_kills_its_workers_counts_as_failed_in_the_end(
    tmp_path: Path, storage: str, death: str, max_retries: int
) -> None:
    def fails(trial: optuna.Trial, die: Callable[[], object]) -> float:
        value = objective(trial)
        if keys_of(trial.study)[-1] == fatal:
            die()
        return value

    def exception() -> None:
        raise RuntimeError("out of memory")

    reference = open_study(InMemoryStorage())
    reference.optimize(objective, n_trials=3)
    fatal = keys_of(reference)[2]
    reference = open_study(InMemoryStorage())  # there, the same architecture merely fails
    reference.optimize(functools.partial(fails, die=exception), n_trials=8, catch=(RuntimeError,))

    path = tmp_path / "study.db"

    def opened() -> optuna.Study:
        url = f"{'journal://' if storage == 'journal' else 'sqlite:///'}{path}"
        return open_study(
            heartbeat_storage(path) if storage == "heartbeat" else open_storage(url), max_retries=max_retries
        )

    def work() -> None:
        study = opened()
        left = 7 - sum(t.state == TrialState.COMPLETE for t in study.trials)
        study.optimize(functools.partial(fails, die=DEATHS[death]), n_trials=left)

    deaths = 0
    while in_a_process(work) != 0:
        deaths += 1
        assert deaths <= max_retries + 1, "it is proposed for ever"
        if storage == "heartbeat":
            let_heartbeats_age(path)
    assert deaths == max_retries + 1
    study = opened()
    assert keys_of(study).count(fatal) == max_retries + 1
    assert observed(study) == observed(reference)
    assert observed(study)[2] == (fatal, False)
    states = {t.state for t in study.trials} - {TrialState.COMPLETE}
    # A worker that was killed before its first heartbeat leaves its trial running, as without heartbeats.
    assert states <= {TrialState.FAIL, TrialState.RUNNING}
    assert storage == "heartbeat" or states == {TrialState.RUNNING}


def test_workers_that_are_killed_together_cost_no_architecture(tmp_path: Path) -> None:
    """As when the machine is shut down: each architecture was interrupted once."""
    path = tmp_path / "study.log"

    def hang(_: int) -> None:
        study = open_study(open_storage(f"journal://{path}"))
        suggest_architecture(study.ask(), SPACE)

    for place in range(3):
        assert in_a_process(functools.partial(hang, place)) == 0
        # To the next one it looks as if this worker were alive on another host.
        _rewrite_worker(open_study(open_storage(f"journal://{path}")), place, host="elsewhere")
    study = open_study(open_storage(f"journal://{path}"))
    lost = keys_of(study)
    assert len(set(lost)) == 3
    for place in range(3):
        _rewrite_worker(study, place, pid=DEAD_PID, host=current_worker().host)
    study.optimize(objective, n_trials=3)
    assert keys_of(study)[3:] == keys_of(study)[:3]
    assert observed(study) == [(key, True) for key in lost]


def _rewrite_worker(study: optuna.Study, number: int, **changes: Any) -> None:
    trial = study.trials[number]
    record = trial.system_attrs["graphnas:worker"]
    study._storage.set_trial_system_attr(trial._trial_id, "graphnas:worker", record | changes)


def test_the_other_parameters_change_when_an_architecture_is_given_up(tmp_path: Path) -> None:
    """What killed the workers may have been the batch size, drawn from the seed and the trial's place."""
    url = f"journal://{tmp_path}/study.log"

    def dies(trial: optuna.Trial) -> float:
        trial.suggest_float("rate", 0.0, 1.0)
        suggest_architecture(trial, SPACE)
        os._exit(9)

    for _ in range(3):
        assert in_a_process(lambda: open_study(open_storage(url)).optimize(dies, n_trials=1)) == 9
    first, second, third = (t.params for t in open_study(open_storage(url)).trials)
    assert first == second
    assert third["rate"] != first["rate"]
    assert SPACE.from_parameters(third) != SPACE.from_parameters(first)


def test_bad_numbers_of_retries_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="max_retries must not be negative, got -1"):
        recording_sampler([], max_retries=-1)


# ---------------------------------------------------------------- Ctrl-C


class _Interrupted:
    """An evaluator that Ctrl-C meets in the first trials."""

    def __init__(self, times: int) -> None:
        self.times = times

    def evaluate(self, architecture: Any) -> Evaluation:
        if self.times:
            self.times -= 1
            raise KeyboardInterrupt
        return Evaluation(quality(architecture))


def _plain(evaluator: _Interrupted, trial: optuna.Trial) -> float:
    return evaluator.evaluate(suggest_architecture(trial, SPACE)).value


def _while_cleaning_up(evaluator: _Interrupted, trial: optuna.Trial) -> float:
    try:
        return _plain(evaluator, trial)
    except KeyboardInterrupt:
        raise RuntimeError("the data loader's workers are gone")  # noqa: B904


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("run", ["plain", "Objective", "while cleaning up"])
@pytest.mark.parametrize("pruner", [optuna.pruners.MedianPruner(), optuna.pruners.HyperbandPruner()])
def test_ctrl_c_is_no_failure_however_often(run: str, pruner: optuna.pruners.BasePruner) -> None:
    evaluator = _Interrupted(3)
    function = {
        "plain": functools.partial(_plain, evaluator),
        "Objective": Objective(SPACE, evaluator),
        "while cleaning up": functools.partial(_while_cleaning_up, evaluator),
    }[run]
    study = open_study(InMemoryStorage())
    study.pruner = pruner
    for _ in range(3):
        with pytest.raises((KeyboardInterrupt, RuntimeError)):
            study.optimize(function, n_trials=1)
    study.optimize(function, n_trials=2)
    assert [t.state.name for t in study.trials] == ["FAIL"] * 3 + ["COMPLETE"] * 2
    keys = keys_of(study)
    assert len(set(keys[:4])) == 1
    assert keys[4] != keys[3]
    assert observed(study) == [(keys[3], True), (keys[4], True)]


def test_ctrl_c_in_an_outer_study_is_not_one_of_the_inner_study() -> None:
    inner = open_study(InMemoryStorage())

    def outer(trial: optuna.Trial) -> float:
        inner.optimize(_raise, n_trials=1, catch=(RuntimeError,))
        raise KeyboardInterrupt

    def _raise(trial: optuna.Trial) -> float:
        suggest_architecture(trial, SPACE)
        raise RuntimeError("out of memory")

    with pytest.raises(KeyboardInterrupt):
        optuna.create_study().optimize(outer, n_trials=1)
    assert observed(inner) == [(keys_of(inner)[0], False)]


# ---------------------------------------------------------------- told by another process


def _tell_state(url: str) -> None:
    optuna.load_study(study_name="study", storage=url).tell(0, state=TrialState.FAIL)


def _tell_nan(url: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optuna.load_study(study_name="study", storage=url).tell(0, math.nan)


def _tell_with_our_sampler(url: str) -> None:
    open_study(open_storage(url)).tell(0, state=TrialState.FAIL)


def _tell_by_command(url: str) -> None:
    command = [Path(sys.executable).parent / "optuna", "tell", "--storage", url, "--study-name", "study"]
    subprocess.run(
        [*command, "--trial-number", "0", "--state", "fail"], check=True, capture_output=True, timeout=120
    )


@pytest.mark.parametrize("tell", [_tell_state, _tell_nan, _tell_with_our_sampler, _tell_by_command])
@pytest.mark.parametrize("asker", ["ended", "alive"])
def test_a_told_failure_is_one_whoever_tells_it(
    tmp_path: Path, tell: Callable[[str], None], asker: str
) -> None:
    url = f"sqlite:///{tmp_path}/study.db"

    def ask() -> None:
        suggest_architecture(open_study(open_storage(url)).ask(), SPACE)

    if asker == "ended":
        assert in_a_process(ask) == 0
    else:
        ask()
    tell(url)
    study = open_study(open_storage(url))
    suggest_architecture(study.ask(), SPACE)
    first, second = keys_of(study)
    assert observed(study) == [(first, False)]
    assert second != first


def test_a_value_told_after_the_asking_process_has_ended_counts(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"

    def ask() -> None:
        suggest_architecture(open_study(open_storage(url)).ask(), SPACE)

    assert in_a_process(ask) == 0
    optuna.load_study(study_name="study", storage=url).tell(0, 1.5)
    study = open_study(open_storage(url))
    suggest_architecture(study.ask(), SPACE)
    assert observed(study) == [(keys_of(study)[0], True)]
    assert len(set(keys_of(study))) == 2


def test_a_failure_of_another_sampler_counts() -> None:
    def fails(trial: optuna.Trial) -> float:
        suggest_architecture(trial, SPACE, on_invalid="prune")
        raise RuntimeError("out of memory")

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=3))
    study.optimize(fails, n_trials=12, catch=(RuntimeError,))
    failed = [t for t in study.trials if t.state == TrialState.FAIL]
    assert failed
    study.sampler = recording_sampler([])
    assert [o[0] for o in observed(study)] == [SPACE.key(SPACE.from_parameters(t.params)) for t in failed]


# ---------------------------------------------------------------- workers that were lost


@pytest.mark.parametrize("how", ["heartbeat", "by hand", "by hand, our sampler"])
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_trial_whose_worker_was_lost_counts_as_never_started(tmp_path: Path, how: str) -> None:
    path = tmp_path / "study.db"
    study = open_study(heartbeat_storage(path))
    study.optimize(objective, n_trials=3)

    def dies(trial: optuna.Trial) -> float:
        suggest_architecture(trial, SPACE)
        os._exit(9)

    assert in_a_process(lambda: open_study(heartbeat_storage(path)).optimize(dies, n_trials=1)) == 9
    if how == "heartbeat":
        let_heartbeats_age(path)
        study._storage.set_trial_state_values(study._storage._get_stale_trial_ids(1)[0], TrialState.FAIL)  # type: ignore[attr-defined]
    elif how == "by hand":
        optuna.load_study(study_name="study", storage=f"sqlite:///{path}").tell(3, state=TrialState.FAIL)
    else:
        study.tell(3, state=TrialState.FAIL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ask-and-tell on a storage with a heartbeat
        suggest_architecture(study.ask(), SPACE)
    assert study.trials[3].state == TrialState.FAIL
    assert fate_of(study.trials[3], place_of(study._storage)) is Fate.INTERRUPTED
    keys = keys_of(study)
    assert keys[4] == keys[3]
    assert observed(study) == [(key, True) for key in keys[:3]]


def test_a_retried_trial_does_not_inherit_what_its_original_noted() -> None:
    study = open_study(InMemoryStorage())

    def fails(trial: optuna.Trial) -> float:
        suggest_architecture(trial, SPACE)
        raise RuntimeError("out of memory")

    study.optimize(fails, n_trials=1, catch=(RuntimeError,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        retry = RetryFailedTrialCallback()
    retry(study, study.trials[0])
    assert study.trials[1].state == TrialState.WAITING
    assert "graphnas:failed" in study.trials[1].system_attrs
    study.optimize(objective, n_trials=2)
    first, second, third = keys_of(study)
    assert first == second != third
    assert observed(study) == [(first, False), (first, True), (third, True)]


# ---------------------------------------------------------------- copies of a study that runs


@pytest.fixture(params=["sqlite", "journal", "memory", "same storage"])
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[optuna.Study, optuna.Study]]:
    """A study whose trial 3 is in its turn, and a copy of it made by ``optuna.copy_study``."""
    kind = request.param

    def storage(name: str) -> BaseStorage:
        if kind == "memory":
            return InMemoryStorage()
        return open_storage(
            f"journal://{tmp_path}/{name}.log" if kind == "journal" else f"sqlite:///{tmp_path}/{name}.db"
        )

    source = storage("source")
    study = open_study(source)
    _fill(study)
    target = source if kind == "same storage" else storage("target")
    name = "copy" if kind == "same storage" else "study"
    with _turn(study, 3):
        optuna.copy_study(from_study_name="study", from_storage=source, to_storage=target, to_study_name=name)
        copy = optuna.load_study(study_name=name, storage=target, sampler=recording_sampler([]))
        yield study, copy


def _fill(study: optuna.Study) -> None:
    """A completed, a pruned and a failed trial, and one that runs."""

    def mixed(trial: optuna.Trial) -> float:
        value = objective(trial)
        trial.report(value, 1)
        if trial.number == 1:
            raise optuna.TrialPruned
        if trial.number == 2:
            raise RuntimeError("out of memory")
        return value

    study.optimize(mixed, n_trials=3, catch=(RuntimeError,))
    suggest_architecture(study.ask(), SPACE)


def _turn(study: optuna.Study, number: int) -> Turn:
    return Turn(study._storage, study._study_id, study.trials[number], lease_seconds=600.0, last_seen={})


def test_a_copied_study_goes_on_at_once(copied: tuple[optuna.Study, optuna.Study]) -> None:
    study, copy = copied
    assert observed(copy) == observed(study)
    assert len(observed(copy)) == 3
    _optimize_without_waiting(copy)
    keys = keys_of(copy)
    assert keys[:4] == keys_of(study)
    assert keys[4] == keys[3]  # nobody evaluates that one here
    assert keys[5] not in keys[:5]
    assert study.trials[3].state == TrialState.RUNNING


def _optimize_without_waiting(study: optuna.Study) -> None:
    running = threading.Thread(target=study.optimize, args=(objective,), kwargs={"n_trials": 2}, daemon=True)
    running.start()
    running.join(60)
    assert not running.is_alive()


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_a_copied_file_goes_on_at_once(tmp_path: Path, kind: str) -> None:
    url = "sqlite:///" if kind == "sqlite" else "journal://"
    study = open_study(open_storage(f"{url}{tmp_path}/source"))
    _fill(study)
    with _turn(study, 3):
        shutil.copy(tmp_path / "source", tmp_path / "target")
        copy = open_study(open_storage(f"{url}{tmp_path}/target"))
        assert observed(copy) == observed(study)
        _optimize_without_waiting(copy)
        assert keys_of(copy)[4] == keys_of(copy)[3]
        again = open_study(open_storage(f"{url}{tmp_path}/source"))  # not a copy: another worker's view
        assert fate_of(again.trials[3], place_of(again._storage)) is Fate.OPEN


def test_a_link_to_the_file_is_the_same_storage(tmp_path: Path) -> None:
    study = open_study(open_storage(f"sqlite:///{tmp_path}/study.db"))
    (tmp_path / "link.db").symlink_to(tmp_path / "study.db")
    linked = open_study(open_storage(f"sqlite:///{tmp_path}/link.db"))
    assert place_of(linked._storage) == place_of(study._storage) != ""


def test_a_copy_of_a_study_whose_worker_was_killed_counts_that(tmp_path: Path) -> None:
    def dies(trial: optuna.Trial) -> float:
        suggest_architecture(trial, SPACE)
        os._exit(9)

    url = f"sqlite:///{tmp_path}/study.db"
    for _ in range(2):
        assert in_a_process(lambda: open_study(open_storage(url)).optimize(dies, n_trials=1)) == 9
    target = InMemoryStorage()
    optuna.copy_study(from_study_name="study", from_storage=url, to_storage=target)
    copy = open_study(target)
    fatal = keys_of(copy)[0]
    assert keys_of(copy) == [fatal, fatal]
    assert observed(copy) == [(fatal, False)]
