"""Latent space, motifs, effects, generations and regret of a study, drawn by plotly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from optuna.study import Study

from graphnas.graph.space import GraphSpace
from graphnas.plots.effects import _EffectsInfo
from graphnas.plots.generations import _GenerationsInfo
from graphnas.plots.latent_space import _LatentSpaceInfo
from graphnas.plots.motifs import BETTER, WORSE, _MotifsInfo, effect_label
from graphnas.plots.search_curve import _SearchCurveInfo
from graphnas.plots.style import INK, colour
from optuna_graphnas.visualization.data import (
    Encoder,
    effects_info,
    generations_info,
    latent_space_info,
    motifs_info,
    regret_info,
)
from optuna_graphnas.visualization.figures import axis, new_figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def plot_latent_space(
    study: Study,
    space: GraphSpace,
    *,
    encoder: Encoder | None = None,
    projection: str = "pca",
    seed: int = 0,
    name: str | None = None,
    objective: int = 0,
) -> Figure:
    """Plot the evaluated architectures as points, alike ones close together, coloured by value.

    Args:
        study: The study.
        space: The space of its architectures.
        encoder: A graph autoencoder of :mod:`graphnas.autoencoders`, whose latents are shown; None:
            normalised Weisfeiler-Lehman features of two rounds.
        projection: ``"pca"`` or ``"tsne"``.
        seed: Seed of t-SNE.
        name: As in :func:`optuna_graphnas.suggest_architecture`.
        objective: Which of several objectives colours the points.

    Returns:
        A ``plotly.graph_objects.Figure``; the pointer on a point says its trial and value.

    Raises:
        InvalidArgument: Fewer than three trials have a value, no such objective, or an unknown projection.
        MissingExtra: plotly is not installed.
    """
    info, numbers = latent_space_info(
        study, space, encoder=encoder, projection=projection, seed=seed, name=name, objective=objective
    )
    return _get_latent_space_plot(info, numbers)


def _get_latent_space_plot(info: _LatentSpaceInfo, numbers: tuple[int, ...]) -> Figure:
    first, second = info.axes[0]
    figure = new_figure(title={"text": "Latent space"}, xaxis=axis(first), yaxis=axis(second), height=460)
    points, values = info.points[0][info.order], info.values[info.order]
    figure.add_scatter(
        x=_rounded(points[:, 0]),
        y=_rounded(points[:, 1]),
        mode="markers",
        marker={
            "color": _rounded(values),
            "cmin": info.limits[0],
            "cmax": info.limits[1],
            "colorscale": "Viridis",
            "colorbar": {"title": {"text": info.value_name}},
            "size": 9,
            "line": {"color": INK, "width": 0.5},
        },
        text=[f"trial {numbers[k]}: {info.values[k]:.4g}" for k in info.order],
        hoverinfo="text",
    )
    return figure


def plot_motifs(
    study: Study,
    space: GraphSpace,
    *,
    count: int = 12,
    least: int = 3,
    name: str | None = None,
    objective: int = 0,
) -> Figure:
    """Plot by how much architectures with a motif are better or worse than those without it.

    See :func:`graphnas.plots.plot_motifs` for what a motif is and what the figures do not say.

    Args:
        study: The study.
        space: The space of its architectures.
        count: Largest number of motifs.
        least: Architectures that must have a motif, and that must lack it.
        name: As in :func:`optuna_graphnas.suggest_architecture`.
        objective: Which of several objectives.

    Returns:
        A ``plotly.graph_objects.Figure``.

    Raises:
        InvalidArgument: No finished trial, no such objective, or no motif that some have and others lack.
        MissingExtra: plotly is not installed.
    """
    return _get_motifs_plot(
        motifs_info(study, space, count=count, least=least, name=name, objective=objective)
    )


def _get_motifs_plot(info: _MotifsInfo) -> Figure:
    return _bars(
        "Motifs",
        [f"{motif.name}  ({motif.count} of {info.total})" for motif in info.motifs],
        [motif.effect for motif in info.motifs],
        {"array": [round(motif.error, 6) for motif in info.motifs]},
        [BETTER if motif.effect > 0 else WORSE for motif in info.motifs],
        effect_label(info),
    )


def _bars(
    title: str,
    labels: list[str],
    effects: list[float],
    errors: dict[str, Any],
    tints: list[str],
    label: str,
) -> Figure:
    """A bar for each effect, the first on top."""
    figure = new_figure(
        title={"text": title},
        xaxis=axis(label),
        yaxis=axis(autorange="reversed"),
        height=150 + 26 * len(labels),
    )
    figure.add_bar(
        x=[round(effect, 6) for effect in effects],
        y=labels,
        orientation="h",
        error_x={**errors, "color": INK, "thickness": 1},
        marker={"color": tints},
    )
    return figure


def plot_effects(study: Study, space: GraphSpace, *, count: int = 16, **options: Any) -> Figure:
    """Plot which operations and sub-graphs raise and lower the value most, by the process of GraphBO.

    See :func:`graphnas.surrogate.explain` for what an effect is.

    Args:
        study: The study.
        space: The space of its architectures.
        count: Largest number of motifs.
        **options: Those of :func:`optuna_graphnas.explain`.

    Returns:
        A ``plotly.graph_objects.Figure``.

    Raises:
        InvalidArgument: As :func:`optuna_graphnas.explain`, or a count that is not positive.
        MissingExtra: plotly is not installed.
    """
    return _get_effects_plot(effects_info(study, space, count=count, **options))


def _get_effects_plot(info: _EffectsInfo) -> Figure:
    effects = [effect.effect for effect in info.effects]
    errors = {
        "symmetric": False,
        "array": [round(max(effect.high - effect.effect, 0.0), 6) for effect in info.effects],
        "arrayminus": [round(max(effect.effect - effect.low, 0.0), 6) for effect in info.effects],
    }
    return _bars("Effects", info.labels, effects, errors, info.tints, info.title)


def plot_generations(
    study: Study, space: GraphSpace, *, size: int = 10, name: str | None = None, objective: int = 0
) -> Figure:
    """Plot how values and operations change from one generation of ``size`` trials to the next.

    Args:
        study: The study.
        space: The space of its architectures.
        size: Trials in a generation.
        name: As in :func:`optuna_graphnas.suggest_architecture`.
        objective: Which of several objectives.

    Returns:
        A ``plotly.graph_objects.Figure``.

    Raises:
        InvalidArgument: No finished trial, no such objective, or a size that is not positive.
        MissingExtra: plotly is not installed.
    """
    return _get_generations_plot(generations_info(study, space, size=size, name=name, objective=objective))


def _get_generations_plot(info: _GenerationsInfo) -> Figure:
    figure = new_figure(
        title={"text": "Generations"},
        xaxis=axis("trials", domain=[0, 0.44]),
        yaxis=axis(info.value_name),
        xaxis2=axis("trials", domain=[0.56, 1], anchor="y2"),
        yaxis2=axis("share of the operations", range=[0, 1], anchor="x2"),
        legend={"orientation": "h", "y": -0.2},
        height=420,
    )
    last = info.last.tolist()
    for name, column, dash in (
        ("worst and best", 0, "dot"),
        ("", 4, "dot"),
        ("middle half", 1, "dash"),
        ("", 3, "dash"),
    ):
        figure.add_scatter(
            x=last,
            y=_rounded(info.values[:, column]),
            line={"color": colour(0), "width": 1, "dash": dash},
            name=name,
            showlegend=bool(name),
        )
    figure.add_scatter(
        x=last, y=_rounded(info.values[:, 2]), line={"color": colour(0), "width": 2.5}, name="median"
    )
    for k, operation in enumerate(info.operations):
        figure.add_scatter(
            x=last,
            y=_rounded(info.shares[:, k]),
            xaxis="x2",
            yaxis="y2",
            stackgroup="operations",
            mode="lines",
            line={"color": colour(k), "width": 0.5},
            fillcolor=colour(k),
            name=operation,
        )
    return figure


def plot_regret(study: Study, *, optimum: float | None = None, objective: int = 0) -> Figure:
    """Plot the best value so far, or its distance to the best there is.

    Args:
        study: The study.
        optimum: The best value there is, such as that of a table; the distance to it has a logarithmic axis.
        objective: Which of several objectives.

    Returns:
        A ``plotly.graph_objects.Figure``.

    Raises:
        InvalidArgument: No trial has a value.
        MissingExtra: plotly is not installed.
    """
    return _get_regret_plot(*regret_info(study, optimum=optimum, objective=objective))


def _get_regret_plot(info: _SearchCurveInfo, logarithmic: bool) -> Figure:
    (curve,) = info.curves
    figure = new_figure(
        title={"text": "Regret" if logarithmic else "Best so far"},
        xaxis=axis("trials"),
        yaxis=axis(f"best {info.value_name} so far", type="log" if logarithmic else "linear"),
        height=420,
    )
    x = curve.evaluations.tolist()
    assert curve.values is not None  # one run
    figure.add_scatter(
        x=x,
        y=_rounded(curve.values),
        mode="markers",
        marker={"color": colour(0), "opacity": 0.45},
        name="trial",
    )
    figure.add_scatter(
        x=x,
        y=_rounded(curve.mean),
        line={"color": colour(0), "width": 2.5, "shape": "hv"},
        name="best so far",
    )
    return figure


def _rounded(values: NDArray[np.float64]) -> list[float | None]:
    """Six digits, and None in place of what is no number: a stored figure stays small and is JSON."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values]
