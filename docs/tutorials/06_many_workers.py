"""Resuming, and many workers
==========================

The next proposal is a function of the seed and of the trials in the study. So a study continues in another
process, after a crash, or with a second worker, and needs no files but Optuna's own.
"""

# %%
# Stop and continue
# -----------------
# Two halves in two studies objects give the same trials as one whole.

import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import optuna

from graphnas.evaluate import TabularEvaluator
from optuna_graphnas import GraphBOSampler, Objective
from search_spaces import NASBenchGraph

optuna.logging.set_verbosity(optuna.logging.WARNING)
folder = Path(tempfile.mkdtemp())
space = NASBenchGraph()
objective = Objective(space, TabularEvaluator(space, dataset="cora"))


def continued(storage, trials):
    """``trials`` more trials of the study in ``storage``, as a new process would run them."""
    study = optuna.create_study(
        storage=storage,
        study_name="cora",
        direction="maximize",
        load_if_exists=True,
        sampler=GraphBOSampler(space, seed=0),
    )
    study.optimize(objective, n_trials=trials)
    return [trial.value for trial in study.trials]


halves = f"sqlite:///{folder}/halves.db"
continued(halves, 12)
stopped = continued(halves, 12)
whole = continued(f"sqlite:///{folder}/whole.db", 24)
print("the same trials:", stopped == whole)

# %%
# Many workers
# ------------
# Every worker is a process that runs this program; on other machines too, if all reach the storage. A
# journal file does on one machine or a shared disk, PostgreSQL and MySQL anywhere. What runs elsewhere is
# not proposed again, and the model takes account of it.

worker = textwrap.dedent(
    """
    import optuna, sys
    from graphnas.evaluate import TabularEvaluator
    from optuna_graphnas import GraphBOSampler, Objective
    from search_spaces import NASBenchGraph

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = NASBenchGraph()
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(sys.argv[1]))
    study = optuna.create_study(
        storage=storage, study_name="cora", direction="maximize", load_if_exists=True,
        sampler=GraphBOSampler(space, seed=0),
    )
    study.optimize(Objective(space, TabularEvaluator(space, dataset="cora")), n_trials=10)
    """
)
journal = str(folder / "workers.log")
workers = [subprocess.Popen([sys.executable, "-c", worker, journal]) for _ in range(3)]
print("exit codes:", [process.wait() for process in workers])

# %%
backend = optuna.storages.journal.JournalFileBackend(journal)
study = optuna.load_study(study_name="cora", storage=optuna.storages.JournalStorage(backend))
keys = {space.key(space.from_parameters(trial.params)) for trial in study.trials}
print(f"{len(study.trials)} trials, {len(keys)} different architectures, best {study.best_value:.2f} %")

# %%
# A worker that is killed
# -----------------------
# Its architecture is proposed again, once (``max_retries``). On one machine the samplers see that the
# process is gone; on several, give the storage a heartbeat::
#
#     optuna.storages.RDBStorage("postgresql://...", heartbeat_interval=60)
#
# On the command line, ``graphnas search --workers 4`` starts the processes, gives each its GPU, replaces one
# that dies, and sets the heartbeat.
