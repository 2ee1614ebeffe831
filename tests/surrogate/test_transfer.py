"""Transfer: the process against the plain equations, and what informative, useless and wrong tasks do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from small_space import SmallSpace, quality

from graphnas.graph.batch import ArchitectureBatch
from graphnas.surrogate import GraphKernels, PriorTask, normal_scores
from graphnas.surrogate.kernels import Hamming, Kernel, take
from graphnas.surrogate.regression import NOISE_FLOOR, GaussianProcess, negative_log_posterior
from graphnas.surrogate.transfer import EXPECTED, PlainProcess, PriorMeans, Product, TransferProcess
from search_spaces import GEMNet

SPACE = SmallSpace()
ALL = list(SPACE.enumerate())
EVERY = ArchitectureBatch.from_architectures(ALL, SPACE.max_nodes)
QUALITY = np.array([quality(architecture) for architecture in ALL])


def points(count, tasks=2, objectives=1, seed=0):
    rng = np.random.default_rng(seed)
    bits = rng.integers(2, size=(count, 7)).astype(np.float32)
    return [bits, rng.standard_normal((count, tasks, objectives)).astype(np.float32)]


@pytest.mark.parametrize("tasks", [1, 3])
def test_the_prediction_is_that_of_the_equations(tasks):
    inputs, targets = points(9, tasks), np.random.default_rng(1).standard_normal(9)
    new = points(4, tasks, seed=2)
    process = TransferProcess(Kernel(Hamming(7)), tasks, 0).fit(inputs, targets)
    weights, noise = np.exp(process._process.theta), process._process.noise

    def covariance(a, b):
        total = weights[0] * Hamming(7).matrix(np.zeros(0), a[0], b[0]) + weights[1]
        own_a, own_b = a[1][:, :, 0].astype(float), b[1][:, :, 0].astype(float)
        total = total + weights[2] * np.outer(own_a.mean(1), own_b.mean(1))
        if tasks > 1:
            for task in range(tasks):
                total += weights[3 + task] * np.outer(own_a[:, task], own_b[:, task])
        return total

    def expected(a):
        return EXPECTED * a[1][:, :, 0].mean(1)

    inverse = np.linalg.inv(covariance(inputs, inputs) + (noise + NOISE_FLOOR) * np.eye(9))
    mean = expected(new) + covariance(new, inputs) @ inverse @ (targets - expected(inputs))
    variance = np.diag(covariance(new, new) - covariance(new, inputs) @ inverse @ covariance(inputs, new))
    for noisy, floor in ((False, 0.0), (True, noise)):
        predicted = process.predict(new, noisy=noisy)
        assert predicted[0] == pytest.approx(mean, abs=1e-5)
        assert predicted[1] ** 2 == pytest.approx(variance + floor, abs=1e-5)


def test_the_gradient_is_the_derivative():
    rng = np.random.default_rng(0)
    kernel = Kernel(Hamming(7), Product((0.0, 1.0)), Product((-1.0, 1.5)))
    inputs = [points(8)[0], np.ones(8), rng.standard_normal(8)]
    loss, start = negative_log_posterior(kernel, inputs, rng.standard_normal(8))
    theta = start + 0.3 * rng.standard_normal(len(start))
    assert loss(theta)[1] == pytest.approx(approx_fprime(theta, lambda t: loss(t)[0]), abs=1e-4)


def test_each_objective_has_its_own_means():
    inputs = points(9, 2, 2)
    targets = np.random.default_rng(1).standard_normal(9)

    def of(objective, means):
        process = TransferProcess(Kernel(Hamming(7)), 2, objective).fit([inputs[0], means], targets)
        return process.predict([inputs[0], means])[0]

    means = inputs[1]
    for objective in (0, 1):
        assert of(objective, means) == pytest.approx(of(0, means[:, :, [objective]]))
    assert of(None, means) == pytest.approx(of(0, means.mean(2, keepdims=True)), abs=1e-5)


def test_a_constraint_does_not_see_the_means():
    inputs, targets = points(9), np.random.default_rng(1).standard_normal(9)
    plain = GaussianProcess(Kernel(Hamming(7))).fit(inputs[:1], targets)
    process = PlainProcess(Kernel(Hamming(7))).fit(inputs, targets)
    process.condition(inputs, targets).believe(take(inputs, [0, 1]))
    plain.condition(inputs[:1], targets).believe(take(inputs[:1], [0, 1]))
    for ours, theirs in zip(process.predict(points(5)), plain.predict(points(5)[:1]), strict=True):
        assert ours == pytest.approx(theirs)


def means_of(*values, count=120):
    rows = np.random.default_rng(0).choice(len(ALL), count, replace=False)
    tasks = [PriorTask(str(k), [ALL[r] for r in rows], v[rows]) for k, v in enumerate(values)]
    kernels = GraphKernels(SPACE)
    return kernels, PriorMeans(kernels, tasks)


def test_means_follow_a_task_and_vanish_where_it_is_noise():
    noise = np.random.default_rng(1).standard_normal(len(ALL))
    _, means = means_of(QUALITY, noise)
    informative, useless = means(EVERY)[:, :, 0].T
    assert np.corrcoef(informative, QUALITY)[0, 1] > 0.95
    assert np.std(useless) < 0.5 * np.std(informative)
    batch = ArchitectureBatch.from_architectures(ALL[:7], SPACE.max_nodes)
    assert means(batch)[:, 0, 0] == pytest.approx(informative[:7], abs=1e-4)  # no matter which batch it is in


@pytest.mark.parametrize("wrong", ["reversed", "shuffled"])
def test_wrong_tasks_are_found_out(wrong):
    """After 30 evaluations the predictions are about as good as without them."""
    values = -QUALITY if wrong == "reversed" else np.random.default_rng(5).permutation(QUALITY)
    kernels, means = means_of(values)
    kernels.fit(EVERY)
    rows = np.random.default_rng(2).choice(len(ALL), 30, replace=False)
    features, targets = kernels(EVERY), normal_scores(QUALITY[rows])
    plain = GaussianProcess(kernels.kernel()).fit(take(features, rows), targets)
    inputs = [*features, means(EVERY)]
    transfer = TransferProcess(kernels.kernel(), 1, 0).fit(take(inputs, rows), targets)
    rest = np.setdiff1d(np.arange(len(ALL)), rows)

    def correlation(process, points):
        return np.corrcoef(process.predict(take(points, rest))[0], QUALITY[rest])[0, 1]

    assert correlation(transfer, inputs) > correlation(plain, features) - 0.03


def test_a_right_task_makes_three_evaluations_enough():
    kernels, means = means_of(QUALITY**3 / 10 + 2)
    kernels.fit(EVERY)
    rows = np.random.default_rng(2).choice(len(ALL), 3, replace=False)
    inputs, targets = [*kernels(EVERY), means(EVERY)], normal_scores(QUALITY[rows])
    transfer = TransferProcess(kernels.kernel(), 1, 0).fit(take(inputs, rows), targets)
    plain = GaussianProcess(kernels.kernel()).fit(take(inputs[:-1], rows), targets)
    known = np.corrcoef(transfer.predict(inputs)[0], QUALITY)[0, 1]
    assert known > 0.9
    assert known > np.corrcoef(plain.predict(inputs[:-1])[0], QUALITY)[0, 1] + 0.1


def test_operation_features_are_shared():
    kernels = GraphKernels(GEMNet(6), (0, 2))
    other = kernels.sibling()
    assert other.operations is kernels.operations
    batch = ArchitectureBatch.from_architectures(
        [GEMNet(6).sample(np.random.default_rng(k)) for k in range(9)], 6
    )
    kernels.fit(batch)
    before = [f.toarray() for f in kernels(batch)[1:3]]
    other.fit(batch[np.arange(2)])
    for mine, theirs in zip(before, kernels(batch)[1:3], strict=True):
        assert (mine == theirs.toarray()).all()  # fitting one leaves the other as it was
    assert all((a == b.toarray()).all() for a, b in zip(before, other.fit(batch)(batch)[1:3], strict=True))
