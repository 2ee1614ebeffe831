"""Effects and derivatives of a process in counts of motifs, against plain computations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from graphnas import ArchitectureBatch
from graphnas.errors import InvalidArgument
from graphnas.graph.wl_motifs import Motifs
from graphnas.surrogate import GaussianProcess, GraphKernels, normal_scores
from graphnas.surrogate.effects import average_effects, count_gradients, slopes
from graphnas.surrogate.kernels import take
from search_spaces import GEMNet

SPACE = GEMNet(num_nodes=6)
DEPTHS = (0, 1, 2)


def fit(*, operations):
    """Features, a batch, its points, and a process that learned how many edges and operations there are."""
    batch = SPACE.sample_batch(np.random.default_rng(0), 60)
    kernels = GraphKernels(SPACE, DEPTHS, operations=operations).fit(batch)
    inputs = kernels(batch)
    values = batch.adjacency.sum((1, 2)).numpy() + 2.0 * (batch.operations == 1).sum(1).numpy()
    return kernels, batch, inputs, GaussianProcess(kernels.kernel()).fit(inputs, normal_scores(values))


@pytest.fixture(scope="module")
def fitted():
    return fit(operations=True)


def test_the_joint_posterior_has_the_marginals_of_a_prediction(fitted):
    _, batch, _, _ = fitted
    others = SPACE.sample_batch(np.random.default_rng(1), 15)
    kernels = GraphKernels(SPACE, DEPTHS).fit(ArchitectureBatch.cat([batch, others]))
    process = GaussianProcess(kernels.kernel()).fit(kernels(batch), np.linspace(-1, 1, 60))
    points = kernels(others)
    mean, covariance = process.joint(points)
    expected, deviation = process.predict(points)
    assert np.allclose(mean, expected)
    assert np.allclose(np.sqrt(np.diag(covariance)), deviation, atol=1e-4)
    assert np.linalg.eigvalsh(covariance).min() > -1e-6
    with pytest.raises(InvalidArgument, match="not fitted"):
        GaussianProcess(kernels.kernel()).posterior(np.zeros((1, 1)), np.zeros((1, 1)))


def shifted(kernels, batch, inputs, label, row, step):
    """The point ``row`` with ``step`` more occurrences of a label in every depth that counts it."""
    active = SPACE.active_batch(batch[row : row + 1])
    point = take(inputs, slice(row, row + 1))
    for place, kernel in enumerate(kernels.wl, start=1):
        counts = kernel.transform(active).toarray()
        counts[0, kernel.vocabulary == label] += step
        point[place] = sparse.csr_array(counts / np.sqrt((counts**2).sum()))
    return point


@pytest.mark.parametrize(
    # Operation features are of single precision, in which smaller steps drown.
    ("operations", "step", "tolerance"),
    [(False, 1e-4, 1e-5), (True, 0.02, 0.02)],
)
def test_derivatives_are_finite_differences_averaged_by_count(operations, step, tolerance):
    kernels, batch, inputs, process = fit(operations=operations)
    for number in DEPTHS:
        motifs = Motifs(SPACE, batch, number)
        labels = motifs.of_round(number)
        counts = motifs.counts(number, labels)
        labels, counts = labels[:: max(1, len(labels) // 4)], counts[:, :: max(1, len(labels) // 4)]
        means, deviations = count_gradients(process, kernels, batch, inputs, labels, counts)
        assert (deviations > 0).all()
        for label, own, mean, deviation in zip(labels, counts.T, means, deviations, strict=True):
            rows, shares = np.flatnonzero(own), own[own > 0] / own.sum()
            points = [
                shifted(kernels, batch, inputs, label, int(row), sign * step)
                for sign in (1, -1)
                for row in rows
            ]
            joined = [
                sparse.csr_array(sparse.vstack(part)) if sparse.issparse(part[0]) else np.concatenate(part)
                for part in zip(*points, strict=True)
            ]
            together, covariance = process.joint(joined)
            difference = np.concatenate([shares, -shares]) / (2 * step)
            assert mean == pytest.approx(difference @ together, rel=tolerance, abs=tolerance / 100)
            expected = difference @ covariance @ difference
            assert deviation**2 == pytest.approx(expected, rel=10 * tolerance, abs=tolerance / 10)


def test_a_slope_is_that_of_the_least_squares_line():
    rng = np.random.default_rng(0)
    counts, values = rng.integers(0, 4, (50, 3)).astype(float), rng.standard_normal(50)
    expected = [np.polyfit(column, values, 1)[0] for column in counts.T]
    assert np.allclose(slopes(counts, values), expected)
    present = (counts > 1).astype(float)
    gap = values[present[:, 0] == 1].mean() - values[present[:, 0] == 0].mean()
    assert slopes(present, values)[0] == pytest.approx(gap)


def test_average_effects_have_the_moments_of_drawn_functions_and_samples(fitted):
    """Mean and deviation against slopes of draws from the posterior, over architectures drawn again."""
    _, batch, _, _ = fitted
    pool = SPACE.sample_batch(np.random.default_rng(2), 200)
    kernels = GraphKernels(SPACE, DEPTHS).fit(ArchitectureBatch.cat([batch, pool]))
    process = GaussianProcess(kernels.kernel()).fit(kernels(batch), np.linspace(-1, 1, 60))
    motifs = Motifs(SPACE, pool, 1)
    counts = motifs.counts(0, motifs.of_round(0))
    counts = counts[:, counts.std(0) > 0]
    points = kernels(pool)
    effects, deviations = average_effects(process, points, counts)
    mean, covariance = process.joint(points)
    assert np.allclose(effects, slopes(counts, mean))
    rng = np.random.default_rng(3)
    functions = rng.multivariate_normal(mean, covariance, 3000, method="eigh")
    drawn = []
    for function in functions:
        again = rng.integers(len(pool), size=len(pool))
        drawn.append(slopes(counts[again], function[again]))
    assert np.allclose(np.mean(drawn, axis=0), effects, atol=4 * deviations.max() / np.sqrt(3000) + 0.01)
    assert np.allclose(np.std(drawn, axis=0), deviations, rtol=0.1)
    alone = np.std([slopes(counts, function) for function in functions], axis=0)
    assert (alone < deviations).all(), "the architectures that were not drawn count"
