"""Many workers on one study, some of which are killed: is anything lost or done twice, and how fast is it?

Each worker is a process that takes trials of NAS-Bench-201 until the study has as many as wanted; their
values come from the table, so that all the time is the sampler's, Optuna's and the database's. Now and then
one is killed in the middle of whatever it does, and another takes its place. Every worker writes down what it
was told to evaluate and what it has reported, which is compared with what the study holds at the end.

The study lies in the database that the environment variable ``GRAPHNAS_POSTGRESQL`` names, or in an SQLite
file where there is none.

    GRAPHNAS_POSTGRESQL=postgresql+psycopg2://user@host/database python -m benchmarks.searches.many_workers
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from benchmarks.harness.records import (
    publish,
    run_on_one_thread,
    script_parser,
    stored_runs,
    write_record,
)
from benchmarks.harness.sections import Section, Table, counted
from graphnas.cli.storages import open_storage
from graphnas.evaluate import TabularEvaluator
from optuna_graphnas import GraphBOSampler, RandomArchitectureSampler, suggest_architecture
from optuna_graphnas.budget import LostTrials, optimize_up_to, trials_done, trials_left
from search_spaces import NASBench201

SAMPLERS = {"random": RandomArchitectureSampler, "GraphBO": GraphBOSampler}
LOOK_SECONDS = 0.5
LIMIT_SECONDS = 3600.0


@dataclass(frozen=True)
class Load:
    """One search.

    Attributes:
        sampler: Its name.
        workers: Processes at a time.
        trials: Trials of the whole study.
        kills: How many workers are killed, after equal parts of the trials.
    """

    sampler: str
    workers: int
    trials: int
    kills: int


LOADS = (
    Load("random", 1, 2000, 0),
    Load("random", 8, 2000, 20),
    Load("random", 32, 2000, 20),
    Load("GraphBO", 1, 100, 0),
    Load("GraphBO", 8, 100, 5),
    Load("GraphBO", 32, 100, 5),
)


# ---------------------------------------------------------------- a worker


def work(url: str, name: str, load: Load, notes: Path) -> None:
    """Take trials until the study has enough, with a line in ``notes`` when one begins and when it ends."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = NASBench201()
    evaluator = TabularEvaluator(space, "cifar10", budget=200)
    study = optuna.load_study(
        study_name=name, storage=open_storage(url, heartbeat=True), sampler=SAMPLERS[load.sampler](space)
    )
    with notes.open("a", buffering=1) as file:

        def objective(trial: optuna.Trial) -> float:
            architecture = suggest_architecture(trial, space)
            assert trial.datetime_start is not None
            seconds = (datetime.now() - trial.datetime_start).total_seconds()
            value = float(evaluator.evaluate(architecture).value)
            key = space.key(architecture)
            file.write(json.dumps({"begun": trial.number, "key": key, "seconds": seconds}) + "\n")
            return value

        def ended(_: optuna.Study, trial: FrozenTrial) -> None:
            file.write(json.dumps({"ended": trial.number, "value": trial.value, "at": time.time()}) + "\n")

        optimize_up_to(study, objective, load.trials, callbacks=[ended])


# ---------------------------------------------------------------- those that look after them


class Workers:
    """The processes of one search.

    Args:
        load: The search.
        url: Where its study is.
        name: The study's name.
        folder: For what they write down.
    """

    def __init__(self, load: Load, url: str, name: str, folder: Path) -> None:
        self._part = {"url": url, "name": name, "load": dataclasses.asdict(load)}
        self._folder = folder
        self._processes = [self._start() for _ in range(load.workers)]

    def _start(self) -> subprocess.Popen[bytes]:
        part = json.dumps({**self._part, "notes": str(self._folder / uuid.uuid4().hex)})
        command = [sys.executable, "-m", "benchmarks.searches.many_workers", "--as-worker", part]
        return subprocess.Popen(command, env=dict(os.environ, OMP_NUM_THREADS="1"))

    def working(self) -> list[int]:
        """Places of those that have not ended."""
        return [place for place, process in enumerate(self._processes) if process.poll() is None]

    def replace(self, place: int) -> None:
        """Kill one and start another."""
        self._end(self._processes[place])
        self._processes[place] = self._start()

    def codes(self) -> set[int | None]:
        """The exit codes of those that ended by themselves, None for one that has not."""
        return {process.poll() for process in self._processes}

    def end(self) -> None:
        """Kill all."""
        for process in self._processes:
            self._end(process)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()


