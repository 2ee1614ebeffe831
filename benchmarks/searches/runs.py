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
from tqdm import tqdm

from benchmarks.harness.records import write_record
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
        queries: Different architectures that it was allowed.
        values: What was searched for, of each different architecture in the order of evaluation; fewer than
            ``queries`` where the sampler only repeated itself.
        reported: What is reported of it, or the second objective; None where it was not kept.
        trials: Trials that this took; more than values where a sampler repeats itself or misses the space.
        seconds: Seconds of the processor for all but the evaluations: what the sampler and Optuna take.
    """

    method: str
    seed: int
    queries: int
    values: list[float]
    reported: list[float | None]
    trials: int
    seconds: float


def search(
    method: str,
    seed: int,
    sampler: optuna.samplers.BaseSampler,
    space: GraphSpace,
    measure: Callable[[Architecture], tuple[float, float]],
    queries: int,
    *,
    suggest: Callable[[optuna.Trial, GraphSpace], Architecture] = suggest_architecture,
    directions: Sequence[str] = ("maximize",),
    trials_per_query: int = TRIALS_PER_QUERY,
) -> Run:
    """One study in memory, until ``queries`` different architectures (up to isomorphism) were evaluated.

    Args:
        method: Name for the record.
        seed: Seed for the record.
        sampler: Of the study.
        space: The search space.
        measure: The value to be maximised, and what is reported or the second objective.
        queries: Number of different architectures.
        suggest: Takes the architecture of a trial.
        directions: Of the objectives: one, or two.
        trials_per_query: Trials per query after which the search ends all the same.
    """
    known: dict[str, tuple[float, float]] = {}
    measuring = 0.0

    def objective(trial: optuna.Trial) -> float | tuple[float, float]:
        nonlocal measuring
        architecture = suggest(trial, space)
        start = time.process_time()
        key = space.key(architecture)
        if key not in known:
            known[key] = measure(architecture)
        if len(known) >= queries:
            trial.study.stop()
        measuring += time.process_time() - start
        return known[key] if len(directions) > 1 else known[key][0]

    study = optuna.create_study(directions=list(directions), sampler=sampler)
    start = time.process_time()
    study.optimize(objective, n_trials=trials_per_query * queries)
    seconds = time.process_time() - start - measuring
    values, reported = zip(*known.values(), strict=True)
    return Run(method, seed, queries, list(values), list(reported), len(study.trials), round(seconds, 3))


def stored_runs(path: Path, settings: dict[str, Any]) -> list[Run]:
    """The runs of an earlier record of the same searches, so that an interrupted benchmark goes on."""
    if not path.is_file():
        return []
    record = json.loads(path.read_text())
    if any(record.get(name) != value for name, value in settings.items()):
        return []
    return [Run(**run) for run in record["runs"]]


def run_all(
    job: Callable[[str, int, int], Run],
    searches: Sequence[tuple[str, int, int]],
    output: Path,
    settings: dict[str, Any],
    summarize: Callable[[list[Run]], dict[str, Any]],
    *,
    order: Sequence[str],
    workers: int,
    fresh: bool,
) -> list[Run]:
    """Run what ``output`` does not hold, and write it anew after each run; all else in it is kept.

    Args:
        job: Runs a method with a seed for a number of queries.
        searches: Method, seed and queries of each, in the order of running; a stored run of as many queries
            or more serves.
        output: The record.
        settings: What must be the same for an earlier run to count.
        summarize: Figures of the runs so far, for the record.
        order: Methods as they come in the record.
        workers: Processes.
        fresh: Run again what of the searches is there.

    Returns:
        All runs in the record.
    """
    asked = {(method, seed): queries for method, seed, queries in searches}
    stored = {(run.method, run.seed): run for run in stored_runs(output, settings)}
    done = {one for one, queries in asked.items() if one in stored and stored[one].queries >= queries}
    if fresh:
        done = set()
    elif done:
        print(f"{len(done)} searches of {output} are kept; --fresh runs them again")
    todo = [
        (method, seed, queries) for (method, seed), queries in asked.items() if (method, seed) not in done
    ]

    def rank(run: Run) -> tuple[int, int]:
        return (order.index(run.method) if run.method in order else len(order), run.seed)

    def record(quiet: bool) -> list[Run]:
        runs = sorted(stored.values(), key=rank)
        figures = {**settings, **summarize(runs), "runs": [asdict(run) for run in runs]}
        write_record(output, figures, quiet=quiet)
        return runs

    with ProcessPoolExecutor(workers, initializer=quiet) as pool:
        futures = [pool.submit(job, *one) for one in todo]
        for future in tqdm(as_completed(futures), total=len(futures), unit="search", disable=None):
            run = future.result()
            stored[run.method, run.seed] = run
            record(quiet=True)
    return record(quiet=False)


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
