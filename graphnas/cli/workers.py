"""``graphnas search --workers``: its arguments, what a worker does, and the search of many of them.

A worker is the same command again with the hidden option ``--as-worker``, which says what part it does. It
ends when nothing is left to begin in its study, when it gets Ctrl-C's signal, and when the process that
started it ends: its standard input then does.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphnas.cli.arguments import integer
from graphnas.cli.processes import run_processes
from graphnas.cli.running import Progress, best_value
from graphnas.cli.storages import in_memory
from graphnas.cli.studies import plain_interrupts, quiet_optuna
from graphnas.errors import InvalidArgument

if TYPE_CHECKING:
    import optuna

    from graphnas.evaluate import Evaluator
    from optuna_graphnas import Objective

GRACE = 60
"""Seconds that a worker has to end by itself after its parent has ended."""


@dataclass(frozen=True)
class Part:
    """What one worker does.

    Attributes:
        study: Which of the command's studies it works on: 0, or 1 for that of ``--compare``.
        total: The number of trials of that study, by all workers together.
        device: What it trains on; None where values come from a table.
    """

    study: int
    total: int
    device: str | None

    def run(
        self,
        studies: Sequence[optuna.Study],
        objective: Objective,
        interrupts: Interrupts,
        callbacks: Sequence[Any] = (),
    ) -> None:
        """Do it, in the worker."""
        from optuna_graphnas.budget import optimize_up_to

        interrupts.at_once = False
        with quiet_optuna(), plain_interrupts():
            optimize_up_to(
                studies[self.study],
                lambda trial: interrupts.during(objective, trial),
                self.total,
                callbacks=[*callbacks, interrupts.between],
            )


# ---------------------------------------------------------------- arguments


def add_worker_arguments(parser: argparse.ArgumentParser) -> None:
    """``--workers``, ``--devices``, and what a worker is told."""
    parser.add_argument(
        "--workers",
        type=integer(1),
        metavar="N",
        help="processes that search together; above 1, --trials is the number of trials of the whole study, "
        "and the same command on another machine joins (default: 1)",
    )
    parser.add_argument(
        "--devices",
        type=_device_list,
        metavar="DEVICE,...",
        help="devices of the workers, given in turn, such as cuda:0,cuda:1 (default: all CUDA devices, or "
        "cpu)",
    )
    parser.add_argument("--as-worker", type=_part, help=argparse.SUPPRESS)


def _device_list(text: str) -> list[str]:
    devices = [device.strip() for device in text.split(",")]
    if not all(devices):
        raise argparse.ArgumentTypeError(f"must be devices with commas between, such as cpu, got {text!r}")
    return devices


def _part(text: str) -> Part:
    return Part(**json.loads(text))


def check_workers(args: argparse.Namespace) -> None:
    """Refuse what does not fit, and settle ``args.workers``, ``args.n_jobs`` and ``args.device``.

    Raises:
        InvalidArgument: Arguments that exclude each other, or a device that is not there.
    """
    if args.workers is not None and args.n_jobs is not None:
        raise InvalidArgument(
            f"--workers {args.workers} and --n-jobs {args.n_jobs}: give one; workers are processes, jobs "
            "threads of one process"
        )
    args.workers, args.n_jobs = args.workers or 1, args.n_jobs or 1
    if args.as_worker is not None:
        args.device = args.as_worker.device
        return
    if args.workers == 1:
        if args.devices:
            raise InvalidArgument(
                f"--devices {','.join(args.devices)} is for --workers above 1; use --device"
            )
        return
    if args.evaluator == "supernet":
        raise InvalidArgument(f"--workers {args.workers}: --evaluator supernet shares weights in one process")
    if not args.dry_run and (in_memory(args.storage) and (args.storage is not None or args.output is None)):
        raise InvalidArgument(
            f"--workers {args.workers} needs a study on disk: --output DIR or --storage URL"
        )
    if args.devices:
        if args.device is not None:
            raise InvalidArgument(f"--device {args.device} and --devices {','.join(args.devices)}: give one")
        for device in args.devices:
            _check_device(device)
        args.device = args.devices[0]  # of the final training


def _check_device(device: str) -> None:
    import torch

    from graphnas.training.arguments import choose_device

    chosen, here = choose_device(device), torch.cuda.device_count()
    if chosen.type == "cuda" and (chosen.index or 0) >= here:
        raise InvalidArgument(f"--devices: there is no {device}; torch finds {here} CUDA devices")


def devices_of(args: argparse.Namespace, trains: bool) -> list[str | None]:
    """The device of each worker.

    Args:
        args: As :func:`check_workers` left them.
        trains: Whether networks are trained, for which every GPU is used unless the arguments say otherwise.
    """
    import torch

    if not trains:
        return [None] * args.workers
    given = args.devices or ([args.device] if args.device else [])
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    devices = given or found or ["cpu"]
    return [devices[worker % len(devices)] for worker in range(args.workers)]


# ---------------------------------------------------------------- the worker


def end_with_parent() -> Interrupts:
    """Have this process interrupted when the one that started it has ended, and by Ctrl-C's signal."""
    interrupts = Interrupts()

    def watch() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGINT)
        # What swallows the interrupt, or does not come back from a library, must not run on without a parent.
        time.sleep(GRACE)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    return interrupts


