"""Acquisition functions: the logarithm of the expected improvement against the improvement itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import norm

from graphnas.surrogate.acquisition import (
    log_expected_improvement,
    log_feasibility,
    log_hypervolume_improvement,
    pareto_front,
)


def expected_improvement(mean, deviation, best):
    """E[max(f - best, 0)] for f ~ N(mean, deviation^2) (Jones, Schonlau and Welch, 1998, eq. 15)."""
    z = (mean - best) / deviation
    return deviation * (z * norm.cdf(z) + norm.pdf(z))


def test_expected_improvement_is_the_integral():
    mean, deviation, best = np.array([0.3, -1.0]), np.array([0.5, 2.0]), 0.4
    draws = np.random.default_rng(0).normal(size=(400_000, 1)) * deviation + mean
    monte_carlo = np.maximum(draws - best, 0).mean(0)
    np.testing.assert_allclose(expected_improvement(mean, deviation, best), monte_carlo, rtol=0.02)
    below = np.exp(log_feasibility(mean, deviation, best))
    np.testing.assert_allclose(below, (draws <= best).mean(0), atol=0.01)


def test_feasibility_ranks_where_the_probability_underflows():
    mean = np.logspace(0, 6, 50)
    value = log_feasibility(mean, np.ones(50), 0.0)
    assert np.isfinite(value).all()
    assert (np.diff(value) < 0).all()


def test_log_improvement_is_the_logarithm_of_the_improvement():
    mean, deviation = np.linspace(-6, 6, 201), np.linspace(0.3, 2.0, 201)
    expected = np.log(expected_improvement(mean, deviation, 0.5))
    np.testing.assert_allclose(log_expected_improvement(mean, deviation, 0.5), expected, rtol=1e-7, atol=1e-9)


def test_log_improvement_ranks_where_the_improvement_underflows():
    mean = -np.logspace(0, 8, 400)
    value = log_expected_improvement(mean, np.ones(400), 0.0)
    assert expected_improvement(mean[-1:], np.ones(1), 0.0) == 0
    assert np.isfinite(value).all()
    assert (np.diff(value) < 0).all()
    z = mean[(mean < -20) & (mean > -1e3)]
    # The first terms of the asymptotic series: log phi(z) - 2 log |z| + log(1 - 3 / z^2).
    series = norm.logpdf(z) - 2 * np.log(-z) + np.log1p(-3 / z**2 + 15 / z**4)
    np.testing.assert_allclose(value[(mean < -20) & (mean > -1e3)], series, rtol=1e-6)


def test_log_improvement_by_quadrature():
    value, _ = integrate.quad(lambda f: (f - 2.0) * norm.pdf(f, 0.5, 0.4), 2.0, 6.0, epsabs=0)
    found = log_expected_improvement(np.array([0.5]), np.array([0.4]), 2.0)
    np.testing.assert_allclose(found, [np.log(value)], rtol=1e-6)


def test_pareto_front_is_what_no_other_dominates():
    points = np.random.default_rng(0).integers(0, 8, (40, 2)).astype(float)
    points = np.concatenate([points, points[:5]])
    dominated = [((points >= p).all(1) & (points > p).any(1)).any() for p in points]
    expected = sorted({tuple(p) for p, lost in zip(points, dominated, strict=True) if not lost})
    np.testing.assert_array_equal(pareto_front(points), expected)
    assert pareto_front(np.zeros((0, 2))).shape == (0, 2)


def area(points, reference):
    """What a front dominates, by counting strips from below."""
    total, height = 0.0, reference[1]
    for x, y in sorted(map(tuple, points), reverse=True):
        if x > reference[0] and y > height:
            total += (x - reference[0]) * (y - height)
            height = y
    return total


@pytest.mark.parametrize("known", [[(0.5, 0.4)], [(0.2, 1.1), (0.9, 0.8), (1.4, 0.1), (0.3, 0.3)], []])
def test_hypervolume_improvement_is_the_mean_growth_of_the_area(known):
    reference = np.array([-0.5, -1.0])
    known = np.array(known).reshape(-1, 2)
    first, second = (
        (np.array([0.6, -0.2]), np.array([0.5, 0.8])),
        (np.array([0.3, 1.0]), np.array([0.7, 0.2])),
    )
    found = log_hypervolume_improvement(first, second, known, reference)
    draws = np.random.default_rng(0).standard_normal((20_000, 2))
    before = area(known, reference)
    for k in range(2):
        sampled = np.column_stack([first[0][k], second[0][k]]) + draws * [first[1][k], second[1][k]]
        growth = [area([*known, point], reference) - before for point in sampled]
        assert np.exp(found[k]) == pytest.approx(np.mean(growth), rel=0.04)


def test_hypervolume_improvement_ranks_where_it_underflows():
    mean = -np.logspace(1, 5, 50)
    wide = (np.full(50, -30.0), np.ones(50))
    value = log_hypervolume_improvement(
        (mean, np.ones(50)), wide, np.array([[0.0, 1.0], [1.0, 0.0]]), np.full(2, -1.0)
    )
    assert np.isfinite(value).all()
    assert (np.diff(value) < 0).all()
