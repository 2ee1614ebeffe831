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
from graphnas.graph.evaluation import Observation, Proposal
from graphnas.graph.product import as_space
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import JointSearch, SearchMethod
from graphnas.surrogate.prior import PriorTask, check_prior
from optuna_graphnas.block import Block
from optuna_graphnas.exclusion import LastSeen, Turn
from optuna_graphnas.fixed import fixed_architecture, fixed_parameters, with_fixed
from optuna_graphnas.history import History
from optuna_graphnas.joint import common_parameters, hyperparameters
from optuna_graphnas.prior import StoredPrior
from optuna_graphnas.records import record_failure, record_worker, trials_of

_logger = logging.getLogger(__name__)


class GraphSampler(BaseSampler):
    """Optuna sampler that proposes architectures by a search method, and everything else by another sampler.

    The parameters of the space are sampled jointly, from the first trial on. Other parameters of the study (a
    learning rate, a batch size) that every trial has are modelled and chosen together with the architecture,
    if the method can (:class:`graphnas.methods.GraphBO`); an architecture may then come again with other
    values of these. The rest goes to an inner sampler.

    * A proposal depends on the seed, the finished trials in the order of their numbers, and the architectures
      of the running trials; not on the trial number, nor on anything kept in memory. A resumed study goes on
      as if it had not been interrupted: a trial whose process was killed, or that Ctrl-C ended, counts as
      never started. An architecture that goes on killing its workers counts as failed, see ``max_retries``.
    * An architecture that is finished, running or enqueued is not proposed again, nor another one with its
      key (:meth:`graphnas.GraphSpace.key`: usually isomorphic ones), while unseen ones remain. This holds
      for threads and for several processes on one storage, which exclude each other through the storage
      (:mod:`optuna_graphnas.exclusion`).
    * The method learns from values, from the intermediate values of completed and pruned trials, and from
      failures: NaN, infinite values and exceptions (:mod:`optuna_graphnas.history`). Both directions, several
      objectives and constraints are passed on.
    * With ask-and-tell, keep the process that asked alive until the value is told, by itself or by another
      one: an unfinished trial whose process has ended on this host counts as abandoned. A trial of another
      host stays pending; let Optuna's heartbeat end such trials.

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
        joint: Whether the method chooses other parameters together with the architecture, if it can. By
            default it does, unless there is an ``independent_sampler`` for them.
        warn_independent_sampling: Whether to warn when architecture parameters cannot be sampled jointly, or
            when no finished trial has an architecture of the space.
        constraints_func: Computes constraint values of a finished trial, feasible where all are at most 0;
            NaN counts as infinite.
            On Optuna 5, ``trial.set_constraint`` works without it.
        lease_seconds: Time for which a worker on another host may hold up the others without a sign of life;
            give all workers of a study the same.
        max_retries: How often an architecture is proposed again after its worker was lost (killed, or out of
            memory) before it counts as failed; give all workers of a study the same.
        prior: What is known of other tasks, beside what :func:`optuna_graphnas.add_prior` keeps with the
            study, which every sampler finds there. Their values are to be maximised, also where the study
            minimises.

    Raises:
        InvalidArgument: An option is outside of what is allowed, or the method cannot use prior tasks.
        InvalidArchitecture: An architecture of a prior task is not in the space.
    """

    def __init__(
        self,
        space: GraphSpace | Mapping[str, GraphSpace],
        method: Callable[..., SearchMethod],
        *,
        seed: int | None = None,
        n_startup_trials: int = 10,
        independent_sampler: BaseSampler | None = None,
        joint: bool | None = None,
        warn_independent_sampling: bool = True,
        constraints_func: Callable[[FrozenTrial], Sequence[float]] | None = None,
        lease_seconds: float = 300.0,
        max_retries: int = 1,
        prior: Sequence[PriorTask] = (),
    ) -> None:
        if seed is not None and not 0 <= seed < 2**32:
            raise InvalidArgument(f"seed must be None or an integer in 0..{2**32 - 1}, got {seed}")
        if n_startup_trials < 0:
            raise InvalidArgument(f"n_startup_trials must not be negative, got {n_startup_trials}")
        if not (lease_seconds > 0 and math.isfinite(lease_seconds)):
            raise InvalidArgument(f"lease_seconds must be positive, got {lease_seconds}")
        if max_retries < 0:
            raise InvalidArgument(f"max_retries must not be negative, got {max_retries}")
        self._space = space = as_space(space)
        self._factory = method
        self._seed = secrets.randbelow(2**32) if seed is None else seed
        self._n_startup_trials = n_startup_trials
        self._independent_sampler = independent_sampler or TPESampler(
            seed=seed, n_startup_trials=n_startup_trials
        )
        self._reseeds_inner = independent_sampler is None
        self._joint = independent_sampler is None if joint is None else joint
        self._warn_independent_sampling = warn_independent_sampling
        self._constraints_func = constraints_func
        self._lease_seconds = lease_seconds
        self._max_retries = max_retries
        self._prior = check_prior(prior, space)
        if self._prior:
            method(seed=self._seed).use_prior(self._prior)  # refuses them now rather than in the first trial
        self._block = Block(space).distributions
        self._warned = False
        self._warned_of_strangers = False
        self._start_caches()

    def _start_caches(self) -> None:
        """Start what can be rebuilt from the study at any time."""
        self._lock = threading.Lock()
        self._method: SearchMethod | None = None
        self._history = History(self._space, self._max_retries)
        self._stored_prior = StoredPrior(self._space)
        self._used_prior: tuple[PriorTask, ...] = ()
        self._last_seen: LastSeen = {}
        self._checked: tuple[weakref.ref[BaseStorage], int] | None = None
        self._inner_samplers: dict[tuple[int, datetime | None], BaseSampler] = {}

    def __getstate__(self) -> dict[str, Any]:
        caches = {"_lock", "_method", "_history", "_last_seen", "_checked", "_inner_samplers"}
        caches |= {"_stored_prior", "_used_prior"}
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
        """The parameters of the space, and those of the others that are sampled jointly."""
        if self._joint and isinstance(self._make_method(), JointSearch):
            others = common_parameters(trials_of(study), self._block)
        else:
            others = self._independent_sampler.infer_relative_search_space(study, trial)
        return self._block | {name: others[name] for name in sorted(others) if name not in self._block}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values for all of ``search_space``, by the method or, of other parameters, the inner sampler."""
        values: dict[str, Any] = {}
        names = [name for name in self._block if name in search_space]
        others = {name: space for name, space in search_space.items() if name not in self._block}
        if names:
            proposal = self._propose(study, trial, others if self._joint else {})
            parameters = self._space.to_parameters(proposal.architecture)
            values = {name: parameters[name] for name in names} | dict(proposal.settings)
            others = {name: space for name, space in others.items() if name not in values}
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
        record_worker(study, trial)
        self._independent_sampler.before_trial(study, trial)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Note on the trial its constraints, or whether it failed or was stopped."""
        self._inner_samplers.pop((trial._trial_id, trial.datetime_start), None)
        if state == TrialState.FAIL:
            record_failure(study, trial)
        elif self._constraints_func is not None:
            given = [float(value) for value in self._constraints_func(trial)]
            # NaN satisfies nothing; an error here would lose what the trial has reached.
            constraints = tuple(math.inf if math.isnan(value) else value for value in given)
            study._storage.set_trial_system_attr(trial._trial_id, "constraints", constraints)
        self._independent_sampler.after_trial(study, trial, state, values)

    @property
    def space(self) -> GraphSpace:
        """The space that this sampler searches."""
        return self._space

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
            return self._method_after(study, self._history.observations(trials, study.directions))

    # ---------------------------------------------------------------- proposals

    def _propose(self, study: Study, trial: FrozenTrial, others: Mapping[str, BaseDistribution]) -> Proposal:
        """An architecture, and values of ``others`` if the method can choose these with it."""
        storage, study_id = study._storage, study._study_id
        turn = Turn(storage, study_id, trial, lease_seconds=self._lease_seconds, last_seen=self._last_seen)
        with self._lock, turn:
            self._check_study(study, turn.trials)
            self._history.belongs_to(storage, study_id)
            # Not those of the study, which a pruner may have replaced by a part of it.
            observations = self._history.observations(turn.trials, study.directions)
            pending = self._history.pending(turn.trials, trial.number)
            self._warn_of_foreign_trials(turn.trials, observations)
            method = self._method_after(study, observations)
            fixed = fixed_parameters(study, trial, self._block)
            enqueued = fixed_architecture(self._space, fixed)
            if enqueued is not None:
                proposal = Proposal(enqueued)
            elif others and isinstance(method, JointSearch):
                proposal = method.ask_joint(hyperparameters(others), pending)
            else:
                proposal = Proposal(method.ask(1, [p.architecture for p in pending])[0])
            if fixed and enqueued is None:
                known = [o.architecture for o in observations] + [p.architecture for p in pending]
                seen = set(map(self._space.key, known))
                rng = np.random.default_rng([method.seed, len(observations), len(pending)])
                architecture = with_fixed(self._space, proposal.architecture, fixed, seen, rng)
                proposal = Proposal(architecture, proposal.settings)
            turn.claim(proposal)
        return proposal

    def new_method(self) -> SearchMethod:
        """The sampler's method with its seed, told nothing yet."""
        return self._factory(seed=self._seed)

    def _make_method(self) -> SearchMethod:
        if self._method is None:
            self._method = self.new_method()
            self._used_prior = ()
        return self._method

    def _method_after(self, study: Study, observations: Sequence[Observation]) -> SearchMethod:
        method = self._make_method()
        self._use_prior(method, study)
        method.replay(observations)
        return method

    def _use_prior(self, method: SearchMethod, study: Study) -> None:
        """Give ``method`` the sampler's prior tasks and those kept with the study, when they have changed."""
        own = {task.name for task in self._prior}
        stored = self._stored_prior.tasks(study._storage, study._study_id)
        prior = (*self._prior, *(task for task in stored if task.name not in own))
        if prior == self._used_prior:
            return
        widths = {task.values.shape[1] for task in prior}
        if prior and widths != {len(study.directions)}:
            raise InvalidArgument(
                f"prior tasks have {sorted(widths)} objectives, but the study {study.study_name!r} has "
                f"{len(study.directions)}"
            )
        try:
            method.use_prior(prior)
        except InvalidArgument as error:  # only those kept with the study can be refused here
            _logger.warning("The prior tasks kept with the study are not used: %s.", error)
        self._used_prior = prior

    def _inner(self, study: Study, trial: FrozenTrial) -> BaseSampler:
        """The sampler of the other parameters of ``trial``."""
        if not self._reseeds_inner:
            return self._independent_sampler
        identity = trial._trial_id, trial.datetime_start  # storages in memory count from 0 each
        if identity not in self._inner_samplers:
            with self._lock:
                self._history.belongs_to(study._storage, study._study_id)
                trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
                lost = self._history.never_started(trials, study.directions)
            place = sum(t.number < trial.number and t.number not in lost for t in trials)
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
