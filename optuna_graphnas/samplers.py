"""The samplers: each is a GraphSampler with one search method and its configuration."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from graphnas.errors import InvalidArgument
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import SearchMethod
from optuna_graphnas.sampler import GraphSampler

if TYPE_CHECKING:
    from optuna.study import Study

    from graphnas.configuration import Configuration
    from graphnas.methods.graphpnas import LearnedDistribution

Constraints = Callable[[FrozenTrial], Sequence[float]]


class SamplerOptions(TypedDict, total=False):
    """The options that every sampler takes; see :class:`optuna_graphnas.GraphSampler`."""

    seed: int | None
    n_startup_trials: int
    independent_sampler: BaseSampler | None
    warn_independent_sampling: bool
    constraints_func: Constraints | None
    lease_seconds: float


def make_method(name: str, space: GraphSpace, options: dict[str, Any], seed: int) -> SearchMethod:
    """A search method by its class name, imported only now since most of them load torch."""
    method = getattr(importlib.import_module("graphnas.methods"), name)
    made: SearchMethod = method(space, seed=seed, **options)
    return made


class ConfiguredSampler(GraphSampler):
    """Base of the samplers whose method has a configuration with presets.

    Args:
        space: The search space; suggest from it with :func:`optuna_graphnas.suggest_architecture`.
        config: Settings of the method; by default those chosen in our benchmarks.
        preset: Instead of ``config``, the name of one: ``"default"``, ``"paper"`` for the method as
            published, or others that the configuration's class lists.
        seed: Seed of everything random; drawn at random when None.
        n_startup_trials: Random architectures before the method's model is used, other than ``config`` says,
            and random trials of the default inner sampler.
        independent_sampler: Sampler of all other parameters; as in :class:`optuna_graphnas.GraphSampler`.
        warn_independent_sampling: As in :class:`optuna_graphnas.GraphSampler`.
        constraints_func: As in :class:`optuna_graphnas.GraphSampler`.
        lease_seconds: As in :class:`optuna_graphnas.GraphSampler`.

    Raises:
        InvalidArgument: Both ``config`` and ``preset``, or an option outside of what is allowed.
    """

    _method_name: str
    """The class in :mod:`graphnas.methods`; its configuration has this name and ``Config``."""

    def __init__(
        self,
        space: GraphSpace,
        *,
        config: Configuration | None = None,
        preset: str | None = None,
        seed: int | None = None,
        n_startup_trials: int | None = None,
        independent_sampler: BaseSampler | None = None,
        warn_independent_sampling: bool = True,
        constraints_func: Constraints | None = None,
        lease_seconds: float = 300.0,
    ) -> None:
        from graphnas.configuration import configured

        kind = getattr(importlib.import_module("graphnas.methods"), f"{self._method_name}Config")
        settings = configured(kind, config, preset, n_startup_trials)
        super().__init__(
            space,
            functools.partial(make_method, self._method_name, space, {"config": settings}),
            seed=seed,
            n_startup_trials=10 if n_startup_trials is None else n_startup_trials,
            independent_sampler=independent_sampler,
            warn_independent_sampling=warn_independent_sampling,
            constraints_func=constraints_func,
            lease_seconds=lease_seconds,
        )


class NASGEMSampler(ConfiguredSampler):
    """NASGEM (arXiv 2007.04452): a predictor on the graph, and the best of many candidates.

    Several objectives and constraints are supported; see :class:`graphnas.methods.NASGEM`, and
    :class:`ConfiguredSampler` for the arguments.
    """

    _method_name = "NASGEM"


class GraphPNASSampler(ConfiguredSampler):
    """GraphPNAS (TMLR 2023): samples of a generator of graphs that is fitted to the best so far.

    Several objectives and constraints are supported; see :class:`graphnas.methods.GraphPNAS`, and
    :class:`ConfiguredSampler` for the arguments. Further presets are the settings of single published
    experiments; :class:`graphnas.methods.GraphPNASConfig` lists them.
    """

    _method_name = "GraphPNAS"

    def distribution(self, study: Study) -> LearnedDistribution:
        """The distribution of architectures learned from the finished trials of ``study``.

        Raises:
            InvalidArgument: Fewer than two trials have a value.
        """
        learned: LearnedDistribution = self.method_of(study).distribution()  # type: ignore[attr-defined]
        return learned


class LatentBOSampler(ConfiguredSampler):
    """Bayesian optimisation in the latent space of a graph autoencoder (D-VAE, arXiv 1904.11088, and ours).

    Several objectives and constraints are supported; see :class:`graphnas.methods.LatentBO`, and
    :class:`ConfiguredSampler` for the arguments. The autoencoder is trained when the random trials are over,
    seconds with the default model, once for all samplers of the same space object, configuration and seed.
    """

    _method_name = "LatentBO"


class RandomArchitectureSampler(GraphSampler):
    """Random architectures without repetition; see :class:`graphnas.methods.RandomSearch`.

    Args:
        space: The search space.
        **options: See :class:`optuna_graphnas.GraphSampler`.
    """

    def __init__(self, space: GraphSpace, **options: Unpack[SamplerOptions]) -> None:
        super().__init__(space, functools.partial(make_method, "RandomSearch", space, {}), **options)


class RegularizedEvolutionSampler(GraphSampler):
    """Regularised evolution; see :class:`graphnas.methods.RegularizedEvolution`.

    Args:
        space: The search space.
        population_size: Architectures alive; also the number of random ones at the start.
        tournament_size: Of how many the parent is the best.
        **options: See :class:`optuna_graphnas.GraphSampler`.

    Raises:
        InvalidArgument: Sizes that do not satisfy ``1 <= tournament_size <= population_size``.
    """

    def __init__(
        self,
        space: GraphSpace,
        *,
        population_size: int = 20,
        tournament_size: int = 5,
        **options: Unpack[SamplerOptions],
    ) -> None:
        if not 1 <= tournament_size <= population_size:
            raise InvalidArgument(
                f"need 1 <= tournament_size <= population_size, got {tournament_size} and {population_size}"
            )
        sizes = {"population_size": population_size, "tournament_size": tournament_size}
        method = functools.partial(make_method, "RegularizedEvolution", space, sizes)
        super().__init__(space, method, **options)


class LocalSearchSampler(GraphSampler):
    """Hill climbing with restarts; see :class:`graphnas.methods.LocalSearch`.

    Args:
        space: The search space.
        **options: See :class:`optuna_graphnas.GraphSampler`.
    """

    def __init__(self, space: GraphSpace, **options: Unpack[SamplerOptions]) -> None:
        super().__init__(space, functools.partial(make_method, "LocalSearch", space, {}), **options)
