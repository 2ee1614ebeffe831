"""What a search learned
=====================

More than one architecture: which pieces go with good ones, how the search moved, and a distribution to
draw from.
"""

# %%
# A study of the 26,206 graph networks of NAS-Bench-Graph on Cora, by
# :class:`optuna_graphnas.GraphPNASSampler`, which learns a distribution of graphs.

import optuna

from graphnas.evaluate import TabularEvaluator
from graphnas.plots import plot_samples
from optuna_graphnas import GraphPNASSampler, Objective
from optuna_graphnas.visualization import matplotlib as visualization
from optuna_graphnas.visualization import plot_latent_space
from search_spaces import NASBenchGraph

optuna.logging.set_verbosity(optuna.logging.WARNING)
space = NASBenchGraph()
table = TabularEvaluator(space, dataset="cora")
sampler = GraphPNASSampler(space, seed=0)
study = optuna.create_study(direction="maximize", sampler=sampler)
study.optimize(Objective(space, table), n_trials=80)
first = max(trial.value for trial in study.trials[:20])
print(f"best of the first 20 {first:.2f} %, of all {study.best_value:.2f} %")

# %%
# The best
# --------

best = visualization.plot_architectures(study, space, count=4, columns=2)

# %%
# Motifs
# ------
# By how much are architectures better that have a piece? ``a → b``: the output of a goes to b. It is a
# difference among those that were evaluated, with its standard error, and no proof of a cause.

motifs = visualization.plot_motifs(study, space)

# %%
# Effects
# -------
# What does the process of GraphBO say of random graphs, rather than of those that the search went to? See
# :func:`graphnas.surrogate.explain`; ``graphnas explain`` prints it.

effects = visualization.plot_effects(study, space, count=12)
best_explained = visualization.plot_contributions(study, space, count=2)

# %%
# Generations
# -----------
# Values and operations, ten trials at a time.

generations = visualization.plot_generations(study, space)

# %%
# The space that was seen
# -----------------------
# Alike architectures lie close together. Here drawn by plotly, as ``optuna_graphnas.visualization`` does: the
# pointer on a point says which trial it is. With ``encoder=model`` it is the latent space of an autoencoder.

latent = plot_latent_space(study, space)

# %%
# The distribution
# ----------------
# It has probabilities, samples, and a most probable architecture; a file keeps it.

learned = sampler.distribution(study)
samples = plot_samples(learned, 6, columns=3)
for architecture, score in learned.top_k(3):
    value = table.evaluate(architecture).value
    print(f"log p = {score:6.2f}  {value:.2f} %  {space.to_string(architecture)}")
