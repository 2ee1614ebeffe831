"""GraphPNAS on NAS-Bench-101 with 150 and 300 queries, as in the paper's Figure 4, beside its RNN and others.

Every method goes through ``optuna.create_study(sampler=...)`` and ``study.optimize``, and a query is a cell
not evaluated before. Reported is the test error of the cell with the best value, the mean of the three
training runs of the benchmark. There are two searches:

- ``--value validation``: among the 30,001 cells whose validation accuracy the compact table has, by that
  accuracy (of one training run);
- ``--value test``: in the whole space, by the mean test accuracy itself, because the compact table has no
  validation accuracy for it. The paper selects on the mean validation accuracy of three runs.

So neither is the paper's protocol, and its figures are printed for orientation. Samplers that draw parameters
one by one propose many cells that are not valid, or not among the 30,001; such trials are pruned and are no
queries.

    python benchmarks/graphpnas_nasbench101.py --value validation
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from common import RESULTS
from resumable import Run, mean_and_deviation, run_all, search, selected

from graphnas import GraphSpace
from graphnas.evaluate import TabularEvaluator
from graphnas.methods import GraphPNASConfig
from optuna_graphnas import (
    GraphPNASSampler,
    LocalSearchSampler,
    RandomArchitectureSampler,
    RegularizedEvolutionSampler,
)
from search_spaces import NASBench101

QUERIES = (150, 300)

SAMPLERS: dict[str, Callable[[GraphSpace, int], optuna.samplers.BaseSampler]] = {
    "GraphPNASSampler": lambda space, seed: GraphPNASSampler(space, seed=seed),
    "RNN, same settings": lambda space, seed: GraphPNASSampler(
        space, config=GraphPNASConfig(generator="rnn"), seed=seed
    ),
    "GraphPNASSampler, paper": lambda space, seed: GraphPNASSampler(space, preset="nasbench101", seed=seed),
    "random search": lambda space, seed: RandomArchitectureSampler(space, seed=seed),
    "regularised evolution": lambda space, seed: RegularizedEvolutionSampler(space, seed=seed),
    "local search": lambda space, seed: LocalSearchSampler(space, seed=seed),
    "Optuna TPE": lambda space, seed: optuna.samplers.TPESampler(seed=seed),
}
SLOW = ("GraphPNASSampler, paper", "Optuna TPE")
"""Those that take minutes: TPE because of its many trials outside of the space."""

PAPER = (
    "mean validation accuracy of three runs, whole space: GraphPNAS 5.930 ± 0.143 at 150 and 5.807 ± 0.072 "
    "at 300 queries; at 150, RNN 6.028 ± 0.228, local search 5.879 ± 0.371, random 6.413 ± 0.422"
)


@functools.cache
def opened(value: str) -> tuple[GraphSpace, TabularEvaluator]:
    """The space that is searched and its table; read once per process."""
    whole = NASBench101()
    table = TabularEvaluator(whole, metric=f"{value}_accuracy")
    return (whole.restricted_to(table) if value == "validation" else whole), table


def job(value: str, method: str, seed: int) -> Run:
    """One search."""
    space, table = opened(value)

    def measure(cell: Any) -> tuple[float, float]:
        evaluation = table.evaluate(cell)
        return evaluation.value, 100 - evaluation.metrics["test_accuracy"]

    return search(method, seed, SAMPLERS[method](space, seed), space, measure, max(QUERIES))


def summarize(runs: list[Run]) -> dict[str, Any]:
    """Mean and deviation over seeds, by method and number of queries."""
    table = {}
    for method in dict.fromkeys(run.method for run in runs):
        own = [run for run in runs if run.method == method]
        row: dict[str, Any] = {
            "seeds": len(own),
            "seconds": mean_and_deviation([run.seconds for run in own])[0],
            "trials": mean_and_deviation([run.trials for run in own])[0],
        }
        for queries in QUERIES:
            best = [selected(run, queries) for run in own]
            row[f"value_{queries}"] = mean_and_deviation([value for value, _ in best])
            row[f"test_error_{queries}"] = mean_and_deviation([error for _, error in best])
        table[method] = row
    return {"summary": table}


def main() -> int:
    """Run, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--value", default="validation", choices=("validation", "test"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--slow-seeds", type=int, help=f"seeds of {' and '.join(SLOW)}, which take minutes")
    parser.add_argument("--methods", nargs="+", default=list(SAMPLERS), choices=list(SAMPLERS))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--fresh", action="store_true", help="run again what --output already holds")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    output = given.output or RESULTS / f"graphpnas_nasbench101_{given.value}.json"

    every = range(given.first_seed, given.first_seed + given.seeds)
    seeds = {m: every[: given.slow_seeds] if m in SLOW else every for m in given.methods}
    runs = run_all(
        functools.partial(job, given.value),
        given.methods,
        seeds,
        output,
        {"value": given.value, "queries": list(QUERIES), "published": PAPER},
        summarize,
        workers=given.workers,
        fresh=given.fresh,
    )
    where = "30,001 cells" if given.value == "validation" else "whole space"
    print(
        f"\nNAS-Bench-101, {where}, searched by {given.value} accuracy; test error (%) of the selected cell"
    )
    print(f"{'':26} {'seeds':>5}" + "".join(f"{q:>9} queries" for q in QUERIES) + f" {'trials':>7} {'s':>7}")
    for name, row in summarize(runs)["summary"].items():
        errors = "".join("{:9.3f} ± {:5.3f}".format(*row[f"test_error_{q}"]) for q in QUERIES)
        print(f"{name:26} {row['seeds']:5d}{errors} {row['trials']:7.0f} {row['seconds']:7.1f}")
    print(f"published: {PAPER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
