"""The methods that searches of tables compare, each as an Optuna sampler for a task and a seed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import optuna
from optuna.samplers import BaseSampler

from benchmarks.searches.neural_peers import PEERS
from benchmarks.searches.opening import Opened, opened
from benchmarks.searches.parameter_peers import EXTRA, BoTorchSampler, SMACSampler
from benchmarks.searches.runs import TRIALS_PER_QUERY, Run, search
from benchmarks.searches.tasks import Task
from graphnas import SearchMethod
from graphnas.autoencoders import DVAE, DVAEConfig, GraphAutoencoder, TrainingConfig
from graphnas.methods import GraphPNASConfig, LatentBO, LatentBOConfig, NASGEMConfig, TreeSearch
from graphnas.optional import require
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

LATENT_MODEL = DVAEConfig(
    hidden=128, latent=56, training=TrainingConfig(epochs=20, batch_size=64, learning_rate=2e-3)
)
LATENT_GRAPHS = 2000
ALL_SPACES = ("nasbench101", "nasbench201")
POPULATION = 20


def _nasgem_paper(task: Opened, seed: int) -> BaseSampler:
    """The paper gives no counts: here 50 random architectures, then rounds of 10."""
    config = NASGEMConfig.preset("paper", n_startup_trials=50)
    return NASGEMSampler(task.space, config=config, seed=seed)


@functools.cache
def _latent_model(name: str) -> GraphAutoencoder:
    """One D-VAE for all seeds, as in its paper, but smaller and trained for less, to suit a processor."""
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


def _neural_method(seed: int, peer: str, name: str) -> SearchMethod:
    return PEERS[peer](opened(name).space, seed)


def _neural(peer: str, task: Opened, seed: int) -> BaseSampler:
    method = functools.partial(_neural_method, peer=peer, name=task.task.name)
    return GraphSampler(task.space, method, seed=seed)


def _rnn(task: Opened, seed: int) -> BaseSampler:
    return GraphPNASSampler(task.space, config=GraphPNASConfig(generator="rnn"), seed=seed)


def _rnn_paper(task: Opened, seed: int) -> BaseSampler:
    """GraphPNAS's RNN in the loop of its text."""
    config = GraphPNASConfig.preset(f"paper{task.task.graphpnas}", generator="rnn")
    return GraphPNASSampler(task.space, config=config, seed=seed)


def _graphpnas(kind: str, task: Opened, seed: int) -> BaseSampler:
    return GraphPNASSampler(task.space, preset=f"{kind}{task.task.graphpnas}", seed=seed)


def _has_published_rows(task: Task) -> bool:
    """Tables 4 and 5; NAS-Bench-101 differs from the paper's only in what the compact table knows."""
    return task.published or task.space == "nasbench101"


@dataclass(frozen=True)
class Method:
    """One row of the tables.

    Attributes:
        sampler: Makes the sampler for a task and a seed.
        ours: Whether it suggests only architectures of the space, rather than single parameters.
        objectives: The largest number of objectives that it is run with.
        constraints: Whether it is run on tasks with a constraint.
        most_queries: The most queries that it gets, if more would take too long.
        slow_on: Spaces on which a run takes minutes.
        default: Whether it is run on a task without being asked for.
        trials_per_query: See :func:`.runs.search`.
        needs: A package of the extra ``peers`` that it needs; empty: none.
    """

    sampler: Callable[[Opened, int], BaseSampler]
    ours: bool = True
    objectives: int = 2
    constraints: bool = False
    most_queries: int | None = None
    slow_on: tuple[str, ...] = ()
    default: Callable[[Task], bool] = lambda task: True
    trials_per_query: int = TRIALS_PER_QUERY
    needs: str = ""

    def check(self) -> None:
        """Raise what names the command that installs its package, where that is missing.

        Raises:
            MissingExtra: The package is not installed.
        """
        if self.needs:
            require(self.needs, EXTRA)


