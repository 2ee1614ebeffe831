"""What the tests of the door to Optuna share: a small space, its objective, and every sampler there is."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from small_space import SmallSpace, quality

from graphnas.autoencoders import FeatureVAEConfig, TrainingConfig
from graphnas.errors import DataNotFound
from graphnas.evaluate import TabularEvaluator
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Observation
from graphnas.graph.space import GraphSpace
from graphnas.methods import LatentBOConfig
from graphnas.methods.baselines.random_search import RandomSearch
from graphnas.methods.graphpnas import GraphPNASConfig
from graphnas.methods.nasgem import EncoderConfig, NASGEMConfig, PredictorConfig
from optuna_graphnas import (
    GraphBOSampler,
    GraphPNASSampler,
    GraphSampler,
    LatentBOSampler,
    LocalSearchSampler,
    NASGEMSampler,
    RandomArchitectureSampler,
    RegularizedEvolutionSampler,
    suggest_architecture,
)
from search_spaces import NASBench201

SPACE = SmallSpace()


def objective(trial: optuna.Trial) -> float:
    return quality(suggest_architecture(trial, SPACE))


# ---------------------------------------------------------------- the real space, where its table is there


@functools.cache
def real_space() -> GraphSpace:
    """NAS-Bench-201 where its table is installed, otherwise the small space."""
    return SPACE if _table() is None else NASBench201()


def real_objective(trial: optuna.Trial) -> float:
    """The recorded accuracy where the table is installed, otherwise the analytic quality."""
    table = _table()
    if table is None:
        return objective(trial)
    return float(table.evaluate(suggest_architecture(trial, real_space())).value)


@functools.cache
def _table() -> TabularEvaluator | None:
    try:
        return TabularEvaluator(NASBench201(), dataset="cifar10")
    except DataNotFound:
        return None


# ---------------------------------------------------------------- samplers


def nasgem(
    space: GraphSpace, *, n_startup_trials: int, preset: str = "default", **options: Any
) -> GraphSampler:
    """An encoder small enough for a test, and a perceptron that is trained for a moment."""
    config = NASGEMConfig.preset(
        preset,
        n_startup_trials=n_startup_trials,
        candidates=200,
        encoder=EncoderConfig(pairs=200, iterations=20, batch_size=32),
        perceptron=PredictorConfig(epochs=20),
        **({"batch_size": 2} if preset == "paper" else {}),
    )
    return NASGEMSampler(space, config=config, **options)


def latent_bo(space: GraphSpace, *, n_startup_trials: int, **options: Any) -> GraphSampler:
    """A small autoencoder, and the search of a space too large to be scored whole."""
    config = LatentBOConfig(
        model_config=FeatureVAEConfig(hidden=16, latent=8, training=TrainingConfig(epochs=2, batch_size=32)),
        training_size=60,
        n_startup_trials=n_startup_trials,
        enumerate_up_to=0,
        candidates=200,
        local_candidates=50,
        decoded_candidates=5,
    )
    return LatentBOSampler(space, config=config, **options)


def evolution(space: GraphSpace, *, n_startup_trials: int, **options: Any) -> GraphSampler:
    size = max(1, n_startup_trials)
    return RegularizedEvolutionSampler(space, population_size=size, tournament_size=min(2, size), **options)


def graphpnas(
    space: GraphSpace, *, n_startup_trials: int, generator: str = "graph", **options: Any
) -> GraphSampler:
    """A generator small enough for a test, updated often."""
    config = GraphPNASConfig(
        generator=generator,
        hidden_size=8,
        steps=2,
        mixtures=2,
        n_startup_trials=n_startup_trials,
        batch_size=2,
        epochs=3,
        warm_epochs=2,
        chunk=16,
        screened=40,
        screened_random=20,
    )
    return GraphPNASSampler(space, config=config, **options)


MAKERS: dict[str, Callable[..., GraphSampler]] = {
    "graphbo": GraphBOSampler,
    "nasgem": nasgem,
    "nasgem_paper": functools.partial(nasgem, preset="paper"),
    "graphpnas": graphpnas,
    "graphpnas_rnn": functools.partial(graphpnas, generator="rnn"),
    "latentbo": latent_bo,
    "random": RandomArchitectureSampler,
    "evolution": evolution,
    "local_search": LocalSearchSampler,
}


def sampler_names() -> list[str]:
    return list(MAKERS)


def make_sampler(
    name: str, seed: int | None = 0, *, space: GraphSpace = SPACE, n_startup_trials: int = 4, **options: Any
) -> GraphSampler:
    options.setdefault("warn_independent_sampling", False)
    return MAKERS[name](space, seed=seed, n_startup_trials=n_startup_trials, **options)


# ---------------------------------------------------------------- a method that tells what it hears


class Recorder(RandomSearch):
    """Random search that keeps the arguments of every call; all instances write into one list."""

    def __init__(self, log: list[tuple[Any, ...]], space: GraphSpace, seed: int) -> None:
        super().__init__(space, seed=seed)
        self.log = log

    def ask(self, n: int = 1, pending: Sequence[Architecture] = ()) -> list[Architecture]:
        self.log.append(("ask", [self.space.key(a) for a in pending]))
        return super().ask(n, pending)

    def learn(self, observation: Observation) -> None:
        values = observation.values
        value = values[0] if values is not None and len(values) == 1 else values
        self.log.append(("tell", self.space.key(observation.architecture), value, observation.constraints))
        super().learn(observation)


def recording_sampler(log: list[tuple[Any, ...]], space: GraphSpace = SPACE, **options: Any) -> GraphSampler:
    options.setdefault("seed", 0)
    options.setdefault("warn_independent_sampling", False)
    return GraphSampler(space, functools.partial(Recorder, log, space), **options)


def told(log: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [entry[1:] for entry in log if entry[0] == "tell"]


def keys_of(study: optuna.Study, space: GraphSpace = SPACE) -> list[str]:
    """Keys of the architectures of all trials that have one, in the order of their numbers."""
    return [
        space.key(space.from_parameters(trial.params))
        for trial in study.get_trials(deepcopy=False)
        if set(space.parameters()) <= set(trial.params)
    ]
