from __future__ import annotations

import optuna
from optuna_graphnas import architecture_of
from optuna_graphnas import suggest_architecture
import optunahub
from search_spaces import GEMNet


# Cells of six nodes; in place of a training, the objective counts edges.
space = GEMNet(num_nodes=6)


def objective(trial: optuna.Trial) -> float:
    architecture = suggest_architecture(trial, space)
    return -abs(architecture.num_edges - 8)


if __name__ == "__main__":
    module = optunahub.load_module("samplers/nasgem")
    sampler = module.NASGEMSampler(space, seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=15)
    print(study.best_value, architecture_of(study.best_trial, space))