class Interrupts:
    """Ctrl-C's signal in a worker: it ends the start and an evaluation at once, but no storing of results.

    So a finished value is kept, and no trial is left without a note of who began it. What swallows the
    exception, as some imports do, puts the end off until the next trial.

    Attributes:
        at_once: Whether the signal raises KeyboardInterrupt when it comes.
    """

    def __init__(self) -> None:
        self.at_once, self._came = True, False
        signal.signal(signal.SIGINT, self._handle)  # a shell's background jobs ignore it

    def _handle(self, *_: object) -> None:
        self._came = True
        if self.at_once:
            raise KeyboardInterrupt

    def during(self, objective: Objective, trial: optuna.Trial) -> float | tuple[float, ...]:
        """Evaluate ``trial``."""
        try:
            self.at_once = True
            self.between()
            return objective(trial)
        finally:
            self.at_once = False

    def between(self, *_: object) -> None:
        """Stop here, if the signal has come."""
        if self._came:
            raise KeyboardInterrupt


# ---------------------------------------------------------------- those that start them


def search_together(
    args: argparse.Namespace,
    study: optuna.Study,
    place: int,
    evaluator: Evaluator,
    total: int,
    *,
    title: str,
) -> None:
    """Search in processes until the study has ``total`` trials, and say how many it had before and has now.

    Args:
        args: The command's arguments. Where trials still run elsewhere, the final training is left to those.
        study: The study.
        place: Its place among the command's studies.
        evaluator: What measures.
        total: Trials of the study, whoever runs them.
        title: What the progress is called.
    """
    from graphnas.evaluate import TabularEvaluator
    from optuna_graphnas.budget import LostTrials, trials_done, trials_left, trials_under_way

    lost = LostTrials(study)
    lost.free()
    done, left = trials_done(study), trials_left(study, total)
    if left:
        print(f"{title}: {done} of {total} trials are done; {args.workers} workers for the rest", flush=True)
        devices = devices_of(args, trains=not isinstance(evaluator, TabularEvaluator))
        parts = [Part(place, total, device) for device in devices]
        commands = [[*args.argv, "--as-worker", json.dumps(dataclasses.asdict(part))] for part in parts]
        progress = Progress(title, total - done, best_value(study))

        def show() -> None:
            lost.free()
            progress.show(trials_done(study) - done, best_value(study))

        try:
            while trials_left(study, total):
                run_processes(commands, show=show, after_death=lost.free)
                while lost.suspected():  # a worker may have died in the moment when it began a trial
                    time.sleep(1)
                    lost.free()
            show()
        finally:
            progress.close()
            lost.free()
    done, elsewhere = trials_done(study), trials_under_way(study)
    if done < total and elsewhere:
        args.retrain_epochs = 0
        print(f"{title}: {done} of {total} trials are done; {elsewhere} still run in other processes")
    elif not left:
        print(f"{title}: all {total} trials are done already; for more, raise --trials")
