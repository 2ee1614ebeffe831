"""GraphBO as a search method: a random start, then the best of many candidates by a Gaussian process."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence

import numpy as np

from graphnas.configuration import configured
from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.evaluation import Observation, Proposal, Settings
from graphnas.graph.space import GraphSpace
from graphnas.hyperparameters import HyperParameters
from graphnas.methods.base import Latest
from graphnas.methods.candidates import ELITES, CandidatePool, changed_candidates
from graphnas.methods.graphbo.config import GraphBOConfig
from graphnas.methods.graphbo.joint import Pairs, ranked_pairs
from graphnas.methods.model_based import (
    FIRST_OWN,
    REFUSED,
    Finished,
    ModelBasedSearch,
    Ranking,
    can_teach,
)
from graphnas.surrogate.graph_surrogate import GraphSurrogate
from graphnas.surrogate.joint_surrogate import JointSurrogate
from graphnas.surrogate.prior import PriorTask, best_of, check_prior
from graphnas.surrogate.training_set import TrainingSet

_SETTINGS, _PRIOR = range(FIRST_OWN, FIRST_OWN + 2)


class GraphBO(ModelBasedSearch):
    """Bayesian optimisation with a Gaussian process on graph features; the method that we recommend.

    The process learns from the architectures evaluated so far and scores many candidates by their expected
    improvement: all architectures of a small space, otherwise random ones and changes of the best. Its kernel
    is a learned sum of Weisfeiler-Lehman kernels, one on the flattened bits and one on operation features
    (:class:`graphnas.surrogate.GraphKernels`). :class:`graphnas.surrogate.ImprovementModel` describes how
    several objectives, constraints and pending trials enter.

    Args:
        space: The search space.
        config: Settings; may not be given together with ``preset``.
        preset: ``"default"``.
        seed: Seed of every random choice.
        prior: What is known of other tasks (:class:`graphnas.surrogate.PriorTask`). The search then has no
            random start: it begins with what is best by the average of the prior tasks, and goes on with a
            process that learns from its own evaluations how far each of them is right
            (:mod:`graphnas.surrogate.transfer`).

    Raises:
        InvalidArgument: Both ``config`` and ``preset``, or prior tasks that do not fit together.
        InvalidArchitecture: An architecture of a prior task is not in the space.
    """

    def __init__(
        self,
        space: GraphSpace,
        config: GraphBOConfig | None = None,
        *,
        preset: str | None = None,
        seed: int = 0,
        prior: Sequence[PriorTask] = (),
    ) -> None:
        self.config = config = configured(GraphBOConfig, config, preset)
        super().__init__(
            space, seed=seed, n_startup_trials=config.n_startup_trials, batch_size=config.batch_size
        )
        self._pool = CandidatePool(
            self, config.candidates, config.local_candidates, max(config.refresh, config.batch_size)
        )
        self.prior: tuple[PriorTask, ...] = ()
        self.use_prior(prior)

    def use_prior(self, tasks: Sequence[PriorTask]) -> None:
        """Search with what is known of other tasks; see :meth:`SearchMethod.use_prior`."""
        config, tasks = self.config, check_prior(tasks, self.space)
        for observation in self._observations:
            _check_objectives(observation, tasks)
        self.prior = tasks
        self._startup = 0 if self.prior else config.n_startup_trials
        model = functools.partial(
            GraphSurrogate,
            self.space,
            config.depths,
            operations=config.operation_features,
            two_objectives=config.two_objectives,
            refit_growth=config.refit_growth,
            prior=self.prior,
        )
        self._model, self._joint = model(noise=config.noise), JointSurrogate(*model.args, **model.keywords)
        self._pairs: Latest[tuple[ArchitectureBatch, Pairs]] = Latest()
        self._ranking = Latest()
        self._first: Latest[Ranking] = Latest()
        self._joined: Latest[ArchitectureBatch] = Latest()

    def learn(self, observation: Observation) -> None:
        """Add a finished evaluation; see :meth:`SearchMethod.learn`.

        Raises:
            InvalidArgument: Also if it has another number of objectives than the prior tasks.
        """
        _check_objectives(observation, self.prior)
        super().learn(observation)

    def explore(self, seen: Collection[str]) -> Architecture:
        """The unseen architecture of the largest average prior mean; a random one without prior tasks."""
        if not self.prior:
            return super().explore(seen)

        def rank() -> Ranking:
            candidates = self._unchanging(0)
            return candidates, self._model.expected(candidates)

        candidates, expected = self._first(self.seed, rank)
        order = np.argsort(-expected, kind="stable")
        best = self.first_unseen((candidates.architecture(int(k)) for k in order), seen)
        return super().explore(seen) if best is None else best

    def suggest(
        self, finished: Finished, pending: Sequence[Architecture], seen: Collection[str]
    ) -> Architecture | None:
        """The candidate of the largest expected improvement; see :meth:`ModelBasedSearch.suggest`."""
        known = finished[: self.updates(finished)[-1]]
        waiting = tuple(pending)
        return self.best_unseen(
            (known, waiting), lambda: self._ranked(self.training_set(known), waiting), seen
        )

    def _ranked(self, data: TrainingSet, pending: Sequence[Architecture]) -> Ranking:
        pools = [*self._pool.changed(data), self._unchanging(len(data))]
        scores = self._model.score(data, pending, pools, fixed=self._pool.whole is not None)
        return ArchitectureBatch.cat(pools), np.concatenate(scores)

    def _unchanging(self, count: int) -> ArchitectureBatch:
        """The candidates that do not depend on what was best, after ``count`` evaluations.

        Beside those of the pool they are the best of the prior tasks, and changes of these.
        """
        drawn = self._pool.random(count)
        if not self.prior or self._pool.whole is not None:
            return drawn

        def join() -> ArchitectureBatch:
            size = self.config.local_candidates
            best = best_of(self.prior, size)
            parents = best[: ELITES * len(self.prior)]
            return ArchitectureBatch.cat(
                [
                    drawn,
                    ArchitectureBatch.from_architectures(best, self.space.max_nodes),
                    changed_candidates(self.space, parents, size, self.rng(_PRIOR)),
                ]
            )

        return self._joined((self.seed, count // self._pool.refresh), join)

    # ---------------------------------------------------------------- hyper-parameters beside the graph

    def ask_joint(self, parameters: HyperParameters, pending: Sequence[Proposal] = ()) -> Proposal:
        """Propose an architecture and values of ``parameters`` together.

        One process on both (:class:`graphnas.surrogate.JointKernel`) learns which architectures are good,
        which hyper-parameters, and which of them for which architecture. An architecture that was evaluated
        may be proposed again with other hyper-parameters.

        Args:
            parameters: What to choose beside the architecture.
            pending: What is being evaluated.
        """
        observations, waiting = tuple(self._observations), tuple(pending)
        rng = self.rng(_SETTINGS, len(observations), len(waiting))
        if len(observations) + len(waiting) >= self._startup and can_teach(observations):
            known = observations[: self.updates(observations)[-1]]

            def rank() -> tuple[ArchitectureBatch, Pairs]:
                return self._ranked_pairs(known, waiting, parameters, rng)

            candidates, pairs = self._pairs((self.seed, known, waiting, parameters), rank)
            tried = [(o.architecture, o.settings) for o in observations]
            tried += [(p.architecture, p.settings) for p in waiting]
            proposal = self._first_untried(candidates, pairs, tried, parameters)
            if proposal is not None:
                return proposal
        (architecture,) = self.ask(1, [p.architecture for p in waiting])
        return Proposal(architecture, tuple(parameters.decode(parameters.sample(rng, 1)[0]).items()))

    def _first_untried(
        self,
        candidates: ArchitectureBatch,
        pairs: Pairs,
        tried: Sequence[tuple[Architecture, Settings]],
        parameters: HyperParameters,
    ) -> Proposal | None:
        """The first of ``pairs`` that the space allows and that was not ``tried``."""
        used = {(self.space.key(a), *parameters.encode([dict(s)])[0].tolist()) for a, s in tried}
        refused = 0
        for k, row in zip(pairs[0].tolist(), pairs[1], strict=True):
            architecture = candidates.architecture(k)
            if not self.space.is_valid(architecture):
                refused += 1
                if refused == REFUSED:
                    return None
            elif (self.space.key(architecture), *row.tolist()) not in used:
                return Proposal(architecture, tuple(parameters.decode(row).items()))
        return None

    def _ranked_pairs(
        self,
        known: Finished,
        pending: Sequence[Proposal],
        parameters: HyperParameters,
        rng: np.random.Generator,
    ) -> tuple[ArchitectureBatch, Pairs]:
        data = self.training_set(known)
        rows = parameters.encode([dict(o.settings) for o in known])
        pools = [*self._pool.changed(data), self._unchanging(len(data))]
        fixed = self._pool.whole is not None
        score = self._joint.fit(data, rows, pending, pools, parameters, fixed=fixed)
        candidates = ArchitectureBatch.cat(pools)
        return candidates, ranked_pairs(score, len(candidates), rows[data.best(ELITES)], parameters, rng)


def _check_objectives(observation: Observation, tasks: Sequence[PriorTask]) -> None:
    for task in tasks:
        if observation.values is not None and len(observation.values) != task.values.shape[1]:
            raise InvalidArgument(
                f"an evaluation has {len(observation.values)} objectives, but prior task {task.name!r} has "
                f"{task.values.shape[1]}"
            )
