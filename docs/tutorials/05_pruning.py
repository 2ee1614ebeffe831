"""Pruning: ending a training that will not be good
================================================

Any of Optuna's pruners works, and a pruned trial teaches: it counts with the final value that its last report
corresponds to.
"""

# %%
# :class:`~graphnas.evaluate.OracleEvaluator` reports the accuracy after each epoch, ``Objective`` hands it
# to the pruner. Without a pruner (``NopPruner``) nothing is reported and less is measured.

import optuna
from matplotlib.figure import Figure

from graphnas.evaluate import OracleEvaluator
from optuna_graphnas import GraphBOSampler, Objective
from search_spaces import GEMNet

optuna.logging.set_verbosity(optuna.logging.WARNING)
space = GEMNet(num_nodes=6)
evaluator = OracleEvaluator(space, "digits", epochs=8, train_fraction=0.3, shape={"width": 8}, progress=False)
pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2)
study = optuna.create_study(
    direction="maximize", sampler=GraphBOSampler(space, seed=0, n_startup_trials=6), pruner=pruner
)
study.optimize(Objective(space, evaluator), n_trials=16)

pruned = study.get_trials(states=[optuna.trial.TrialState.PRUNED])
epochs = sum(len(trial.intermediate_values) for trial in study.trials)
print(f"best {study.best_value:.1f} %, {len(pruned)} of 16 pruned, {epochs} of {16 * 8} epochs")

# %%
# The curves; those that end early were pruned.

figure = Figure(figsize=(7, 3.6), layout="constrained")
axes = figure.add_subplot()
for trial in study.trials:
    steps, values = zip(*sorted(trial.intermediate_values.items()), strict=True)
    tint = "#E69F00" if trial in pruned else "#0072B2"
    axes.plot(steps, values, color=tint, marker="o", markersize=3, linewidth=1)
axes.set(xlabel="epoch", ylabel="validation accuracy (%)")

# %%
# In an objective of your own, report and ask, as in any study::
#
#     trial.report(accuracy, epoch)
#     if trial.should_prune():
#         raise optuna.TrialPruned
#
# How pruned, failed and interrupted trials are treated is in :doc:`/how-to/own-study`.
