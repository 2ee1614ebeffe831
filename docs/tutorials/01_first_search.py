"""The first search
================

Twelve small networks are trained on scikit-learn's digits, chosen by :class:`optuna_graphnas.GraphBOSampler`.
"""

# %%
# A **space** says which networks there are: here cells of eight nodes with three operations. An
# **evaluator** measures one: this one trains it, for six epochs on 30 % of the images.

import optuna

from graphnas.evaluate import OracleEvaluator
from graphnas.plots import plot_architecture, plot_search_curve
from optuna_graphnas import GraphBOSampler, Objective, architecture_of
from search_spaces import GEMNet

optuna.logging.set_verbosity(optuna.logging.WARNING)
space = GEMNet(num_nodes=8)
evaluator = OracleEvaluator(space, "digits", epochs=6, train_fraction=0.3, shape={"width": 8}, progress=False)
print(f"{space.size():.2g} architectures")

# %%
# The study is Optuna's. The sampler is the only line that changes. Optuna prunes by default, that is, it
# may end a training that looks worse than the earlier ones; :doc:`05_pruning` is about that, here every
# training is finished.

study = optuna.create_study(
    direction="maximize",
    sampler=GraphBOSampler(space, seed=0),
    pruner=optuna.pruners.NopPruner(),
)
study.optimize(Objective(space, evaluator), n_trials=12)

for trial in study.trials:
    print(f"{trial.number:3d}  {trial.value:5.1f} %  {trial.user_attrs['parameters']:6,d} parameters")

# %%
# The parameters of a trial are ordinary categorical ones, so the dashboard, importances and other samplers
# work on the same study. ``architecture_of`` reads them back as a graph.

best = architecture_of(study.best_trial, space)
print(dict(list(study.best_params.items())[:4]), "...")
figure = plot_architecture(best, space)

# %%
# How the best value grew:

curve = plot_search_curve({"GraphBO": [t.value for t in study.trials]}, value_name="accuracy (%)")

# %%
# The best architecture as a ``torch.nn.Module``, new and untrained; :doc:`11_train_and_export` trains it.

network = space.build(best, num_classes=10, in_channels=1, width=8)
print(sum(p.numel() for p in network.parameters()), "parameters")
