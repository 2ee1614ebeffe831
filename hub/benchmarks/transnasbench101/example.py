from __future__ import annotations

import optuna
import optunahub


if __name__ == "__main__":
    problem = optunahub.load_module("benchmarks/transnasbench101").Problem("class_scene")
    study = optuna.create_study(directions=problem.directions)
    study.optimize(problem, n_trials=30)
    print(study.best_value)
