"""How a Gaussian process on graph kernels depends on counts of motifs: effects and derivatives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from graphnas.graph.batch import ArchitectureBatch
from graphnas.surrogate.graph_kernels import GraphKernels
from graphnas.surrogate.kernels import Inputs, Matrix, Vector
from graphnas.surrogate.regression import GaussianProcess


def slopes(counts: Matrix, values: Vector) -> Vector:
    """Slope of the least-squares line of values over each count alone, ``(J,)``.

    For a motif that is there once or not at all it is the mean of those that have it less the mean of the
    others.

    Args:
        counts: ``(M, J)`` how often each of ``J`` motifs occurs in each of ``M`` architectures; none
            constant.
        values: ``(M,)``.
    """
    return np.asarray(values @ _contrasts(counts))


def _contrasts(counts: Matrix) -> Matrix:
    """``(M, J)``: the weights of the values of which the slopes are sums."""
    centred = counts - counts.mean(0)
    return np.asarray(centred / (centred**2).sum(0))


def average_effects(process: GaussianProcess, inputs: Inputs, counts: Matrix) -> tuple[Vector, Vector]:
    """The average effect of one more occurrence of each motif: mean and deviation.

    The effect is the slope (:func:`slopes`) of the function over the counts among random architectures. A
    sum of values of the process, it is normal, with mean and variance in closed form. The variance has a
    second part, as they are not all architectures: that of a slope of a sample, for which nothing is
    assumed of the residuals (White, "A heteroskedasticity-consistent covariance matrix estimator",
    Econometrica, 1980).

    Args:
        process: A fitted process.
        inputs: The points of ``M`` random architectures; see :meth:`.GaussianProcess.joint`.
        counts: ``(M, J)`` their motifs; none constant.

    Returns:
        ``(J,)`` each, in units of the targets of the process.
    """
    mean, covariance = process.joint(inputs)
    contrasts = _contrasts(counts)
    effects = mean @ contrasts
    residuals = (mean - mean.mean())[:, None] - (counts - counts.mean(0)) * effects
    squares = residuals**2 + np.diag(covariance)[:, None]
    variance = (contrasts * (covariance @ contrasts)).sum(0) + (contrasts**2 * squares).sum(0)
    return effects, np.sqrt(np.maximum(variance, 0.0))


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
