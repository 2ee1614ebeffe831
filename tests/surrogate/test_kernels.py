"""Kernels: their derivatives against differences, their sums, and what a parameter does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import approx_fprime
from sklearn.gaussian_process import kernels as reference

from graphnas.surrogate.joint_kernel import JointKernel
from graphnas.surrogate.kernels import (
    Hamming,
    Identity,
    Kernel,
    Linear,
    Matern,
    SquaredExponential,
    count_of,
    join,
    squared_distances,
    take,
)

KERNELS = {
    "fixed": (lambda: Kernel(Hamming(5), Linear()), ("bits", "rows")),
    "matern": (lambda: Kernel(Matern(ard=True, standardized=True)), ("points",)),
    "isotropic": (lambda: Kernel(SquaredExponential(ard=False, standardized=False)), ("points",)),
    "ard": (lambda: Kernel(SquaredExponential(ard=True, standardized=False)), ("points",)),
    "sum": (
        lambda: Kernel(
            Hamming(5),
            Matern(ard=True, standardized=True),
            Linear(),
            SquaredExponential(ard=False, standardized=False),
        ),
        ("bits", "points", "rows", "points"),
    ),
    "joint": (
        lambda: JointKernel(
            Kernel(Hamming(5), Matern(ard=True, standardized=True), Identity()),
            SquaredExponential(ard=True, standardized=True),
        ),
        ("points", "bits", "points", "bits"),
    ),
}


def inputs(kinds, count=12, seed=0):
    rng = np.random.default_rng(seed)
    bits = rng.integers(2, size=(count, 7)).astype(np.float32)
    points = rng.standard_normal((count, 3))
    rows = rng.random((count, 6)) * (rng.random((count, 6)) > 0.4) + 1e-3
    rows = sparse.csr_array(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    return [{"bits": bits, "points": points, "rows": rows}[kind] for kind in kinds]


@pytest.mark.parametrize("name", KERNELS)
def test_the_contraction_is_the_derivative(name):
    make, kinds = KERNELS[name]
    kernel, x = make(), inputs(kinds)
    means, _ = kernel.start(x)
    theta = means + np.random.default_rng(1).normal(0, 0.3, len(means))
    weights = np.random.default_rng(2).normal(size=(12, 12))
    weights += weights.T
    evaluate = kernel.bind(x)
    numerical = approx_fprime(theta, lambda t: (weights * evaluate(t)[0]).sum(), 1e-6)
    np.testing.assert_allclose(evaluate(theta)[1](weights), numerical, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", KERNELS)
def test_the_matrix_is_the_same_with_and_without_a_derivative(name):
    make, kinds = KERNELS[name]
    kernel, x = make(), inputs(kinds)
    theta, _ = kernel.start(x)
    matrix = kernel.matrix(theta, x, x)
    np.testing.assert_allclose(matrix, kernel.bind(x)(theta)[0], atol=1e-6)
    np.testing.assert_allclose(np.diag(matrix), kernel.diagonal(theta, x), atol=1e-6)
    part = np.array([3, 1])
    np.testing.assert_allclose(kernel.matrix(theta, take(x, part), x), matrix[part], atol=1e-6)


def test_the_profiles_are_the_textbooks():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((5, 3)), rng.standard_normal((4, 3))
    relevances = np.array([0.5, 2.0, 1.0])
    for ours, theirs in (
        (Matern(ard=True, standardized=True), reference.Matern(relevances**-0.5, nu=2.5)),
        (SquaredExponential(ard=True, standardized=True), reference.RBF(relevances**-0.5)),
    ):
        ours.start(a)
        theta = np.append(np.log(relevances * 3), 0.0)
        np.testing.assert_allclose(ours.relevances(theta), relevances)
        np.testing.assert_allclose(ours.matrix(theta, a, b), theirs(a, b), atol=1e-12)
    bits = inputs(["bits"])[0]
    distances = (bits[:, None] != bits[None]).sum(2)
    np.testing.assert_allclose(Hamming(4).matrix(np.zeros(0), bits, bits), np.exp(-distances / 4), rtol=1e-5)


def test_the_unit_makes_the_prior_hold_at_any_scale():
    (points,) = inputs(["points"], 40)
    small, large = (SquaredExponential(ard=False, standardized=False) for _ in range(2))
    small.start(points)
    large.start(1000 * points)
    theta = np.zeros(1)
    expected = small.matrix(theta, points, points)
    np.testing.assert_allclose(large.matrix(theta, 1000 * points, 1000 * points), expected)
    assert np.isfinite(SquaredExponential(ard=True, standardized=False).start(np.zeros((5, 2)))).all()


def test_single_precision_features_give_single_precision():
    kernel = Kernel(Hamming(5), Matern(ard=True, standardized=True))
    bits, points = inputs(["bits", "points"])
    x = [bits, points.astype(np.float32)]
    theta, _ = kernel.start(x)
    assert kernel.matrix(theta, x, x).dtype == np.float32
    exact = kernel.matrix(theta, [bits, points], [bits, points])
    assert exact.dtype == float
    np.testing.assert_allclose(kernel.matrix(theta, x, x), exact, atol=1e-5)


def test_points_are_joined_and_taken_from():
    x = inputs(["bits", "points", "rows"])
    first, second = take(x, slice(0, 5)), take(x, np.arange(5, 12))
    assert (count_of(first), count_of(second)) == (5, 7)
    for whole, again in zip(x, join(first, second), strict=True):
        difference = whole - again
        assert abs(difference).max() == 0


def test_rounding_makes_no_distance_negative():
    rows = np.full((3, 4), 1e8) + np.arange(3)[:, None]
    assert squared_distances(rows, rows).min() >= 0


def test_what_the_joint_kernel_is_made_of():
    kernel = JointKernel(Kernel(Hamming(5)), SquaredExponential(ard=True, standardized=True))
    x = inputs(["points", "bits"])
    theta = kernel.start(x)[0] + np.linspace(0.1, 0.5, 7)
    weight, b, w = np.exp(theta[[0, -2, -1]])
    architectures = weight * Hamming(5).matrix(np.zeros(0), x[1], x[1])
    settings = kernel.settings.matrix(theta[1:-2], x[0], x[0])
    expected = architectures + b * architectures * settings + w * settings
    np.testing.assert_allclose(kernel.matrix(theta, x, x), expected)


def test_only_a_point_itself_is_identical():
    bits = np.array([[0, 1, 1], [1, 1, 1], [0, 1, 1]], np.float32)
    same = [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    assert Identity().matrix(np.zeros(0), bits, bits).tolist() == same


@pytest.mark.parametrize("width", [50, 1001])
def test_inner_products_of_few_and_of_many_columns(width):
    rng = np.random.default_rng(0)
    a, b = (
        sparse.csr_array(rng.random((size, width)) * (rng.random((size, width)) < 0.1)) for size in (20, 30)
    )
    np.testing.assert_allclose(Linear().matrix(np.zeros(0), a, b), a.toarray() @ b.toarray().T, atol=1e-12)
