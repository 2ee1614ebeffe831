"""Bulk: all parameters of an architecture suggested and stored at once, instead of one commit for each.

Optuna offers only ``suggest_categorical``, which stores every parameter in a transaction of its own: seconds
for an architecture of hundreds of parameters on a database. What is done here gives the same values and the
same rows. It relies on these private parts of Optuna (the same in 4.9 and 5.0), and where one of them is
missing, or the storage is of another kind, parameters are suggested one by one:

* ``Trial``: ``_cached_frozen_trial``, ``_fixed_params``, ``_is_fixed_param``, ``_is_relative_param``,
  ``_get_latest_trial`` (the order of precedence in ``Trial._suggest``);
* ``RDBStorage``: ``scoped_session``, ``_create_scoped_session`` and the table ``TrialParamModel``;
* ``_CachedStorage``: ``_backend``, ``_lock``, ``_studies``, ``_trial_id_to_study_id_and_number``;
* ``JournalStorage``: ``_backend``, ``_thread_lock``, ``_replay_result``, ``_sync_with_backend``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from optuna import pruners
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    check_distribution_compatibility,
    distribution_to_json,
    json_to_distribution,
)
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.trial import Trial

Values = Mapping[str, tuple[float, BaseDistribution]]
"""Value in the storage's representation and distribution of each parameter."""

Writer = Callable[[int, Values], None]

_TRIAL = (
    "_cached_frozen_trial",
    "_fixed_params",
    "_is_fixed_param",
    "_is_relative_param",
    "_get_latest_trial",
)
_CACHED = ("_backend", "_lock", "_studies", "_trial_id_to_study_id_and_number")
_JOURNAL = ("_backend", "_thread_lock", "_replay_result", "_sync_with_backend")
_NAMES_PER_QUERY = 500  # SQLite allows 999 variables


def suggest_all(trial: Trial, distributions: Mapping[str, CategoricalDistribution]) -> dict[str, Any]:
    """The values of these parameters, as ``trial.suggest_categorical`` would give them one by one.

    Raises:
        ValueError: A parameter has other choices in this study already.
    """
    write = bulk_writer(trial.storage)
    if write is None or type(trial) is not Trial or not all(hasattr(trial, name) for name in _TRIAL):
        return {name: trial.suggest_categorical(name, d.choices) for name, d in distributions.items()}
    frozen = trial._cached_frozen_trial
    new = [name for name in distributions if name not in frozen.distributions]
    try:
        for name in new:
            frozen.params[name] = _chosen(trial, name, distributions[name])
            frozen.distributions[name] = distributions[name]
        internal = {name: distributions[name].to_internal_repr(frozen.params[name]) for name in new}
        written = {name: (value, distributions[name]) for name, value in internal.items()}
        if written:
            write(trial._trial_id, written)
    except BaseException:
        for name in new:
            frozen.params.pop(name, None)
            frozen.distributions.pop(name, None)
        raise
    # Those that were there before are compared with what the trial holds.
    return {
        name: frozen.params[name] if name in written else trial.suggest_categorical(name, d.choices)
        for name, d in distributions.items()
    }


def _chosen(trial: Trial, name: str, distribution: CategoricalDistribution) -> Any:
    if trial._is_fixed_param(name, distribution):
        return trial._fixed_params[name]
    if distribution.single():
        return distribution.choices[0]
    if trial._is_relative_param(name, distribution):
        return trial.relative_params[name]
    latest = trial._get_latest_trial()
    study = pruners._filter_study(trial.study, latest)
    return trial.study.sampler.sample_independent(study, latest, name, distribution)


def bulk_writer(storage: BaseStorage) -> Writer | None:
    """What stores many parameters of a running trial at once; None where ``storage`` is of another kind."""
    if type(storage) is JournalStorage and all(hasattr(storage, name) for name in _JOURNAL):
        return lambda trial_id, values: _write_to_journal(storage, trial_id, values)
    backend = storage
    try:
        from optuna.storages._cached_storage import _CachedStorage
        from optuna.storages._rdb.models import TrialParamModel
        from optuna.storages._rdb.storage import _create_scoped_session  # noqa: F401
    except ImportError:
        return None
    if type(storage) is _CachedStorage and all(hasattr(storage, name) for name in _CACHED):
        backend = storage._backend
    columns = ("trial_id", "param_name", "param_value", "distribution_json")
    if type(backend) is not RDBStorage or not hasattr(backend, "scoped_session"):
        return None
    if not all(hasattr(TrialParamModel, column) for column in columns):
        return None
    if backend is storage:
        return lambda trial_id, values: _write_to_database(backend, trial_id, values, {})
    return lambda trial_id, values: _write_through_cache(storage, trial_id, values)


# ---------------------------------------------------------------- databases


