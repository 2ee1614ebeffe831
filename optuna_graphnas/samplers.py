"""The samplers: each is a GraphSampler with one search method and its configuration."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict, Unpack

from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from graphnas.configuration import configured
from graphnas.graph.product import as_space
from graphnas.graph.space import GraphSpace
from graphnas.methods.registry import configuration_of, make_method
from optuna_graphnas.sampler import GraphSampler

if TYPE_CHECKING:
    from optuna.study import Study

    from graphnas.configuration import Configuration
    from graphnas.methods.graphpnas import LearnedDistribution
    from graphnas.surrogate.prior import PriorTask


Space = GraphSpace | Mapping[str, GraphSpace]
"""A search space, or the spaces of several architectures by name."""


class SamplerOptions(TypedDict, total=False):
    """The options that every sampler takes; see :class:`optuna_graphnas.GraphSampler`."""

    seed: int | None
    independent_sampler: BaseSampler | None
    joint: bool | None
    warn_independent_sampling: bool
    constraints_func: Callable[[FrozenTrial], Sequence[float]] | None
    lease_seconds: float
    max_retries: int
    prior: Sequence[PriorTask]


class _Options(SamplerOptions, total=False):
    n_startup_trials: int


class ConfiguredSampler(GraphSampler):
    """Base of the samplers whose method has a configuration with presets.

    Args:
        space: The search space; suggest from it with :func:`optuna_graphnas.suggest_architecture`. A mapping
            of spaces by name stands for their :class:`graphnas.ProductSpace`.
        config: Settings of the method; by default those that search best in our benchmarks.
        preset: The name of a setting, instead of ``config``: ``"default"``, ``"paper"`` for the method as
            published, or another one that the configuration's class lists.
        n_startup_trials: Random architectures before the method's model is used, in place of what ``config``
            says, and random trials of the default inner sampler.
        **options: See :class:`optuna_graphnas.GraphSampler`.

    Raises:
        InvalidArgument: Both ``config`` and ``preset``, or an option out of range.
    """

    _method_name: str
    """The class in :mod:`graphnas.methods`."""

    def __init__(
        self,
        space: Space,
        *,
        config: Configuration | None = None,
        preset: str | None = None,
        n_startup_trials: int | None = None,
        **options: Unpack[SamplerOptions],
    ) -> None:
        kind = configuration_of(self._method_name)
        assert kind is not None
        space = as_space(space)
        settings = configured(kind, config, preset, n_startup_trials)
        super().__init__(
            space,
            functools.partial(make_method, self._method_name, space, config=settings),
            n_startup_trials=10 if n_startup_trials is None else n_startup_trials,
            **options,
        )


class GraphBOSampler(ConfiguredSampler):
    """Bayesian optimisation with a Gaussian process on graph features; the sampler that we recommend.

    Several objectives and constraints are supported; see :class:`graphnas.methods.GraphBO`, and
    :class:`ConfiguredSampler` for the arguments.
    """

    _method_name = "GraphBO"


class NASGEMSampler(ConfiguredSampler):
    """NASGEM (arXiv 2007.04452): a kernel-guided encoder, and a perceptron on its embeddings.

    Several objectives and constraints are supported; see :class:`graphnas.methods.NASGEM`, and
    :class:`ConfiguredSampler` for the arguments. The encoder is trained when the random trials are over.
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
    which takes seconds with the default model, once for all samplers of the same space object, configuration
    and seed.
    """

    _method_name = "LatentBO"


class RandomArchitectureSampler(GraphSampler):
    """Random architectures without repetition; see :class:`graphnas.methods.RandomSearch`.

    Args:
        space: The search space.
        **options: See :class:`optuna_graphnas.GraphSampler`.
    """

    def __init__(self, space: Space, **options: Unpack[_Options]) -> None:
        space = as_space(space)
        super().__init__(space, functools.partial(make_method, "RandomSearch", space), **options)


class RegularizedEvolutionSampler(GraphSampler):
    """Regularised evolution; see :class:`graphnas.methods.RegularizedEvolution`.

    Args:
        space: The search space.
        population_size: Architectures alive; also the number of random ones at the start.
        tournament_size: Architectures drawn from the population, the best of which becomes the parent.
        **options: See :class:`optuna_graphnas.GraphSampler`.

    Raises:
        InvalidArgument: Sizes that do not satisfy ``1 <= tournament_size <= population_size``.
    """

    def __init__(
        self,
        space: Space,
        *,
        population_size: int = 20,
        tournament_size: int = 5,
        **options: Unpack[_Options],
    ) -> None:
        space = as_space(space)
        method = functools.partial(
            make_method,
            "RegularizedEvolution",
            space,
            population_size=population_size,
            tournament_size=tournament_size,
        )
        method(seed=0)  # refuses bad sizes now rather than in the first trial
        super().__init__(space, method, **options)


class LocalSearchSampler(GraphSampler):
    """Hill climbing with restarts; see :class:`graphnas.methods.LocalSearch`.

    Args:
        space: The search space.
        **options: See :class:`optuna_graphnas.GraphSampler`.
    """

    def __init__(self, space: Space, **options: Unpack[_Options]) -> None:
        space = as_space(space)
        super().__init__(space, functools.partial(make_method, "LocalSearch", space), **options)
