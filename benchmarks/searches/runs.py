"""Searches repeated over methods and seeds, each recorded as soon as it is finished."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import optuna
from tqdm import tqdm

from benchmarks.harness.records import stored_runs, write_record
from graphnas import Architecture, GraphSpace
from optuna_graphnas import suggest_architecture

EXCESS = "excess"
"""User attribute of a trial: by how much it is over the limit of its task."""
TRIALS_PER_QUERY = 60
"""Trials per query after which a search ends although it has not used up its queries."""


def excess_of(trial: optuna.trial.FrozenTrial) -> tuple[float]:
    """The constraint of a trial as Optuna's samplers read it, satisfied if at most 0."""
    return (trial.user_attrs[EXCESS],)


@dataclass
class Run:
    """One seeded search.

    Attributes:
        method: Its name.
        seed: Its seed.
        queries: Number of different architectures that it was allowed.
        values: The value of each different architecture in the order of evaluation; fewer than ``queries``
            if the sampler only repeated itself.
        reported: Its reported value, or the second objective; None if it was not kept.
        trials: Number of trials; more than values if a sampler repeats itself or leaves the space.
        seconds: Processor seconds without the evaluations: what the sampler and Optuna take.
        validation: Its validation accuracy after all epochs, where the value is one of fewer; else empty.
    """

    method: str
    seed: int
    queries: int
    values: list[float]
    reported: list[float | None]
    trials: int
    seconds: float
    validation: list[float] = field(default_factory=list)


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
    limit: float | None = None,
    trials_per_query: int = TRIALS_PER_QUERY,
    validation: Callable[[Architecture], float] | None = None,
) -> Run:
    """One study in memory, until ``queries`` different architectures (up to isomorphism) were evaluated.

    Args:
        method: Name for the record.
        seed: Seed for the record.
        sampler: The study's sampler.
        space: The search space.
        measure: Returns the value to be maximised, and what is reported or the second objective.
        queries: Number of different architectures.
        suggest: Suggests the architecture of a trial.
        directions: Directions of the one or two objectives.
        limit: The largest allowed value of what is reported, for :func:`excess_of`.
        trials_per_query: Trials per query after which the search ends in any case.
        validation: What is kept of each architecture beside its value.
    """
    known: dict[str, tuple[float, float]] = {}
    beside: list[float] = []
    measuring = 0.0

    def objective(trial: optuna.Trial) -> float | tuple[float, float]:
        nonlocal measuring
        architecture = suggest(trial, space)
        start = time.process_time()
        key = space.key(architecture)
        if key not in known:
            known[key] = measure(architecture)
            if validation is not None:
                beside.append(validation(architecture))
        if len(known) >= queries:
            trial.study.stop()
        measuring += time.process_time() - start
        if limit is not None:
            trial.set_user_attr(EXCESS, known[key][1] - limit)
        return known[key] if len(directions) > 1 else known[key][0]

    study = optuna.create_study(directions=list(directions), sampler=sampler)
    start = time.process_time()
    study.optimize(objective, n_trials=trials_per_query * queries)
    seconds = time.process_time() - start - measuring
    values, reported = zip(*known.values(), strict=True)
    figures = list(values), list(reported), len(study.trials), round(seconds, 3)
    return Run(method, seed, queries, *figures, beside)


class Stored(Protocol):
    """A dataclass that a record holds of each search; a search has a name and a seed."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    method: str
    seed: int
    queries: int


R = TypeVar("R", bound=Stored)


def run_all(
    kind: Callable[..., R],
    job: Callable[[str, int, int], R],
    searches: Sequence[tuple[str, int, int]],
    output: Path,
    settings: dict[str, Any],
    summarize: Callable[[list[R]], dict[str, Any]],
    *,
    order: Sequence[str],
    workers: int,
    fresh: bool,
) -> dict[str, Any]:
    """Run what ``output`` does not hold, and rewrite it after each run; its other runs are kept.

    Args:
        kind: The class of what is stored.
        job: Runs a method with a seed for a number of queries.
        searches: Method, seed and queries of each, in the order of running; a stored run with at least as
            many queries counts.
        output: The record.
        settings: Entries of the record that must be the same for an earlier run to count.
        summarize: Returns the figures of the runs so far.
        order: The methods in the order of the record.
        workers: Number of processes.
        fresh: Run the searches again even if they are there.

    Returns:
        The figures of the record.
    """
    asked = {(method, seed): queries for method, seed, queries in searches}
    earlier = stored_runs(output, settings, None if fresh else "searches")
    stored = {(run["method"], run["seed"]): kind(**run) for run in earlier}
    done = {one for one, queries in asked.items() if one in stored and stored[one].queries >= queries}
    if fresh:
        done = set()
    todo = [
        (method, seed, queries) for (method, seed), queries in asked.items() if (method, seed) not in done
    ]

    def rank(run: R) -> tuple[int, int]:
        return (order.index(run.method) if run.method in order else len(order), run.seed)

    def figures() -> dict[str, Any]:
        runs = sorted(stored.values(), key=rank)
        return {**settings, **summarize(runs), "runs": [asdict(run) for run in runs]}

    with ProcessPoolExecutor(workers, initializer=quiet) as pool:
        futures = [pool.submit(job, *one) for one in todo]
        for future in tqdm(as_completed(futures), total=len(futures), unit="search", disable=None):
            run = future.result()
            stored[run.method, run.seed] = run
            write_record(output, figures(), quiet=True)
    return figures()


def quiet() -> None:
    """One thread per process and no log line per trial."""
    import logging
    import warnings

    import torch
    from threadpoolctl import threadpool_limits

    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    threadpool_limits(limits=1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("smac").setLevel(logging.ERROR)  # it warns of each random configuration
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
