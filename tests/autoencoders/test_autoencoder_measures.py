"""Measures of autoencoders: against slow counting, with a stand-in whose abilities are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.autoencoders.variational_gp import VariationalGP
from graphnas.autoencoders import FeatureVAE, FeatureVAEConfig, TrainingConfig
from graphnas.autoencoders.measures import (
    abilities,
    errors_of,
    latent_regression,
    reconstruction_accuracy,
    well_formed,
)
from graphnas.errors import InvalidArgument, MissingExtra
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.surrogate import SparseGP
from search_spaces import NASBench101


@pytest.fixture(scope="module")
def model():
    space = NASBench101()
    training = TrainingConfig(epochs=6, batch_size=64, learning_rate=3e-3)
    config = FeatureVAEConfig(hidden=48, latent=24, training=training)
    return FeatureVAE(space, config).fit(space.sample_batch(np.random.default_rng(0), 300))


def test_reconstruction_is_the_share_of_exact_decodings(model):
    test = model.space.sample_batch(np.random.default_rng(1), 40)
    found = reconstruction_accuracy(model, test, 25, seed=3)
    means, _ = model.encode(test)
    rng = torch.Generator().manual_seed(4)
    exact = 0
    decoded = model.decode(means.repeat_interleave(25, 0), rng)
    for k, other in enumerate(decoded.architectures):
        if other is not None:
            wanted = model.adapter.to_vertices([test.architecture(k // 25)]).to_architectures()[0]
            exact += wanted == model.adapter.to_vertices([other]).to_architectures()[0]
    assert 0 < found < 1
    assert found == pytest.approx(exact / 1000)


def test_validity_uniqueness_and_novelty_by_counting(model):
    train = model.space.sample_batch(np.random.default_rng(0), 300)
    test = model.space.sample_batch(np.random.default_rng(1), 5)
    found = abilities(model, train, test, seed=2, reconstructions=2, latents=60, decodings=4)
    known = model.encode(train)[0]
    rng = torch.Generator().manual_seed(2)
    noise = torch.randn(60, 24, generator=rng)
    z = (noise * known.std(0) + known.mean(0)).repeat_interleave(4, 0)
    decoded = model.decode(z, rng)
    graphs = [
        graph
        for graph, architecture in zip(decoded.graphs.to_architectures(), decoded.architectures, strict=True)
        if architecture is not None
    ]
    present = set(model.adapter.to_vertices(train).to_architectures())
    assert found.validity == pytest.approx(100 * len(graphs) / 240)
    assert found.uniqueness == pytest.approx(100 * len(set(graphs)) / len(graphs))
    assert found.novelty == pytest.approx(100 * sum(g not in present for g in graphs) / len(graphs))
    assert 0 < found.validity < 100
    assert found.to_dict()["accuracy"] == found.accuracy
    masked = abilities(
        model, train, test, seed=2, reconstructions=1, latents=60, decodings=4, constrained=True
    )
    assert masked.validity == 100


def test_well_formed_graphs():
    def graph(types, *edges):
        adjacency = np.zeros((len(types), len(types)), int)
        for i, j in edges:
            adjacency[i, j] = 1
        return Architecture(adjacency, types)

    cases = {
        graph([0, 1], (0, 1)): True,
        graph([0, 1]): False,
        graph([0, 2, 1], (0, 1), (1, 2)): True,
        graph([0, 2, 1], (0, 1), (0, 2)): False,  # vertex 1 feeds nothing
        graph([0, 2, 1], (1, 2), (0, 2)): False,  # nothing feeds it
        graph([0, 0, 1], (0, 1), (1, 2)): False,  # two starts
        graph([0, 1, 1], (0, 1), (1, 2)): False,  # two ends
        graph([2, 2, 1], (0, 1), (1, 2)): False,
        graph([0, 2, 2], (0, 1), (1, 2)): False,
        graph([0]): False,
        graph([0, 2, 3, 4, 1], (0, 1), (0, 2), (1, 3), (2, 3), (3, 4)): True,
    }
    batch = ArchitectureBatch.from_architectures(list(cases))
    assert well_formed(batch).tolist() == list(cases.values())


def test_regression_is_in_units_of_the_training_targets():
    rng = np.random.default_rng(0)
    x, test_x = rng.standard_normal((300, 3)), rng.standard_normal((80, 3))
    y, test_y = (np.sin(a[:, 0]) + a[:, 1] for a in (x, test_x))
    found = latent_regression(x, y, test_x, test_y, seeds=range(2), inducing=60)
    scaled = latent_regression(x, 7 - 50 * y, test_x, 7 - 50 * test_y, seeds=range(2), inducing=60)
    np.testing.assert_allclose(scaled.rmse, found.rmse, rtol=0.05)
    assert max(found.rmse) < 0.1
    assert min(found.pearson) > 0.99
    summary = found.to_dict()
    assert summary["rmse"] == pytest.approx(np.mean(found.rmse))
    assert summary["pearson_sd"] == pytest.approx(np.std(found.pearson, ddof=1))
    assert found.rmse[0] != found.rmse[1]


def test_errors():
    assert errors_of([1.0, 2.0], [1.0, 4.0]) == (pytest.approx(np.sqrt(2)), pytest.approx(1.0))
    assert errors_of([1.0, 1.0], [1.0, 4.0])[1] == 0


def test_gpytorchs_process_agrees_with_ours():
    pytest.importorskip("gpytorch", reason="GPyTorch is not installed (pip install 'graphnas[dev]')")
    rng = np.random.default_rng(0)
    x, test_x = rng.uniform(-2, 2, (400, 2)), rng.uniform(-2, 2, (50, 2))
    y = np.sin(2 * x[:, 0]) + 0.1 * rng.standard_normal(400)
    state = torch.random.get_rng_state()
    process = VariationalGP(25, passes=40, batch_size=100, learning_rate=0.05).fit([x], y)
    assert torch.equal(torch.random.get_rng_state(), state)
    mean, deviation = process.predict([test_x])
    np.testing.assert_allclose(mean, SparseGP(25).fit([x], y).predict([test_x])[0], atol=0.15)
    assert 0 < deviation.mean() < 0.2  # before any data it is 1
    again = VariationalGP(25, passes=40, batch_size=100, learning_rate=0.05).fit([x], y).predict([test_x])
    np.testing.assert_array_equal(again[0], mean)
    few = latent_regression(
        x[:20], y[:20], test_x, test_x[:, 0], seeds=[0], inducing=5, process=VariationalGP
    )
    assert np.isfinite(few.rmse[0])


def test_without_gpytorch_the_extra_is_named():
    try:
        import gpytorch  # noqa: F401
    except ImportError:
        with pytest.raises(MissingExtra, match=r"graphnas\[dev\]"):
            VariationalGP()
    else:
        pytest.skip("GPyTorch is installed")


def test_bad_input(model):
    batch = model.space.sample_batch(np.random.default_rng(0), 5)
    with pytest.raises(InvalidArgument, match="decodings must be at least 1, got 0"):
        abilities(model, batch, batch, decodings=0)
    x, y = np.zeros((5, 2)), np.zeros(5)
    with pytest.raises(InvalidArgument, match=r"\(5, 3\)"):
        latent_regression(x, y, np.zeros((5, 3)), y)
