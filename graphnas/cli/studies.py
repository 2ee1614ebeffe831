"""Studies of the command line: opening them, their settings, and their results."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphnas.cli.storages import existing_file, open_storage
from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.optional import require
from search_spaces import get_space, space_names

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


@contextlib.contextmanager
def plain_interrupts() -> Iterator[None]:
    """Let Ctrl-C be Ctrl-C: where it hits Optuna while that stores a value, another error follows it.

    Raises:
        KeyboardInterrupt: An error came from one.
    """
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            cause = cause.__cause__ or cause.__context__
        raise


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
    trials = study.get_trials(deepcopy=False)
    if stored is None and trials:
        stored = study.user_attrs.get(SETTINGS)  # another process may have made it in between
    if stored is None and all("imported" in trial.user_attrs for trial in trials):
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


def load_studies(url: str, name: str | None) -> list[optuna.Study]:
    """The studies in the database or journal at ``url``: the one called ``name``, or all of them.

    Raises:
        DataNotFound: There is no such file.
        InvalidArgument: There is no study of that name.
    """
    optuna = require("optuna", "optuna")
    existing_file(url)
    storage = open_storage(url)
    names = optuna.get_all_study_names(storage)
    if name is not None and name not in names:
        raise InvalidArgument(f"no study {name!r}; there are: {', '.join(names) or 'none'}")
    wanted = names if name is None else [name]
    return [optuna.load_study(study_name=each, storage=storage) for each in wanted]


def search_the_same(studies: Sequence[optuna.Study]) -> bool:
    """Whether all were made with the same settings, as those are that one search compares."""
    settings = [study.user_attrs.get(SETTINGS) for study in studies]
    return all(other == settings[0] for other in settings)


def minimizes(study: optuna.Study) -> bool:
    """Whether the smallest value of ``study`` is the best.

    Raises:
        InvalidArgument: It has several objectives.
    """
    if len(study.directions) != 1:
        raise InvalidArgument(
            f"the study {study.study_name!r} has {len(study.directions)} objectives; see study.best_trials"
        )
    minimized: bool = study.direction.name == "MINIMIZE"
    return minimized


def space_of(study: optuna.Study, given: GraphSpace | None = None) -> GraphSpace:
    """The space that a study searches: as this command noted it, ``given``, or one of ours by its parameters.

    Raises:
        InvalidArgument: The study was not made by this command, and its space is not known.
    """
    settings = study.user_attrs.get(SETTINGS)
    if isinstance(settings, dict):
        return get_space(settings["space"]["name"], **settings["space"]["arguments"])
    if given is not None:
        return given
    for trial in study.get_trials(deepcopy=False):
        for name in sorted({name.partition("/")[0] for name in trial.params} & set(space_names())):
            space = get_space(name)
            if space.parameters().keys() <= trial.params.keys():
                return space
    raise InvalidArgument(
        f"the study {study.study_name!r} was not made by graphnas search; add --space, and what else "
        "describes its space"
    )


def read_outcome(study: optuna.Study, space: GraphSpace) -> Outcome:
    """What ``study`` holds, without trials that still run or were stopped before they gave a value."""
    states = require("optuna", "optuna").trial.TrialState
    values: list[float] = []
    best: dict[str, Evaluated] = {}
    reason = ""
    sign = -1.0 if minimizes(study) else 1.0
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
            if key not in best or sign * best[key].value < sign * evaluated.value:
                best[key] = evaluated
        elif trial.state == states.PRUNED or "reason" in attributes:
            values.append(math.nan)
            reason = attributes.get("reason", "pruned")
    ranked = sorted(best.values(), key=lambda evaluated: -sign * evaluated.value)
    method = study.user_attrs.get(METHOD, study.study_name)
    return Outcome(method, study.study_name, values, ranked, reason)
