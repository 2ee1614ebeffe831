"""How many queries until the very best of NAS-Bench-201, on seeds that no choice was made with.

The three data sets by the value after 200 epochs. Seeds begin at 1,000: settings were chosen with those from
100 on, and the other records have the first ten.

    python -m benchmarks.suite.optimum
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.harness.records import publish, script_parser
from benchmarks.harness.sections import Section, Table
from benchmarks.searches.runs import quiet
from benchmarks.suite.figures import Search, name_of, searches_of
from benchmarks.suite.report import DEFAULT, SUITE_METHODS
from benchmarks.suite.running import run_searches
from benchmarks.suite.search import asked_methods, run

WANTED = {
    "nasbench201-cifar10-200": 35,
    "nasbench201-cifar100-200": 35,
    "nasbench201-imagenet16-120-200": 75,
}
"""The tasks, and the most queries in which the default is meant to find the best of half of its searches."""
SLOW = ("NASGEMSampler", "BoTorch", "SMAC")
METHODS = tuple(name for name in SUITE_METHODS if name not in (*SLOW, "Optuna NSGA-II"))
FIRST_SEED, SEEDS, QUERIES = 1000, 20, 150
NEVER = 1e9
PACKAGES = ("graphnas", "numpy", "scipy", "scikit-learn", "torch", "optuna")


def needed(searches: list[Search], best: float) -> np.ndarray:
    """Queries until each search has found ``best``, infinite for one that has not."""
    return np.array([one.at[-1] if one.best[-1] >= best - 1e-9 else np.inf for one in searches])


def _number(value: float, queries: int) -> str:
    return f"{value:.4g}" if value <= queries else f"> {queries}"


def section(record: dict[str, Any]) -> Section:
    """The part of the report: quartiles of the queries, and how many searches get there at all."""
    scale, queries = record["scale"], record["queries"]
    rows, medians = [], {}
    for method in METHODS:
        cells, count = [], 0
        for task in WANTED:
            own = [one for one in searches_of(record) if one.method == name_of(task, method)]
            if not own:
                cells += ["", ""]
                continue
            counts = needed(own, scale[task][0])
            # Finite, since the mean of two infinities is no number.
            low, middle, high = np.quantile(np.minimum(counts, NEVER), [0.25, 0.5, 0.75])
            medians[method, task] = float(middle)
            count = max(count, len(own))
            text = [_number(value, queries) for value in (middle, low, high)]
            cells += ["{} [{}, {}]".format(*text), f"{np.isfinite(counts).mean():.0%}"]
        if count:
            rows.append([method, str(count), *cells])
    absent = [method for method in METHODS if method not in {row[0] for row in rows}]
    names = [task.removeprefix("nasbench201-").removesuffix("-200") for task in WANTED]
    columns = [text for name in names for text in (name, f"{name}, found")]
    return Section(
        title="The suite: queries until the best of NAS-Bench-201",
        tables=[
            Table(
                "Queries until the best value after 200 epochs is found, median and quartiles over seeds, "
                f"and the share of the searches that find it within {queries}.",
                ["method", "seeds", *columns],
                rows,
            )
        ],
        protocol="no paper counts queries so; each has its own number of queries, and reports the value.",
        notes=_verdicts(medians) + ([f"Methods that were not run: {', '.join(absent)}."] if absent else []),
    )


def _verdicts(medians: Mapping[tuple[str, str], float]) -> list[str]:
    """Whether the default is as quick as it is meant to be; what does not hold comes first."""
    held: dict[bool, list[str]] = {False: [], True: []}
    for task, wanted in WANTED.items():
        if (median := medians.get((DEFAULT, task))) is not None:
            text = f"{task} in {_number(median, QUERIES)} queries (at most {wanted})"
            held[median <= wanted].append(text)
    said = {False: "is not as quick as it is meant to be", True: "is as quick as it is meant to be"}
    return [f"{DEFAULT} {said[good]}: {', '.join(texts)}." for good, texts in held.items() if texts]


def main() -> int:
    """Run, store and print."""
    parser = script_parser(__doc__, "suite_optimum")
    parser.add_argument("--tasks", nargs="+", choices=list(WANTED), default=list(WANTED))
    parser.add_argument("--methods", nargs="+", metavar="METHOD", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"from {FIRST_SEED:,} on")
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="run again what the record holds")
    options = parser.parse_args()

    figures = run_searches(
        run,
        [
            (name_of(task, method), FIRST_SEED + k, options.queries)
            for k in range(options.seeds)
            for task in options.tasks
            for method in asked_methods(task, options.methods)
        ],
        options.output,
        {"queries": options.queries},
        options,
        command=["python", "-m", "benchmarks.suite.optimum"],
        order=[name_of(task, method) for task in WANTED for method in METHODS],
    )
    publish(options.output, figures, section, PACKAGES)
    return 0


if __name__ == "__main__":
    quiet()
    sys.exit(main())
