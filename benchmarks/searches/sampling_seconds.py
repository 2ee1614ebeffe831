"""How many seconds a sampler takes for one more trial when a study already has 100, 300 or 1,000 of them.

NAS-Bench-201, CIFAR-10; the finished trials are random architectures with their values from the table.

    python -m benchmarks.searches.sampling_seconds
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution

from benchmarks.harness.records import publish, run_on_one_thread, script_parser
from benchmarks.harness.sections import Section, Table, counted
from graphnas.evaluate import TabularEvaluator
from graphnas.methods import RandomSearch
from optuna_graphnas import GraphBOSampler, suggest_architecture
from search_spaces import NASBench201

SPACE = NASBench201()
SAMPLERS = {
    "GraphBOSampler": lambda: GraphBOSampler(SPACE, seed=0),
    "Optuna TPE": lambda: optuna.samplers.TPESampler(seed=0),
    "Optuna GP": lambda: optuna.samplers.GPSampler(seed=0),
}


def study_of(size: int, sampler: optuna.samplers.BaseSampler, table: TabularEvaluator) -> optuna.Study:
    """A study in memory with ``size`` finished random trials."""
    study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = {n: CategoricalDistribution(c) for n, c in SPACE.parameters().items()}
    for architecture in RandomSearch(SPACE, seed=1).ask(size):
        study.add_trial(
            optuna.trial.create_trial(
                params=SPACE.to_parameters(architecture),
                distributions=distributions,
                value=table.evaluate(architecture).value,
            )
        )
    return study


def section(record: dict[str, Any]) -> Section:
    """Median seconds by sampler and number of trials."""
    sizes = list(next(iter(record["seconds"].values())))
    repeats = len(next(iter(record["seconds"].values()))[sizes[0]])
    rows = [
        [name, *(f"{np.median(by_size[size]):.3f}" for size in sizes)]
        for name, by_size in record["seconds"].items()
    ]
    table = Table(
        f"Median seconds of one core for one more trial after so many, {counted(repeats, 'trial')}.",
        ("", *(f"{int(size):,}" for size in sizes)),
        rows,
    )
    return Section(
        "Seconds per trial",
        [table],
        "no paper publishes such times; Optuna's own samplers stand beside ours, on the same studies.",
        [
            "The study's trials are random architectures of NAS-Bench-201. A first trial, which fills "
            "caches, is not counted."
        ],
    )


def main() -> int:
    """Time, print and store."""
    parser = script_parser(__doc__, "sampling_seconds")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    table = TabularEvaluator(SPACE, dataset="cifar10")
    seconds: dict[str, dict[int, list[float]]] = {name: {} for name in SAMPLERS}
    for size in options.sizes:
        for name, make in SAMPLERS.items():
            study = study_of(size, make(), table)
            times = seconds[name].setdefault(size, [])
            # The first trial pays for imports and caches, as a search does only once: it is not counted.
            for repeat in range(options.repeats + 1):
                start = time.perf_counter()
                trial = study.ask()
                architecture = suggest_architecture(trial, SPACE)
                elapsed = time.perf_counter() - start
                study.tell(trial, table.evaluate(architecture).value)
                if repeat:
                    times.append(elapsed)
    publish(options.output, {"seconds": seconds}, section)
    return 0


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    run_on_one_thread(main)
