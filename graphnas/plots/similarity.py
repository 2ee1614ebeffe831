"""Distance of scores against cosine similarity of embeddings (NASGEM, Fig. 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.errors import InvalidArgument
from graphnas.plots.style import INK, colour, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Vector = NDArray[np.float64]

DRAWN = 1500
"""Pairs drawn as points; the quartiles are of all pairs."""


@dataclass(frozen=True)
class _SimilarityInfo:
    """One panel per embedding.

    Attributes:
        names: Title of each.
        cosines: ``(p,)`` cosine similarity of each pair, per panel.
        distances: ``(p,)`` absolute difference of the scores of each pair, the same in all panels.
        centres: Mean cosine of the pairs in each bin, per panel; bins hold equally many pairs.
        quartiles: ``(3, bins)`` lower quartile, median and upper quartile of the distances, per panel.
        correlations: Spearman's rank correlation of cosine and distance, per panel; NaN where one of them
            does not vary. An embedding by which similar architectures score alike has a negative one.
        score_name: Meaning of the scores.
    """

    names: tuple[str, ...]
    cosines: tuple[Vector, ...]
    distances: Vector
    centres: tuple[Vector, ...]
    quartiles: tuple[Vector, ...]
    correlations: tuple[float, ...]
    score_name: str


def plot_similarity(
    embeddings: ArrayLike | Mapping[str, ArrayLike],
    scores: ArrayLike,
    *,
    bins: int = 15,
    max_pairs: int = 20_000,
    seed: int = 0,
    score_name: str = "score",
) -> Figure:
    """Plot by how much the scores of two architectures differ against how similar their embeddings are.

    Args:
        embeddings: ``(n, d)``, such as ``encoder.embed(architectures)``, or several such arrays of the same
            architectures under the names of their encoders.
        scores: ``(n,)``; architectures whose score is NaN are left out.
        bins: Groups of equally many pairs whose quartiles are drawn.
        max_pairs: Number of pairs drawn at random where there are more.
        seed: Seed of the choice of pairs.
        score_name: Label of the axis.

    Returns:
        A ``matplotlib.figure.Figure`` that belongs to no window; use its ``savefig``.

    Raises:
        InvalidArgument: No panel, shapes that do not fit, fewer than 3 scores, an embedding that is not
            finite or is zero, or a count below its least.
        MissingExtra: matplotlib is not installed.
    """
    return _get_similarity_plot(
        _get_similarity_info(
            embeddings, scores, bins=bins, max_pairs=max_pairs, seed=seed, score_name=score_name
        )
    )


def _get_similarity_info(
    embeddings: ArrayLike | Mapping[str, ArrayLike],
    scores: ArrayLike,
    *,
    bins: int = 15,
    max_pairs: int = 20_000,
    seed: int = 0,
    score_name: str = "score",
) -> _SimilarityInfo:
    from scipy.stats import spearmanr

    for name, value, least in (("bins", bins, 1), ("max_pairs", max_pairs, 3)):
        if value < least:
            raise InvalidArgument(f"{name} must be at least {least}, got {value}")
    panels = embeddings if isinstance(embeddings, Mapping) else {"": embeddings}
    if not panels:
        raise InvalidArgument("embeddings must hold at least one panel, got none")
    values = np.asarray(scores, float)
    known = np.flatnonzero(~np.isnan(values)) if values.ndim == 1 else np.arange(0)
    directions = []
    for name, rows in panels.items():
        table = np.asarray(rows, float)
        if table.ndim != 2 or values.shape != table.shape[:1] or len(known) < 3:
            raise InvalidArgument(
                f"embeddings {name!r} must be (n, d) with one score each and at least 3 scores, "
                f"got {table.shape} and {values.shape} of which {len(known)} are scores"
            )
        norms = np.linalg.norm(table, axis=1, keepdims=True)
        if not (np.isfinite(norms[known]).all() and (norms[known] > 0).all()):
            raise InvalidArgument(f"embeddings {name!r} must be finite and not zero: they have no cosine")
        directions.append(table / np.where(norms > 0, norms, 1))
    first, second = _pairs(known, max_pairs, seed)
    distances = np.abs(values[first] - values[second])
    cosines, centres, quartiles, correlations = [], [], [], []
    for table in directions:
        cosine = (table[first] * table[second]).sum(1)
        groups = np.array_split(np.argsort(cosine, kind="stable"), min(bins, len(cosine)))
        cosines.append(cosine)
        centres.append(np.array([cosine[group].mean() for group in groups]))
        quartiles.append(np.array([np.quantile(distances[group], [0.25, 0.5, 0.75]) for group in groups]).T)
        varies = np.ptp(cosine) > 1e-12 and np.ptp(distances) > 0
        correlations.append(float(spearmanr(cosine, distances)[0]) if varies else float("nan"))
    return _SimilarityInfo(
        names=tuple(panels),
        cosines=tuple(cosines),
        distances=distances,
        centres=tuple(centres),
        quartiles=tuple(quartiles),
        correlations=tuple(correlations),
        score_name=score_name,
    )


def _pairs(
    known: NDArray[np.int64], max_pairs: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Different pairs of different members of ``known``, all of them or ``max_pairs`` at random."""
    count = len(known)
    total = count * (count - 1) // 2
    if total <= max_pairs:
        first, second = np.triu_indices(count, 1)
    else:
        number = np.random.default_rng(seed).choice(total, max_pairs, replace=False)
        # Pair (i, j) with i < j has the number i + j (j - 1) / 2.
        second = ((1 + np.sqrt(1 + 8 * number.astype(float))) // 2).astype(np.int64)
        # The root may be off by one where it is a whole number.
        second += second * (second + 1) // 2 <= number
        second -= second * (second - 1) // 2 > number
        first = number - second * (second - 1) // 2
    return known[first], known[second]


def _get_similarity_plot(info: _SimilarityInfo) -> Figure:
    figure = new_figure(3.6 * len(info.names) + 0.4, 3.5)
    figure.set_layout_engine("constrained")
    panels = figure.subplots(1, len(info.names), squeeze=False, sharey=True)[0]
    # Evenly through the pairs; too many points would hide the quartiles and swell a file.
    shown = slice(None, None, max(1, -(-len(info.distances) // DRAWN)))
    for k, (axes, name) in enumerate(zip(panels, info.names, strict=True)):
        tint = colour(k)
        lower, median, upper = info.quartiles[k]
        axes.scatter(info.cosines[k][shown], info.distances[shown], s=4, alpha=0.25, linewidths=0, color=tint)
        axes.fill_between(info.centres[k], lower, upper, color=tint, alpha=0.25, linewidth=0)
        axes.plot(info.centres[k], median, color=INK, linewidth=1.8)
        title = f"rank correlation {info.correlations[k]:.2f}"
        axes.set_title(f"{name}\n{title}" if name else title, fontsize=10, color=INK)
        axes.set_xlabel("cosine similarity", color=INK)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel(f"difference of {info.score_name}", color=INK)
    # A few failed networks would otherwise flatten everything else.
    panels[0].set_ylim(0, max(float(np.quantile(info.distances, 0.98)), 1e-12))
    return figure
