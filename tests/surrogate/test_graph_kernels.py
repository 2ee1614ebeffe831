"""GraphKernels against the kernels themselves, and the ensemble of a process and trees on them."""

from __future__ import annotations

import numpy as np
import pytest

from graphnas import ArchitectureBatch
from graphnas.errors import InvalidArgument
from graphnas.graph.wl import WeisfeilerLehman
from graphnas.surrogate import FeatureEnsemble, GaussianProcess, GraphKernels, normal_scores
from graphnas.surrogate.kernels import take
from search_spaces import GEMNet, NASBench201


def batch(space, size, seed):
    return space.sample_batch(np.random.default_rng(seed), size)


@pytest.mark.parametrize("space", [NASBench201(), GEMNet(6)], ids=lambda space: space.name)
def test_the_features_are_those_of_the_kernels(space):
    left, right = batch(space, 12, 0), batch(space, 9, 1)
    features = GraphKernels(space, depths=(0, 2), operations=False).fit(left)
    a, b = features(left), features(right)
    correlations = zip(features.kernel().correlations, a, b, strict=True)
    positional, depth0, depth2 = (c.matrix(np.zeros(0), x, y) for c, x, y in correlations)
    squared = ((a[0][:, None] - b[0][None]) ** 2).sum(2)
    np.testing.assert_allclose(positional, np.exp(-squared / features.flatten.slots), rtol=1e-5)
    active = space.active_batch(left), space.active_batch(right)
    np.testing.assert_allclose(depth0, WeisfeilerLehman(0, include_initial=True).gram(*active), atol=1e-12)
    np.testing.assert_allclose(depth2, WeisfeilerLehman(2).gram(*active), atol=1e-12)


def test_operation_features_are_standardised_and_come_last():
    space = NASBench201()
    known = batch(space, 400, 1)
    features = GraphKernels(space).fit(known)
    plain = GraphKernels(space, operations=False).fit(known)
    *others, rows = features(known)
    assert np.abs(rows.mean(0)).max() < 0.3
    assert 0.5 < rows.std(0).min() < rows.std(0).max() < 2
    for ours, theirs in zip(others, plain(known), strict=True):
        assert abs(ours - theirs).max() == 0
    # The largest batch is remembered; another one of the same size is not mistaken for it.
    np.testing.assert_array_equal(features(known)[-1], rows)
    assert not np.array_equal(features(batch(space, 400, 3))[-1], rows)


@pytest.mark.parametrize("operations", [True, False])
def test_features_of_a_graph_do_not_depend_on_what_else_is_in_the_batch(operations):
    space = GEMNet(6)
    many = batch(space, 30, 0)
    features = GraphKernels(space, operations=operations).fit(many)
    together = take(features(many), [3])
    alone = features(ArchitectureBatch.from_architectures([many.architecture(3)]))
    for row, other in zip(together, alone, strict=True):
        assert abs(row - other).max() < 1e-6


def test_ensemble_is_the_mean_of_process_and_trees():
    space = GEMNet(6)
    many = batch(space, 150, 0)
    features = GraphKernels(space).fit(many)
    rows = features(many)
    y = normal_scores(many.adjacency.sum((1, 2)).numpy() + many.operations.sum(1).numpy() ** 1.5)
    known = take(rows, np.arange(100))
    ensemble = FeatureEnsemble(features, forests=2).fit(known, y[:100])
    mean, deviation = ensemble.predict(rows)
    process = GaussianProcess(features.kernel(), max_fit=500).fit(known, y[:100])
    np.testing.assert_allclose(2 * mean - ensemble.forest_mean(rows), process.mean(rows), atol=1e-8)
    np.testing.assert_allclose(deviation, process.predict(rows)[1])
    again = FeatureEnsemble(features, forests=2).fit(known, y[:100])
    assert np.array_equal(again.predict(rows)[0], mean)
    for predicted in (mean, ensemble.forest_mean(rows)):
        assert np.corrcoef(predicted[100:], y[100:])[0, 1] > 0.6
    with pytest.raises(InvalidArgument, match="forests"):
        FeatureEnsemble(features, forests=0)
