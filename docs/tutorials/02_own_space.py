"""A search space of your own
==========================

Operations, a rule and a builder are a space. Everything else follows: sampling, kernels, parameters,
drawings.
"""

# %%
# The space
# ---------
# Three operations between an input and an output, on feature vectors.

import numpy as np
import optuna
import torch
from sklearn.datasets import load_wine
from torch import nn

from graphnas import GraphSpace
from graphnas.errors import InvalidArchitecture
from graphnas.plots import plot_architectures
from optuna_graphnas import GraphBOSampler, architecture_of, suggest_architecture

optuna.logging.set_verbosity(optuna.logging.WARNING)


class Perceptrons(GraphSpace):
    """Five nodes; each applies its operation to the sum of its inputs."""

    name = "perceptrons"
    node_ops = ("input", "linear", "tanh", "gate", "output")
    max_nodes = 6

    def node_choices(self, node):
        return {0: [0], self.max_nodes - 1: [4]}.get(node, [1, 2, 3])

    def check(self, architecture):
        edges = architecture.adjacency != 0
        if not edges[:, 1:].any(0).all() or not edges[:-1].any(1).all():
            raise InvalidArchitecture("perceptrons: a node has no input, or nothing reads it")

    def build(self, architecture, num_classes, *, features=13, width=16):
        self.validate(architecture)
        return Network(architecture, num_classes, features, width)


class Network(nn.Module):
    """The network of an architecture."""

    def __init__(self, architecture, num_classes, features, width):
        super().__init__()
        self.edges = architecture.adjacency != 0
        self.operations = architecture.operations.tolist()
        self.stem, self.head = nn.Linear(features, width), nn.Linear(width, num_classes)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in self.operations)

    def forward(self, x):
        outputs = [self.stem(x)]
        for node in range(1, len(self.operations)):
            total = sum(outputs[i] for i in range(node) if self.edges[i, node])
            outputs.append(self.apply(space.node_ops[self.operations[node]], self.layers[node], total))
        return self.head(outputs[-1])

    def apply(self, operation, layer, x):
        if operation == "linear":
            return layer(x)
        if operation == "tanh":
            return torch.tanh(layer(x))
        if operation == "gate":
            return x * torch.sigmoid(layer(x))
        return x  # the output


space = Perceptrons()
rng = np.random.default_rng(0)
figure = plot_architectures([space.sample(rng) for _ in range(4)], space, columns=2)

# %%
# What is not in the space is refused, with the rule that it breaks:

empty = {name: choices[0] for name, choices in space.parameters().items()}
try:
    space.from_parameters(empty)
except InvalidArchitecture as error:
    print(error)

# %%
# A search
# --------
# The objective is a plain function. Here it trains for a moment on scikit-learn's wine data.

data = load_wine()
x = torch.tensor((data.data - data.data.mean(0)) / data.data.std(0), dtype=torch.float32)
y = torch.tensor(data.target)
order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
train, test = order[:60], order[60:]


def objective(trial):
    architecture = suggest_architecture(trial, space)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = space.build(architecture, 3)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    for _ in range(15):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x[train]), y[train]).backward()
        optimizer.step()
    with torch.no_grad():
        return -float(nn.functional.cross_entropy(network(x[test]), y[test]))


study = optuna.create_study(direction="maximize", sampler=GraphBOSampler(space, seed=0))
study.optimize(objective, n_trials=30)
first = max(t.value for t in study.trials[:10])
print(f"best of the ten random starts {first:.3f}, of all {study.best_value:.3f}")

# %%
best = plot_architectures(
    [architecture_of(study.best_trial, space)], space, captions=[f"{study.best_value:.3f}"], columns=1
)

# %%
# Rules that are slow or strict, several parts, hyper-parameters beside the graph, and spaces that grow are
# in :doc:`/how-to/own-space`.
