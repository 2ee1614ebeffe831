"""How long searches would take, by those that a record has, or by short ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from benchmarks.searches.methods import METHODS, run
from benchmarks.searches.opening import opened
from graphnas.dry_run import DryRun, Work
from graphnas.methods.dry_run import proposal_work
from optuna_graphnas import GraphSampler

SHORT = 25
"""Queries of a search that is timed for an estimate."""


def seconds_of_search(task: str, method: str, queries: int) -> float:
    """Seconds of a search by what its method says or by some proposals; of other samplers, by a short one."""
    found = opened(task)
    sampler = METHODS[method].sampler(found, 0)
    if isinstance(sampler, GraphSampler) and len(found.task.objectives) == 1 and found.task.limit is None:
        return sum(work.together for work in proposal_work(sampler.new_method(), queries))
    short = min(SHORT, queries)
    return run(task, method, 0, short).seconds * queries / short


class Timed(Protocol):
    """What an estimate reads of a search that was made."""

    method: str
    seed: int
    queries: int
    seconds: float


def estimate(
    title: str,
    searches: Sequence[tuple[str, int, int]],
    known: Sequence[Timed],
    *,
    place_of: Callable[[str], tuple[str, str]],
    fresh: bool = False,
    facts: Mapping[str, object] | None = None,
) -> DryRun:
    """How long the searches would take that are still to be made.

    Seconds are those of the processor, without the evaluations, as a record has them.

    Args:
        title: What is run.
        searches: Name, seed and queries of each; searches of one method are taken to last equally long.
        known: Those of the record.
        place_of: Task and method of a name.
        fresh: All are to be made again.
        facts: Further counts and sizes.
    """
    made = {} if fresh else {(one.method, one.seed): one.queries for one in known}
    todo = [(name, seed, queries) for name, seed, queries in searches if made.get((name, seed), 0) < queries]
    counts = Counter(place_of(name)[1] for name, _, _ in todo)
    work, guessed = [], []
    for method, count in counts.items():
        own = [(name, queries) for name, _, queries in todo if place_of(name)[1] == method]
        name, queries = max(own, key=lambda one: one[1])
        taken = [one.seconds for one in known if place_of(one.method)[1] == method and one.queries >= queries]
        if not taken:
            guessed.append(method)
        each = float(np.mean(taken)) if taken else seconds_of_search(place_of(name)[0], method, queries)
        work.append(Work(f"search, {method}", count, each))
    notes = ["Searches run one after the other here; divide by the number of --workers."]
    if len(guessed) < len(counts):
        notes.append("By the searches of the record, on the processor that it names.")
    if guessed:
        notes.append(f"By some proposals or a search of {SHORT} queries: {', '.join(guessed)}.")
    facts = {
        **(facts or {}),
        "methods": len(counts),
        "searches still to run": len(todo),
        "searches that are there": len(known),
    }
    return DryRun(title, facts, work, notes)
