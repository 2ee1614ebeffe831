"""GraphPNAS as a search method: explore, learn from the best so far, propose samples of what was learned."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from graphnas.configuration import configured
from graphnas.dry_run import Work
from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import Latest
from graphnas.methods.graphpnas.config import GraphPNASConfig
from graphnas.methods.graphpnas.critic import Candidates, Critic
from graphnas.methods.graphpnas.distribution import LearnedDistribution, learned_form
from graphnas.methods.graphpnas.explorers import epsilon_at, make_explorer
from graphnas.methods.graphpnas.factory import make_generator
from graphnas.methods.graphpnas.generator import ArchitectureGenerator
from graphnas.methods.graphpnas.replay import Buffer
from graphnas.methods.graphpnas.sampling import CandidateStream, generator_stream
from graphnas.methods.graphpnas.training import Learner
from graphnas.methods.graphpnas.work import search_work
from graphnas.methods.model_based import FIRST_OWN, Finished, ModelBasedSearch, can_teach
from graphnas.seeds import drawn_seed, torch_generator

# Purposes of random generators, so that no two share a stream.
_LEARNER, _SAMPLES, _EXPLORER, _COIN, _LEFT_OVER, _LIKELIEST, _SCREENED = range(FIRST_OWN, FIRST_OWN + 7)

EXPLORER_CHUNK = 32
EXPLORER_PATIENCE = 1600
"""Graphs per draw of the explorer, and how many without a new one mean that it has no more."""


class GraphPNAS(ModelBasedSearch):
    """Learning distributions of good neural architectures via deep graph generative models (TMLR 2023).

    A generator of graphs is fitted to the best architectures evaluated so far, weighted by their rewards
    (section 3.2, eq. 12), and samples of it are proposed; with probability epsilon an explorer's graph is
    proposed instead. See :class:`GraphPNASConfig`.

    Departures from the paper and its code: architectures that were evaluated or are pending are rejected up
    to isomorphism, those of the explorer too, so that every evaluation counts as a query. Epsilon is drawn
    for each proposal (or step) from the seed and the number of earlier proposals, so proposals stay pure.
    In the default configuration a critic chooses among many samples (:mod:`.critic`); none of the published
    presets has one.

    For the generator several objectives are scalarised anew for each update (ParEGO), and infeasible
    architectures rank below all feasible ones. Pruned ones rank by an estimate
    (:func:`graphnas.surrogate.imputation.imputed_values`), and only the critic learns from failed ones.
    :class:`graphnas.surrogate.ImprovementModel` describes how they and pending trials enter the critic.

    Args:
        space: The search space.
        config: Settings; may not be given together with ``preset``.
        preset: One of ``GraphPNASConfig.presets``, such as ``"default"`` or ``"paper"``.
        seed: Seed of every random choice.

    Raises:
        InvalidArgument: Both ``config`` and ``preset``, or settings that do not fit the space.
    """

    def __init__(
        self,
        space: GraphSpace,
        config: GraphPNASConfig | None = None,
        *,
        preset: str | None = None,
        seed: int = 0,
    ) -> None:
        self.config = config = configured(GraphPNASConfig, config, preset)
        super().__init__(
            space, seed=seed, n_startup_trials=config.n_startup_trials, batch_size=config.batch_size
        )
        self._explorer = make_explorer(
            space,
            config.explorer,
            edge_probability=config.edge_probability,
            neighbors=config.neighbors,
            rewiring_probability=config.rewiring_probability,
            sizes=config.explorer_sizes,
        )
        self._critic = Critic(space)
        self._learner: Latest[Learner] = Latest()
        self._screened: Latest[Candidates] = Latest()
        self._samples: dict[bool, Latest[CandidateStream]] = {True: Latest(), False: Latest()}
        self._exploration: Latest[CandidateStream] = Latest()

    # ---------------------------------------------------------------- proposals

    def suggest(
        self, finished: Finished, pending: Sequence[Architecture], seen: Collection[str]
    ) -> Architecture | None:
        """The critic's choice or the next sample, unless it is the explorer's turn."""
        updates = self.updates(finished)
        if self._explores(updates[-1], len(seen)):
            return None
        if self.config.critic is not None:
            unseen = self._candidates(finished, updates).unseen(seen)
            if unseen is not None:
                return self._critic.best(self.training_set(finished), pending, unseen)
        likeliest = bool(self.rng(_LIKELIEST, len(seen)).random() < self.config.likeliest)
        sample = self._sample_stream(finished, updates, likeliest).first_unseen(seen)
        return None if sample is None else self.space.completed(sample)

    def explore(self, seen: Collection[str]) -> Architecture:
        """The explorer's next unseen graph."""
        stream = self._exploration(
            self.seed, lambda: CandidateStream(self.space, self._explore_chunk, EXPLORER_PATIENCE)
        )
        graph = stream.first_unseen(seen)
        if graph is None:
            return self.unseen_sample(self.rng(_LEFT_OVER, len(seen)), seen)
        return self.space.completed(graph)

    def _explore_chunk(self, chunk: int) -> tuple[int, Iterable[Architecture]]:
        return EXPLORER_CHUNK, self._explorer(self.rng(_EXPLORER, chunk), EXPLORER_CHUNK)

    def _explores(self, update: int, tried: int) -> bool:
        """Whether it is the explorer's turn, after ``tried`` different architectures."""
        config = self.config
        epsilon = epsilon_at(
            update // config.batch_size,
            config.epsilon_schedule,
            *config.epsilon,
            config.epsilon_steps,
            config.epsilon_factor,
        )
        turn = update if config.epsilon_per == "step" else tried
        return bool(self.rng(_COIN, turn).random() < epsilon)

    def _candidates(self, finished: Finished, updates: Sequence[int]) -> Candidates:
        """Samples of the last update's generator and of the explorer, the same ones until the next update."""
        config, update = self.config, updates[-1]

        def draw() -> Candidates:
            drawn: list[Architecture] = []
            if config.screened:
                source = torch_generator(drawn_seed(self.rng(_SCREENED, update)))
                generator = self._generator(finished, updates)
                drawn += generator.sample(config.screened, source).to("cpu").to_architectures()
            if config.screened_random:
                drawn += self._explorer(self.rng(_SCREENED, update, 1), config.screened_random)
            return Candidates(self.space, drawn)

        return self._screened((self.seed, finished[:update]), draw)

    def _sample_stream(self, finished: Finished, updates: Sequence[int], likeliest: bool) -> CandidateStream:
        """Samples of the last update's generator, the same ones in either order."""
        config, update = self.config, updates[-1]

        def stream() -> CandidateStream:
            return generator_stream(
                self.space,
                lambda: self._generator(finished, updates),
                [drawn_seed(self.rng(_SAMPLES, update))],
                chunk=config.chunk,
                candidates=config.candidates,
                likeliest=likeliest,
            )

        return self._samples[likeliest]((self.seed, finished[:update]), stream)

    # ---------------------------------------------------------------- learning

    def _generator(self, finished: Finished, updates: Sequence[int]) -> ArchitectureGenerator:
        """The generator after the last of ``updates``."""
        seed = drawn_seed(self.rng(_LEARNER))
        make = functools.partial(make_generator, self.space, self.config)
        learner = self._learner(self.seed, lambda: Learner(make, self.config, seed))
        return learner.at(updates, finished, self._buffer)

    def _buffer(self, finished: Finished) -> Buffer:
        """What the generator learns from: the architectures in their learned form, with scores."""
        data = self.training_set(finished)
        # What failed must never be imitated, however few succeeded.
        chosen = np.flatnonzero(~data.failed).tolist()
        if self.config.buffer is not None:
            chosen = chosen[-self.config.buffer :]
        architectures = [learned_form(self.space, data.architectures[k]) for k in chosen]
        return Buffer(architectures, data.ranked_scores[chosen])

    def work(self, trials: int) -> list[Work] | None:
        """The work of ``trials`` trials; None with a critic, for then proposals are best timed as a whole."""
        config = self.config
        if config.critic is not None:
            return None
        graphs = self._explorer(self.rng(_EXPLORER), 2 * config.training_batch_size)
        valid = [learned_form(self.space, graph) for graph in graphs if self.space.is_valid(graph)]
        while len(valid) < config.training_batch_size:
            valid.append(learned_form(self.space, self.space.sample(self.rng(_LEFT_OVER, len(valid)))))
        generator = make_generator(self.space, config, torch_generator(self.seed))
        return search_work(config, generator, valid[: config.training_batch_size], trials)

    # ---------------------------------------------------------------- what was learned

    @property
    def generator(self) -> ArchitectureGenerator:
        """The distribution learned from the evaluations, as of the last update.

        Raises:
            InvalidArgument: There was no update yet, because fewer than two evaluations succeeded.
        """
        finished = tuple(self._observations)
        if not can_teach(finished):
            count = sum(o.informative for o in finished)
            raise InvalidArgument(f"a generator learns from at least 2 values, got {count}")
        return self._generator(finished, self.updates(finished))

    def distribution(self) -> LearnedDistribution:
        """The distribution learned so far, as a result of its own: sampled, scored, saved and loaded.

        Raises:
            InvalidArgument: As :attr:`generator`.
        """
        return LearnedDistribution(self.generator, self.config)
