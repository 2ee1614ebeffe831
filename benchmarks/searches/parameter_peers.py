"""SMAC and BoTorch as samplers of Optuna: they choose categorical parameters, and know nothing of graphs.

Both packages come with the extra ``peers`` and are imported where they are used.
"""

from __future__ import annotations

import math
import tempfile
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from graphnas import GraphSpace
from graphnas.errors import InvalidArgument
from graphnas.optional import require
from graphnas.seeds import derived_seed

STARTUP = 10
"""Evaluations before the first model, as Optuna's samplers and ours have."""
EXTRA = "peers"


class ParameterSampler(BaseSampler):
    """Chooses all parameters of a space at once, as numbers of their choices.

    Args:
        space: The space.
        seed: Seed of every random choice.
    """

    def __init__(self, space: GraphSpace, seed: int) -> None:
        self._distributions = {
            name: CategoricalDistribution(choices) for name, choices in space.parameters().items()
        }
        self._seed = seed

    @abstractmethod
    def choose(self, study: optuna.Study, trial: FrozenTrial) -> Sequence[int]:
        """The number of the choice of each parameter."""

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """All parameters of the space."""
        return dict(self._distributions)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A choice for each parameter."""
        chosen = self.choose(study, trial)
        return {
            name: one.choices[number]
            for (name, one), number in zip(self._distributions.items(), chosen, strict=True)
        }

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Refused.

        Raises:
            InvalidArgument: The parameter is not one of the space.
        """
        raise InvalidArgument(f"parameter {param_name!r} is not one of {', '.join(self._distributions)}")


class SMACSampler(ParameterSampler):
    """SMAC (Lindauer et al., JMLR 2022) as its facade for hyper-parameters sets it up: a random forest.

    Differences from the facade: 10 configurations at first rather than 10 for each parameter, and a forest
    that is trained after every evaluation rather than every eighth. The cost is 100 less the value, so that
    it is an error in percent where the value is an accuracy: SMAC takes its logarithm. SMAC keeps points in
    the order of Python's hashes of text, so that a search repeats only under the same ``PYTHONHASHSEED``.

    Args:
        space: The space.
        seed: Seed of every random choice.

    Raises:
        MissingExtra: smac is not installed.
    """

    def __init__(self, space: GraphSpace, seed: int) -> None:
        super().__init__(space, seed)
        smac, configspace = require("smac", EXTRA), require("ConfigSpace", EXTRA)
        self._runs = require("smac.runhistory.dataclasses", EXTRA)
        # SMAC keeps files of its own; nothing reads them.
        self._folder = tempfile.TemporaryDirectory(prefix="smac-")
        parameters = configspace.ConfigurationSpace(seed=seed)
        parameters.add(
            [
                configspace.CategoricalHyperparameter(name, list(range(len(one.choices))))
                for name, one in self._distributions.items()
            ]
        )
        scenario = smac.Scenario(
            parameters,
            deterministic=True,
            n_trials=1_000_000,
            seed=seed,
            output_directory=Path(self._folder.name),
        )
        facade = smac.HyperparameterOptimizationFacade
        self._facade = facade(
            scenario,
            lambda configuration, seed=0: math.nan,  # never called: trials are asked for and told
            initial_design=facade.get_initial_design(scenario, n_configs=STARTUP),
            config_selector=facade.get_config_selector(scenario, retrain_after=1),
            intensifier=facade.get_intensifier(scenario, max_config_calls=1),
            logging_level=False,
        )
        self._asked: dict[int, Any] = {}
        self._worst = 100.0

    def choose(self, study: optuna.Study, trial: FrozenTrial) -> Sequence[int]:
        """What SMAC asks for."""
        with joblib.parallel_config("sequential"):  # the forest would take every core
            asked = self._facade.ask()
        self._asked[trial.number] = asked
        return [int(asked.config[name]) for name in self._distributions]

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Tell SMAC the cost; a trial without a value, such as a pruned one, costs as much as the worst."""
        cost = self._worst if values is None else 100 - values[0]
        self._worst = max(self._worst, cost)
        self._facade.tell(self._asked.pop(trial.number), self._runs.TrialValue(cost=cost), save=False)


class BoTorchSampler(ParameterSampler):
    """BoTorch's Gaussian process for categorical parameters, ``MixedSingleTaskGP`` (Balandat et al., 2020).

    Its kernel counts in which parameters two points differ, each with a length scale of its own. One
    objective is searched by the logarithm of the expected improvement, several by that of the expected
    improvement of the hypervolume (qLogEHVI); both by BoTorch's local search over discrete points, which
    skips those that are known. Each objective has a process.

    Args:
        space: The space.
        seed: Seed of every random choice.

    Raises:
        MissingExtra: botorch is not installed.
    """

    restarts, raw_samples = 10, 1024

    def __init__(self, space: GraphSpace, seed: int) -> None:
        super().__init__(space, seed)
        require("botorch", EXTRA)

    def choose(self, study: optuna.Study, trial: FrozenTrial) -> Sequence[int]:
        """Random choices at first, then the maximum of the acquisition."""
        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        sizes = [len(one.choices) for one in self._distributions.values()]
        if len(done) < STARTUP:
            rng = np.random.default_rng([self._seed, trial.number])
            return [int(number) for number in rng.integers(sizes)]
        import torch

        points = [
            [one.to_internal_repr(past.params[name]) for name, one in self._distributions.items()]
            for past in done
        ]
        signs = [1 if d == optuna.study.StudyDirection.MAXIMIZE else -1 for d in study.directions]
        x = torch.tensor(points, dtype=torch.double)
        y = torch.tensor([past.values for past in done], dtype=torch.double) * torch.tensor(signs)
        with require("botorch.utils.sampling", EXTRA).manual_seed(derived_seed(self._seed, trial.number)):
            best, _ = require("botorch.optim", EXTRA).optimize_acqf_discrete_local_search(
                _acquisition(x, y),
                [torch.arange(size, dtype=torch.double) for size in sizes],
                q=1,
                num_restarts=self.restarts,
                raw_samples=self.raw_samples,
                X_avoid=x,
            )
        return [int(number) for number in best[0].tolist()]


def _acquisition(x: Any, y: Any) -> Any:
    """The acquisition of processes fitted to points ``(n, d)`` and values ``(n, m)``, which are maximised."""
    models, fit = require("botorch.models", EXTRA), require("botorch.fit", EXTRA)
    likelihoods = require("gpytorch.mlls", EXTRA)
    fitted = []
    for column in range(y.shape[1]):
        model = models.MixedSingleTaskGP(x, y[:, [column]], cat_dims=list(range(x.shape[1])))
        fit.fit_gpytorch_mll(likelihoods.ExactMarginalLogLikelihood(model.likelihood, model))
        fitted.append(model)
    if len(fitted) == 1:
        return require("botorch.acquisition", EXTRA).LogExpectedImprovement(fitted[0], best_f=y.max())
    several = require("botorch.utils.multi_objective", EXTRA)
    reference = several.infer_reference_point(y[several.is_non_dominated(y)])
    parts = require("botorch.utils.multi_objective.box_decompositions", EXTRA)
    volume = require("botorch.acquisition.multi_objective", EXTRA).qLogExpectedHypervolumeImprovement
    return volume(models.ModelListGP(*fitted), reference, parts.FastNondominatedPartitioning(reference, y))
