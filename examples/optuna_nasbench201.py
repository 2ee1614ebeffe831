"""Search NAS-Bench-201 with GraphBO in Optuna: real accuracies, looked up in the benchmark's table.

Run ``python examples/optuna_nasbench201.py``; it takes less than a minute on one CPU core. The table is
looked for in ``$GRAPHNAS_DATA``.
"""

from __future__ import annotations

import optuna

from graphnas.evaluate import TabularEvaluator
from optuna_graphnas import GraphBOSampler, architecture_of, suggest_architecture
from search_spaces import NASBench201


def main(n_trials: int = 100) -> optuna.Study:
    """Run the search and print the best cell."""
    space = NASBench201()
    table = TabularEvaluator(space, dataset="cifar10")
    study = optuna.create_study(direction="maximize", sampler=GraphBOSampler(space, seed=0))
    study.optimize(lambda trial: table.evaluate(suggest_architecture(trial, space)).value, n_trials=n_trials)

    best = architecture_of(study.best_trial, space)
    print(f"best of {n_trials}: {space.to_string(best)}")
    print(f"validation accuracy {study.best_value:.2f} %, found in trial {study.best_trial.number}")
    print(f"test accuracy {table.evaluate(best).metrics['test_accuracy']:.2f} %")
    return study


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    main()
