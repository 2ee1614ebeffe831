"""Searches that a benchmark repeats over methods and seeds, each recorded as soon as it is done."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from common import write_record
from tqdm import tqdm

from graphnas import Architecture, GraphSpace
from optuna_graphnas import suggest_architecture

TRIALS_PER_QUERY = 60
"""Trials after which a search is ended although it has not evaluated as many architectures as it may."""


@dataclass
class Run:
    """One seeded search.

    Attributes:
        method: Its name.
        seed: Its seed.
        values: What was searched for, of each different architecture in the order of evaluation.
        reported: What is reported of it.
        trials: Trials that this took; more than values where a sampler repeats itself or misses the space.
        seconds: Wall-clock time.
    """

    method: str
    seed: int
    values: list[float]
    reported: list[float]
    trials: int
    seconds: float


def search(
    method: str,
    seed: int,
    sampler: optuna.samplers.BaseSampler,
    space: GraphSpace,
    measure: Callable[[Architecture], tuple[float, float]],
    queries: int,
) -> Run:
    """One study in memory, until ``queries`` different architectures (up to isomorphism) were evaluated.

    Args:
        method: Name for the record.
        seed: Seed for the record.
        sampler: Of the study.
        space: The search space.
        measure: The value to be maximised, and what is reported.
        queries: Number of different architectures.
    """
    known: dict[str, tuple[float, float]] = {}

    def objective(trial: optuna.Trial) -> float:
        architecture = suggest_architecture(trial, space)
        key = space.key(architecture)
        if key not in known:
            known[key] = measure(architecture)
        if len(known) >= queries:
            trial.study.stop()
        return known[key][0]

    study = optuna.create_study(direction="maximize", sampler=sampler)
    start = time.perf_counter()
    study.optimize(objective, n_trials=TRIALS_PER_QUERY * queries)
    seconds = time.perf_counter() - start
    values, reported = zip(*known.values(), strict=True)
    return Run(method, seed, list(values), list(reported), len(study.trials), seconds)


def selected(run: Run, queries: int) -> tuple[float, float]:
    """Value and reported figure of the architecture with the best value among the first ``queries``."""
    best = int(np.argmax(run.values[:queries]))
    return run.values[best], run.reported[best]


def stored_runs(path: Path, settings: dict[str, Any]) -> list[Run]:
    """The runs of an earlier record of the same search, so that an interrupted benchmark goes on."""
    if not path.is_file():
        return []
    record = json.loads(path.read_text())
    if any(record.get(name) != value for name, value in settings.items()):
        return []
    return [Run(**run) for run in record["runs"]]


def run_all(
    job: Callable[[str, int], Run],
    methods: Sequence[str],
    seeds: dict[str, Sequence[int]],
    output: Path,
    settings: dict[str, Any],
    summarize: Callable[[list[Run]], dict[str, Any]],
    *,
    workers: int,
    fresh: bool,
) -> list[Run]:
    """Run what ``output`` does not hold, and write it anew after each run; other methods in it are kept.

    Args:
        job: Runs a method with a seed.
        methods: Their names.
        seeds: Of each method.
        output: The record.
        settings: What must be the same for an earlier run to count.
        summarize: Figures of the runs so far, for the record.
        workers: Processes.
        fresh: Run again what is there.
    """
    runs = [] if fresh else stored_runs(output, settings)
    runs = [run for run in runs if run.method not in methods or run.seed in seeds[run.method]]
    done = {(run.method, run.seed) for run in runs}
    order = list(dict.fromkeys([*methods, *(run.method for run in runs)]))
    longest = max(len(seeds[method]) for method in methods)
    # Seed by seed, so that an interrupted benchmark has all methods.
    todo = [(m, seeds[m][k]) for k in range(longest) for m in methods if k < len(seeds[m])]
    todo = [one for one in todo if one not in done]
    if done:
        print(f"{len(done)} searches of {output} are kept; --fresh runs them again")
    with ProcessPoolExecutor(workers, initializer=quiet) as pool:
        futures = [pool.submit(job, method, seed) for method, seed in todo]
        for future in tqdm(as_completed(futures), total=len(futures), unit="search", disable=None):
            runs.append(future.result())
            runs.sort(key=lambda run: (order.index(run.method), run.seed))
            figures = {**settings, **summarize(runs), "runs": [asdict(run) for run in runs]}
            write_record(output, figures, quiet=len(runs) < len(done) + len(todo))
    return runs


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation, 0 of a single value."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def quiet() -> None:
    """One thread per process and no log line per trial."""
    import warnings

    import torch
    from threadpoolctl import threadpool_limits

    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    threadpool_limits(limits=1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
