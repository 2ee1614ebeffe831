"""Running trials, with progress for a terminal or a log file."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tqdm import tqdm

from graphnas.cli.studies import plain_interrupts, quiet_optuna

if TYPE_CHECKING:
    import optuna

    from optuna_graphnas import Objective

LINES = 6
"""How often progress is printed where stderr is no terminal."""


def run_trials(
    study: optuna.Study,
    objective: Objective,
    trials: int,
    *,
    jobs: int,
    title: str,
    callbacks: Sequence[Callable[..., None]] = (),
) -> None:
    """Run ``trials`` trials of ``study``, in ``jobs`` threads, with ``callbacks`` after each.

    A terminal shows a bar with the best value so far; anything else gets a line from time to time.
    """
    if trials == 0:
        return
    progress = Progress(title, trials, best_value(study))
    with quiet_optuna(), plain_interrupts():
        try:
            study.optimize(objective, n_trials=trials, n_jobs=jobs, callbacks=[progress, *callbacks])
        finally:
            progress.close()


class Progress:
    """Shows how far the trials are; a callback of ``study.optimize``, which calls it from its threads.

    Args:
        title: What it is called.
        trials: How many trials there will be.
        best: The best value before them.
    """

    def __init__(self, title: str, trials: int, best: float | None = None) -> None:
        self._title, self._trials, self._done = title, trials, 0
        self._best = best
        self._started = time.perf_counter()
        self._lock = threading.Lock()
        self._bar = tqdm(total=trials, desc=title, unit="trial") if sys.stderr.isatty() else None

    def __call__(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        """One more trial has ended."""
        with self._lock:
            best = self._best
            if trial.values is not None and (best is None or trial.values[0] > best):
                best = trial.values[0]
            self.show(self._done + 1, best)

    def show(self, done: int, best: float | None) -> None:
        """So many trials have ended, and this is the best value so far."""
        before, self._done, self._best = self._done, done, best
        shown = "none yet" if best is None else f"{best:.2f}"
        if self._bar is not None:
            self._bar.set_postfix_str(f"best {shown}", refresh=False)
            self._bar.update(done - before)
        elif done * LINES // self._trials > before * LINES // self._trials:
            seconds = time.perf_counter() - self._started
            print(
                f"{self._title}: {done}/{self._trials} trials, {seconds:.0f} s, best {shown}",
                file=sys.stderr,
                flush=True,
            )

    def close(self) -> None:
        """Leave the terminal as a line of its own."""
        if self._bar is not None:
            self._bar.close()


def best_value(study: optuna.Study) -> float | None:
    """The largest value in ``study``; None where there is none."""
    known = [trial.values[0] for trial in study.get_trials(deepcopy=False) if trial.values is not None]
    return max(known, default=None)
