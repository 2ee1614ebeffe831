"""GraphSampler: turns any search method into an Optuna sampler."""

from __future__ import annotations

import logging
import math
import secrets
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Observation
from graphnas.graph.product import as_space
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import SearchMethod
from optuna_graphnas.block import Block
from optuna_graphnas.exclusion import LastSeen, Turn
from optuna_graphnas.fixed import fixed_parameters, with_fixed
from optuna_graphnas.history import History, mark_failure
from optuna_graphnas.worker import is_abandoned, record_worker

_logger = logging.getLogger(__name__)


class GraphSampler(BaseSampler):
    """Optuna sampler that proposes architectures by a search method, and everything else by another sampler.

    The parameters of the space are sampled jointly, from the first trial on. Every other parameter of the
    study (a learning rate, a batch size) goes to an inner sampler.

    * A proposal depends on the seed, the finished trials in the order of their numbers, and the architectures
      of the running trials; not on the trial number, nor on anything kept in memory. A resumed study goes on
      as if it had not been interrupted: a trial whose process was killed counts as never started.
    * An architecture that is finished, running or enqueued is not proposed again, nor another one with its
      key (:meth:`graphnas.GraphSpace.key`: usually isomorphic ones), while unseen ones remain. This holds
      for threads and for several processes on one storage, which exclude each other through the storage
      (:mod:`optuna_graphnas.exclusion`).
    * For the method, pruned trials, NaN values and exceptions are failures (:mod:`optuna_graphnas.history`).
      Both directions, several objectives and constraints are passed on.
    * With ask-and-tell, keep the process that asked alive until it tells the value: an unfinished trial whose
      process has ended on this host counts as abandoned. A trial of another host stays pending; let
      Optuna's heartbeat end such trials.

    Args:
        space: The search space; suggest from it with :func:`optuna_graphnas.suggest_architecture`. A mapping
            of spaces by name stands for their :class:`graphnas.ProductSpace`.
        method: Makes the search method when called with ``seed=...``, such as
            ``functools.partial(RandomSearch, space)``. To pickle the sampler it must be picklable: no lambda.
        seed: Seed of the method and of the default inner sampler; drawn at random when None.
        n_startup_trials: Random trials of the default inner sampler; how the method starts is up to its own
            configuration.
        independent_sampler: Sampler of all other parameters. By default a ``TPESampler``, reseeded for every
            trial from the seed and the trials before it, so that resuming does not repeat its random trials.
        warn_independent_sampling: Whether to warn when architecture parameters cannot be sampled jointly, or
            when no finished trial has an architecture of the space.
        constraints_func: Computes constraint values of a finished trial, feasible where all are at most 0.
            On Optuna 5, ``trial.set_constraint`` works without it.
        lease_seconds: Time for which a worker on another host may hold up the others without a sign of life;
            give all workers of a study the same.

    Raises:
        InvalidArgument: An option is outside of what is allowed.
    """

    def __init__(
        self,
        space: GraphSpace | Mapping[str, GraphSpace],
        method: Callable[..., SearchMethod],
        *,
        seed: int | None = None,
        n_startup_trials: int = 10,
        independent_sampler: BaseSampler | None = None,
        warn_independent_sampling: bool = True,
        constraints_func: Callable[[FrozenTrial], Sequence[float]] | None = None,
        lease_seconds: float = 300.0,
    ) -> None:
        if seed is not None and not 0 <= seed < 2**32:
            raise InvalidArgument(f"seed must be None or an integer in 0..{2**32 - 1}, got {seed}")
        if n_startup_trials < 0:
            raise InvalidArgument(f"n_startup_trials must not be negative, got {n_startup_trials}")
        if not (lease_seconds > 0 and math.isfinite(lease_seconds)):
            raise InvalidArgument(f"lease_seconds must be positive, got {lease_seconds}")
        self._space = space = as_space(space)
        self._factory = method
        self._seed = secrets.randbelow(2**32) if seed is None else seed
        self._n_startup_trials = n_startup_trials
        self._independent_sampler = independent_sampler or TPESampler(
            seed=seed, n_startup_trials=n_startup_trials
        )
        self._reseeds_inner = independent_sampler is None
        self._warn_independent_sampling = warn_independent_sampling
        self._constraints_func = constraints_func
        self._lease_seconds = lease_seconds
        self._block = Block(space).distributions
        self._warned = False
        self._warned_of_strangers = False
        self._start_caches()

    def _start_caches(self) -> None:
        """Start what can be rebuilt from the study at any time."""
        self._lock = threading.Lock()
        self._method: SearchMethod | None = None
        self._history = History(self._space)
        self._last_seen: LastSeen = {}
        self._checked: tuple[weakref.ref[BaseStorage], int] | None = None
        self._inner_samplers: dict[tuple[int, datetime | None], BaseSampler] = {}

    def __getstate__(self) -> dict[str, Any]:
        caches = ("_lock", "_method", "_history", "_last_seen", "_checked", "_inner_samplers")
        return {name: value for name, value in self.__dict__.items() if name not in caches}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start_caches()

    # ---------------------------------------------------------------- Optuna's contract

    def reseed_rng(self) -> None:
        """Reseed the inner sampler. Architectures do not depend on it: they never repeat what is running."""
        self._independent_sampler.reseed_rng()
        self._reseeds_inner = False

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters of the space, and what the inner sampler samples jointly of the others."""
        others = self._independent_sampler.infer_relative_search_space(study, trial)
        return self._block | {name: others[name] for name in sorted(others) if name not in self._block}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values for all of ``search_space``: the space's by the method, the others by the inner sampler."""
        values: dict[str, Any] = {}
        names = [name for name in self._block if name in search_space]
        if names:
            proposal = self._space.to_parameters(self._propose(study, trial))
            values = {name: proposal[name] for name in names}
        others = {name: space for name, space in search_space.items() if name not in self._block}
        if others:
            inner = self._inner(study, trial)
            sampled = inner.sample_relative(study, trial, others)
            for name, distribution in others.items():
                if name not in sampled:
                    sampled[name] = inner.sample_independent(study, trial, name, distribution)
            values.update(sampled)
        return values

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """One value from the inner sampler."""
        inner = self._inner(study, trial)
        if param_name in self._block and self._warn_independent_sampling:
            _logger.warning(
                "%s of trial %d is sampled by %s on its own, not with the rest of the architecture.",
                param_name,
                trial.number,
                type(inner).__name__,
            )
        return inner.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Note on the trial which process runs it."""
        record_worker(study._storage, trial)
        self._independent_sampler.before_trial(study, trial)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Note on the trial its constraints, and that it failed if it did."""
        self._inner_samplers.pop((trial._trial_id, trial.datetime_start), None)
        if state == TrialState.FAIL:
            mark_failure(study._storage, trial)
        elif self._constraints_func is not None:
            constraints = tuple(float(value) for value in self._constraints_func(trial))
            if any(math.isnan(value) for value in constraints):
                raise InvalidArgument(f"constraint values must not be NaN, got {constraints}")
            study._storage.set_trial_system_attr(trial._trial_id, "constraints", constraints)
        self._independent_sampler.after_trial(study, trial, state, values)

    # ---------------------------------------------------------------- the space and the study

    def _check_study(self, study: Study, trials: Sequence[FrozenTrial]) -> None:
        """Refuse a study of another version of the space before anything is proposed, once."""
        storage, study_id = study._storage, study._study_id
        if self._checked is None or self._checked[0]() is not storage or self._checked[1] != study_id:
            Block(self._space).check_trials(trials, study.study_name)
            self._checked = weakref.ref(storage), study_id

    def check_block(self, block: Block) -> None:
        """Check what an objective is about to suggest.

        Raises:
            InvalidArgument: It has the names of this sampler's space, but other choices.
        """
        for name, distribution in block.distributions.items():
            if name in self._block and self._block[name] != distribution:
                raise InvalidArgument(
                    f"{block!r} has the choices {distribution.choices} for {name}, but the space of the "
                    f"sampler, {self._space!r}, has {self._block[name].choices}"
                )
        if block.distributions.keys() <= self._block.keys() or self._warned_of_strangers:
            return
        self._warned_of_strangers = True
        if self._warn_independent_sampling:
            _logger.warning(
                "The sampler searches %r and does not know the parameters of %r: they are sampled by %s, not "
                "as one architecture. For both jointly, give it ProductSpace(first=..., second=...), and "
                'suggest_architecture(trial, ..., name="first").',
                self._space,
                block,
                type(self._independent_sampler).__name__,
            )

    # ---------------------------------------------------------------- what was learned

    def method_of(self, study: Study) -> SearchMethod:
        """The search method with all that it learned from the finished trials of ``study``.

        It is the sampler's own: do not call its ``tell`` or ``learn``.
        """
        with self._lock:
            self._history.belongs_to(study._storage, study._study_id)
            trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
            return self._method_after(self._history.observations(trials, study.directions))

    # ---------------------------------------------------------------- proposals

    def _propose(self, study: Study, trial: FrozenTrial) -> Architecture:
        storage, study_id = study._storage, study._study_id
        turn = Turn(storage, study_id, trial, lease_seconds=self._lease_seconds, last_seen=self._last_seen)
        with self._lock, turn:
            self._check_study(study, turn.trials)
            self._history.belongs_to(storage, study_id)
            # Not those of the study, which a pruner may have replaced by a part of it.
            observations = self._history.observations(turn.trials, study.directions)
            pending = self._history.pending(turn.trials, trial.number)
            self._warn_of_foreign_trials(turn.trials, observations)
            method = self._method_after(observations)
            architecture = method.ask(1, pending)[0]
            fixed = fixed_parameters(study, trial, self._block)
            if fixed:
                seen = {self._space.key(a) for a in (*pending, *(o.architecture for o in observations))}
                rng = np.random.default_rng([method.seed, len(observations), len(pending)])
                architecture = with_fixed(self._space, architecture, fixed, seen, rng)
            turn.claim(architecture)
        return architecture

    def _method_after(self, observations: Sequence[Observation]) -> SearchMethod:
        if self._method is None:
            self._method = self._factory(seed=self._seed)
        self._method.replay(observations)
        return self._method

    def _inner(self, study: Study, trial: FrozenTrial) -> BaseSampler:
        """The sampler of the other parameters of ``trial``."""
        if not self._reseeds_inner:
            return self._independent_sampler
        identity = trial._trial_id, trial.datetime_start  # storages in memory count from 0 each
        if identity not in self._inner_samplers:
            trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
            place = sum(
                t.number < trial.number and (t.state.is_finished() or not is_abandoned(t)) for t in trials
            )
            seed = int(np.random.SeedSequence([self._seed, place]).generate_state(1)[0])
            sampler = TPESampler(seed=seed, n_startup_trials=self._n_startup_trials)
            self._inner_samplers[identity] = sampler
        return self._inner_samplers[identity]

    def _warn_of_foreign_trials(
        self, trials: Sequence[FrozenTrial], observations: Sequence[Observation]
    ) -> None:
        if observations or self._warned or not self._warn_independent_sampling:
            return
        if sum(t.state == TrialState.COMPLETE for t in trials) >= max(1, self._n_startup_trials):
            self._warned = True
            _logger.warning(
                "None of the finished trials has the parameters of %s. Does the objective call "
                "suggest_architecture(trial, space) with the space of its sampler?",
                self._space.name,
            )
