"""A training loop of your own
===========================

graphnas does not need to train: an objective may do it in any way. And a method works without a host.
"""

# %%
# In Optuna
# ---------
# ``suggest_architecture`` is the one line of ours. What follows is an ordinary loop in torch, which reports
# every epoch, and stores what is worth knowing on the trial.

import optuna
import torch
from sklearn.datasets import load_digits
from torch import nn

from graphnas.graph import canonical_key
from graphnas.methods import GraphBO
from graphnas.plots import plot_search_curve
from optuna_graphnas import GraphBOSampler, suggest_architecture
from search_spaces import NASBench201

optuna.logging.set_verbosity(optuna.logging.WARNING)
digits = load_digits()
images = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32)
labels = torch.tensor(digits.target)
train, test = slice(0, 600), slice(600, 1200)
space = NASBench201()


def accuracy_of(architecture, report=lambda epoch, value: None, epochs=4):
    """Train a network of 8 channels and one cell per stage on 600 digits."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = space.build(architecture, 10, in_channels=1, channels=8, cells_per_stage=1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    value = 0.0
    for epoch in range(epochs):
        network.train()
        for batch in range(0, 600, 60):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(
                network(images[batch : batch + 60]), labels[batch : batch + 60]
            )
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            value = 100 * (network(images[test]).argmax(1) == labels[test]).float().mean().item()
        report(epoch, value)
    return value


def objective(trial):
    architecture = suggest_architecture(trial, space)
    trial.set_user_attr("cell", space.to_string(architecture))
    return accuracy_of(architecture, lambda epoch, value: trial.report(value, epoch))


study = optuna.create_study(
    direction="maximize",
    sampler=GraphBOSampler(space, seed=0, n_startup_trials=5),
    pruner=optuna.pruners.NopPruner(),
)
study.optimize(objective, n_trials=12)
print(f"{study.best_value:.1f} %  {study.best_trial.user_attrs['cell']}")

# %%
# Without a host
# --------------
# ``ask`` gives architectures, ``tell`` takes values, ``None`` for one that failed. A value that is not a
# number fails too; the search goes on and keeps away.

method = GraphBO(space, seed=1)
values = []
for _ in range(12):
    (architecture,) = method.ask()
    value = accuracy_of(architecture, epochs=2)
    method.tell(architecture, value)
    values.append(value)
print(f"best of {len(values)}: {max(values):.1f} %")
figure = plot_search_curve(
    {"in a study, 4 epochs": [t.value for t in study.trials], "ask and tell, 2 epochs": values},
    value_name="accuracy (%)",
)

# %%
# An architecture is a value: immutable, hashable, and with a key that isomorphic graphs share.

print(architecture, canonical_key(architecture)[:16])
