from __future__ import annotations

import optuna
from optuna_graphnas import RandomArchitectureSampler
from optuna_graphnas import suggest_architecture
import optunahub
from search_spaces import GEMNet


space = GEMNet(num_nodes=6)


def objective(trial: optuna.Trial) -> float:
    return -abs(suggest_architecture(trial, space).num_edges - 8)


if __name__ == "__main__":
    module = optunahub.load_module("visualization/plot_architectures")
    sampler = RandomArchitectureSampler(space, seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=30)
    module.plot_architectures(study, space).write_html("architectures.html")
    module.plot_motifs(study, space).write_html("motifs.html")
    module.matplotlib.plot_generations(study, space).savefig("generations.png")
