"""Search NAS-Bench-201 with GraphBO in Ray Tune, whose trials run on all cores or machines of a Ray cluster.

Ray's ``OptunaSearch`` takes any Optuna sampler. Run ``python examples/ray_tune.py`` after
``pip install "graphnas[ray]"``; it takes about a minute, most of it Ray's own start. On a cluster, start it
with ``ray job submit``. The table is looked for in ``$GRAPHNAS_DATA``, on each machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search.optuna import OptunaSearch

from graphnas.evaluate import TabularEvaluator
from optuna_graphnas import GraphBOSampler, suggest_architecture
from search_spaces import NASBench201

SPACE = NASBench201()


def define_by_run(trial: Any) -> None:
    """What Ray asks Optuna for; Ray fetches the values itself."""
    suggest_architecture(trial, SPACE)


def train(config: dict[str, Any]) -> None:
    """One trial, in a process of Ray's: train the architecture and report its value."""
    architecture = SPACE.from_parameters(config)  # Ray nests the names: {"nasbench201": {"op_0_1": ...}}
    evaluation = TabularEvaluator(SPACE, dataset="cifar10").evaluate(architecture)
    tune.report({"accuracy": evaluation.value})


def main(n_trials: int = 30, workers: int = 2, storage: Path = Path("runs/ray_tune")) -> tune.ResultGrid:
    """Run the search and print the best cell."""
    search = OptunaSearch(define_by_run, metric="accuracy", mode="max", sampler=GraphBOSampler(SPACE, seed=0))
    tuner = tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=ConcurrencyLimiter(search, max_concurrent=workers),
            num_samples=n_trials,
            metric="accuracy",
            mode="max",
            reuse_actors=True,  # a new process for each trial would cost seconds
        ),
        run_config=tune.RunConfig(storage_path=str(storage.resolve()), verbose=1),
    )
    results = tuner.fit()
    best = results.get_best_result()
    print(f"best of {n_trials}: {SPACE.to_string(SPACE.from_parameters(best.config))}")
    print(f"validation accuracy {best.metrics['accuracy']:.2f} %")
    return results


if __name__ == "__main__":
    main()
