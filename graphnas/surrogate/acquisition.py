"""Acquisition functions: expected improvement, that of the hypervolume, and feasibility, as logarithms."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx
from scipy.stats import norm

Vector = NDArray[np.float64]


def log_expected_improvement(mean: Vector, deviation: Vector, best: float) -> Vector:
    """Log E[max(f - best, 0)] for f ~ N(mean, deviation^2), finite and rising in ``mean`` everywhere.

    The expected improvement of Jones, Schonlau and Welch (1998, eq. 15) underflows to 0 far below the best
    value, where it no longer ranks candidates; its logarithm still does (Ament et al., "Unexpected
    Improvements to Expected Improvement for Bayesian Optimization", NeurIPS 2023, eq. 8-9).
    """
    z = np.asarray((mean - best) / deviation, float)
    near = z > -1.0
    result = np.empty_like(z)
    result[near] = np.log(norm.pdf(z[near]) + z[near] * norm.cdf(z[near]))
    far = z[~near]
    # phi(z) + z Phi(z) = phi(z) (1 - |z| sqrt(pi / 2) erfcx(|z| / sqrt(2))).
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.log1p(far * math.sqrt(math.pi / 2) * erfcx(-far / math.sqrt(2)))
    # Beyond 1e5 the bracket is 1 / z^2 to the last digit and its subtraction cancels.
    rest = np.where(far > -1e5, rest, -2 * np.log(-far))
    result[~near] = norm.logpdf(far) + rest
    return np.asarray(np.log(deviation) + result)


def log_hypervolume_improvement(
    first: tuple[Vector, Vector],
    second: tuple[Vector, Vector],
    known: NDArray[np.float64],
    reference: NDArray[np.float64],
) -> Vector:
    """Logarithm of the expected growth of the dominated area, for two independent normal objectives.

    The area above ``reference`` that ``known`` does not dominate is cut into strips, one per interval of the
    first objective. In each of them the improvements of the two objectives are independent (Emmerich, Deutz
    and Klinkenberg, "Hypervolume-based expected improvement", 2011), so the result is the sum over strips of
    ``(EI1(a_i) - EI1(a_i+1)) EI2(b_i)``, computed from logarithms so that nothing underflows.

    Args:
        first: Means and deviations (B,) of the first objective, which is maximised.
        second: Means and deviations (B,) of the second, likewise.
        known: (n, 2) objectives of the evaluated points.
        reference: (2,) reference point; points that do not exceed it in both objectives add nothing.
    """
    front = pareto_front(known[(known > reference).all(1)])
    lower = np.append(reference[0], front[:, 0])
    heights = np.append(front[:, 1], reference[1])
    left = [log_expected_improvement(*first, edge) for edge in lower]
    right = [*left[1:], np.full(len(left[0]), -np.inf)]
    total = np.full(len(left[0]), -np.inf)
    for near, far, height in zip(left, right, heights, strict=True):
        with np.errstate(divide="ignore"):
            width = near + np.log1p(-np.exp(np.minimum(far - near, 0.0)))
        np.logaddexp(total, width + log_expected_improvement(*second, height), out=total)
    return total


def pareto_front(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The points (n, 2), both objectives maximised, that no other dominates, in rising order of the first."""
    ordered = points[np.lexsort((points[:, 1], points[:, 0]))[::-1]]
    before = np.maximum.accumulate(np.append(-np.inf, ordered[:-1, 1]))[: len(ordered)]
    return np.asarray(ordered[ordered[:, 1] > before][::-1])


def log_feasibility(mean: Vector, deviation: Vector, limit: float) -> Vector:
    """Log P(g <= limit) for g ~ N(mean, deviation^2), finite and rising far above the limit too.

    A constraint's share of the logarithm of the constrained expected improvement (Gardner et al., "Bayesian
    optimization with inequality constraints", ICML 2014, eq. 6).
    """
    return np.asarray(norm.logcdf((limit - mean) / deviation))