METHODS = {
    "GraphBOSampler": Method(
        lambda task, seed: GraphBOSampler(task.space, seed=seed, **task.options), constraints=True
    ),
    "GraphPNASSampler": Method(
        lambda task, seed: GraphPNASSampler(task.space, seed=seed, **task.options), constraints=True
    ),
    "LatentBOSampler": Method(
        lambda task, seed: LatentBOSampler(task.space, seed=seed, **task.options), constraints=True
    ),
    "GraphPNASSampler, preset=paper": Method(
        functools.partial(_graphpnas, "paper"),
        objectives=1,
        slow_on=ALL_SPACES,
        default=_has_published_rows,
    ),
    "GraphPNASSampler, preset=released": Method(
        functools.partial(_graphpnas, "released"),
        objectives=1,
        slow_on=ALL_SPACES,
        default=_has_published_rows,
    ),
    "RNN, same settings": Method(_rnn, objectives=1),
    "RNN, preset=paper": Method(_rnn_paper, objectives=1, slow_on=ALL_SPACES, default=_has_published_rows),
    "NASGEMSampler": Method(
        lambda task, seed: NASGEMSampler(task.space, seed=seed),
        objectives=1,
        most_queries=150,
        default=lambda task: task.space == "nasbench101" or task.epochs == 200,
    ),
    "NASGEMSampler, preset=paper": Method(
        _nasgem_paper,
        objectives=1,
        most_queries=150,
        default=lambda task: task.name in ("nasbench201-cifar10-200", "nasbench101-test"),
    ),
    "LatentBOSampler, preset=paper": Method(
        _latent_paper,
        objectives=1,
        most_queries=150,
        slow_on=ALL_SPACES,
        default=lambda task: False,
    ),
    "random search": Method(
        lambda task, seed: RandomArchitectureSampler(task.space, seed=seed, **task.options), constraints=True
    ),
    "Optuna TPE": Method(
        lambda task, seed: optuna.samplers.TPESampler(seed=seed, **task.options), ours=False, constraints=True
    ),
    "Optuna GP": Method(
        lambda task, seed: optuna.samplers.GPSampler(seed=seed, **task.options),
        ours=False,
        constraints=True,
        objectives=1,
        most_queries=150,
        slow_on=("nasbench101",),
        # Once converged it proposes the same again and again, and each takes as long as a new one.
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
    **{
        name: Method(
            functools.partial(_neural, name), objectives=1, most_queries=150, default=lambda task: False
        )
        for name in PEERS
    },
    "SMAC": Method(
        lambda task, seed: SMACSampler(task.space, seed),
        ours=False,
        objectives=1,
        most_queries=150,
        default=lambda task: False,
        needs="smac",
    ),
    "BoTorch": Method(
        lambda task, seed: BoTorchSampler(task.space, seed),
        ours=False,
        most_queries=150,
        default=lambda task: False,
        trials_per_query=2,
        needs="botorch",
    ),
}


def possible_methods(task: Task) -> list[str]:
    """The methods that can be run on a task; NSGA-II needs several objectives."""
    objectives = len(task.objectives)
    names = [
        name
        for name, method in METHODS.items()
        if method.objectives >= objectives and (task.limit is None or method.constraints)
    ]
    return [name for name in names if objectives > 1 or name != "Optuna NSGA-II"]


def default_methods(task: Task) -> list[str]:
    """The methods that are run on a task without being asked for."""
    return [name for name in possible_methods(task) if METHODS[name].default(task)]


def run(task_name: str, method_name: str, seed: int, queries: int) -> Run:
    """One search of a task."""
    task, method = opened(task_name), METHODS[method_name]
    unrestricted = not method.ours and task.leaves_the_table
    return search(
        method_name,
        seed,
        method.sampler(task, seed),
        task.space,
        task.measure,
        queries,
        suggest=task.nearest if unrestricted else suggest_architecture,
        directions=task.task.objectives,
        limit=task.task.limit,
        trials_per_query=method.trials_per_query,
        validation=task.validation,
    )
