"""The plots of :mod:`optuna_graphnas.visualization` drawn by matplotlib, without pyplot.

Each returns a ``matplotlib.figure.Figure`` that belongs to no window: save it with ``figure.savefig(...)``,
or show it as the last value of a notebook cell. Arguments and errors are those of the plotly functions of the
same name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optuna.study import Study

from graphnas.graph.space import GraphSpace
from graphnas.plots.architecture_grid import _get_grid_plot
from graphnas.plots.effects import _get_contributions_plot, _get_effects_plot
from graphnas.plots.generations import _get_generations_plot
from graphnas.plots.latent_space import _get_latent_space_plot
from graphnas.plots.motifs import _get_motifs_plot
from graphnas.plots.search_curve import _get_search_curve_plot
from optuna_graphnas.visualization import data

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "plot_architectures",
    "plot_contributions",
    "plot_effects",
    "plot_generations",
    "plot_latent_space",
    "plot_motifs",
    "plot_regret",
]


def plot_architectures(study: Study, space: GraphSpace, **options: Any) -> Figure:
    """The best architectures; see :func:`optuna_graphnas.visualization.graphs.plot_architectures`."""
    return _get_grid_plot(data.architectures_info(study, space, **options))


def plot_latent_space(study: Study, space: GraphSpace, **options: Any) -> Figure:
    """The latents of the trials; see :func:`optuna_graphnas.visualization.charts.plot_latent_space`."""
    return _get_latent_space_plot(data.latent_space_info(study, space, **options)[0])


def plot_motifs(study: Study, space: GraphSpace, **options: Any) -> Figure:
    """What good ones have; see :func:`optuna_graphnas.visualization.charts.plot_motifs`."""
    return _get_motifs_plot(data.motifs_info(study, space, **options))


def plot_effects(study: Study, space: GraphSpace, **options: Any) -> Figure:
    """What raises the value; see :func:`optuna_graphnas.visualization.charts.plot_effects`."""
    return _get_effects_plot(data.effects_info(study, space, **options))


def plot_contributions(study: Study, space: GraphSpace, **options: Any) -> Figure:
    """It on the best ones; see :func:`optuna_graphnas.visualization.graphs.plot_contributions`."""
    return _get_contributions_plot(data.contributions_info(study, space, **options))


def plot_generations(study: Study, space: GraphSpace, **options: Any) -> Figure:
    """How the search moves; see :func:`optuna_graphnas.visualization.charts.plot_generations`."""
    return _get_generations_plot(data.generations_info(study, space, **options))


def plot_regret(study: Study, **options: Any) -> Figure:
    """The best so far; see :func:`optuna_graphnas.visualization.charts.plot_regret`."""
    return _get_search_curve_plot(data.regret_info(study, **options)[0])
