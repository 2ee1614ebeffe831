"""LatentBO: Bayesian optimisation in the latent space of a graph autoencoder."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphnas import autoencoders
from graphnas.autoencoders.base import GraphAutoencoder
from graphnas.autoencoders.model import Graphs
from graphnas.configuration import configured
from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import Latest
from graphnas.methods.latent.config import LatentBOConfig
from graphnas.methods.latent.pool import LatentPool
from graphnas.methods.latent.rounds import Rounds, make_process
from graphnas.methods.latent.trained import trained_autoencoder, training_architectures
from graphnas.methods.model_based import FIRST_OWN, POOL, Finished, ModelBasedSearch, Ranking
from graphnas.surrogate.improvement import ImprovementModel
from graphnas.surrogate.training_set import TrainingSet

_ROUND = FIRST_OWN


class LatentBO(ModelBasedSearch):
    """Bayesian optimisation in the latent space of a graph autoencoder.

    The autoencoder is trained on random architectures of the space, without accuracies, when it is first
    needed, which takes seconds with the default model. A Gaussian process on the latents of the evaluated
    architectures then chooses the next one. ``preset="paper"`` is the search of D-VAE (NeurIPS 2019, section
    4.3), which optimises over the latent space and decodes. The default departs from it, since far from any
    encoding neither the process nor the decoder is reliable: candidates are the encodings of real
    architectures, among them those that a trust region around the best decodes to, scored by log expected
    improvement (Ament et al., NeurIPS 2023) with a process that is refitted after every evaluation.

    :class:`graphnas.surrogate.ImprovementModel` describes how several objectives, constraints and pending
    trials enter. In the paper's rounds, objectives are scalarised anew for each round (ParEGO), and an
    architecture that breaks a constraint counts as the worst value.

    Args:
        space: The search space.
        config: Settings; may not be given together with ``preset``.
        preset: ``"default"`` or ``"paper"``.
        seed: Seed of every random choice.
        autoencoder: A trained autoencoder to use instead of training one.
        trained_on: What ``autoencoder`` was trained on. Its latents give the box of the paper's rounds and
            the scale of the trust region; without it, those of random architectures do.

    Raises:
        InvalidArgument: Both ``config`` and ``preset``, a ``model_config`` of another model, an autoencoder
            of another space, or ``trained_on`` without an autoencoder or without architectures.
        CorruptData: ``config.model`` is a file of something else.
    """

    def __init__(
        self,
        space: GraphSpace,
        config: LatentBOConfig | None = None,
        *,
        preset: str | None = None,
        seed: int = 0,
        autoencoder: GraphAutoencoder | None = None,
        trained_on: Graphs | None = None,
    ) -> None:
        self.config = config = configured(LatentBOConfig, config, preset)
        super().__init__(
            space, seed=seed, n_startup_trials=config.n_startup_trials, batch_size=config.batch_size
        )
        if autoencoder is None:
            autoencoder = _given_by(config, space)
        if autoencoder is not None and autoencoder.space.name != space.name:
            raise InvalidArgument(f"the autoencoder is of {autoencoder.space.name!r}, not of {space.name!r}")
        if trained_on is not None and (autoencoder is None or not len(trained_on)):
            raise InvalidArgument("trained_on needs at least one architecture, and an autoencoder")
        self._given, self._trained_on = autoencoder, trained_on
        self._prepared: Latest[LatentPool] = Latest()
        self._model: Latest[ImprovementModel] = Latest()
        self._rounds: Rounds | None = None

    @property
    def autoencoder(self) -> GraphAutoencoder:
        """The autoencoder, trained on first use."""
        return self._pool.model

    @property
    def _pool(self) -> LatentPool:
        return self._prepared(self.seed, self._prepare)

    def _prepare(self) -> LatentPool:
        if self._given is None:
            model, trained_on = trained_autoencoder(self.space, self.config, self.seed)
            return LatentPool(self.space, self.config, model, trained_on)
        known = self._trained_on
        if known is None:
            known = training_architectures(self.space, self.config.training_size, self.seed)
        return LatentPool(self.space, self.config, self._given, known)

    def suggest(
        self, finished: Finished, pending: Sequence[Architecture], seen: Collection[str]
    ) -> Architecture | None:
        """The best candidate, or the next one of a round; see :meth:`ModelBasedSearch.suggest`."""
        updates = self.updates(finished)
        if self.config.strategy == "rounds":
            return self.first_unseen(self._planned(finished, updates), seen)
        known, waiting = finished[: updates[-1]], tuple(pending)
        data = self.training_set(known)
        return self.best_unseen((known, waiting), lambda: self._ranked(data, waiting), seen)

    def _ranked(self, data: TrainingSet, pending: Sequence[Architecture]) -> Ranking:
        pool = self._pool
        latents = pool.encode(data.architectures)
        seed = self.seed
        model = self._model(seed, lambda: ImprovementModel(lambda: make_process(self.config, seed)))
        score = model.fit(data, [latents], [pool.encode(pending)] if pending else None)
        candidates, points = pool.candidates(data, latents, lambda z: score([z]), self.rng(POOL, len(data)))
        return candidates, score([points])

    def _planned(self, finished: Finished, updates: Sequence[int]) -> list[Architecture]:
        """What the current round decoded, after the rounds that led to it."""
        if self._rounds is None or not self._rounds.belongs_to(self.seed, finished, updates):
            self._rounds = Rounds(self.config, self.seed, self._pool, self.space.key)
        for number in range(len(self._rounds), len(updates)):
            known = finished[: updates[number]]
            self._rounds.plan(known, self.training_set(known), self.rng(_ROUND, number))
        return self._rounds.proposals(len(updates) - 1)


def _given_by(config: LatentBOConfig, space: GraphSpace) -> GraphAutoencoder | None:
    """The trained autoencoder whose file the configuration names; None if one is to be trained."""
    name = autoencoders.MODELS.get(config.model)
    kind = None if name is None else getattr(autoencoders, name).config_class
    if config.model_config is not None and type(config.model_config) is not kind:
        needed = "no model_config, since it is trained" if kind is None else f"a {kind.__name__}"
        raise InvalidArgument(
            f"model {config.model!r} needs {needed}, got {type(config.model_config).__name__}"
        )
    return None if name is not None else autoencoders.load_autoencoder(config.model, space=space)
