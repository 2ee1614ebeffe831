"""Seconds that a sampler needs for one more trial when a study already has 100, 300 and 1,000 of them.

NAS-Bench-201, CIFAR-10; the finished trials are random architectures with their value from the table.

    python -m benchmarks.searches.sampling_seconds
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution

from benchmarks.harness.records import RESULTS, run_on_one_thread, write_record
from benchmarks.harness.sections import Section, Table, counted
from graphnas.evaluate import TabularEvaluator
from graphnas.methods import RandomSearch
from optuna_graphnas import NASGEMSampler, suggest_architecture
from search_spaces import NASBench201

SPACE = NASBench201()
SAMPLERS = {
    "NASGEMSampler": lambda: NASGEMSampler(SPACE, seed=0),
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
        f"Median seconds for one more trial after so many, one core, {counted(repeats, 'trial')}.",
        ("", *(f"{int(size):,}" for size in sizes)),
        rows,
    )
    return Section(
        "Seconds per trial",
        [table],
        "no paper publishes such times; Optuna's own samplers stand beside ours, on the same studies.",
        ["Finished are random architectures of NAS-Bench-201; the first trial, which loads things, is not."],
    )


def main() -> int:
    """Time, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RESULTS / "sampling_seconds.json")
    given = parser.parse_args()
    table = TabularEvaluator(SPACE, dataset="cifar10")
    seconds: dict[str, dict[int, list[float]]] = {name: {} for name in SAMPLERS}
    for size in given.sizes:
        for name, make in SAMPLERS.items():
            study = study_of(size, make(), table)
            times = seconds[name].setdefault(size, [])
            # The first trial pays for imports and caches, which a search pays once: it is not counted.
            for repeat in range(given.repeats + 1):
                start = time.perf_counter()
                trial = study.ask()
                architecture = suggest_architecture(trial, SPACE)
                elapsed = time.perf_counter() - start
                study.tell(trial, table.evaluate(architecture).value)
                if repeat:
                    times.append(elapsed)
    print("median seconds per trial, one core")
    print(f"{'finished trials':20}" + "".join(f"{size:>10,}" for size in given.sizes))
    for name, by_size in seconds.items():
        print(f"{name:20}" + "".join(f"{np.median(by_size[size]):10.3f}" for size in given.sizes))
    write_record(given.output, {"seconds": seconds})
    return 0


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    run_on_one_thread(main)
