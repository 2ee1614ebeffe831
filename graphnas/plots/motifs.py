"""Motifs: small pieces of graphs, and how much better or worse the architectures are that have them.

Looking at Weisfeiler-Lehman features to explain a search is from Ru et al., "Interpretable Neural
Architecture Search via Bayesian Optimisation with Weisfeiler-Lehman Kernels", ICLR 2021, section 3.3, which
takes gradients of a Gaussian process; here it is the plain difference of means, which needs no model.
:mod:`graphnas.plots.effects` shows what the process says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.plots.ranking import checked_values
from graphnas.plots.style import COLOURS, INK, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BETTER, WORSE = COLOURS[0], COLOURS[5]
"""Colours of motifs of better and of worse architectures."""


@dataclass(frozen=True)
class Motif:
    """A piece of a graph, and the values with and without it.

    Attributes:
        name: ``a → b``: the output of an operation a goes to an operation b; ``b ← a, c``: an operation b
        whose
            inputs are a and c and no others.
        count: Architectures that have it.
        effect: Mean value of those less the mean of the others, positive where the motif is of better ones.
        error: Standard error of that difference.
    """

    name: str
    count: int
    effect: float
    error: float


@dataclass(frozen=True)
class _MotifsInfo:
    """What to draw.

    Attributes:
        motifs: Ordered by effect, the best first.
        total: Number of architectures.
        value_name: Meaning of the values.
    """

    motifs: tuple[Motif, ...]
    total: int
    value_name: str


def plot_motifs(
    architectures: Sequence[Architecture],
    values: ArrayLike,
    space: GraphSpace,
    *,
    count: int = 12,
    least: int = 3,
    value_name: str = "value",
    minimize: bool = False,
) -> Figure:
    """Plot by how much the values of architectures with a motif differ from those of the others.

    Only the part of each network that data flows through counts; operations on edges are nodes of their own.
    The motifs with the largest difference relative to its standard error (Welch) are drawn. It says which
    pieces go with good architectures among those that were evaluated, not that a piece makes them good.

    Args:
        architectures: The evaluated architectures.
        values: One number each; NaN where an evaluation failed.
        space: Gives the names of the operations.
        count: Largest number of motifs.
        least: Architectures that must have a motif, and that must lack it.
        value_name: Meaning of the values.
        minimize: Whether smaller is better; effects are then turned round.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        InvalidArgument: Another number of values, a count that is not positive, or no motif that some have
            and others lack.
        MissingExtra: matplotlib is not installed.
    """
    info = _get_motifs_info(
        architectures, values, space, count=count, least=least, value_name=value_name, minimize=minimize
    )
    return _get_motifs_plot(info)


def _get_motifs_info(
    architectures: Sequence[Architecture],
    values: ArrayLike,
    space: GraphSpace,
    *,
    count: int = 12,
    least: int = 3,
    value_name: str = "value",
    minimize: bool = False,
) -> _MotifsInfo:
    numbers = checked_values(architectures, values)
    if count < 1 or least < 2:
        raise InvalidArgument(f"count must be at least 1 and least at least 2, got {count} and {least}")
    known = np.flatnonzero(np.isfinite(numbers))
    numbers = -numbers[known] if minimize else numbers[known]
    presence: dict[str, list[int]] = {}
    for row, names in enumerate(motif_names([architectures[k] for k in known.tolist()], space)):
        for name in sorted(names):
            presence.setdefault(name, []).append(row)
    found: dict[tuple[int, ...], Motif] = {}
    # Of motifs that the same architectures have, the shortest name stands for all.
    for name in sorted(presence, key=lambda name: (len(name), name)):
        rows = tuple(presence[name])
        if least <= len(rows) <= len(numbers) - least:
            found.setdefault(rows, _motif(name, np.array(rows), numbers))
    if not found:
        raise InvalidArgument(
            f"no motif is in at least {least} of {len(known)} architectures and missing from as many; "
            "evaluate more, or lower least"
        )
    clearest = sorted(found.values(), key=lambda motif: -abs(motif.effect) / max(motif.error, 1e-12))
    ordered = sorted(clearest[:count], key=lambda motif: -motif.effect)
    return _MotifsInfo(tuple(ordered), len(known), value_name)


def _motif(name: str, rows: NDArray[np.int64], values: NDArray[np.float64]) -> Motif:
    having = np.zeros(len(values), bool)
    having[rows] = True
    groups = values[having], values[~having]
    error = np.sqrt(sum(group.var(ddof=1) / len(group) for group in groups))
    return Motif(name, len(rows), float(groups[0].mean() - groups[1].mean()), float(error))


def motif_names(architectures: Sequence[Architecture], space: GraphSpace) -> Iterator[frozenset[str]]:
    """The names of the motifs that each architecture has."""
    if not architectures:
        return
    batch = space.active_batch(ArchitectureBatch.from_architectures(architectures))
    adjacency, operations, sizes = batch.to_arrays()
    names = np.array(space.node_labelled_ops)
    for edges, labels, size in zip(adjacency != 0, operations, sizes, strict=True):
        own = names[labels[:size]].tolist()
        motifs: set[str] = set()
        for node in range(size):
            inputs = sorted(own[k] for k in np.flatnonzero(edges[:size, node]))
            motifs.update(f"{name} → {own[node]}" for name in inputs)
            if len(inputs) > 1:
                motifs.add(f"{own[node]} ← {', '.join(inputs)}")
        yield frozenset(motifs)


def _get_motifs_plot(info: _MotifsInfo) -> Figure:
    return bars(
        [f"{motif.name}  ({motif.count} of {info.total})" for motif in info.motifs],
        [motif.effect for motif in info.motifs],
        np.array([[motif.error, motif.error] for motif in info.motifs]).T,
        [BETTER if motif.effect > 0 else WORSE for motif in info.motifs],
        effect_label(info),
    )


def bars(
    labels: Sequence[str],
    effects: Sequence[float],
    errors: NDArray[np.float64],
    tints: Sequence[str],
    title: str,
) -> Figure:
    """A bar for each effect, the first on top, with errors ``(2, n)`` below and above it."""
    figure = new_figure(8.0, 1.1 + 0.32 * len(labels))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    places = np.arange(len(labels))[::-1]
    axes.barh(
        places,
        effects,
        xerr=errors,
        color=tints,
        error_kw={"ecolor": INK, "elinewidth": 0.9},
        height=0.7,
    )
    axes.set_yticks(places, labels, fontsize=8.5, color=INK)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_xlabel(title, color=INK)
    axes.grid(axis="x", color="#E3E3E3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure


def effect_label(info: _MotifsInfo) -> str:
    """What the axis of the effects says."""
    return f"gain in mean {info.value_name}"
