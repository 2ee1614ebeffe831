"""LatentBO on NAS-Bench-201 and on 30,001 cells of NAS-Bench-101, beside the usual searches, by queries.

Every method goes through ``optuna.create_study(sampler=...)`` and runs for the largest number of queries; the
table shows the mean over seeds of the best value after each number. The value is the validation accuracy of
the longest training in the table. On NAS-Bench-101 only the cells with a known validation accuracy are
searched (``space.restricted_to(table)``). Optuna's TPE cannot be held to them: there, each of its proposals
is replaced by the cell that differs in the fewest parameters, and it is told that one's value.

``LatentBOSampler, preset=paper`` is D-VAE's search with one D-VAE for all seeds, as in its paper, but smaller
and trained for fewer epochs on fewer graphs, so that it fits a processor; the record says how.

    python benchmarks/latent_bo.py --space nasbench201 --seeds 10
    python benchmarks/latent_bo.py --space nasbench101 --seeds 10
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from common import RESULTS, write_record
from tqdm import tqdm

from graphnas import Architecture, GraphSpace
from graphnas.evaluate import TabularEvaluator
from graphnas.methods import LatentBO, LatentBOConfig
from graphnas.methods.latent import DVAE, DVAEConfig, GraphAutoencoder, TrainingConfig
from optuna_graphnas import (
    GraphSampler,
    LatentBOSampler,
    RandomArchitectureSampler,
    RegularizedEvolutionSampler,
    suggest_architecture,
)
from search_spaces import NASBench101, NASBench201

SPACES = ("nasbench201", "nasbench101")
PAPER_MODEL = DVAEConfig(
    hidden=128, latent=56, training=TrainingConfig(epochs=20, batch_size=64, learning_rate=2e-3)
)
PAPER_GRAPHS = 2000


@functools.cache
def task(name: str, dataset: str) -> tuple[GraphSpace, TabularEvaluator]:
    """Space and table, once per process."""
    if name == "nasbench201":
        space: GraphSpace = NASBench201()
        return space, TabularEvaluator(space, dataset=dataset)
    table = TabularEvaluator(NASBench101())
    return NASBench101().restricted_to(table), table


@functools.cache
def paper_model(name: str, dataset: str) -> GraphAutoencoder:
    """The D-VAE of the paper's search, the same in every process."""
    space, _ = task(name, dataset)
    return DVAE(space, PAPER_MODEL).fit(space.sample_batch(np.random.default_rng(0), PAPER_GRAPHS))


def _paper_method(seed: int, name: str, dataset: str) -> LatentBO:
    space, _ = task(name, dataset)
    config = LatentBOConfig.preset("paper", training_size=PAPER_GRAPHS)
    return LatentBO(space, config, seed=seed, autoencoder=paper_model(name, dataset))


def paper(space: GraphSpace, seed: int, name: str, dataset: str) -> optuna.samplers.BaseSampler:
    """D-VAE's search: 50 random architectures, then rounds of 50."""
    return GraphSampler(space, functools.partial(_paper_method, name=name, dataset=dataset), seed=seed)


SAMPLERS: dict[str, Callable[..., optuna.samplers.BaseSampler]] = {
    "LatentBOSampler": lambda space, seed, name, dataset: LatentBOSampler(space, seed=seed),
    "LatentBOSampler, preset=paper": paper,
    "Optuna TPE": lambda space, seed, name, dataset: optuna.samplers.TPESampler(seed=seed),
    "random search": lambda space, seed, name, dataset: RandomArchitectureSampler(space, seed=seed),
    "regularised evolution": lambda space, seed, name, dataset: RegularizedEvolutionSampler(space, seed=seed),
}


class Nearest:
    """The architecture of a space that differs in the fewest parameters from what was suggested."""

    def __init__(self, space: GraphSpace) -> None:
        self.architectures = list(space.enumerate())
        self.choices = space.parameters()
        columns = [space.to_parameters(architecture) for architecture in self.architectures]
        self.rows = np.array([self._row(values) for values in columns], np.int8)

    def _row(self, values: dict[str, Any]) -> list[int]:
        return [options.index(values[name]) for name, options in self.choices.items()]

    def __call__(self, trial: optuna.Trial) -> Architecture:
        """Suggest all parameters of ``trial``, and give the nearest architecture."""
        values = {name: trial.suggest_categorical(name, options) for name, options in self.choices.items()}
        differences = (self.rows != np.array(self._row(values), np.int8)).sum(1)
        return self.architectures[int(differences.argmin())]


@functools.cache
def nearest(name: str, dataset: str) -> Nearest:
    """Once per process: writing all cells as parameters takes seconds."""
    return Nearest(task(name, dataset)[0])


@dataclass
class Run:
    """One seeded search."""

    method: str
    seed: int
    values: list[float]
    tests: list[float]
    seconds: float


