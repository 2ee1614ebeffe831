"""How a Gaussian process on graph kernels depends on counts of motifs: effects and derivatives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import cholesky
from scipy.stats import norm

from graphnas.graph.batch import ArchitectureBatch
from graphnas.surrogate.graph_kernels import GraphKernels
from graphnas.surrogate.kernels import Inputs, Matrix, Vector
from graphnas.surrogate.regression import GaussianProcess


def slopes(counts: Matrix, values: Matrix, weights: Matrix | None = None) -> Matrix:
    """Slope of the least-squares line of values over each count alone, ``(D, J)``.

    For a motif that is there once or not at all it is the mean of those that have it less the mean of the
    others.

    Args:
        counts: ``(M, J)`` how often each of ``J`` motifs occurs in each of ``M`` architectures; none
            constant.
        values: ``(D, M)`` their values, in ``D`` versions.
        weights: ``(D, M)`` how much each architecture counts, with sums of 1; None: all the same.
    """
    if weights is None:
        centred = counts - counts.mean(0)
        return np.asarray(values @ centred / (centred**2).sum(0))
    means = weights @ counts
    covariance = (weights * values) @ counts - (weights * values).sum(1)[:, None] * means
    return np.asarray(covariance / (weights @ counts**2 - means**2))


def effect_draws(
    process: GaussianProcess,
    inputs: Inputs,
    counts: Matrix,
    values: Vector,
    *,
    draws: int,
    rng: np.random.Generator,
) -> tuple[Vector, Matrix]:
    """The average effect of one more occurrence of each motif, and draws from its posterior.

    The effect is the :func:`slopes` of the values of random architectures, of which the process says what
    they may be. It was fitted to normal scores of ranks, so a draw of scores, noise included, becomes
    values by the distribution of the evaluated values: score ``s`` is the ``Phi(s)``-quantile. Neither that
    distribution nor the random architectures are all there are, so that a draw also weights both at random
    (Rubin, "The Bayesian bootstrap", Annals of Statistics, 1981).

    Args:
        process: Fitted to :func:`.normal_scores` of ``values``.
        inputs: The points of ``M`` random architectures.
        counts: ``(M, J)`` their motifs; none constant.
        values: The evaluated values, in any order.
        draws: Number of draws ``D``.
        rng: Source of the draws.

    Returns:
        The effects ``(J,)``, and draws ``(D, J)``, both in the unit of ``values``.
    """
    mean, covariance = process.joint(inputs, noisy=True)
    factor = cholesky(covariance, lower=True, check_finite=False)
    scores = mean + rng.standard_normal((draws, len(mean))) @ factor.T
    levels, ordered = norm.cdf(scores), np.sort(values)
    shares = rng.dirichlet(np.ones(len(values)), draws)
    middles = np.cumsum(shares, axis=1) - shares / 2
    drawn = np.stack([np.interp(*pair, ordered) for pair in zip(levels, middles, strict=True)])
    weights = rng.dirichlet(np.ones(len(mean)), draws)
    return slopes(counts, drawn.mean(0, keepdims=True))[0], slopes(counts, drawn, weights)


def count_gradients(
    process: GaussianProcess,
    kernels: GraphKernels,
    batch: ArchitectureBatch,
    inputs: Inputs,
    labels: NDArray[np.uint64],
    counts: Matrix,
    *,
    first: int = 1,
) -> tuple[Vector, Vector]:
    """Derivative of the process in the count of each motif, all other inputs fixed: mean and deviation.

    This is how Ru et al. ("Interpretable Neural Architecture Search via Bayesian Optimisation with
    Weisfeiler-Lehman Kernels", ICLR 2021, section 3.3) find motifs, for kernels of unit rows: the part of
    depth h is ``b . c / |c|`` with normal ``b``, whose derivative in count ``c_j`` is ``b . (e_j / |c| -
    c_j c / |c|^3)``. It is normal, as ``b`` is, and its covariances with the data are in closed form. It is
    averaged over the architectures, with weights that are proportional to their counts of the motif.

    The bits and the operation features of a :class:`.GraphKernels` stay fixed, which no real change of an
    architecture leaves alone, so it is a part of what a motif does.

    Args:
        process: Fitted to ``inputs``.
        kernels: The features.
        batch: ``n`` evaluated architectures.
        inputs: Their points.
        labels: The labels of ``J`` motifs.
        counts: ``(n, J)`` how often each occurs, at least once in one of them.
        first: Which of the process's inputs are the counts of the first depth: the second of a
            :class:`.GraphKernels`, the first of a process that has nothing but counts.

    Returns:
        ``(J,)`` each, in units of the targets of the process.
    """
    active = kernels.space.active_batch(batch)
    shares = counts / counts.sum(0)
    weights = process.kernel.weights(process.theta)[first:]
    cross, prior = np.zeros((len(labels), len(batch))), np.zeros((len(labels), len(labels)))
    for kernel, weight, rows in zip(kernels.wl, weights, inputs[first:], strict=False):
        places = np.searchsorted(kernel.vocabulary, labels)
        known = kernel.vocabulary[np.minimum(places, len(kernel.vocabulary) - 1)] == labels
        norms = np.sqrt(kernel.self_kernel(active))[:, None]
        own = (shares / norms).sum(0)[known], (np.flatnonzero(known), places[known])
        along = sparse.csr_array((shares * counts / norms**2 * known).T) @ rows
        direction = sparse.csr_array(own, shape=(len(labels), rows.shape[1])) - along
        cross += weight * (direction @ rows.T).toarray()
        prior += weight * (direction @ direction.T).toarray()
    mean, covariance = process.posterior(cross, prior)
    return mean, np.sqrt(np.maximum(np.diag(covariance), 0.0))
