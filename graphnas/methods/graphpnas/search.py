"""GraphPNAS as a search method: explore, learn from the best so far, propose samples of what was learned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from graphnas.configuration import configured
from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Observation
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import SearchMethod
from graphnas.methods.graphpnas.config import GraphPNASConfig
from graphnas.methods.graphpnas.critic import Candidates, Critic
from graphnas.methods.graphpnas.distribution import LearnedDistribution, learned_form
from graphnas.methods.graphpnas.explorers import epsilon_at, make_explorer
from graphnas.methods.graphpnas.factory import make_generator
from graphnas.methods.graphpnas.generator import ArchitectureGenerator
from graphnas.methods.graphpnas.replay import Buffer
from graphnas.methods.graphpnas.sampling import CandidateStream, generator_stream, torch_generator
from graphnas.methods.graphpnas.training import Learner
from graphnas.surrogate.objectives import feasible_first, scalarize
from graphnas.surrogate.training_set import TrainingSet

# Purposes of random generators, so that no two share a stream.
_LEARNER, _SAMPLES, _EXPLORER, _COIN, _OBJECTIVES, _LEFT_OVER, _LIKELIEST, _SCREENED = range(8)

EXPLORER_CHUNK = 32
EXPLORER_PATIENCE = 1600
"""Graphs per draw of the explorer, and how many may bring nothing new until it is taken to have no more."""


class GraphPNAS(SearchMethod):
    """Learning distributions of good neural architectures via deep graph generative models (TMLR 2023).

    A generator of graphs is fitted to the best architectures evaluated so far, weighted by their rewards
    (section 3.2, eq. 12), and samples of it are proposed; with probability epsilon an explorer's graph is
    proposed instead. See :class:`GraphPNASConfig`.

    Departures from the paper and its code: architectures that were evaluated or are pending are rejected up
    to isomorphism, those of the explorer too, so that every evaluation counts as a query. Epsilon is drawn
    for each proposal (or step) from the seed and the number of proposals before, so that proposals are a
    function of what the method was told. In the default configuration a critic chooses among many samples
    (:mod:`.critic`); none of the published presets has one.

    Several objectives are scalarised anew for each update (ParEGO); infeasible architectures rank below all
    feasible ones; failed ones are not learned from.

    Args:
        space: The search space.
        config: Settings; may not be given together with ``preset``.
        preset: One of :data:`.config.PRESETS`, such as ``"default"`` or ``"paper"``.
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
        super().__init__(space, seed=seed)
        self.config = configured(GraphPNASConfig, config, preset)
        self._explorer = make_explorer(
            space,
            self.config.explorer,
            edge_probability=self.config.edge_probability,
            neighbors=self.config.neighbors,
            rewiring_probability=self.config.rewiring_probability,
            sizes=self.config.explorer_sizes,
        )
        self._forget()

    def _forget(self) -> None:
        self._learner = Learner(self._new_generator, self.config, _seed(self.rng(_LEARNER)))
        self._critic = Critic(self.space)
        self._candidates: tuple[int, Candidates] | None = None
        self._samples: dict[tuple[int, bool], CandidateStream] = {}
        self._exploration = CandidateStream(self.space, self._explore, EXPLORER_PATIENCE)

    def _new_generator(self, source: torch.Generator) -> ArchitectureGenerator:
        return make_generator(self.space, self.config, source)

    # ---------------------------------------------------------------- proposals

    def _propose(self, pending: Sequence[Architecture], seen: set[str]) -> Architecture:
        started = len(self._observations) + len(pending)
        finished = self._finished()
        proposal: Architecture | None = None
        if started >= self.config.n_startup_trials and len(finished) >= 2:
            updates = self._updates(len(finished))
            if not self._explores(updates[-1], started):
                if self.config.critic is not None:
                    proposal = self._screened(updates, pending, seen)
                if proposal is None:
                    likeliest = bool(self.rng(_LIKELIEST, started).random() < self.config.likeliest)
                    proposal = self._sample_stream(updates, likeliest).first_unseen(seen)
        proposal = proposal or self._exploration.first_unseen(seen)
        if proposal is None:
            return self.unseen_sample(self.rng(_LEFT_OVER, started), seen, tries=1000)
        return self.space.completed(proposal)

    def _screened(
        self, updates: Sequence[int], pending: Sequence[Architecture], seen: set[str]
    ) -> Architecture | None:
        """The critic's choice among what is unseen of the last update's samples; None without any."""
        unseen = self._screened_candidates(updates).unseen(seen)
        if unseen is None:
            return None
        finished = self._finished()
        data = TrainingSet.from_observations(finished, self.rng(_OBJECTIVES, len(finished)))
        return self._critic.best(data, pending, unseen)

    def _screened_candidates(self, updates: Sequence[int]) -> Candidates:
        """Samples of the last update's generator and of the explorer, the same ones for all its proposals."""
        update, config = updates[-1], self.config
        if self._candidates is None or self._candidates[0] != update:
            drawn: list[Architecture] = []
            if config.screened:
                generator = self._learner.at(updates, self._buffer)
                source = torch_generator([_seed(self.rng(_SCREENED, update))])
                drawn += generator.sample(config.screened, source).to("cpu").to_architectures()
            if config.screened_random:
                drawn += self._explorer(self.rng(_SCREENED, update, 1), config.screened_random)
            self._candidates = update, Candidates(self.space, drawn)
        return self._candidates[1]

    def _explores(self, update: int, started: int) -> bool:
        config = self.config
        epsilon = epsilon_at(
            update // config.batch_size,
            config.epsilon_schedule,
            *config.epsilon,
            config.epsilon_steps,
            config.epsilon_factor,
        )
        turn = update if config.epsilon_per == "step" else started
        return bool(self.rng(_COIN, turn).random() < epsilon)

    def _explore(self, chunk: int) -> tuple[int, Iterable[Architecture]]:
        return EXPLORER_CHUNK, self._explorer(self.rng(_EXPLORER, chunk), EXPLORER_CHUNK)

    def _sample_stream(self, updates: Sequence[int], likeliest: bool) -> CandidateStream:
        """Samples of the last update's generator, the same ones in either order."""
        update = updates[-1]
        if (update, likeliest) not in self._samples:
            self._samples = {key: stream for key, stream in self._samples.items() if key[0] == update}
            self._samples[update, likeliest] = generator_stream(
                self._learner.at(updates, self._buffer),
                [_seed(self.rng(_SAMPLES, update))],
                chunk=self.config.chunk,
                candidates=self.config.candidates,
                likeliest=likeliest,
            )
        return self._samples[update, likeliest]

    # ---------------------------------------------------------------- learning

    def _finished(self) -> list[Observation]:
        return [o for o in self._observations if o.values is not None]

    def _updates(self, count: int) -> list[int]:
        """Numbers of finished evaluations at which the generator was updated, up to ``count``."""
        first = min(max(self.config.n_startup_trials, 2), count)
        return list(range(first, count + 1, self.config.batch_size))

    def _buffer(self, count: int) -> Buffer:
        """The first ``count`` finished evaluations."""
        observations = self._finished()[:count]
        values = np.array([o.values for o in observations], float)
        scores = scalarize(values, self.rng(_OBJECTIVES, count))
        architectures = [learned_form(self.space, o.architecture) for o in observations]
        return Buffer(architectures, feasible_first(scores, observations))

    # ---------------------------------------------------------------- what was learned

    @property
    def generator(self) -> ArchitectureGenerator:
        """The distribution learned from what was told, as of the last update.

        Raises:
            InvalidArgument: There was no update yet, since fewer than two evaluations succeeded.
        """
        finished = self._finished()
        if len(finished) < 2:
            raise InvalidArgument(f"a generator learns from at least 2 values, {len(finished)} were told")
        return self._learner.at(self._updates(len(finished)), self._buffer)

    def distribution(self) -> LearnedDistribution:
        """The distribution learned so far, as a result of its own: sampled, scored, saved and loaded.

        Raises:
            InvalidArgument: As :attr:`generator`.
        """
        return LearnedDistribution(self.generator, self.config)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**63))
