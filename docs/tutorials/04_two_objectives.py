"""Two objectives: accuracy and latency
====================================

The graph networks of NAS-Bench-Graph, whose table (extra ``tables``) has the accuracy on Cora and the
measured latency of each. A search looks for the front of both.
"""

# %%
# ``Objective`` returns the values that are asked for, in the order of the study's directions.

import numpy as np
import optuna

from graphnas.evaluate import TabularEvaluator
from optuna_graphnas import GraphBOSampler, Objective
from search_spaces import NASBenchGraph

optuna.logging.set_verbosity(optuna.logging.WARNING)
space = NASBenchGraph()
table = TabularEvaluator(space, dataset="cora", device="gpu_cora")
print(table.evaluate(space.sample(np.random.default_rng(0))))

# %%
objective = Objective(space, table, objectives=("value", "latency"))
directions = ["maximize", "minimize"]
ours = optuna.create_study(directions=directions, sampler=GraphBOSampler(space, seed=0))
ours.optimize(objective, n_trials=60)
random = optuna.create_study(directions=directions, sampler=optuna.samplers.RandomSampler(seed=0))
random.optimize(objective, n_trials=60)

for trial in sorted(ours.best_trials, key=lambda trial: trial.values[1]):
    network = space.to_string(space.from_parameters(trial.params))
    print(f"{trial.values[0]:6.2f} %  {trial.values[1]:7.4f}  {network}")

# %%
# How much of the plane the front dominates, as in Optuna's hypervolume history: larger is better.

from matplotlib.figure import Figure
from optuna.visualization import plot_hypervolume_history

reference = [
    min(t.values[0] for t in (*ours.trials, *random.trials) if t.values),
    max(t.values[1] for t in (*ours.trials, *random.trials) if t.values),
]
figure = Figure(figsize=(8, 3.6), layout="constrained")
points, volume = figure.subplots(1, 2)
for name, study, colour in (("GraphBOSampler", ours, "#0072B2"), ("RandomSampler", random, "#E69F00")):
    known = np.array([t.values for t in study.trials if t.values])
    points.scatter(known[:, 1], known[:, 0], s=14, color=colour, alpha=0.6, label=name)
    history = plot_hypervolume_history(study, reference).data[0]
    volume.plot(history.x, history.y, color=colour, label=name)
points.set(xlabel="latency", ylabel="accuracy (%)")
volume.set(xlabel="trials", ylabel="hypervolume")
volume.legend(frameon=False)

# %%
# A limit
# -------
# With one objective and a bound, the model learns where the bound holds: ``constraints`` names the largest
# feasible value. Trials beyond it are no candidates for the best.

limit = float(np.median([t.values[1] for t in random.trials]))
bounded = optuna.create_study(direction="maximize", sampler=GraphBOSampler(space, seed=0))
bounded.optimize(Objective(space, table, constraints={"latency": limit}), n_trials=40)
feasible = [t for t in bounded.trials if all(value <= 0 for value in t.constraints.values())]
print(f"limit {limit:.4f}: {len(feasible)} of {len(bounded.trials)} within, best {bounded.best_value:.2f} %")

# %%
# Your own latency is measured in an objective of your own. ``Objective`` also returns ``parameters``,
# ``macs`` and ``seconds``, where the evaluator measures them.
