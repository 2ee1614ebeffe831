"""The curve of one network's training: its loss, and its accuracy on held-out images where there are any."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graphnas.optional import require
from graphnas.plots.style import INK, colour, new_figure
from graphnas.training.checkpoints import read_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class _TrainingInfo:
    """What is drawn: ``(epochs,)`` each, the accuracy in percent and NaN where it was not measured."""

    epochs: NDArray[np.float64]
    loss: NDArray[np.float64]
    accuracy: NDArray[np.float64]


def plot_training(directory: str | os.PathLike[str]) -> Figure:
    """Plot the training in ``directory``, the folder that :func:`graphnas.training.train` wrote.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        CorruptData: ``curve.csv`` there holds something else.
        MissingExtra: matplotlib is not installed.
    """
    return _get_training_plot(_get_training_info(directory))


def _get_training_info(directory: str | os.PathLike[str]) -> _TrainingInfo:
    rows = read_curve(directory)
    columns = ("epoch", "train_loss", "validation_accuracy")
    return _TrainingInfo(*(np.array([row[name] for row in rows]) for name in columns))


def _get_training_plot(info: _TrainingInfo) -> Figure:
    figure = new_figure(7.0, 3.8)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    axes.plot(info.epochs, info.loss, color=colour(0), linewidth=2)
    axes.set_xlabel("epoch", color=INK)
    axes.set_ylabel("training loss", color=colour(0))
    axes.xaxis.set_major_locator(require("matplotlib.ticker", "plots").MaxNLocator(integer=True))
    known = ~np.isnan(info.accuracy)
    if known.any():
        right = axes.twinx()
        right.plot(info.epochs[known], info.accuracy[known], color=colour(1), linewidth=2)
        right.set_ylabel("accuracy on held-out images (%)", color=colour(1))
        right.spines[["top"]].set_visible(False)
    axes.grid(color="#E3E3E3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top"]].set_visible(False)
    return figure