def _write_through_cache(storage: Any, trial_id: int, values: Values) -> None:
    with storage._lock:
        study_id, _ = storage._trial_id_to_study_id_and_number[trial_id]
        known = storage._studies[study_id].param_distribution
        _write_to_database(storage._backend, trial_id, values, known)
        for name, (_, distribution) in values.items():
            known.setdefault(name, distribution)


def _write_to_database(
    storage: RDBStorage, trial_id: int, values: Values, known: Mapping[str, BaseDistribution]
) -> None:
    from optuna.storages._rdb import models
    from optuna.storages._rdb.storage import _create_scoped_session

    with _create_scoped_session(storage.scoped_session) as session:
        row: Any = models.TrialModel.find_or_raise_by_id(trial_id, session)
        storage.check_trial_is_updatable(trial_id, row.state)
        unknown = [name for name in values if name not in known]
        _check({**known, **_earlier(session, row.study_id, unknown)}, values)
        texts = _texts(values)
        session.execute(
            models.TrialParamModel.__table__.insert(),
            [
                {
                    "trial_id": trial_id,
                    "param_name": name,
                    "param_value": value,
                    "distribution_json": texts[name],
                }
                for name, (value, _) in values.items()
            ],
        )


def _earlier(session: Any, study_id: int, names: list[str]) -> dict[str, BaseDistribution]:
    """The distribution that each of ``names`` has in the study, where it has one."""
    from optuna.storages._rdb.models import TrialModel, TrialParamModel
    from sqlalchemy import func

    table = TrialParamModel
    texts: dict[str, str] = {}
    if names:
        # Usually one earlier trial has all of them, which is quicker to read than the least row of each name.
        of_study = session.query(table.trial_id).join(TrialModel).filter(TrialModel.study_id == study_id)
        trial_id = of_study.filter(table.param_name == names[0]).limit(1).scalar()
        rows = session.query(table.param_name, table.distribution_json)
        texts.update(dict(map(tuple, rows.filter(table.trial_id == trial_id).all())))
    for some in _chunks([name for name in names if name not in texts]):
        of_study = session.query(func.min(table.param_id)).join(TrialModel)
        of_study = of_study.filter(TrialModel.study_id == study_id, table.param_name.in_(some))
        ids = [least for (least,) in of_study.group_by(table.param_name).all()]
        rows = session.query(table.param_name, table.distribution_json)
        texts.update(dict(map(tuple, rows.filter(table.param_id.in_(ids)).all())))
    parsed = {text: json_to_distribution(text) for text in {texts[name] for name in names if name in texts}}
    return {name: parsed[texts[name]] for name in names if name in texts}


def _chunks(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _NAMES_PER_QUERY):
        yield names[start : start + _NAMES_PER_QUERY]


# ---------------------------------------------------------------- journals


def _write_to_journal(storage: Any, trial_id: int, values: Values) -> None:
    from optuna.storages.journal._storage import JournalOperation

    texts = _texts(values)
    with storage._thread_lock:
        storage._sync_with_backend()
        result = storage._replay_result
        trial = result._trials[trial_id]
        if trial.state.is_finished():  # the storage's own check would wait for the lock
            raise UpdateFinishedTrialError(f"trial {trial.number} has finished and takes no more parameters")
        # Before anything is written: every reader of the journal would meet what does not fit.
        _check(_earlier_in_journal(result, trial_id, values), values)
        storage._backend.append_logs(
            [
                {
                    "op_code": JournalOperation.SET_TRIAL_PARAM,
                    "worker_id": result.worker_id,
                    "trial_id": trial_id,
                    "param_name": name,
                    "param_value_internal": value,
                    "distribution": texts[name],
                }
                for name, (value, _) in values.items()
            ]
        )
        storage._sync_with_backend()


def _earlier_in_journal(result: Any, trial_id: int, values: Values) -> dict[str, BaseDistribution]:
    earlier: dict[str, BaseDistribution] = {}
    missing = set(values)
    for number in result._study_id_to_trial_ids[result._trial_id_to_study_id[trial_id]]:
        distributions = result._trials[number].distributions
        for name in missing & distributions.keys():
            earlier[name] = distributions[name]
        missing -= distributions.keys()
        if not missing:
            break
    return earlier


# ---------------------------------------------------------------- both


def _check(earlier: Mapping[str, BaseDistribution], values: Values) -> None:
    for name, (_, distribution) in values.items():
        if name in earlier:
            check_distribution_compatibility(earlier[name], distribution)


def _texts(values: Values) -> dict[str, str]:
    """The JSON of each distribution; most parameters share a few, so each is written once."""
    # By what they look like, since (0, 1) and (False, True) are equal.
    looks = {name: repr(distribution) for name, (_, distribution) in values.items()}
    distributions = {looks[name]: distribution for name, (_, distribution) in values.items()}
    texts = {look: distribution_to_json(distribution) for look, distribution in distributions.items()}
    return {name: texts[look] for name, look in looks.items()}
