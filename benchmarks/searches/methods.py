"""The methods that table_search.py compares, each as an Optuna sampler for a task and a seed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import optuna
from optuna.samplers import BaseSampler

from benchmarks.searches.runs import TRIALS_PER_QUERY, Run, search
from benchmarks.searches.tasks import Opened, opened
from graphnas import SearchMethod
from graphnas.autoencoders import DVAE, DVAEConfig, GraphAutoencoder, TrainingConfig
from graphnas.methods import GraphPNASConfig, LatentBO, LatentBOConfig, NASGEMConfig, TreeSearch
from graphnas.methods.nasgem import EncoderConfig
from optuna_graphnas import (
    GraphPNASSampler,
    GraphSampler,
    LatentBOSampler,
    LocalSearchSampler,
    NASGEMSampler,
    RandomArchitectureSampler,
    RegularizedEvolutionSampler,
    suggest_architecture,
)

LATENT_MODEL = DVAEConfig(
    hidden=128, latent=56, training=TrainingConfig(epochs=20, batch_size=64, learning_rate=2e-3)
)
LATENT_GRAPHS = 2000
POPULATION = 20


def _nasgem_paper(task: Opened, seed: int) -> BaseSampler:
    """The paper names no counts: here 50 random architectures, then rounds of 10."""
    config = NASGEMConfig.preset("paper", n_startup_trials=50, encoder=EncoderConfig(dimension=10))
    return NASGEMSampler(task.space, config=config, seed=seed)


@functools.cache
def _latent_model(name: str) -> GraphAutoencoder:
    """One D-VAE for all seeds, as in its paper, smaller and trained for less, so that it fits a processor."""
    import numpy as np

    space = opened(name).space
    return DVAE(space, LATENT_MODEL).fit(space.sample_batch(np.random.default_rng(0), LATENT_GRAPHS))


def _latent_method(seed: int, name: str) -> SearchMethod:
    config = LatentBOConfig.preset("paper", training_size=LATENT_GRAPHS)
    return LatentBO(opened(name).space, config, seed=seed, autoencoder=_latent_model(name))


def _latent_paper(task: Opened, seed: int) -> BaseSampler:
    """D-VAE's search: 50 random architectures, then rounds of 50."""
    method = functools.partial(_latent_method, name=task.task.name)
    return GraphSampler(task.space, method, seed=seed)


def _tree_search(seed: int, name: str) -> SearchMethod:
    return TreeSearch(opened(name).space, seed=seed)


def _trees(task: Opened, seed: int) -> BaseSampler:
    return GraphSampler(task.space, functools.partial(_tree_search, name=task.task.name), seed=seed)


def _rnn(task: Opened, seed: int) -> BaseSampler:
    return GraphPNASSampler(task.space, config=GraphPNASConfig(generator="rnn"), seed=seed)


@dataclass(frozen=True)
class Method:
    """One row of the tables.

    Attributes:
        sampler: Makes it for a task and a seed.
        ours: Whether it suggests architectures of the space only; otherwise it draws single parameters.
        objectives: The most objectives that it is run with.
        most_queries: The most queries that it is given, where more would take too long.
        slow: Whether a run takes minutes, so that it gets fewer seeds.
        trials_per_query: See :func:`resumable.search`.
    """

    sampler: Callable[[Opened, int], BaseSampler]
    ours: bool = True
    objectives: int = 2
    most_queries: int | None = None
    slow: bool = False
    trials_per_query: int = TRIALS_PER_QUERY


METHODS = {
    "NASGEMSampler": Method(lambda task, seed: NASGEMSampler(task.space, seed=seed)),
    "GraphPNASSampler": Method(lambda task, seed: GraphPNASSampler(task.space, seed=seed)),
    "LatentBOSampler": Method(lambda task, seed: LatentBOSampler(task.space, seed=seed)),
    "GraphPNASSampler, paper": Method(
        lambda task, seed: GraphPNASSampler(task.space, preset=task.task.graphpnas, seed=seed),
        objectives=1,
        slow=True,
    ),
    "RNN, same settings": Method(_rnn, objectives=1),
    "NASGEMSampler, preset=paper": Method(_nasgem_paper, objectives=1, most_queries=100, slow=True),
    "LatentBOSampler, preset=paper": Method(_latent_paper, objectives=1, most_queries=150, slow=True),
    "random search": Method(lambda task, seed: RandomArchitectureSampler(task.space, seed=seed)),
    "Optuna TPE": Method(lambda task, seed: optuna.samplers.TPESampler(seed=seed), ours=False),
    "Optuna GP": Method(
        lambda task, seed: optuna.samplers.GPSampler(seed=seed),
        ours=False,
        objectives=1,
        most_queries=150,
        # Converged, it proposes the same again and again, each time for as long as a new one.
        trials_per_query=2,
    ),
    "Optuna NSGA-II": Method(
        lambda task, seed: optuna.samplers.NSGAIISampler(population_size=POPULATION, seed=seed), ours=False
    ),
    "regularised evolution": Method(
        lambda task, seed: RegularizedEvolutionSampler(task.space, seed=seed), objectives=1
    ),
    "local search": Method(lambda task, seed: LocalSearchSampler(task.space, seed=seed), objectives=1),
    "extra-trees": Method(_trees, objectives=1),
}


def methods_of(objectives: int) -> list[str]:
    """The methods that are run with so many objectives; NSGA-II with several only."""
    names = [name for name, method in METHODS.items() if method.objectives >= objectives]
    return [name for name in names if objectives > 1 or name != "Optuna NSGA-II"]


def run(task_name: str, method_name: str, seed: int, queries: int) -> Run:
    """One search of a task."""
    task, method = opened(task_name), METHODS[method_name]
    replaced = not method.ours and task.task.space == "nasbench101"
    return search(
        method_name,
        seed,
        method.sampler(task, seed),
        task.space,
        task.measure,
        queries,
        suggest=task.nearest if replaced else suggest_architecture,
        directions=task.task.objectives,
        trials_per_query=method.trials_per_query,
    )
