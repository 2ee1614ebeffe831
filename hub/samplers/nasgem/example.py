from __future__ import annotations

from graphnas.methods.nasgem import EncoderConfig
from graphnas.methods.nasgem import NASGEMConfig
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
    # A small encoder, which is trained in a moment; the default searches better.
    config = NASGEMConfig(encoder=EncoderConfig(pairs=200, iterations=20, batch_size=32))
    sampler = module.NASGEMSampler(space, config=config, seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=15)
    print(study.best_value, architecture_of(study.best_trial, space))
