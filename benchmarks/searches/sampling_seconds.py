"""How many seconds and how much memory one more trial takes when a study already has up to 5,000 of them.

NAS-Bench-201, CIFAR-10; the finished trials are random architectures with their values from the table. Every
sampler and number of trials has a process of its own, whose largest memory is measured.

    python -m benchmarks.searches.sampling_seconds
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler

from benchmarks.harness.records import publish, run_on_one_thread, script_parser, stored_runs, write_record
from benchmarks.harness.sections import Section, Table, counted
from benchmarks.searches.runs import quiet
from graphnas.evaluate import TabularEvaluator
from graphnas.methods import RandomSearch
from optuna_graphnas import (
    GraphBOSampler,
    GraphPNASSampler,
    LatentBOSampler,
    NASGEMSampler,
    RegularizedEvolutionSampler,
    suggest_architecture,
)
from search_spaces import NASBench201

SPACE = NASBench201()
ON_FILE = "GraphBOSampler, SQLite"
SAMPLERS: dict[str, Callable[[], BaseSampler]] = {
    "GraphBOSampler": lambda: GraphBOSampler(SPACE, seed=0),
    ON_FILE: lambda: GraphBOSampler(SPACE, seed=0),
    "GraphPNASSampler": lambda: GraphPNASSampler(SPACE, seed=0),
    "LatentBOSampler": lambda: LatentBOSampler(SPACE, seed=0),
    "NASGEMSampler": lambda: NASGEMSampler(SPACE, seed=0),
    "RegularizedEvolutionSampler": lambda: RegularizedEvolutionSampler(SPACE, seed=0),
    "Optuna TPE": lambda: optuna.samplers.TPESampler(seed=0),
    "Optuna GP": lambda: optuna.samplers.GPSampler(seed=0),
}
OURS, PEER = "GraphBOSampler", "Optuna GP"
LARGEST = {PEER: 1000}
"""The largest studies of samplers that take minutes for a trial of a larger one."""


def study_of(size: int, sampler: BaseSampler, table: TabularEvaluator, storage: str | None) -> optuna.Study:
    """A study with ``size`` finished random trials, in memory or in ``storage``."""
    study = optuna.create_study(direction="maximize", sampler=sampler, storage=storage)
    distributions = {n: CategoricalDistribution(c) for n, c in SPACE.parameters().items()}
    study.add_trials(
        [
            optuna.trial.create_trial(
                params=SPACE.to_parameters(architecture),
                distributions=distributions,
                value=table.evaluate(architecture).value,
            )
            for architecture in RandomSearch(SPACE, seed=1).ask(size)
        ]
    )
    return study


def largest_memory() -> float:
    """The most memory that this process had resident so far, in MB."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage of a new process begins with what the one that started it had
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def measure(sampler: str, size: int, repeats: int) -> dict[str, Any]:
    """Processor seconds of the first trial and of ``repeats`` more, and the largest memory."""
    quiet()
    table = TabularEvaluator(SPACE, dataset="cifar10")
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        storage = f"sqlite:///{folder}/study.db" if sampler == ON_FILE else None
        study = study_of(size, SAMPLERS[sampler](), table, storage)
        for _ in range(repeats + 1):
            start = time.process_time()
            trial = study.ask()
            architecture = suggest_architecture(trial, SPACE)
            seconds.append(round(time.process_time() - start, 4))
            study.tell(trial, table.evaluate(architecture).value)
    return {
        "sampler": sampler,
        "trials": size,
        "first": seconds[0],
        "seconds": seconds[1:],
        "memory": round(largest_memory()),
    }


def section(record: dict[str, Any]) -> Section:
    """Median seconds, and memory, by sampler and number of trials."""
    sizes = sorted({run["trials"] for run in record["runs"]})
    cells: dict[str, dict[int, dict[str, Any]]] = {}
    for run in record["runs"]:
        cells.setdefault(run["sampler"], {})[run["trials"]] = run
    names = [name for name in SAMPLERS if name in cells]
    columns = ("", *(f"{size:,}" for size in sizes))

    def rows(text: Callable[[dict[str, Any]], str]) -> list[list[str]]:
        return [[n, *(text(cells[n][size]) if size in cells[n] else "" for size in sizes)] for n in names]

    return Section(
        "Seconds and memory per trial",
        [
            Table(
                "Median processor seconds for one more trial after so many, "
                f"{counted(record['repeats'], 'trial')}.",
                columns,
                rows(lambda run: f"{np.median(run['seconds']):.3f}"),
            ),
            Table(
                "Processor seconds for the first trial of a process that goes on with such a study.",
                columns,
                rows(lambda run: f"{run['first']:.2f}"),
            ),
            Table(
                "The most memory that the process had resident, in MB, of which Python with its libraries "
                "and the table take the larger part.",
                columns,
                rows(lambda run: f"{run['memory']}"),
            ),
        ],
        "no paper publishes such figures; Optuna's own samplers stand beside ours, on the same studies.",
        [
            "The study's trials are random architectures of NAS-Bench-201. A first trial reads the study and "
            "trains what a sampler learns before or during a search; it has a table of its own.",
            *_beside_the_peer(cells),
        ],
    )


def _beside_the_peer(cells: Mapping[str, Mapping[int, dict[str, Any]]]) -> list[str]:
    """Where the default takes less than the process that Optuna has, and where more."""
    sizes = sorted(cells.get(OURS, {}).keys() & cells.get(PEER, {}).keys())
    if not sizes:
        return []
    own, other = ([float(np.median(cells[n][size]["seconds"])) for size in sizes] for n in (OURS, PEER))
    parts = [f"{a:.3f} and {b:.3f} s after {n:,}" for n, a, b in zip(sizes, own, other, strict=True)]
    slower = [f"{n:,}" for n, a, b in zip(sizes, own, other, strict=True) if a >= b]
    verdict = (
        f"{OURS} is not quicker than {PEER} after {', '.join(slower)} trials"
        if slower
        else f"{OURS} is quicker than {PEER} at every number of trials that both were measured at"
    )
    return [f"{verdict}: {'; '.join(parts)}."]


def main() -> int:
    """Measure what the record does not hold, print and store."""
    parser = script_parser(__doc__, "sampling_seconds")
    parser.add_argument("--samplers", nargs="+", choices=list(SAMPLERS), default=list(SAMPLERS))
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 300, 500, 1000, 2000, 5000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--fresh", action="store_true", help="measure again what the record holds")
    options = parser.parse_args()
    settings = {"repeats": options.repeats}
    runs = stored_runs(options.output, settings, "measurements", fresh=options.fresh)
    done = {(run["sampler"], run["trials"]) for run in runs}
    context = multiprocessing.get_context("spawn")
    for size in options.sizes:
        for name in options.samplers:
            if (name, size) in done or size > LARGEST.get(name, size):
                continue
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                runs.append(pool.submit(measure, name, size, options.repeats).result())
            write_record(options.output, settings | {"runs": runs}, quiet=True)
    publish(options.output, settings | {"runs": runs}, section)
    return 0


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    run_on_one_thread(main)
