"""The supernet measures what Optuna's trials suggest, as any evaluator does."""

from __future__ import annotations

import optuna

from graphnas.evaluate import SupernetEvaluator
from optuna_graphnas import Objective, RegularizedEvolutionSampler
from search_spaces import ENASMacro


def test_a_study_on_shared_weights():
    space = ENASMacro(3)
    evaluator = SupernetEvaluator(space, "digits", shape={"width": 4}, progress=False)
    evaluator.train(1)
    sampler = RegularizedEvolutionSampler(space, seed=0)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    study.optimize(Objective(space, evaluator, objectives=("value", "macs")), n_trials=6)
    for trial in study.trials:
        evaluation = evaluator.evaluate(space.from_parameters(trial.params))
        assert trial.values == [evaluation.value, evaluation.macs]
        assert trial.user_attrs["metrics"] == {"supernet_epochs": 1.0}
