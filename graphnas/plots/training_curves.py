"""Reconstruction and Kullback-Leibler divergence of autoencoders while they train (DVAE-EMB, Figs. 3-4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument
from graphnas.optional import require
from graphnas.plots.style import INK, colour, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTS = {"reconstruction": "reconstruction (nats per graph)", "kl": "KL divergence (nats per graph)"}
"""Fields of a model's history, and what they are called."""


@dataclass(frozen=True)
class _TrainingCurvesInfo:
    """What to draw.

    Attributes:
        names: Names of the models.
        curves: For each field of :data:`PARTS`, ``(epochs,)`` of each model.
    """

    names: tuple[str, ...]
    curves: dict[str, tuple[NDArray[np.float64], ...]]


def plot_training_curves(
    histories: Mapping[str, Sequence[Mapping[str, float]]] | Sequence[Mapping[str, float]],
) -> Figure:
    """Plot how the two parts of the evidence lower bound change from epoch to epoch.

    Args:
        histories: ``model.history`` of a graph autoencoder, or several under the names of their models. Where
            a model was trained in rounds, its epochs are counted through.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        InvalidArgument: No model, an empty history, or an entry without one of the parts.
        MissingExtra: matplotlib is not installed.
    """
    return _get_training_curves_plot(_get_training_curves_info(histories))


def _get_training_curves_info(
    histories: Mapping[str, Sequence[Mapping[str, float]]] | Sequence[Mapping[str, float]],
) -> _TrainingCurvesInfo:
    named = histories if isinstance(histories, Mapping) else {"": histories}
    if not named:
        raise InvalidArgument("histories must hold at least one model, got none")
    for name, history in named.items():
        if not len(history):
            raise InvalidArgument(f"the history of {name!r} is empty: was it trained?")
        for entry in history:
            missing = [part for part in PARTS if part not in entry]
            if missing:
                raise InvalidArgument(f"an entry of the history of {name!r} has no {missing[0]!r}")
    curves = {
        part: tuple(np.array([entry[part] for entry in history], float) for history in named.values())
        for part in PARTS
    }
    return _TrainingCurvesInfo(tuple(named), curves)


def _get_training_curves_plot(info: _TrainingCurvesInfo) -> Figure:
    figure = new_figure(9.0, 3.8)
    figure.set_layout_engine("constrained")
    locator = require("matplotlib.ticker", "plots").MaxNLocator
    for axes, (part, label) in zip(figure.subplots(1, len(PARTS)), PARTS.items(), strict=True):
        for k, (name, curve) in enumerate(zip(info.names, info.curves[part], strict=True)):
            epochs = np.arange(1, len(curve) + 1)
            marker = "o" if len(curve) == 1 else None
            axes.plot(epochs, curve, color=colour(k), linewidth=2, marker=marker, label=name or None)
        if all((curve > 0).all() for curve in info.curves[part]):
            axes.set_yscale("log")
        axes.set_xlabel("epoch", color=INK)
        axes.set_ylabel(label, color=INK)
        axes.grid(color="#E3E3E3", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_locator(locator(integer=True))
    if any(info.names):
        handles, names = figure.axes[0].get_legend_handles_labels()
        figure.legend(
            handles, names, loc="outside upper center", ncols=min(4, len(info.names)), frameon=False
        )
    return figure
