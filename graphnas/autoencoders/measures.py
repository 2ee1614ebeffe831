"""The published measures of graph autoencoders: abilities, and regression on their latent spaces."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from graphnas.autoencoders.base import GraphAutoencoder
from graphnas.autoencoders.model import Graphs
from graphnas.autoencoders.vertices import END, FIRST_OPERATION, START, same_graphs
from graphnas.errors import InvalidArgument
from graphnas.graph.batch import ArchitectureBatch
from graphnas.surrogate import SparseGP

ROWS = 20_000
"""Latents decoded at a time, so that memory stays bounded."""


@dataclass(frozen=True)
class Abilities:
    """What D-VAE calls basic VAE abilities (NeurIPS 2019, section 4.1), in percent.

    Attributes:
        accuracy: Decodings of the posterior mean that equal the encoded graph node by node.
        validity: Decodings of latents drawn from the prior that are architectures of the space.
        well_formed: Those with one start, one end and no loose vertex, whether or not they obey the space's
            other rules: what VS-GAE's code checks for NAS-Bench-101.
        uniqueness: Distinct graphs among the valid ones.
        novelty: Valid graphs that are not in the training set.
    """

    accuracy: float
    validity: float
    well_formed: float
    uniqueness: float
    novelty: float

    def to_dict(self) -> dict[str, float]:
        """All fields."""
        return asdict(self)


def abilities(
    model: GraphAutoencoder,
    train: Graphs,
    test: Graphs,
    *,
    seed: int = 0,
    reconstructions: int = 100,
    latents: int = 1000,
    decodings: int = 10,
    constrained: bool = False,
    stochastic: bool = True,
) -> Abilities:
    """Measure a trained model by D-VAE's protocol, as its code has it.

    D-VAE's code encodes every test graph 10 times and decodes each encoding 10 times; in evaluation mode an
    encoding is the posterior mean, so these are 100 stochastic decodings of the mean. Validity is that of
    1,000 latents drawn from a normal with the mean and deviation of the training latents, decoded 10 times.
    Graphs are equal if they are so node by node, not if they are isomorphic. If no graph is valid, uniqueness
    and novelty are 0.

    Args:
        model: A trained model.
        train: Its training set.
        test: Other architectures.
        seed: Seed of all draws.
        reconstructions: Decodings of each test architecture's mean.
        latents: Latents drawn from the scaled prior.
        decodings: Decodings of each of them.
        constrained: Decode with masks, see :meth:`GraphAutoencoder.decode`; the papers do not.
        stochastic: Draw types and edges, as the papers' tests do; otherwise take the likeliest type, and
            edges with a probability above one half: the decodings of one latent are then the same, and only
            one is made.

    Raises:
        InvalidArgument: A count that is not positive.
    """
    for name, count in (
        ("reconstructions", reconstructions),
        ("latents", latents),
        ("decodings", decodings),
    ):
        if count < 1:
            raise InvalidArgument(f"{name} must be at least 1, got {count}")
    if not stochastic:
        reconstructions = decodings = 1
    how = {"constrained": constrained, "stochastic": stochastic}
    accuracy = reconstruction_accuracy(model, test, reconstructions, seed, **how)
    known = model.encode(train)[0]
    rng = torch.Generator().manual_seed(seed)
    noise = torch.randn(latents, known.shape[1], generator=rng).to(known)
    z = (noise * known.std(0) + known.mean(0)).repeat_interleave(decodings, 0)
    parts = [model.decode(z[start : start + ROWS], rng, **how) for start in range(0, len(z), ROWS)]
    graphs = ArchitectureBatch.cat([part.graphs for part in parts])
    valid = np.concatenate([part.valid for part in parts])
    distinct = _rows(graphs)[valid]
    present = np.unique(_rows(model.adapter.to_vertices(train)))
    count = max(len(distinct), 1)
    return Abilities(
        accuracy=100 * accuracy,
        validity=100 * float(valid.mean()),
        well_formed=100 * float(well_formed(graphs).mean()),
        uniqueness=100 * len(np.unique(distinct)) / count,
        novelty=100 * float(np.isin(distinct, present, invert=True).sum()) / count,
    )


def reconstruction_accuracy(
    model: GraphAutoencoder,
    test: Graphs,
    decodings: int,
    seed: int = 0,
    *,
    constrained: bool = False,
    stochastic: bool = True,
) -> float:
    """Fraction of ``decodings`` decodings of each posterior mean that equal the encoded graph."""
    means = model.encode(test)[0]
    wanted = model.adapter.to_vertices(test)
    rng = torch.Generator().manual_seed(seed + 1)
    step, exact = max(ROWS // decodings, 1), 0.0
    for start in range(0, len(means), step):
        rows = torch.arange(start, min(start + step, len(means))).repeat_interleave(decodings)
        z = means[rows.to(means.device)]
        decoded = model.decode(z, rng, constrained=constrained, stochastic=stochastic)
        exact += float(same_graphs(decoded.graphs, wanted[rows]).double().sum())
    return exact / (len(means) * decodings)


def well_formed(graphs: ArchitectureBatch) -> NDArray[np.bool_]:
    """``(B,)``: one start first, one end last, and every vertex between them is fed and feeds another."""
    adjacency, types, sizes = graphs.to_arrays()
    position = np.arange(types.shape[1])[None, :]
    inner = (position > 0) & (position < sizes[:, None] - 1)
    rows = np.arange(len(sizes))
    ends = (sizes >= 2) & (types[:, 0] == START) & (types[rows, sizes - 1] == END)
    typed = ((types >= FIRST_OPERATION) | ~inner).all(1)
    fed, feeds = (adjacency != 0).any(1), (adjacency != 0).any(2)
    tied = ((fed & feeds) | ~inner).all(1) & feeds[:, 0] & fed[rows, sizes - 1]
    return np.asarray(ends & typed & tied)


def _rows(graphs: ArchitectureBatch) -> NDArray[Any]:
    """One opaque value per graph, equal for equal graphs of the same width."""
    adjacency, types, sizes = graphs.to_arrays()
    flat = np.concatenate([sizes[:, None], types, adjacency.reshape(len(sizes), -1)], 1).astype(np.int16)
    return np.ascontiguousarray(flat).view(np.dtype((np.void, flat.shape[1] * flat.itemsize)))[:, 0]


@dataclass(frozen=True)
class Regression:
    """How well targets are predicted from latents, one entry per seed.

    Attributes:
        rmse: In units of the training targets' standard deviation, the sigma of the published tables.
        pearson: Correlation of predictions and targets.
    """

    rmse: tuple[float, ...]
    pearson: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Means and standard deviations over the seeds, and the single figures."""
        summary: dict[str, Any] = {}
        for name, values in (("rmse", self.rmse), ("pearson", self.pearson)):
            summary[name] = float(np.mean(values))
            summary[f"{name}_sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
            summary[f"{name}_of_seeds"] = list(values)
        return summary


def latent_regression(
    train_latents: ArrayLike,
    train_targets: ArrayLike,
    test_latents: ArrayLike,
    test_targets: ArrayLike,
    *,
    seeds: Iterable[int] = range(10),
    inducing: int = 500,
    process: Callable[..., Any] = SparseGP,
) -> Regression:
    """Regression with a sparse Gaussian process of ``inducing`` points (D-VAE, section 4.2; 10 seeds).

    Targets of both sets are standardised with the training set's mean and deviation. A seed determines the
    inducing points; the autoencoder is the same for all, as in the published tables, so their spread does not
    include that of training it again.

    Args:
        train_latents: (n, d) posterior means.
        train_targets: (n,) in any unit.
        test_latents: (m, d).
        test_targets: (m,).
        seeds: Seeds of the process.
        inducing: Number of inducing points.
        process: Makes a process from the number of inducing points and ``seed``, with the methods of
            :class:`~graphnas.surrogate.SparseGP`.

    Raises:
        InvalidArgument: Shapes that do not fit.
    """
    x, targets = np.asarray(train_latents, float), np.asarray(train_targets, float)
    test_x, test_y = np.asarray(test_latents, float), np.asarray(test_targets, float)
    if test_x.ndim != 2 or test_x.shape[1:] != x.shape[1:] or test_y.shape != test_x.shape[:1]:
        raise InvalidArgument(
            f"test latents {test_x.shape} and targets {test_y.shape} do not fit training latents {x.shape}"
        )
    mean, deviation = float(targets.mean()), max(float(targets.std()), 1e-12)
    wanted = (test_y - mean) / deviation
    errors, correlations = [], []
    for seed in seeds:
        fitted = process(inducing, seed=seed).fit([x], (targets - mean) / deviation)
        predicted = fitted.predict([test_x])
        rmse, pearson = errors_of(predicted[0], wanted)
        errors.append(rmse)
        correlations.append(pearson)
    return Regression(tuple(errors), tuple(correlations))


def errors_of(predicted: ArrayLike, wanted: ArrayLike) -> tuple[float, float]:
    """Root mean squared error and Pearson's r of predictions (0 where one of them does not vary)."""
    p, y = np.asarray(predicted, float), np.asarray(wanted, float)
    rmse = float(np.sqrt(np.mean((p - y) ** 2)))
    constant = p.std() < 1e-12 or y.std() < 1e-12
    return rmse, 0.0 if constant else float(np.corrcoef(p, y)[0, 1])