def run(load: Load, url: str, seed: int) -> dict[str, Any]:
    """Search with workers that are killed at random, and count what came of it.

    Raises:
        RuntimeError: A worker ended with an error.
        TimeoutError: The search takes more than an hour.
    """
    name = f"load-{uuid.uuid4().hex[:12]}"
    storage = open_storage(url, heartbeat=True)
    study = optuna.create_study(study_name=name, storage=storage, direction="maximize")
    lost, chance, killed = LostTrials(study), random.Random(seed), 0
    with tempfile.TemporaryDirectory() as folder:
        workers = Workers(load, url, name, Path(folder))
        try:
            end = time.monotonic() + LIMIT_SECONDS
            # A worker may be killed in the moment when it begins the last trial, which nobody else takes up.
            while (working := workers.working()) or lost.suspected() or trials_left(study, load.trials):
                time.sleep(LOOK_SECONDS)
                if not working and trials_left(study, load.trials):
                    workers.replace(0)
                if time.monotonic() > end:
                    raise TimeoutError(f"{load} has not ended within {LIMIT_SECONDS:.0f} s")
                due = load.trials * (killed + 1) / (load.kills + 1)
                if working and killed < load.kills and trials_done(study) >= due:
                    workers.replace(chance.choice(working))
                    killed += 1
                lost.free()
            if workers.codes() != {0}:
                raise RuntimeError(f"{load}: workers ended with exit codes {workers.codes()}")
        finally:
            workers.end()
        lines = [json.loads(line) for path in Path(folder).iterdir() for line in _whole_lines(path)]
    return {**dataclasses.asdict(load), "killed": killed, **outcome(study, lines)}


def _whole_lines(path: Path) -> list[str]:
    """The lines of a file whose last one may have been cut short by a kill."""
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def outcome(study: optuna.Study, lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the study holds, against what the workers wrote down; and the seconds."""
    trials = study.get_trials(deepcopy=False)
    values = {trial.number: trial.value for trial in trials if trial.state == TrialState.COMPLETE}
    begun = {line["begun"]: line for line in lines if "begun" in line}
    ended = {line["ended"]: line for line in lines if "ended" in line}
    evaluated = Counter(begun[number]["key"] for number in values)
    times = sorted(line["at"] for line in ended.values())
    middle = times[len(times) // 10 : -max(len(times) // 10, 1)]
    seconds = [begun[number]["seconds"] for number in sorted(begun)]
    return {
        "complete": len(values),
        "running": sum(trial.state == TrialState.RUNNING for trial in trials),
        "freed": sum(trial.state == TrialState.FAIL for trial in trials),
        "lost": sum(
            number not in values or values[number] != line["value"] for number, line in ended.items()
        ),
        "twice": sum(count - 1 for count in evaluated.values()),
        "per_second": (len(middle) - 1) / (middle[-1] - middle[0]),
        "proposal_seconds": [float(q) for q in np.quantile(seconds, [0.5, 0.95])],
        "late_proposal_seconds": float(np.median(seconds[-len(seconds) // 4 :])),
    }


# ---------------------------------------------------------------- report


def section(record: dict[str, Any]) -> Section:
    """What was lost, what was done twice, and the speed, by sampler and number of workers."""
    rows = [
        [
            f"{run['sampler']}, {counted(run['workers'], 'worker')}",
            f"{run['trials']:,}",
            str(run["killed"]),
            f"{run['complete']:,}",
            str(run["lost"]),
            str(run["twice"]),
            f"{run['per_second']:.1f}",
            "{:.2f} ({:.2f})".format(*run["proposal_seconds"]),
            f"{run['late_proposal_seconds']:.2f}",
        ]
        for run in record["runs"]
    ]
    columns = ("", "wanted", "killed", "complete", "lost", "twice", "per second", "proposal", "at the end")
    caption = (
        "Trials; workers killed; results reported by a worker that the study does not hold; architectures "
        "evaluated twice; trials per second; seconds from the start of a trial to its architecture, as the "
        "median (95 % quantile), and as the median of the last quarter."
    )
    return Section(
        f"Many workers on {record['storage']}",
        [Table(caption, columns, rows)],
        "no paper and no peer publishes such figures. All workers, the database and the one that kills share "
        f"the {counted(record['machine']['cores'], 'core')} of the machine, and values come from a table: a "
        "proposal waits for those of all others, which real training would space out.",
    )


def main() -> int:
    """Search under each load, print and store; or do the part of one worker."""
    parser = script_parser(__doc__, "many_workers")
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[1, 8, 32], help="only these numbers of them"
    )
    parser.add_argument("--samplers", nargs="+", default=list(SAMPLERS), choices=SAMPLERS, help="only these")
    parser.add_argument("--trials", type=int, help="of each search, other than the record's")
    parser.add_argument("--seed", type=int, default=0, help="of the choice whom to kill")
    parser.add_argument("--fresh", action="store_true", help="run again what the record has")
    parser.add_argument("--as-worker", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_worker is not None:
        part = options.as_worker
        work(part["url"], part["name"], Load(**part["load"]), Path(part["notes"]))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        url = os.environ.get("GRAPHNAS_POSTGRESQL")
        settings = {"storage": "PostgreSQL" if url else "SQLite", "seed": options.seed}
        url = url or f"sqlite:///{Path(folder) / 'study.db'}"
        runs = stored_runs(options.output, settings, "searches", fresh=options.fresh)
        for load in LOADS:
            load = dataclasses.replace(load, trials=options.trials or load.trials)
            wanted = load.workers in options.workers and load.sampler in options.samplers
            if wanted and not any(dataclasses.asdict(load).items() <= run.items() for run in runs):
                runs.append(run(load, url, options.seed))
                write_record(options.output, {**settings, "runs": runs}, quiet=True)
    publish(options.output, {**settings, "runs": runs}, section)
    return 0


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    run_on_one_thread(main)
