"""Measurements are the same to the last bit, whether images are in memory or read by worker processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from tiny_space import TinySpace

from graphnas.evaluate import OracleEvaluator
from graphnas.training import load_dataset
from graphnas.training.lazy_images import LazyImages
from graphnas.training.workers import can_fork

pytestmark = pytest.mark.skipif(not can_fork(), reason="worker processes cannot be forked on this system")

QUICK = {"epochs": 2, "train_fraction": 0.5, "batch_size": 32, "device": "cpu", "progress": False}


@pytest.fixture
def parts():
    """Training and test images in memory, and the same as worker processes read them."""
    digits = load_dataset("digits")
    kept = [digits.train, digits.test]
    read = [
        LazyImages(images.images.__getitem__, images.labels, images.shape, dtype=torch.uint8, workers=2)
        for images in kept
    ]
    yield kept, read
    for images in read:
        images.close()


def test_values_and_weights(parts):
    architecture = TinySpace().sample(np.random.default_rng(0))
    results = []
    for images in parts:
        oracle = OracleEvaluator(TinySpace(), tuple(images), **QUICK)
        assert oracle.evaluate(architecture).value == oracle.evaluate(architecture).value
        trained = oracle.train(architecture)
        results.append((oracle.evaluate(architecture).value, trained))
    assert results[0][0] == results[1][0]
    kept, read = (trained for _, trained in results)
    assert kept.evaluation.value == read.evaluation.value
    weights = kept.module.state_dict(), read.module.state_dict()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_several_networks_at_once(parts):
    oracle = OracleEvaluator(TinySpace(), tuple(parts[1]), **QUICK)
    architecture = oracle.space.sample(np.random.default_rng(0))
    alone = oracle.evaluate(architecture).value
    with ThreadPoolExecutor(3) as pool:
        assert [e.value for e in pool.map(oracle.evaluate, [architecture] * 3)] == [alone] * 3