def search(method: str, seed: int, name: str, dataset: str, trials: int) -> Run:
    """Run one study in memory."""
    space, table = task(name, dataset)
    replaced = method == "Optuna TPE" and name == "nasbench101"

    def objective(trial: optuna.Trial) -> float:
        architecture = nearest(name, dataset)(trial) if replaced else suggest_architecture(trial, space)
        evaluation = table.evaluate(architecture)
        trial.set_user_attr("test_accuracy", evaluation.metrics["test_accuracy"])
        return evaluation.value

    sampler = SAMPLERS[method](space, seed, name, dataset)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    start = time.process_time()
    study.optimize(objective, n_trials=trials)
    seconds = time.process_time() - start
    values = [float(trial.value or 0.0) for trial in study.trials]
    tests = [trial.user_attrs["test_accuracy"] for trial in study.trials]
    return Run(method, seed, values, tests, seconds)


def summarize(runs: list[Run], queries: list[int], optimum: float) -> dict[str, dict[str, float]]:
    """Mean and spread over the seeds after each number of queries."""
    found = {}
    values = np.array([run.values for run in runs])
    tests = np.array([run.tests for run in runs])
    for count in queries:
        best = values[:, :count].max(1)
        chosen = tests[np.arange(len(runs)), values[:, :count].argmax(1)]
        found[str(count)] = {
            "value": best.mean(),
            "value_sd": best.std(ddof=1) if len(best) > 1 else 0.0,
            "optimum_found": float((best >= optimum - 1e-9).mean()),
            "test": chosen.mean(),
            "test_sd": chosen.std(ddof=1) if len(best) > 1 else 0.0,
            "seeds": len(runs),
        }
    return found


def record(output: Path, given: argparse.Namespace, runs: list[Run], optimum: float) -> dict[str, Any]:
    """Write down all runs so far, and their summary."""
    methods = [method for method in given.methods if any(run.method == method for run in runs)]
    summary = {
        method: summarize([run for run in runs if run.method == method], given.queries, optimum)
        for method in methods
    }
    figures = {
        "space": given.space,
        "dataset": given.dataset,
        "trials": max(given.queries),
        "optimum": optimum,
        "paper_preset": {"model": PAPER_MODEL.to_dict(), "graphs": PAPER_GRAPHS},
        "summary": summary,
        "cpu_seconds_per_trial": {
            method: float(np.mean([r.seconds / len(r.values) for r in runs if r.method == method]))
            for method in methods
        },
        "runs": [asdict(run) for run in runs],
    }
    write_record(output, figures)
    return summary


def main() -> int:
    """Run, print and store; interrupted, it goes on from the runs that are stored."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--space", default="nasbench201", choices=SPACES)
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--queries", type=int, nargs="+", default=[100, 150])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--methods", nargs="+", default=list(SAMPLERS), choices=list(SAMPLERS))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--fresh", action="store_true", help="run again what --output already holds")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    output = given.output or RESULTS / f"latent_bo_{given.space}.json"
    trials = max(given.queries)

    optimum = task(given.space, given.dataset)[1].optimum
    runs: list[Run] = []
    if output.is_file() and not given.fresh:
        stored = json.loads(output.read_text())
        if (stored["space"], stored["dataset"], stored["trials"]) == (given.space, given.dataset, trials):
            runs = [Run(**run) for run in stored["runs"]]
    kept = {(run.method, run.seed) for run in runs}
    jobs = [(m, seed) for seed in range(given.seeds) for m in given.methods if (m, seed) not in kept]
    given.methods = [m for m in SAMPLERS if m in {*given.methods, *(run.method for run in runs)}]
    with ProcessPoolExecutor(given.workers, initializer=quiet) as pool:
        futures = [
            pool.submit(search, method, seed, given.space, given.dataset, trials) for method, seed in jobs
        ]
        for future in tqdm(as_completed(futures), total=len(futures), unit="study", disable=None):
            runs.append(future.result())
            runs.sort(key=lambda run: (list(SAMPLERS).index(run.method), run.seed))
            record(output, given, runs, optimum)
    summary = record(output, given, runs, optimum)

    print(f"\n{given.space}, best validation accuracy after so many queries (optimum {optimum:.3f})")
    print(f"{'':30}" + "".join(f"{count:>20}" for count in given.queries) + "   seeds  test at the end")
    for method, rows in summary.items():
        cells = "".join(
            f"{rows[str(c)]['value']:13.3f} ± {rows[str(c)]['value_sd']:.2f}" for c in given.queries
        )
        last = rows[str(trials)]
        print(f"{method:30}{cells}{last['seeds']:8.0f} {last['test']:8.2f} ± {last['test_sd']:.2f}")
    return 0


def quiet() -> None:
    """One thread per process and no log line per trial."""
    import warnings

    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(limits=1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


if __name__ == "__main__":
    sys.exit(main())
