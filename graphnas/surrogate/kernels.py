"""Kernels of a Gaussian process: weighted sums of correlations, each with its matrix and its derivative."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial.distance import pdist

Matrix = NDArray[Any]
Vector = NDArray[np.float64]
Inputs = Sequence[Any]
"""``n`` points as one array (or sparse matrix) of ``n`` rows for each correlation of a kernel."""
_WIDE = 1000
"""Columns from which on sparse rows are multiplied as sparse rows."""

Contraction = Callable[[Matrix], Vector]
"""Maps ``S`` to ``sum_ij S_ij dK_ij / dtheta_p`` for every log-parameter ``theta_p``."""


def take(inputs: Inputs, index: Any) -> list[Any]:
    """The points ``index`` (an array of integers, or a slice) of ``inputs``."""
    return [rows[index] for rows in inputs]


def join(first: Inputs, second: Inputs) -> list[Any]:
    """The points of ``first``, then those of ``second``."""
    return [
        sparse.csr_array(sparse.vstack([a, b])) if sparse.issparse(a) else np.concatenate([a, b])
        for a, b in zip(first, second, strict=True)
    ]


def count_of(inputs: Inputs) -> int:
    """The number of points."""
    return int(inputs[0].shape[0])


class Correlation(ABC):
    """A similarity of one kind of input, 1 between equal points; it may have parameters to learn.

    Parameters are logarithms with independent normal priors of mean 0.
    """

    weight_prior = (-1.0, 2.0)
    """Mean and standard deviation of the prior of the logarithm of its weight in a kernel."""

    def start(self, rows: Matrix) -> Vector:
        """Prepare for a fit to ``rows``: the prior standard deviations of the parameters, by default none."""
        return np.zeros(0)

    @abstractmethod
    def matrix(self, theta: Vector, a: Matrix, b: Matrix) -> Matrix:
        """Similarities ``(len(a), len(b))``."""

    def diagonal(self, theta: Vector, rows: Any) -> Vector:
        """Similarities (n,) of each of ``rows`` to itself."""
        return np.ones(rows.shape[0])

    def with_contraction(self, theta: Vector, rows: Matrix) -> tuple[Matrix, Contraction]:
        """The similarities ``(n, n)`` of ``rows`` and their derivative, by default by no parameter."""
        return self.matrix(theta, rows, rows), lambda weights: np.zeros(0)


class Hamming(Correlation):
    """``exp(-d / slots)`` for rows of bits that differ in ``d`` places.

    Args:
        slots: The distance at which the similarity has fallen to 1 / e.
    """

    def __init__(self, slots: int) -> None:
        self.slots = max(slots, 1)

    def matrix(self, theta: Vector, a: Matrix, b: Matrix) -> Matrix:
        """Similarities ``(len(a), len(b))``."""
        squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2 * a @ b.T
        return np.asarray(np.exp(-squared / self.slots), float)


class Identity(Correlation):
    """1 between equal rows of bits, else 0: what is peculiar to each point, however often it is evaluated."""

    weight_prior = (-2.5, 1.5)

    def matrix(self, theta: Vector, a: Matrix, b: Matrix) -> Matrix:
        """Similarities ``(len(a), len(b))``."""
        return np.asarray(squared_distances(a, b) < 0.5, float)


class Linear(Correlation):
    """Inner products of sparse rows of unit length."""

    def matrix(self, theta: Vector, a: Any, b: Any) -> Matrix:
        """Similarities ``(len(a), len(b))``."""
        if b.shape[1] > _WIDE:  # few rows share a column, and most of the dense matrix would be zeros
            return np.asarray((a @ b.T).toarray(), float)
        return np.asarray(a @ b.T.toarray(order="C"), float)


class Stationary(Correlation):
    """A function of ``d = sum_f r_f (x_f - x'_f)^2`` whose relevances ``r`` are learned.

    With ``exp(level + deviation_f) / unit`` for ``r_f``, every feature may get a relevance of its own
    (automatic relevance determination: Rasmussen and Williams, "Gaussian Processes for Machine Learning",
    2006, eq. 5.2). The priors keep a hundred points from picking out one of as many features by chance.

    Args:
        ard: A relevance for every feature; otherwise one for all, which few points determine far better.
        standardized: Features have about unit variance, and ``unit`` is their number. Otherwise it is the
            median squared distance of the points that the kernel is fitted to.
    """

    level_spread = 1.0
    """Standard deviation of the prior of ``level``."""

    def __init__(self, *, ard: bool, standardized: bool) -> None:
        self.ard, self.standardized = ard, standardized
        self.unit = 1.0

    @abstractmethod
    def profile(self, squared: Matrix, *, slope: bool) -> tuple[Matrix, Matrix | None]:
        """The similarity at squared distances ``d``, and its derivative there if ``slope``."""

    def start(self, rows: Matrix) -> Vector:
        """Take the unit from ``rows``; a parameter per feature (with ``ard``) and the level."""
        width = rows.shape[1]
        self.unit = float(width) if self.standardized else float(np.median(pdist(rows)) ** 2) or 1.0
        return np.array([1.0] * (width if self.ard else 0) + [self.level_spread])

    def relevances(self, theta: Vector) -> Vector:
        """``r`` (F,), or (1,) if all features share one."""
        return np.asarray(np.exp(theta[:-1] + theta[-1] if self.ard else theta) / self.unit)

    def matrix(self, theta: Vector, a: Matrix, b: Matrix) -> Matrix:
        """Similarities ``(len(a), len(b))``, in the precision of the rows."""
        root = np.sqrt(self.relevances(theta)).astype(a.dtype)
        similar, _ = self.profile(squared_distances(a * root, b * root), slope=False)
        return similar

    def with_contraction(self, theta: Vector, rows: Matrix) -> tuple[Matrix, Contraction]:
        """The similarities ``(n, n)`` of ``rows`` and their derivative."""
        x = rows.astype(float)
        relevances = self.relevances(theta)
        scaled = x * np.sqrt(relevances)
        similar, slope = self.profile(squared_distances(scaled, scaled), slope=True)

        def contraction(weights: Matrix) -> Vector:
            # dK_ij / dr_f = slope_ij (x_if - x_jf)^2, summed over i and j without a matrix per feature.
            pulled = weights * slope
            by_feature = 2 * (pulled.sum(1) @ x**2 - ((pulled @ x) * x).sum(0))
            by_feature = relevances * by_feature
            total = by_feature.sum()
            return np.append(by_feature, total) if self.ard else np.array([total])

        return similar, contraction


class Matern(Stationary):
    """``(1 + s + s^2 / 3) exp(-s)`` with ``s = sqrt(5 d)`` (Rasmussen and Williams, 2006, eq. 4.17)."""

    weight_prior = (0.0, 2.0)

    def profile(self, squared: Matrix, *, slope: bool) -> tuple[Matrix, Matrix | None]:
        """The similarity at squared distances ``d``, and its derivative there if ``slope``."""
        s = np.sqrt(5 * squared)
        decay = np.exp(-s)
        s += 1
        rise = -5 / 6 * s * decay if slope else None
        s += (5 / 3) * squared
        decay *= s
        return decay, rise


class SquaredExponential(Stationary):
    """``exp(-d / 2)`` (Rasmussen and Williams, 2006, eq. 4.9)."""

    weight_prior = (0.0, 1.0)
    level_spread = 2.0

    def profile(self, squared: Matrix, *, slope: bool) -> tuple[Matrix, Matrix | None]:
        """The similarity at squared distances ``d``, and its derivative there if ``slope``."""
        similar = np.exp(-0.5 * squared)
        return similar, -0.5 * similar if slope else None


def squared_distances(a: Matrix, b: Matrix) -> Matrix:
    """Squared Euclidean distances ``(len(a), len(b))``; rounding does not make them negative."""
    squared = a @ b.T
    squared *= -2
    squared += (a**2).sum(1)[:, None]
    squared += (b**2).sum(1)[None, :]
    return np.asarray(np.maximum(squared, 0, out=squared))


class Kernel:
    """``sum_k w_k c_k(x_k, x'_k)``: correlations ``c_k``, each of its own kind of input, and their weights.

    Its log-parameters ``theta`` are those of the correlations in their order, then the logarithms of the
    weights. :meth:`start` must come first: it fixes how many there are.

    Args:
        *correlations: At least one.
    """

    def __init__(self, *correlations: Correlation) -> None:
        self.correlations = correlations
        self._bounds = np.zeros(len(correlations) + 1, int)

    def extended(self, *correlations: Correlation) -> Kernel:
        """The kernel with further correlations, of as many further inputs."""
        return Kernel(*self.correlations, *correlations)

    def start(self, inputs: Inputs) -> tuple[Vector, Vector]:
        """Means and standard deviations of the normal priors of ``theta``, for a fit to ``inputs``."""
        spreads = [c.start(rows) for c, rows in zip(self.correlations, inputs, strict=True)]
        self._bounds = np.cumsum([0, *map(len, spreads)])
        weights = np.array([c.weight_prior for c in self.correlations])
        means = np.concatenate([np.zeros(self._bounds[-1]), weights[:, 0]])
        return means, np.concatenate([*spreads, weights[:, 1]])

    def parts(self, theta: Vector) -> list[Vector]:
        """The parameters of each correlation."""
        return [theta[start:end] for start, end in zip(self._bounds, self._bounds[1:], strict=False)]

    def weights(self, theta: Vector) -> Vector:
        """The weight of each correlation."""
        return np.exp(theta[self._bounds[-1] :])

    def diagonal(self, theta: Vector, inputs: Inputs) -> Vector:
        """Variances (n,) of ``n`` points."""
        terms = zip(self.correlations, self.parts(theta), self.weights(theta), inputs, strict=True)
        return np.asarray(sum(weight * c.diagonal(part, rows) for c, part, weight, rows in terms), float)

    def matrix(self, theta: Vector, a: Inputs, b: Inputs) -> Matrix:
        """Covariances ``(len(a), len(b))``, in the lowest precision of any correlation that learns."""
        terms = zip(self.correlations, self.parts(theta), self.weights(theta), a, b, strict=True)
        # Those that learn come first: their matrices may be of single precision, which the sum then has.
        ordered = sorted(terms, key=lambda term: len(term[1]) == 0)
        total: Matrix | None = None
        for correlation, part, weight, left, right in ordered:
            term = correlation.matrix(part, left, right)
            term *= float(weight)  # not numpy's, which would be computed with in double precision
            total = term if total is None else np.add(total, term, out=total)
        assert total is not None
        return total

    def bind(self, inputs: Inputs) -> Callable[[Vector], tuple[Matrix, Contraction]]:
        """The function from ``theta`` to the covariances ``(n, n)`` of ``inputs`` and their derivative."""
        learns = np.diff(self._bounds) > 0
        fixed, free = np.flatnonzero(~learns).tolist(), np.flatnonzero(learns).tolist()
        size = count_of(inputs)
        # Correlations that learn nothing but their weight are computed once.
        stack = np.zeros((len(fixed), size * size))
        for row, k in zip(stack, fixed, strict=True):
            row[:] = self.correlations[k].matrix(np.zeros(0), inputs[k], inputs[k]).reshape(-1)

        def evaluate(theta: Vector) -> tuple[Matrix, Contraction]:
            weights, parts = self.weights(theta), self.parts(theta)
            covariance = (weights[fixed] @ stack).reshape(size, size)
            learned = [self.correlations[k].with_contraction(parts[k], inputs[k]) for k in free]
            for k, (similar, _) in zip(free, learned, strict=True):
                covariance += weights[k] * similar

            def contraction(slope: Matrix) -> Vector:
                gradient = np.empty(len(theta))
                by_weight = gradient[self._bounds[-1] :]
                by_weight[fixed] = weights[fixed] * (stack @ slope.ravel())
                for k, (similar, contract) in zip(free, learned, strict=True):
                    by_weight[k] = weights[k] * (slope * similar).sum()
                    gradient[self._bounds[k] : self._bounds[k + 1]] = contract(weights[k] * slope)
                return gradient

            return covariance, contraction

        return evaluate
