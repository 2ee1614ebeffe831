"""Running trials, with progress for a terminal or a log file."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tqdm import tqdm

from graphnas.cli.studies import quiet_optuna

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
    known = [trial.values[0] for trial in study.get_trials(deepcopy=False) if trial.values is not None]
    progress = _Progress(title, trials, max(known, default=None))
    with quiet_optuna():
        try:
            study.optimize(objective, n_trials=trials, n_jobs=jobs, callbacks=[progress, *callbacks])
        finally:
            progress.close()


class _Progress:
    """A callback of ``study.optimize``, which with several jobs is called from several threads."""

    def __init__(self, title: str, trials: int, best: float | None = None) -> None:
        self._title, self._trials, self._done = title, trials, 0
        self._best = best
        self._started = time.perf_counter()
        self._lock = threading.Lock()
        self._bar = tqdm(total=trials, desc=title, unit="trial") if sys.stderr.isatty() else None

    def __call__(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        with self._lock:
            self._done += 1
            if trial.values is not None and (self._best is None or trial.values[0] > self._best):
                self._best = trial.values[0]
            best = "none yet" if self._best is None else f"{self._best:.2f}"
            if self._bar is not None:
                self._bar.set_postfix_str(f"best {best}", refresh=False)
                self._bar.update()
            elif self._done * LINES // self._trials > (self._done - 1) * LINES // self._trials:
                seconds = time.perf_counter() - self._started
                print(
                    f"{self._title}: {self._done}/{self._trials} trials, {seconds:.0f} s, best {best}",
                    file=sys.stderr,
                    flush=True,
                )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
