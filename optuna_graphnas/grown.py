"""continue_study: the trials of a study in a new one, for a space that has grown operations or nodes."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from graphnas.configuration import close_match
from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.product import as_space
from graphnas.graph.space import GraphSpace
from optuna_graphnas.block import Block
from optuna_graphnas.exclusion import CLAIM, TURN

SETTINGS = "graphnas"
"""Where the command ``graphnas search`` records on a study what it searches."""

_logger = logging.getLogger(__name__)


def continue_study(
    study: Study,
    space: GraphSpace | Mapping[str, GraphSpace],
    *,
    name: str | None = None,
    defaults: Mapping[str, Any] | None = None,
    storage: str | BaseStorage | None = None,
    study_name: str | None = None,
    sampler: BaseSampler | None = None,
    pruner: BasePruner | None = None,
) -> Study:
    """A new study with all trials of ``study``, in which a larger ``space`` is searched.

    Optuna does not change the choices of a parameter in one study, so a space with more operations, nodes or
    edges needs a new one. Old trials keep their values, intermediate values, constraints and attributes, and
    go on teaching. An architecture takes the first choice ("none" or no edge, in most spaces) for a parameter
    that it lacks. ``study`` is left as it is.

    Running trials are left out, as their values will come to ``study``: stop the search first. A trial whose
    architecture the new space refuses is copied and named in the log; one that has a choice that is there no
    longer is copied without the parameters of its architecture.

    Args:
        study: The study so far.
        space: The grown space.
        name: The name under which the objective suggests the architecture, if it gives one.
        defaults: Other values for parameters that old trials lack, by the names that they have in the study.
        storage: Storage of the new study; by default that of ``study``.
        study_name: Its name; by default that of ``study`` with ``-continued``.
        sampler: Its sampler, as in ``optuna.create_study``.
        pruner: Its pruner; by default that of ``study``.

    Raises:
        InvalidArgument: An unknown parameter or value in ``defaults``, or no trial of ``study`` has an
            architecture of the space.
        optuna.exceptions.DuplicatedStudyError: There is a study of this name.
    """
    block = Block(as_space(space), name)
    defaults = _checked_defaults(block, defaults or {})
    trials = study.get_trials(deepcopy=False)
    before = {parameter for trial in trials for parameter in block.distributions.keys() & trial.params.keys()}
    if trials and not before:
        raise InvalidArgument(f"no trial of the study {study.study_name!r} has an architecture of {block!r}")
    new = optuna.create_study(
        storage=study._storage if storage is None else storage,
        study_name=f"{study.study_name}-continued" if study_name is None else study_name,
        directions=study.directions,
        sampler=sampler,
        pruner=study.pruner if pruner is None else pruner,
    )
    for key, value in study._storage.get_study_system_attrs(study._study_id).items():
        new._storage.set_study_system_attr(new._study_id, key, value)
    for key, value in study.user_attrs.items():
        new.set_user_attr(key, _settings(value, block.space) if key == SETTINGS else value)
    left_out = 0
    for trial in trials:
        if trial.state == TrialState.RUNNING:
            left_out += 1
        else:
            new.add_trial(_translated(trial, block, defaults, before, trial.number - left_out))
    if left_out:
        _logger.warning("%d running trials of the study %r were left out", left_out, study.study_name)
    return new


def _checked_defaults(block: Block, defaults: Mapping[str, Any]) -> Mapping[str, Any]:
    for name, value in defaults.items():
        if name not in block.distributions:
            raise InvalidArgument(
                f"defaults: unknown parameter {name!r}; {close_match(name, block.distributions)}"
            )
        if value not in block.distributions[name].choices:
            raise InvalidArgument(
                f"defaults: {name} = {value!r} is not one of {block.distributions[name].choices}"
            )
    return defaults


def _settings(value: Any, space: GraphSpace) -> Any:
    """What the command line recorded, with the space as it is now; the command then continues the study."""
    if isinstance(value, Mapping) and "space" in value:
        return {**value, "space": {"name": space.name, "arguments": space.arguments()}}
    return value


def _translated(
    trial: FrozenTrial, block: Block, defaults: Mapping[str, Any], before: set[str], number: int
) -> FrozenTrial:
    """``trial`` as number ``number`` of the new study; ``before`` are the parameters of the old block."""
    new = copy.copy(trial)
    new.params, new.distributions = dict(trial.params), dict(trial.distributions)
    gone = {n for n in before & new.params.keys() if new.params[n] not in block.distributions[n].choices}
    if gone:
        _logger.warning(
            "trial %d: %s = %r is not a choice of %r any more; its architecture is left out",
            trial.number,
            min(gone),
            new.params[min(gone)],
            block,
        )
        for parameter in before:
            new.params.pop(parameter, None)
            new.distributions.pop(parameter, None)
    if before <= new.params.keys():
        new.params = _filled(new.params, block, defaults)
        _report_refused(trial.number, new.params, block)
    new.distributions |= {n: d for n, d in block.distributions.items() if n in new.params}
    new.system_attrs = _attributes(trial, number)
    fixed = new.system_attrs.get("fixed_params")
    if isinstance(fixed, dict) and before <= fixed.keys():
        new.system_attrs["fixed_params"] = _filled(fixed, block, defaults)
    return new


def _filled(params: Mapping[str, Any], block: Block, defaults: Mapping[str, Any]) -> dict[str, Any]:
    added = {name: defaults.get(name, d.choices[0]) for name, d in block.distributions.items()}
    return {**added, **params}


def _report_refused(number: int, params: Mapping[str, Any], block: Block) -> None:
    try:
        block.architecture(params)
    except InvalidArchitecture as error:
        _logger.warning("trial %d is copied, but teaches nothing: %s", number, error)


def _attributes(trial: FrozenTrial, number: int) -> dict[str, Any]:
    """The system attributes; our records name the trial that they belong to, which has a new number."""
    attributes = {}
    for key, value in trial.system_attrs.items():
        if key in (TURN, CLAIM):  # the exclusion of workers, of which there are none yet
            continue
        ours = key.startswith("graphnas:") and isinstance(value, dict) and value.get("trial") == trial.number
        attributes[key] = {**value, "trial": number} if ours else copy.deepcopy(value)
    return attributes
