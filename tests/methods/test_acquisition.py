"""Acquisition functions: the logarithm of the expected improvement against the improvement itself."""

from __future__ import annotations

import numpy as np
from scipy import integrate
from scipy.stats import norm

from graphnas.methods.acquisition import expected_improvement, log_expected_improvement


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
