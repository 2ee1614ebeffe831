"""GraphPNAS on RandWire graphs of 32 nodes in Optuna, each trained on real images, and what was learned.

Every trial trains a randomly wired network from scratch on a part of scikit-learn's digits, and its value is
the validation accuracy on the rest. The search begins with Watts-Strogatz graphs; then GraphPNAS's
generator, fitted to the best so far, proposes. At the end its learned distribution is saved.

Run ``python examples/graphpnas_randwire.py``; it takes a few minutes on one CPU core. When run again,
it continues the study in ``runs/graphpnas_randwire/study.db``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import optuna

from graphnas import ArchitectureBatch
from graphnas.evaluate import OracleEvaluator
from graphnas.graph import graph_properties
from graphnas.methods import GraphPNAS, GraphPNASConfig
from optuna_graphnas import GraphPNASSampler, Objective, architecture_of
from search_spaces import RandWire

OUTPUT = Path("runs/graphpnas_randwire")


def main(
    output: Path = OUTPUT, *, nodes: int = 32, n_trials: int = 24, n_startup_trials: int = 12, epochs: int = 3
) -> optuna.Study:
    """Search until the study has ``n_trials`` finished trials, print them, and save the distribution."""
    output.mkdir(parents=True, exist_ok=True)
    space = RandWire(nodes)  # one graph for all stages; the explorer is the space's own: Watts-Strogatz
    config = GraphPNASConfig(n_startup_trials=n_startup_trials, batch_size=4)
    network = {"stem_widths": (8, 8), "stem_strides": (1, 1), "widths": (8,), "head_width": 32}
    evaluator = OracleEvaluator(
        space,
        "digits",
        shape=network,
        epochs=epochs,
        train_fraction=0.3,
        reward_epochs=1,
        batch_size=32,
        learning_rate=0.1,
        device="cpu",
        progress=False,
    )
    study = optuna.create_study(
        direction="maximize",
        study_name="graphpnas-randwire",
        storage=f"sqlite:///{output / 'study.db'}",
        load_if_exists=True,
        sampler=GraphPNASSampler(space, config=config, seed=0),
        pruner=optuna.pruners.NopPruner(),  # every network is trained to the end, as in the paper
    )
    done = sum(trial.state.is_finished() for trial in study.trials)
    study.optimize(Objective(space, evaluator), n_trials=max(0, n_trials - done))

    # The same observations give the same method: proposals and distribution depend on the study alone.
    method = GraphPNAS(space, config, seed=0)
    for trial in study.trials:
        if trial.state == optuna.trial.TrialState.COMPLETE:
            architecture = architecture_of(trial, space)
            method.tell(architecture, trial.value)
            print(f"{trial.number:3d}  accuracy {trial.value:5.2f} %  {architecture.num_edges} edges")
    values = [trial.value for trial in study.trials if trial.value is not None]
    first, others = np.mean(values[:n_startup_trials]), np.mean(values[n_startup_trials:])
    print(f"mean of the first {n_startup_trials}: {first:.2f} %, of the others: {others:.2f} %")
    print(f"best: {study.best_value:.2f} % in trial {study.best_trial.number}")

    distribution = method.distribution()
    distribution.save(output / "distribution.pt")
    samples = ArchitectureBatch.from_architectures(distribution.sample(50))
    length = graph_properties(samples).average_path_length
    print(f"50 samples of the learned distribution: average path length {length.mean():.2f}")
    return study


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    main()
