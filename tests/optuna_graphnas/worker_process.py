"""One worker of a study, run as a process of its own by the tests.

Usage: worker_process.py URL STUDY METHOD SEED TRIALS [HANG_AT FILE]

With HANG_AT, the objective of the trial that finds so many finished ones writes FILE and waits to be killed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import optuna
from sampler_cases import make_sampler, real_objective, real_space
from storage_cases import open_storage


def main(url: str, name: str, method: str, seed: str, trials: str, *hang: str) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = make_sampler(method, int(seed), space=real_space())
    study = optuna.load_study(study_name=name, storage=open_storage(url), sampler=sampler)

    def objective(trial: optuna.Trial) -> float:
        value = real_objective(trial)
        if hang and sum(t.state.is_finished() for t in study.get_trials(deepcopy=False)) == int(hang[0]):
            Path(hang[1]).touch()
            time.sleep(600)
        return value

    study.optimize(objective, n_trials=int(trials))


if __name__ == "__main__":
    main(*sys.argv[1:])
