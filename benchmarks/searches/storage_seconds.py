"""How many seconds a trial of a large space takes on SQLite, a journal file and PostgreSQL.

An architecture of GEMNet with 30 nodes has 464 parameters, one of RandWire with 32 nodes 496. A trial
suggests one and ends; nothing is evaluated. PostgreSQL is measured where the environment variable
``GRAPHNAS_POSTGRESQL`` has the URL of a database.

    GRAPHNAS_POSTGRESQL=postgresql+psycopg2://user@host/database python -m benchmarks.searches.storage_seconds
"""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from benchmarks.harness.records import publish, run_on_one_thread, script_parser
from benchmarks.harness.sections import Section, Table, counted
from graphnas import GraphSpace
from optuna_graphnas import RandomArchitectureSampler, suggest_architecture
from search_spaces import GEMNet, RandWire

SPACES = {"GEMNet(30)": GEMNet(30), "RandWire(32)": RandWire(32)}


def one_by_one(trial: optuna.Trial, space: GraphSpace) -> None:
    """What suggesting costs with nothing but Optuna's public interface."""
    space.from_parameters({n: trial.suggest_categorical(n, c) for n, c in space.parameters().items()})


Suggest = Callable[[optuna.Trial, GraphSpace], object]
ARMS: dict[str, tuple[Suggest, Callable[[GraphSpace], optuna.samplers.BaseSampler]]] = {
    "suggest_categorical": (one_by_one, lambda space: RandomArchitectureSampler(space, seed=0)),
    "suggest_architecture": (suggest_architecture, lambda space: RandomArchitectureSampler(space, seed=0)),
    "suggest_architecture, Optuna's RandomSampler": (
        suggest_architecture,
        lambda space: optuna.samplers.RandomSampler(seed=0),
    ),
}


def section(record: dict[str, Any]) -> Section:
    """Median seconds of a trial and of its suggestion, by space and storage."""
    tables = []
    for space, by_storage in record["seconds"].items():
        storages = list(by_storage)
        rows = [
            [arm, *(_seconds(by_storage[storage][arm]) for storage in storages)]
            for arm in by_storage[storages[0]]
        ]
        trials = len(by_storage[storages[0]]["suggest_architecture"]["trial"])
        tables.append(
            Table(
                f"{space}: median seconds of a trial (of them on the processor), {counted(trials, 'trial')}.",
                ("", *storages),
                rows,
            )
        )
    return Section(
        "Seconds per trial on storages",
        tables,
        "no paper publishes such times; Optuna's own way to suggest stands beside ours.",
        [
            "The first row stores every parameter in a transaction of its own. The rows of our sampler "
            "include the exclusion of other workers and the claim of the architecture; the last row has "
            "neither.",
        ],
    )


def _seconds(measured: dict[str, list[float]]) -> str:
    return f"{np.median(measured['trial']):.3f} ({np.median(measured['cpu']):.3f})"


def measure(
    suggest: Suggest, sampler: optuna.samplers.BaseSampler, space: GraphSpace, storage: Any, trials: int
) -> dict[str, list[float]]:
    """Seconds of each trial, of its suggestion alone, and of the processor, after one that is not counted."""
    study = optuna.create_study(storage=storage, sampler=sampler, study_name=uuid.uuid4().hex)
    seconds: dict[str, list[float]] = {"trial": [], "suggestion": [], "cpu": []}
    for number in range(trials + 1):
        start, cpu = time.perf_counter(), time.process_time()
        trial = study.ask()
        asked = time.perf_counter()
        suggest(trial, space)
        suggested = time.perf_counter()
        study.tell(trial, 0.0)
        if number:
            seconds["trial"].append(time.perf_counter() - start)
            seconds["suggestion"].append(suggested - asked)
            seconds["cpu"].append(time.process_time() - cpu)
    return seconds


def main() -> int:
    """Time, print and store."""
    parser = script_parser(__doc__, "storage_seconds")
    parser.add_argument("--trials", type=int, default=15)
    parser.add_argument("--slow-trials", type=int, default=3, help="trials of suggest_categorical")
    options = parser.parse_args()
    seconds: dict[str, dict[str, dict[str, dict[str, list[float]]]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        storages: dict[str, Callable[[], Any]] = {
            "SQLite": lambda: f"sqlite:///{Path(folder) / 'study.db'}",
            "journal file": lambda: JournalStorage(JournalFileBackend(str(Path(folder) / uuid.uuid4().hex))),
        }
        if server := os.environ.get("GRAPHNAS_POSTGRESQL"):
            storages["PostgreSQL"] = lambda: server
        for space_name, space in SPACES.items():
            for storage_name, storage in storages.items():
                found = seconds.setdefault(space_name, {}).setdefault(storage_name, {})
                for arm, (suggest, sampler) in ARMS.items():
                    trials = options.slow_trials if suggest is one_by_one else options.trials
                    found[arm] = measure(suggest, sampler(space), space, storage(), trials)
    publish(options.output, {"seconds": seconds}, section)
    return 0


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    run_on_one_thread(main)
