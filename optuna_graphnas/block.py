"""Block: the parameters of one architecture in a study, under the space's prefix or another name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.layout import unnested
from graphnas.graph.parts import parameter_names
from graphnas.graph.space import GraphSpace
from optuna_graphnas.records import trials_of

_CURE = (
    "if the space has grown, continue in a new study that holds the trials of this one: "
    "optuna_graphnas.continue_study(study, space)"
)


class Block:
    """The parameters of ``space`` in a study.

    Args:
        space: The search space.
        name: Stands in place of the space's own prefix; None for that prefix.

    Attributes:
        distributions: The distribution of each parameter by its name in the study.

    Raises:
        InvalidArgument: ``name`` cannot be the prefix of a parameter.
    """

    def __init__(self, space: GraphSpace, name: str | None = None) -> None:
        self.space, self.name = space, name
        choices = space.parameters()
        names = {own: own for own in choices} if name is None else parameter_names(space, name)
        self.distributions = {names[own]: CategoricalDistribution(choices[own]) for own in choices}
        own = f"{space.name}/"
        self._own_prefix = own if all(own_name.startswith(own) for own_name in choices) else ""

    def __repr__(self) -> str:
        return repr(self.space) if self.name is None else f"{self.name} ({self.space!r})"

    def architecture(self, params: Mapping[str, Any]) -> Architecture:
        """The architecture in ``params``, which may hold other parameters too.

        Raises:
            InvalidArchitecture: As :meth:`graphnas.GraphSpace.from_parameters`.
        """
        if self.name is None:
            return self.space.from_parameters(params)
        prefix = f"{self.name}/"
        own = {
            self._own_prefix + name.removeprefix(prefix): value
            for name, value in unnested(params).items()
            if name.startswith(prefix)
        }
        try:
            return self.space.from_parameters(own)
        except InvalidArchitecture as error:
            named = str(error)
            if self._own_prefix:
                named = named.replace(self._own_prefix, prefix)
            raise InvalidArchitecture(f"{self.name}: {named}") from error

    # ---------------------------------------------------------------- against a study

    def check_study(self, study: Study) -> None:
        """Check that the study was not begun with an earlier version of the space.

        Raises:
            InvalidArgument: A parameter has other choices in the study, or every finished trial lacks
                parameters or has more of them.
        """
        self.check_trials(trials_of(study), study.study_name)

    def check_trials(self, trials: Iterable[FrozenTrial], study_name: str) -> None:
        """As :meth:`check_study`, on the study's trials."""
        unseen = set(self.distributions)
        other = ""
        for trial in trials:
            present = self.distributions.keys() & trial.distributions.keys()
            if unseen & present:  # the choices of one name are the same in all trials
                for name in self.distributions:
                    if name in unseen and name in present:
                        self._check_choices(name, trial.distributions[name], study_name)
                unseen -= present
            if trial.state != TrialState.COMPLETE or not present:
                continue
            difference = self._difference(trial)
            if not difference:
                return
            other = other or difference
        if other:
            raise InvalidArgument(f"the study {study_name!r} {other}")

    def _check_choices(self, name: str, stored: BaseDistribution, study_name: str) -> None:
        if stored == self.distributions[name]:
            return
        before = getattr(stored, "choices", stored)
        raise InvalidArgument(
            f"the study {study_name!r} has the choices {before} for {name}, but {self!r} has "
            f"{self.distributions[name].choices}, and Optuna does not change the choices of a study; "
            f"{_CURE}"
        )

    def _difference(self, trial: FrozenTrial) -> str:
        missing = [name for name in self.distributions if name not in trial.params]
        if missing:
            return f"has no {missing[0]} in trial {trial.number}, but {self!r} has; {_CURE}"
        if self.name is None:
            resembles = self.space.layout.resembles
            more = [n for n in trial.params if n not in self.distributions and resembles(n)]
            if more:
                return f"has {more[0]} in trial {trial.number}, but {self!r} has not; use another study"
        return ""
