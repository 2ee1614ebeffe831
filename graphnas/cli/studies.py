"""Studies of the command line: opening them, their settings, and their results."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.optional import require
from search_spaces import get_space

if TYPE_CHECKING:
    import optuna
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage

SETTINGS = "graphnas"
"""Attribute of a study that says what it searches; a study is continued with the same only."""

METHOD = "graphnas:method"
"""Attribute of a study that names the method it was begun with; another one may continue it."""


@dataclass(frozen=True)
class Evaluated:
    """One evaluated architecture, with what its trial recorded."""

    trial: int
    architecture: Architecture
    value: float
    parameters: int | None
    macs: int | None
    seconds: float | None
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Outcome:
    """What a study holds.

    Attributes:
        method: The method it was begun with.
        study: Name of the study.
        values: The value of each finished evaluation in the order of the trials, NaN where it failed.
        best: The evaluated architectures, best first, each network once.
        reason: Why the last failed evaluation failed; empty where none did.
    """

    method: str
    study: str
    values: list[float]
    best: list[Evaluated]
    reason: str

    @property
    def failed(self) -> int:
        """Number of failed evaluations."""
        return sum(math.isnan(value) for value in self.values)


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Silence Optuna's log below errors.

    We print progress, results and the reasons of failures ourselves; Optuna would add every parameter of a
    failed trial, and a traceback on Ctrl-C.
    """
    logging = require("optuna", "optuna").logging
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def without_password(url: str) -> str:
    """``url`` as it may be printed."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", url)


def open_storage(url: str | None) -> BaseStorage:
    """Optuna's storage at ``url``, in memory if None.

    Raises:
        InvalidArgument: It is no database URL, or the database cannot be opened.
        MissingExtra: Optuna is not installed.
    """
    optuna = require("optuna", "optuna")
    if url is None:
        memory: BaseStorage = optuna.storages.InMemoryStorage()
        return memory
    from sqlalchemy.exc import SQLAlchemyError

    try:
        storage: BaseStorage = optuna.storages.get_storage(url)
    except (SQLAlchemyError, ImportError, RuntimeError, ValueError, optuna.exceptions.OptunaError) as error:
        why = str(error).strip().splitlines()[0]
        raise InvalidArgument(
            f"cannot open the storage {without_password(url)!r}: {why}; expected a database URL such as "
            "sqlite:///study.db"
        ) from error
    return storage


def open_study(
    storage: BaseStorage, name: str, settings: Mapping[str, Any], method: str, sampler: BaseSampler
) -> optuna.Study:
    """The study ``name``, new or continued.

    Raises:
        InvalidArgument: It is there already, and was made with other settings or not by this command.
    """
    with quiet_optuna():
        study: optuna.Study = require("optuna", "optuna").create_study(
            storage=storage,
            study_name=name,
            sampler=sampler,
            # Optuna prunes by default; methods are to be compared on whole evaluations.
            pruner=require("optuna.pruners", "optuna").NopPruner(),
            direction="maximize",
            load_if_exists=True,
        )
    if len(study.directions) != 1 or study.direction.name != "MAXIMIZE":
        raise InvalidArgument(f"the study {name!r} does not maximise one value; use another --study-name")
    wanted = json.loads(json.dumps(settings))
    stored = study.user_attrs.get(SETTINGS)
    if stored is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(SETTINGS, wanted)
        study.set_user_attr(METHOD, method)
    elif stored is None:
        raise InvalidArgument(f"the study {name!r} was not made by graphnas search; use another --study-name")
    else:
        for key in sorted(wanted.keys() | stored.keys()):
            if wanted.get(key) != stored.get(key):
                raise InvalidArgument(
                    f"the study {name!r} was made with {key} {json.dumps(stored.get(key))}, not "
                    f"{json.dumps(wanted.get(key))}; use another --study-name" + _way_on(key, stored, wanted)
                )
    return study


def _way_on(key: str, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """How the trials of a study are kept, if it has the space that is wanted, but of another size."""
    if key != "space" or (stored.get(key) or {}).get("name") != wanted[key]["name"]:
        return ""
    return ", or copy its trials into a study of the larger space with optuna_graphnas.continue_study"


def space_of(study: optuna.Study) -> GraphSpace:
    """The space that a study of this command searches.

    Raises:
        InvalidArgument: The study was not made by this command.
    """
    settings = study.user_attrs.get(SETTINGS)
    if not isinstance(settings, dict):
        raise InvalidArgument(f"the study {study.study_name!r} was not made by graphnas search")
    return get_space(settings["space"]["name"], **settings["space"]["arguments"])


def read_outcome(study: optuna.Study, space: GraphSpace) -> Outcome:
    """What ``study`` holds, without trials that still run or were stopped before they gave a value."""
    states = require("optuna", "optuna").trial.TrialState
    values: list[float] = []
    best: dict[str, Evaluated] = {}
    reason = ""
    for trial in study.get_trials(deepcopy=False):
        attributes = trial.user_attrs
        if trial.state == states.COMPLETE:
            try:
                architecture = space.from_parameters(trial.params)
            except InvalidArchitecture:
                continue  # enqueued or added by hand, for something else
            values.append(float(trial.values[0]))
            evaluated = Evaluated(
                trial=trial.number,
                architecture=architecture,
                value=values[-1],
                parameters=attributes.get("parameters"),
                macs=attributes.get("macs"),
                seconds=attributes.get("seconds"),
                metrics=attributes.get("metrics", {}),
            )
            key = space.key(architecture)
            if key not in best or best[key].value < evaluated.value:
                best[key] = evaluated
        elif trial.state == states.PRUNED or "reason" in attributes:
            values.append(math.nan)
            reason = attributes.get("reason", "pruned")
    ranked = sorted(best.values(), key=lambda evaluated: -evaluated.value)
    method = study.user_attrs.get(METHOD, study.study_name)
    return Outcome(method, study.study_name, values, ranked, reason)
