"""Search on NAS-Bench-201: our samplers beside what a user would pick instead, same table, same run.

Every method goes through ``optuna.create_study(sampler=...)`` and ``study.optimize``. The value is the
200-epoch validation accuracy of the table; test accuracy is that of the architecture with the best value, and
is not what was searched for. "Queries to the optimum" counts trials until the best value of the whole table
was found; runs that do not find it count as more than all trials.

    python benchmarks/nasbench201_search.py --dataset cifar10 --seeds 20 --trials 100
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import optuna
from common import RESULTS, write_record
from tqdm import tqdm

from graphnas.evaluate import TabularEvaluator
from graphnas.methods import NASGEMConfig, TreeSearch
from graphnas.methods.nasgem import EncoderConfig
from optuna_graphnas import (
    GraphSampler,
    LocalSearchSampler,
    NASGEMSampler,
    RegularizedEvolutionSampler,
    suggest_architecture,
)
from search_spaces import NASBench201

SPACE = NASBench201()


def nasgem_paper(seed: int, trials: int) -> optuna.samplers.BaseSampler:
    """The paper's encoder and perceptron; half of the budget is random (the paper names no counts)."""
    config = NASGEMConfig.preset("paper", n_startup_trials=trials // 2, encoder=EncoderConfig(dimension=10))
    return NASGEMSampler(SPACE, config=config, seed=seed)


def trees(seed: int, trials: int) -> optuna.samplers.BaseSampler:
    """Extra-trees on one-hot operations."""
    return GraphSampler(SPACE, _tree_search, seed=seed)


def _tree_search(seed: int) -> TreeSearch:
    return TreeSearch(SPACE, seed=seed)


SAMPLERS: dict[str, Callable[[int, int], optuna.samplers.BaseSampler]] = {
    "NASGEMSampler": lambda seed, trials: NASGEMSampler(SPACE, seed=seed),
    "NASGEMSampler, preset=paper": nasgem_paper,
    "random search": lambda seed, trials: optuna.samplers.RandomSampler(seed=seed),
    "Optuna TPE": lambda seed, trials: optuna.samplers.TPESampler(seed=seed),
    "Optuna GP": lambda seed, trials: optuna.samplers.GPSampler(seed=seed),
    "regularised evolution": lambda seed, trials: RegularizedEvolutionSampler(SPACE, seed=seed),
    "local search": lambda seed, trials: LocalSearchSampler(SPACE, seed=seed),
    "extra-trees": trees,
}

PAPERS = {
    "cifar10": "GraphPNAS, 100 queries on 12-epoch accuracy: 91.50 validation (seed mean), 94.34 test",
    "cifar100": "GraphPNAS, 100 queries on 200-epoch accuracy: 73.41 validation, 73.35 test",
    "imagenet16-120": "GraphPNAS, 100 queries on 12-epoch accuracy: 46.29 validation, 46.50 test",
}


@dataclass
class Run:
    """One seeded search."""

    method: str
    seed: int
    values: list[float]
    test_accuracy: float
    seconds: float


def search(method: str, seed: int, dataset: str, trials: int) -> Run:
    """Run one study in memory."""
    table = TabularEvaluator(SPACE, dataset=dataset)

    def objective(trial: optuna.Trial) -> float:
        evaluation = table.evaluate(suggest_architecture(trial, SPACE))
        trial.set_user_attr("test_accuracy", evaluation.metrics["test_accuracy"])
        return evaluation.value

    study = optuna.create_study(direction="maximize", sampler=SAMPLERS[method](seed, trials))
    start = time.perf_counter()
    study.optimize(objective, n_trials=trials)
    seconds = time.perf_counter() - start
    values = [float(trial.value or 0.0) for trial in study.trials]
    return Run(method, seed, values, study.best_trial.user_attrs["test_accuracy"], seconds)


def queries_to(values: list[float], optimum: float) -> float:
    """Number of trials up to the first that reaches ``optimum``; infinity if none does."""
    hits = np.flatnonzero(np.asarray(values) >= optimum - 1e-9)
    return float(hits[0] + 1) if len(hits) else float("inf")


def summarize(runs: list[Run], optimum: float) -> dict[str, float]:
    """Mean and spread over seeds."""
    best = np.array([max(run.values) for run in runs])
    queries = np.array([queries_to(run.values, optimum) for run in runs])
    tests = np.array([run.test_accuracy for run in runs])
    curve = np.maximum.accumulate(np.array([run.values for run in runs]), axis=1)
    return {
        "value": best.mean(),
        "value_sd": best.std(ddof=1) if len(best) > 1 else 0.0,
        "regret": float((optimum - curve).mean()),
        "found": float(np.isfinite(queries).mean()),
        "queries": float(np.median(queries)),
        "test": tests.mean(),
        "test_sd": tests.std(ddof=1) if len(tests) > 1 else 0.0,
        "seconds_per_trial": float(np.mean([run.seconds / len(run.values) for run in runs])),
    }


def stored_runs(path: Path, dataset: str, trials: int) -> list[Run]:
    """The runs of an earlier record of the same search, so that an interrupted benchmark goes on."""
    if not path.is_file():
        return []
    record = json.loads(path.read_text())
    if (record["dataset"], record["trials"]) != (dataset, trials):
        return []
    return [Run(**run) for run in record["runs"]]


def main() -> int:
    """Run, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", default="cifar10", choices=sorted(PAPERS))
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0, help="for seeds that nothing was tuned on")
    parser.add_argument("--methods", nargs="+", default=list(SAMPLERS), choices=list(SAMPLERS))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--fresh", action="store_true", help="run again what --output already holds")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    output = given.output or RESULTS / f"nasbench201_search_{given.dataset}.json"

    optimum = TabularEvaluator(SPACE, dataset=given.dataset).optimum
    runs = [] if given.fresh else stored_runs(output, given.dataset, given.trials)
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    runs = [run for run in runs if run.method in given.methods and run.seed in seeds]
    done = {(run.method, run.seed) for run in runs}
    jobs = [(m, seed) for seed in seeds for m in given.methods if (m, seed) not in done]
    if done:
        print(f"{len(done)} studies of {output} are kept; --fresh runs them again")
    with ProcessPoolExecutor(given.workers, initializer=quiet) as pool:
        futures = [pool.submit(search, method, seed, given.dataset, given.trials) for method, seed in jobs]
        runs += [future.result() for future in tqdm(futures, unit="study", disable=None)]

    table = {m: summarize([run for run in runs if run.method == m], optimum) for m in given.methods}
    print(f"\nNAS-Bench-201, {given.dataset}: {given.trials} trials, {given.seeds} seeds")
    print(f"the best value in the table is {optimum:.2f}")
    columns = (
        f"{'best value':>14} {'mean regret':>12} {'found':>6} {'queries':>8} {'test':>14} {'s/trial':>8}"
    )
    print(f"{'':30} {columns}")
    for name, row in table.items():
        queries = f"{row['queries']:.0f}" if np.isfinite(row["queries"]) else f">{given.trials}"
        print(
            f"{name:30} {row['value']:7.3f} ± {row['value_sd']:.3f} {row['regret']:12.3f} "
            f"{row['found']:6.0%} {queries:>8} {row['test']:7.2f} ± {row['test_sd']:.2f} "
            f"{row['seconds_per_trial']:8.3f}"
        )
    print(f"published: {PAPERS[given.dataset]}")
    write_record(
        output,
        {
            "dataset": given.dataset,
            "trials": given.trials,
            "seeds": given.seeds,
            "first_seed": given.first_seed,
            "optimum": optimum,
            "summary": {
                name: {k: (v if np.isfinite(v) else None) for k, v in row.items()}
                for name, row in table.items()
            },
            "published": PAPERS[given.dataset],
            "runs": [asdict(run) for run in runs],
        },
    )
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
